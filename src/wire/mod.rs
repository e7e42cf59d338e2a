//! MEANING: one line is one request, or one reply, and for some of them contents follow.
//!
//! Pure: bytes in, values out, and back. Nothing here can block, and nothing here knows a socket
//! or a file. Server and client share both types, so the grammar stands here and nowhere else;
//! it is told to people in `tutorial/protocol.md`.

mod fields;
mod help;
mod item;
mod mistake;
mod parse;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use help::COMMANDS;
pub use item::{Changed, Listed};
pub use mistake::{Mistake, ShownLine};
pub use parse::{Malformed, is_blank};
pub use reply::Reply;
pub use request::Request;

/// The protocol's version, as `hello` answers it.
pub const PROTOCOL_VERSION: u64 = 1;

/// What a list or changes have at most, in lines.
pub const MAX_ITEMS: u64 = 10_000;

/// The longest that a watch or wait takes, in seconds: a day. A longer one is taken as this.
pub const MAX_WATCH_SECONDS: u64 = 86_400;

/// A line of a client has fewer bytes than this, its end not counted.
pub const MAX_LINE_BYTES: usize = 500;

/// So has a line of a server: the longest name of a list, and the numbers beside it.
pub const MAX_REPLY_LINE_BYTES: usize = 600;
