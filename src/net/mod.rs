//! BYTES: listeners, streams with and without buffers, and the threads that serve them.
//!
//! Knows nothing of files or commands: the meaning of a line is one floor up. TCP and Unix sockets
//! differ only in [`Address`] and [`Listener`]; behind them a [`Stream`] is a stream.
//!
//! [`Address`] and [`iter_lines`] are for every program. The rest is what telefile itself is made of:
//! it comes with no promise, and any release may change it.
//!
//! ```
//! use telefile::net::{Address, iter_lines};
//!
//! let address: Address = "unix:/run/telefile.sock".parse()?;
//! assert!(address.is_private()); // other machines cannot reach it
//!
//! let mut lines = iter_lines(&b"one\r\ntwo\nthe rest"[..], 500);
//! assert_eq!(lines.next().transpose()?, Some(b"one".to_vec()));
//! assert_eq!(lines.next().transpose()?, Some(b"two".to_vec()));
//! # Ok::<(), std::io::Error>(())
//! ```

mod address;
mod buffered;
mod buffers;
mod connect;
mod iter_lines;
mod lines;
mod listener;
mod live;
mod options;
mod pool;
mod stream;
mod telnet;

pub use crate::budget::Budget;
pub use crate::contents::Incoming;
pub use crate::waker::Waker;
pub use address::Address;
pub use buffered::BufferedStream;
pub use iter_lines::{IterLines, iter_lines};
pub use lines::Lines;
pub use listener::Listener;
pub use live::{Live, Registration};
pub(crate) use pool::MAX_LINGERING;
pub use pool::{Pool, Slot};
pub use stream::Stream;
