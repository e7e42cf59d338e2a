//! Named files that many clients share over a line of text.
//!
//! `telefile` is a server, and this library is what it is made of: a blocking listener, a thread
//! for each connection, a buffer that finds lines, and a table of versioned files.
//!
//! ```text
//! write foo 6
//! abcdef
//! OK 1
//! cas foo 1 7
//! ghijklm
//! OK 2
//! ```
//!
//! # The path of one request
//!
//! `main` -> [`Server::run`] (an accept loop for each listener) -> [`net::Listener::accept`] ->
//! [`net::Pool`] (from here on a thread of its own) -> `Session::run` in `server/session.rs`
//! (read a line, answer it) -> [`net::Connection::read_line`] -> [`wire::Request::parse`] ->
//! `dispatch` (one match) -> [`Table::write`] -> [`wire::Reply::write_to`].
//!
//! # Invariants
//!
//! 1. `net`, `wire` and `files` import the common words (`name`, `exptime`, `contents`,
//!    `refusal`) and never each other or `server`. A test reads the imports.
//! 2. Each dependency is imported in few places: socket2 and rustix where the system is asked,
//!    memchr in the line buffer, itoa in the fields, subtle in the token, crossbeam-channel in pool
//!    and stop, ctrlc, env_logger, lexopt and hdrhistogram in `cli`. `log` anywhere.
//! 3. `wire` cannot block: slices in, values out, and back into a buffer.
//! 4. No length that a peer chose allocates before it has met a limit.
//! 5. No lock is held across I/O.
//! 6. No read may block while a reply is unsent. Half a line counts as nothing.
//! 7. A panic in one session is its own; every other client notices nothing.
//! 8. The accept loop never ends on an error: it logs, backs off and goes on.

#[cfg(not(unix))]
compile_error!("telefile needs a Unix: it uses poll, Unix sockets and file descriptors");

#[cfg(feature = "cli")]
pub mod cli;
pub mod client;
mod contents;
mod exptime;
mod files;
mod name;
pub mod net;
mod refusal;
mod server;
pub mod wire;

#[cfg(feature = "cli")]
pub use cli::serve;
pub use client::Client;
pub use contents::{Budget, Charge, Contents, Incoming};
pub use exptime::Exptime;
pub use files::{
    ClientId, Clock, Fd, File, FileType, MEMORY_FILE, Opened, Registry, Stat, Table, Totals,
};
pub use name::{FileRef, Name, NameRef};
pub use refusal::{Limit, Refusal};
pub use server::{
    Builder, DEFAULT_CONNECTIONS, DEFAULT_MAX_CONTENTS, DEFAULT_WRITE_TIMEOUT, Handle, Server,
    Token, default_max_memory,
};
