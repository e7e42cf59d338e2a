//! BYTES: listeners, streams, buffered connections, the threads that serve them and the way out.
//!
//! Knows nothing of files or commands: the meaning of a line is one floor up. TCP and Unix sockets
//! differ only in [`Address`] and [`Listener`]; behind them a [`Stream`] is a stream.

mod address;
mod connect;
mod connection;
mod lines;
mod listener;
mod live;
mod options;
mod pool;
mod stream;
mod telnet;

pub use address::Address;
pub use connection::Connection;
pub use lines::Lines;
pub use listener::Listener;
pub use live::{Live, Registration};
pub(crate) use pool::MAX_LINGERING;
pub use pool::{Pool, Slot};
pub use stream::Stream;
