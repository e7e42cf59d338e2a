//! BYTES: listeners, streams, buffered connections and the threads that serve them.
//!
//! Knows nothing of files or commands: what a line means is told one floor up. TCP and Unix
//! sockets differ in [`Address`] and [`Listener`] alone; behind them a [`Stream`] is a stream.

mod address;
mod connection;
mod lines;
mod listener;
mod pool;
mod stream;

pub use address::Address;
pub use connection::Connection;
pub use lines::Lines;
pub use listener::Listener;
pub use pool::{Pool, Seat};
pub use stream::Stream;
