//! A small message framework for programs that need neither files nor a protocol of their own: a
//! server calls an application for each message, a client sends and receives messages.
//!
//! Uses only the streams and threads of this crate's [`net`](crate::net).
//!
//! # An example: an auction
//!
//! Bidders see the highest bid, and the bid of a bidder that leaves no longer counts. An application
//! is a value whose methods are callbacks. It needs no lock, because the callbacks of a worker run
//! one at a time; but they run on several threads, so its state belongs into the value and not into
//! a `thread_local!`.
//!
//! ```
//! use std::collections::HashMap;
//! use std::error::Error;
//! use std::time::Duration;
//! use telefile::framework::{
//!     Client, Connection, Message, OwnedMessage, Server, ServerApp, ServerConfig,
//! };
//!
//! const BID: u16 = 1;
//! const HIGHEST: u16 = 2;
//!
//! #[derive(Default)]
//! struct Auction {
//!     bids: HashMap<Connection, u32>,
//! }
//!
//! impl Auction {
//!     fn announce(&self) {
//!         let highest = self.bids.values().max().copied().unwrap_or(0);
//!         for bidder in self.bids.keys() {
//!             // Never waits, however slow the bidder is.
//!             bidder.send(Message::new(HIGHEST).append(highest.to_le_bytes()));
//!         }
//!     }
//! }
//!
//! impl ServerApp for Auction {
//!     type Context = ();
//!
//!     fn new((): ()) -> Result<Self, Box<dyn Error + Send + Sync>> {
//!         Ok(Auction::default())
//!     }
//!
//!     fn on_message(&mut self, OwnedMessage { mut message, client }: OwnedMessage) {
//!         match (message.id(), message.pop(4)) {
//!             (BID, Ok(bid)) => {
//!                 let bid = u32::from_le_bytes(bid.try_into().expect("it has 4 bytes"));
//!                 self.bids.insert(client, bid);
//!                 self.announce();
//!             }
//!             _ => client.shutdown(), // not a message of ours
//!         }
//!     }
//!
//!     fn on_client_disconnect(&mut self, client: &Connection) {
//!         self.bids.remove(client);
//!         self.announce();
//!     }
//! }
//!
//! let config = ServerConfig::<Auction>::new(()).listen("127.0.0.1:0".parse()?);
//! let server = Server::spawn(config)?;
//! let second = Some(Duration::from_secs(1));
//! let bid = |bid: u32| Message::new(BID).append(bid.to_le_bytes());
//! let highest = |client: &Client| -> Result<u32, Box<dyn Error>> {
//!     Ok(u32::from_le_bytes(client.recv(second)?.pop(4)?.try_into()?))
//! };
//!
//! let ann = Client::connect_to(&server.addresses()[0])?;
//! ann.send(bid(5))?;
//! assert_eq!(highest(&ann)?, 5);
//! let bob = Client::connect_to(&server.addresses()[0])?;
//! bob.send(bid(7))?;
//! assert_eq!((highest(&ann)?, highest(&bob)?), (7, 7));
//!
//! bob.shutdown(second)?; // or killed, or cut off
//! assert_eq!(highest(&ann)?, 5);
//!
//! ann.shutdown(second)?;
//! server.stop(second)?;
//! # Ok::<(), Box<dyn Error>>(())
//! ```
//!
//! # The path of one message
//!
//! A reader, a thread of a [`Pool`](crate::net::Pool), waits for its connection's bytes and splits
//! them into messages. If nobody works for the connection's worker, the reader itself calls
//! [`on_message`](ServerApp::on_message) for each, and then for the messages that other readers
//! have left meanwhile. So a single message in flight costs no thread switch, which on a busy
//! machine waits for a processor each time. After a millisecond, or one callback that takes longer,
//! the worker's own thread takes over, and the reader reads on. The messages that callbacks
//! [`send`](Connection::send) are collected, and go out when there is nothing more to do, or after
//! a millisecond; if one callback takes longer, within ten. A writer, a thread of a second pool, is
//! used only for a client that does not read what is sent, or does not end its side after this one.
//!
//! # The wire
//!
//! `id` as two bytes and `size` as four, both little endian, then `size` bytes of payload, in both
//! directions. There is no handshake. `id` 1 and payload `abc` are
//! `01 00 03 00 00 00 61 62 63`.

mod app;
mod callbacks;
mod channel;
mod client;
mod connection;
mod end;
mod error;
mod flusher;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod inbox;
mod message;
mod message_reader;
mod outbox;
mod server;
mod service;
mod worker;

pub use app::{
    DEFAULT_CONNECTIONS, DEFAULT_MAX_MESSAGE_BYTES, DEFAULT_STACK_BYTES, ServerApp, ServerConfig,
};
pub use client::{Client, ClientConfig};
pub use connection::{Connection, OwnedMessage};
pub use end::EndReason;
pub use error::{ClientError, SendError, StartError, StopError};
pub use message::{Message, PopError};
pub use server::Server;
