//! Versioned files shared over a plain-text protocol.
//!
//! A telefile server has named files. Clients read and write them, over TCP or a Unix socket, with
//! commands that a person can type:
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
//! Each change takes the next version, a number that never comes back. A write can require the
//! version that it replaces, a file can end at a time or with a connection, and a client can wait
//! for a change. Locks, leases, elections and queues are built on that. A file can also be code.
//!
//! This library is a server to embed, a client, and the program `telefile` that is made of them.
//!
//! # A server with a file type
//!
//! Players show each other their scores. A score is a file that is code: its name is the player's,
//! and reading it returns the scores of all. A player who leaves, however that happens, also
//! leaves the board.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//! use std::time::Duration;
//! use telefile::{Client, Contents, File, Name, Refusal, Server, Version, file_types};
//!
//! /// The scores by player: the context that all files of the type share.
//! type Board = Arc<Mutex<BTreeMap<String, String>>>;
//!
//! struct Score {
//!     player: String,
//!     board: Board,
//! }
//!
//! impl File<Board> for Score {
//!     // The first open of a name creates its file...
//!     fn create(name: &Name, board: &Board) -> Result<Self, Refusal> {
//!         Ok(Score { player: name.as_str().to_string(), board: board.clone() })
//!     }
//!     fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
//!         let score = String::from_utf8_lossy(&contents).into_owned();
//!         self.board.lock().unwrap().insert(self.player.clone(), score);
//!         Ok(())
//!     }
//!     fn read(&mut self) -> Result<Contents, Refusal> {
//!         Ok(format!("{:?}", self.board.lock().unwrap()).into())
//!     }
//! }
//!
//! // ...and the last close, or the last lost connection, drops it.
//! impl Drop for Score {
//!     fn drop(&mut self) {
//!         self.board.lock().unwrap().remove(&self.player);
//!     }
//! }
//!
//! let types = file_types![Score with Board::default()];
//! let server = Server::builder().listen("127.0.0.1:0".parse()?).types(types).bind()?.spawn()?;
//! let address = server.addresses()[0].to_string();
//!
//! let (ann, bob) = (Client::connect(&address)?, Client::connect(&address)?);
//! let anns = ann.open("ann", Some("Score"))?;
//! let bobs = bob.open("bob", Some("Score"))?;
//! anns.write("7")?;
//! let version = bobs.write("5")?;
//! assert_eq!(&*anns.read()?.contents, br#"{"ann": "7", "bob": "5"}"#);
//!
//! // Bob's connection ends, and his file with it: a name without a file is at `ABSENT`.
//! drop((bobs, bob));
//! assert_eq!(ann.wait("bob", version, Duration::from_secs(60))?, Version::ABSENT);
//! # drop((anns, ann));
//! server.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program of its own is shorter: `telefile::serve(file_types![Score with board])` in `main` has
//! all options of `telefile serve`.
//!
//! # A client
//!
//! ```
//! # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
//! # let address = server.addresses()[0].to_string();
//! use telefile::{Client, Refusal};
//!
//! let client = Client::connect(&address)?;
//! let first = client.write("greeting", "hello")?;
//! let second = client.cas("greeting", first, "hello world")?;
//!
//! // A write that requires a version that the file has left is refused.
//! let error = client.cas("greeting", first, "goodbye").unwrap_err();
//! assert_eq!(error.refusal(), Some(&Refusal::Version(second)));
//! assert_eq!(&*client.read("greeting")?.contents, b"hello world");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A lock
//!
//! ```
//! # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
//! # let address = server.addresses()[0].to_string();
//! use telefile::{Client, client::recipes::Lock};
//!
//! let client = Client::connect(&address)?;
//! let guard = Lock::new(&client, "lock/backup").lock()?; // blocks while another client has it
//! println!("back up, and show this number to the storage: {}", guard.token());
//! guard.unlock()?; // the end of the connection would do the same
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to read on
//!
//! - [`Server`] and [`server`]: what can be set, how to run and to stop.
//! - [`File`] and [`file_types!`]: what a file type can do.
//! - [`Client`] and [`client`]: requests, open files, pipelines, lost connections, and
//!   [`follow`](Client::follow), which reports changes.
//! - [`client::recipes`]: locks, leases, elections, semaphores, barriers and queues, and what each
//!   promises.
//! - [`store`]: a table on disk. For a server,
#![cfg_attr(feature = "durable", doc = "  [`Builder::data`](server::Builder::data)")]
#![cfg_attr(not(feature = "durable"), doc = "  `Builder::data`, of feature `durable`,")]
//!   is enough.
//! - `sync`, of feature `sync`: folders that several machines keep equal.
//! - [`framework`]: servers and clients that exchange messages, without files.
//! - [`wire`] and [`net`]: the protocol and the streams, for proxies and other clients.
//!
//! # The book
//!
//! The book in `tutorial/` of the repository explains all of this to readers who have never opened a
//! socket. It begins with `tutorial/ch00-a-conversation.md`.
//!
//! | module | chapters |
//! |---|---|
//! | [`net`] | `ch01` to `ch07`: sockets, addresses, lines; `ch14` to `ch16`: ends, threads, a stop |
//! | [`wire`] | `ch08`: a command is a type |
//! | [`server`], [`client`] | `ch09` to `ch13`: the table, versions, expiry, descriptors, files that are code |
//! | [`framework`] | `ch17`: messages |
//! | [`client`] | `ch10`: locks; `ch18`: waiting for a change |
//! | [`store`], `sync` | `ch19`: what survives; `ch20`: a folder |
//!
//! Its reference has the protocol, `tutorial/reference/protocol.md`, and what there is to know about
//! operating a server. `ARCHITECTURE.md` has the parts, the path of one request and the invariants.
//!
//! # Features
//!
//! All are on by default and build the program. A library user pays for none of them with
//! `default-features = false`.
//!
//! - `cli`: the command line, for `telefile` and for programs with file types of their own.
//! - `durable`: a table on disk.
//! - `sync`: folder synchronisation.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(unix))]
compile_error!("telefile needs a Unix: it uses poll, Unix sockets and file descriptors");

mod budget;
#[cfg(feature = "cli")]
#[doc(hidden)] // for `main`
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
mod panics;
mod random;
mod refusal;
mod rights;
pub mod server;
pub mod store;
#[cfg(feature = "sync")]
pub mod sync;
mod token;
mod version;
mod waker;
pub mod wire;

#[cfg(feature = "cli")]
pub use cli::serve;
pub use client::Client;
pub use contents::Contents;
pub use exptime::Exptime;
pub use files::{Caller, ClientId, Clock, File, FileType};
pub use name::{Fd, InvalidName, Name, NameRef};
pub use refusal::{Limit, Refusal};
pub use server::Server;
pub use token::{InvalidToken, Token};
pub use version::{Epoch, InvalidEpoch, Version};

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
    #[doc = include_str!("../tutorial/from-python.md")]
    struct FromPython;
}
