//! Versioned files shared over a plain-text protocol.
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
//!     fn create(name: &Name, _: &()) -> Result<Self, Refusal> {
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
//! let server = server.spawn()?;
//! let address = server.addresses()[0].to_string();
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
//! server.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! For programs that want messages and no files there is [`framework`].
//!
//! Where to read on: [`File`] says what a type can do, [`Server`] what can be set, [`Client`] how to
//! send requests and wait for changes. [`client::recipes`] has locks, leases and elections, and
//! [`store`] keeps a table over restarts (`Builder::data` is all that a server needs).
//! `tutorial/reference/protocol.md` in the repository describes the protocol.
//!
//! `ARCHITECTURE.md` in the repository shows how the parts fit together, the path of one request, and
//! the invariants.

#![cfg_attr(docsrs, feature(doc_cfg))]

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
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod name;
pub mod net;
mod refusal;
mod server;
pub mod store;
mod token;
mod waker;
pub mod wire;

pub use budget::{Budget, Charge};
#[cfg(feature = "cli")]
pub use cli::serve;
pub use client::Client;
pub use contents::{Contents, Incoming};
pub use exptime::Exptime;
pub use files::{
    Caller, Change, Changes, ClientId, Clock, Decided, Expiry, Fd, File, FileType, Listed, Listing,
    MEMORY_FILE, Open, Opened, Opening, Registry, Stat, Table, Ticket, Totals, Wait, Waiter,
    Waiting, Watch,
};
pub use name::{FileRef, Name, NameRef, Stem};
pub use refusal::{Limit, Refusal};
pub use server::{
    BindError, Builder, DEFAULT_CONNECTIONS, DEFAULT_MAX_CONTENTS, DEFAULT_WRITE_TIMEOUT, Handle,
    Running, Server, default_max_memory,
};
pub use token::{InvalidToken, Token};
pub use waker::Waker;

/// The code of the pages, compiled and run with the documentation's tests.
#[cfg(all(doctest, feature = "cli"))]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../tutorial/reference/framework.md")]
    struct Framework;
    #[doc = include_str!("../tutorial/reference/library.md")]
    struct Library;
    #[doc = include_str!("../tutorial/reference/locks.md")]
    struct Locks;
    #[doc = include_str!("../tutorial/reference/types.md")]
    struct Types;
}
