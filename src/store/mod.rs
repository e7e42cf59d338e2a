//! STORE: a table on disk, which outlives its process, and the interface of such a store.
//!
//! Knows names, contents and the trait; not how a table decides.
//!
//! A server keeps its files in a folder with
#![cfg_attr(feature = "durable", doc = "[`Builder::data`](crate::server::Builder::data),")]
#![cfg_attr(not(feature = "durable"), doc = "`Builder::data`, of feature `durable`,")]
//! and anywhere else with an implementation of [`Store`], which
//! [`Builder::store`](crate::server::Builder::store) takes.
//!
//! # An example
//!
//! Files that outlive their server, though not the process: a test restarts its server in that way.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::io;
//! use std::sync::{Arc, Mutex};
//! use telefile::store::{CommitError, Head, Life, Mutation, Row, RowContents, Store};
//! use telefile::{Client, Contents, Epoch, Name, Server};
//!
//! #[derive(Debug)]
//! struct Memory(Mutex<Kept>);
//!
//! #[derive(Debug)]
//! struct Kept {
//!     head: Head,
//!     files: BTreeMap<Name, (u64, Life, Option<Contents>)>,
//!     removals: BTreeMap<u64, Name>,
//! }
//!
//! impl Store for Memory {
//!     fn load(
//!         &self,
//!         file: &mut dyn FnMut(Row),
//!         removal: &mut dyn FnMut(u64, Name),
//!     ) -> io::Result<Head> {
//!         let kept = self.0.lock().unwrap();
//!         for (name, (version, life, contents)) in kept.files.clone() {
//!             let contents = contents.map_or(RowContents::Code, RowContents::Inline);
//!             file(Row { name, version, life, contents });
//!         }
//!         kept.removals.clone().into_iter().for_each(|(version, name)| removal(version, name));
//!         Ok(kept.head)
//!     }
//!
//!     // Cannot fail in the middle. A store on disk uses a transaction.
//!     fn commit(&self, batch: &[Mutation], head: &Head) -> Result<(), CommitError> {
//!         let Kept { head: last, files, removals } = &mut *self.0.lock().unwrap();
//!         for mutation in batch.iter().cloned() {
//!             match mutation {
//!                 Mutation::Put { name, version, removed, life, contents, .. } => {
//!                     removed.map(|removed| removals.remove(&removed));
//!                     files.insert(name, (version, life, contents));
//!                 }
//!                 Mutation::Touch { name, life } => {
//!                     files.entry(name).and_modify(|file| file.1 = life);
//!                 }
//!                 Mutation::Remove { name, version, .. } => {
//!                     files.remove(&name);
//!                     removals.insert(version, name);
//!                 }
//!                 Mutation::Pass { name, version, removed } => {
//!                     removed.map(|removed| removals.remove(&removed));
//!                     removals.insert(version, name);
//!                 }
//!                 Mutation::Unnamed { .. } => {} // only the head changes
//!             }
//!         }
//!         *removals = removals.split_off(&(head.forgotten + 1));
//!         *last = *head;
//!         Ok(())
//!     }
//!
//!     // The table has all contents in memory itself and never asks.
//!     fn stored_from(&self) -> usize {
//!         usize::MAX
//!     }
//!     fn contents(&self, _version: u64) -> io::Result<Option<Contents>> {
//!         Ok(None)
//!     }
//!     fn size(&self) -> (u64, Option<u64>) {
//!         (0, None)
//!     }
//! }
//!
//! let (head, files, removals) = (Head::new(Epoch::random()), BTreeMap::new(), BTreeMap::new());
//! let store = Arc::new(Memory(Mutex::new(Kept { head, files, removals })));
//! let serve = || {
//!     let builder = Server::builder().listen("127.0.0.1:0".parse()?).store(store.clone());
//!     builder.bind()?.spawn()
//! };
//!
//! let server = serve()?;
//! let client = Client::connect_to(&server.addresses()[0])?;
//! let (epoch, version) = (client.epoch(), client.write("greeting", "hello")?);
//! server.stop()?;
//!
//! let server = serve()?;
//! let client = Client::builder().epoch(epoch).connect_to(&server.addresses()[0])?;
//! assert_eq!(&*client.read("greeting")?.contents, b"hello");
//! client.cas("greeting", version, "hello again")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "durable")]
mod backup;
#[cfg(feature = "durable")]
mod core;
#[cfg(feature = "durable")]
mod durable;
#[cfg(feature = "durable")]
mod error;
#[cfg(feature = "etcd")]
pub mod etcd;
#[cfg(feature = "durable")]
mod folder;
#[cfg(feature = "durable")]
mod format;
#[cfg(all(any(test, fuzzing), feature = "durable"))]
pub(crate) mod fuzz;
#[cfg(feature = "durable")]
mod log;
#[cfg(feature = "durable")]
mod medium;
#[cfg(feature = "durable")]
mod options;
#[cfg(feature = "durable")]
mod planted;
#[cfg(feature = "durable")]
mod read_only;
#[cfg(feature = "durable")]
mod source;
#[cfg(feature = "durable")]
mod stream;
#[cfg(all(test, feature = "durable"))]
mod tests;
#[cfg(feature = "durable")]
mod tree;

pub use crate::files::store::{
    Backup, CommitError, Gather, Head, Life, MAX_GONE, Mutation, Row, RowContents, Store, Whole,
};
#[cfg(feature = "durable")]
pub use durable::Durable;
#[cfg(all(feature = "durable", feature = "cli"))]
pub(crate) use error::is_guarded;
#[cfg(all(feature = "durable", feature = "cli"))]
pub(crate) use folder::half_made::remove_all as remove_half_made;
#[cfg(all(feature = "durable", feature = "cli"))]
pub(crate) use folder::whole::create as create_whole;
#[cfg(feature = "durable")]
pub use options::Options;
#[cfg(feature = "durable")]
pub use read_only::ReadOnly;
