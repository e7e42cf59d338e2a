//! A small message framework for programs that want neither files nor a protocol of their own: a
//! server calls an application back for each message, a client sends and receives them.
//!
//! Knows of this crate the streams and threads of [`net`](crate::net) alone.

mod app;
mod client;
mod connection;
mod flusher;
mod inbox;
mod incoming;
mod link;
mod message;
mod outbox;
mod sending;
mod server;
mod worker;

pub use app::{Config, DEFAULT_CONNECTIONS, DEFAULT_MAX_MESSAGE_BYTES, ServerApp};
pub use client::{Client, ClientError};
pub use connection::Connection;
pub use message::{Message, OwnedMessage, PopError};
pub use server::{Server, StartError, StopError};
