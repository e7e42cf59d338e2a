//! BYTES: listeners, streams with and without buffers, and the threads that serve them.
//!
//! Knows nothing of files or commands; `server` and `client` give lines their meaning. TCP and Unix
//! sockets differ only in [`Address`] and [`Listener`]; behind them a [`Stream`] is a stream.
//!
//! The other words: a [`Budget`] is a maximum of memory, and a `Charge` is what one owner has taken of
//! it. An [`Incoming`] is contents of which a part has arrived. A [`Waker`] is a file descriptor that
//! wakes a thread that polls a stream.
//!
//! [`Address`] and [`iter_lines`] are for every program. The rest is what telefile itself is made of:
//! it comes with no promise, and any release may change it.
//!
//! ```
//! use telefile::net::{Address, iter_lines};
//!
//! let address: Address = "unix:/run/telefile.sock".parse()?;
//! assert!(address.is_local()); // other machines cannot reach it
//!
//! let mut lines = iter_lines(&b"one\r\ntwo\nthe rest"[..], 500);
//! assert_eq!(lines.next().transpose()?, Some(b"one".to_vec()));
//! assert_eq!(lines.next().transpose()?, Some(b"two".to_vec()));
//! # Ok::<(), std::io::Error>(())
//! ```

mod address;
mod addresses;
mod buffered;
mod buffers;
mod connect;
mod gate;
mod iter_lines;
mod lines;
mod listener;
mod live;
mod options;
mod pool;
#[cfg(feature = "etcd")]
mod relay;
mod stream;
mod telnet;
mod traffic;
mod unix_socket;

pub use crate::budget::Budget;
pub use crate::contents::Incoming;
pub use crate::waker::Waker;
pub use address::Address;
pub(crate) use addresses::Addresses;
pub use buffered::BufferedStream;
pub use gate::Gate;
pub use iter_lines::{IterLines, iter_lines};
pub use lines::LineBuffer;
pub use listener::Listener;
pub use live::{Live, Registration};
pub(crate) use pool::MAX_LINGERING;
pub use pool::{Pool, Slot};
#[cfg(feature = "etcd")]
pub(crate) use relay::relay;
pub use stream::Stream;
pub use traffic::Traffic;
