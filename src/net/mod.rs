//! BYTES: listeners, streams, buffered connections, the threads that serve them and the way out.
//!
//! Knows nothing of files or commands: the meaning of a line is one floor up. TCP and Unix sockets
//! differ only in [`Address`] and [`Listener`]; behind them a [`Stream`] is a stream.

mod address;
mod connect;
mod connection;
mod doors;
mod lines;
mod listener;
mod options;
mod pool;
mod stream;
mod telnet;

pub use address::Address;
pub use connection::Connection;
pub use doors::{Doors, Pass};
pub use lines::Lines;
pub use listener::Listener;
pub(crate) use pool::MAX_STANDING;
pub use pool::{Pool, Seat};
pub use stream::Stream;
