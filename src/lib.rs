//! Named files that many clients share over a line of text.
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
//! The program `telefile` serves such files, and this library is what it is made of. With it you
//! give files a meaning of your own, embed the server, or speak to one.
//!
//! # A story: a board that forgets who is gone
//!
//! Players show their scores to each other. A player who leaves, however that happens, shall be
//! gone from the board: no time-outs, no tidying up by hand. So the score is a file of code. Its
//! name is the player's; what it knows of the others is in a map that all of them share.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Mutex;
//! use telefile::{Client, Contents, File, Name, Refusal, Server, file_types};
//!
//! static BOARD: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
//!
//! struct Score(String);
//!
//! impl File for Score {
//!     // The first open of a name makes its file...
//!     fn create(name: &Name) -> Result<Self, Refusal> {
//!         Ok(Score(name.as_str().to_string()))
//!     }
//!     fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
//!         let score = str::from_utf8(&contents).map_err(|_| Refusal::Denied)?;
//!         BOARD.lock().unwrap().insert(self.0.clone(), score.to_string());
//!         Ok(())
//!     }
//!     fn read(&mut self) -> Result<Contents, Refusal> {
//!         Ok(format!("{:?}", BOARD.lock().unwrap()).into())
//!     }
//! }
//!
//! // ...and the last close, or the last lost connection, drops it.
//! impl Drop for Score {
//!     fn drop(&mut self) {
//!         BOARD.lock().unwrap().remove(&self.0);
//!     }
//! }
//!
//! // A program of its own would say no more than `telefile::serve(file_types![Score])`. Here the
//! // server is a value: on a port that the system chooses, on a thread, stopped in the end.
//! let server =
//!     Server::builder().types(file_types![Score]).listen("127.0.0.1:0".parse()?).bind()?;
//! let address = server.addresses()[0].to_string();
//! let handle = server.handle();
//! let running = std::thread::spawn(|| server.run());
//!
//! let ann = Client::connect(&address)?;
//! let anns = ann.open("ann", Some("Score"))?;
//! anns.write("7")?;
//!
//! let bob = Client::connect(&address)?;
//! let bobs = bob.open("bob", Some("Score"))?;
//! bobs.write("5")?;
//! assert_eq!(&*anns.read()?.contents, br#"{"ann": "7", "bob": "5"}"#);
//!
//! // Bob is gone: his connection ends, what he had open is closed, his file is no more.
//! drop((bobs, bob));
//! while &*anns.read()?.contents != br#"{"ann": "7"}"# {}
//!
//! drop((anns, ann));
//! handle.stop();
//! running.join().unwrap()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! For programs that want messages and no files there is [`framework`].
//!
//! Where to read on: [`File`] tells what a type may do, [`Server`] what can be set, [`Client`] how
//! to ask and to wait for changes, [`client::recipes`] has locks, leases, elections and the like,
//! [`store`] keeps a table over restarts (`Builder::data` is all that a server needs), and
//! `tutorial/protocol.md` in the repository tells what goes over the wire.
//!
//! # The path of one request
//!
//! `main` -> [`Server::run`] (an accept loop for each listener) -> [`net::Listener::accept`] ->
//! [`net::Pool`] (from here on a thread of its own) -> `Session::run` in `server/session.rs`
//! (read a line, answer it) -> [`net::Connection::read_line`] -> [`wire::Request::parse`] ->
//! `dispatch` (one match) -> [`Table::write`] -> [`wire::Reply::write_to`].
//!
//! With `--data` the change is only decided by then, and the reply waits: `files/state/journal.rs` ->
//! [`Table::commit`] (one thread, all that waits at once) -> [`store::Store::commit`] -> seen.
//!
//! # Invariants
//!
//! 1. `net`, `wire` and `files` import the common words (`name`, `exptime`, `budget`, `contents`,
//!    `refusal`, `waker`) and never each other or `server`; `store` imports `files`, for the trait
//!    that it implements; `client` imports `net` and `wire`, `framework` imports `net` alone. Inside
//!    `files`, `state` (what stands under the lock) never imports `table` (the operations), and no
//!    files import each other in a circle. A test reads the imports.
//! 2. Each dependency is imported in few places: socket2 and rustix where the system is asked
//!    (`net`, `waker`, `server/system`, `files/kinds/text`, `store`, `cli/streams`,
//!    `cli/watch`, `cli/signals`, `cli/lock`), redb and crc32fast in `store`, memchr in the line
//!    buffer, itoa in the fields, subtle in the token, crossbeam-channel in pool, watchers, stop
//!    and the framework's workers, env_logger, lexopt, nix, signal-hook and hdrhistogram in `cli`.
//!    `log` anywhere.
//! 3. `wire` cannot block: slices in, values out, and back into a buffer.
//! 4. No length that a peer chose allocates before it has met a limit.
//! 5. No lock is held across I/O or a call of a type's code, except a file's own lock around its
//!    own operation, and a store's own locks. The order is one file's lock, then the table's; never
//!    two files', and none of a store's under the table's.
//! 6. No read may block while a reply is unsent. Half a line counts as nothing.
//! 7. A panic in a session or in a type's code is caught; every other client notices nothing.
//! 8. The accept loop never ends on an error: it logs, backs off and goes on.
//! 9. In a table on disk nobody sees a change before it is there, nor is anything refused because
//!    of one that is not.

#[cfg(not(unix))]
compile_error!("telefile needs a Unix: it uses poll, Unix sockets and file descriptors");

mod budget;
#[cfg(feature = "cli")]
pub mod cli;
pub mod client;
mod contents;
mod exptime;
mod files;
pub mod framework;
mod name;
pub mod net;
mod refusal;
mod server;
pub mod store;
mod waker;
pub mod wire;

pub use budget::{Budget, Charge};
#[cfg(feature = "cli")]
pub use cli::serve;
pub use client::Client;
pub use contents::{Contents, Incoming};
pub use exptime::Exptime;
pub use files::{
    Change, Changes, ClientId, Clock, Decided, Expiry, Fd, File, FileType, Listed, Listing,
    MEMORY_FILE, Opened, Registry, Stat, Table, Ticket, Totals, Wait, Waiter, Waiting, Watch,
};
pub use name::{FileRef, Name, NameRef, Stem};
pub use refusal::{Limit, Refusal};
pub use server::{
    Builder, DEFAULT_CONNECTIONS, DEFAULT_MAX_CONTENTS, DEFAULT_WRITE_TIMEOUT, Handle, Server,
    Token, default_max_memory,
};
pub use waker::Waker;

/// The code that README shows, compiled.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../README.md")]
struct Readme;
