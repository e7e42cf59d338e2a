//! MEANING: one line is one request or one reply, and contents follow some of them.
//!
//! Pure: bytes in, values out, and back. Nothing here can block, and nothing here knows a socket or
//! a file. Server and client share both types, so this is the only place for the grammar;
//! `tutorial/reference/protocol.md` describes it for people.
//!
//! ```
//! use telefile::NameRef;
//! use telefile::wire::{FileRef, Reply, Request};
//!
//! let request = Request::parse(b"read foo").unwrap();
//! assert_eq!(request, Request::Read { file: FileRef::Name(NameRef::new("foo").unwrap()) });
//!
//! let mut line = Vec::new();
//! Reply::Version(7).write_to(&mut line);
//! assert_eq!(line, b"OK 7\r\n");
//! ```

mod fields;
mod help;
mod item;
mod mistake;
mod parse;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use crate::name::{FileRef, Stem};
pub use help::COMMANDS;
pub use item::{Changed, Listed};
pub use mistake::{Mistake, ShownLine};
pub use parse::{Malformed, is_blank};
pub use reply::Reply;
pub use request::Request;
pub(crate) use request::VERBS;

/// The protocol's version, as `hello` reports it.
pub const PROTOCOL_VERSION: u64 = 1;

/// The most lines that a list or changes have.
pub const MAX_ITEMS: u64 = 10_000;

/// The longest time of a watch or wait, in seconds: a day. A longer one is cut to this.
pub const MAX_WATCH_SECONDS: u64 = 86_400;

/// A client's line has fewer bytes than this, without its end.
pub const MAX_LINE_BYTES: usize = 500;

/// So has a server's line: the longest name in a list, and the numbers beside it.
pub const MAX_REPLY_LINE_BYTES: usize = 600;
