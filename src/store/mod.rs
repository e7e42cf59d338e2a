//! STORE: a table on disk, which outlives its process, and the interface of such a store.
//!
//! Knows names, contents and the trait; not how a table decides.

#[cfg(feature = "durable")]
mod backup;
#[cfg(feature = "durable")]
mod disk;
#[cfg(feature = "durable")]
mod durable;
#[cfg(feature = "durable")]
mod engine;
#[cfg(feature = "durable")]
mod error;
#[cfg(feature = "durable")]
mod folder;
#[cfg(feature = "durable")]
mod format;
#[cfg(all(any(test, fuzzing), feature = "durable"))]
pub(crate) mod fuzz;
#[cfg(feature = "durable")]
mod half_made;
#[cfg(feature = "durable")]
mod options;
#[cfg(feature = "durable")]
mod overlay;
#[cfg(feature = "durable")]
mod read_only;
#[cfg(feature = "durable")]
mod stream;
#[cfg(feature = "durable")]
mod tables;
#[cfg(all(test, feature = "durable"))]
mod tests;
#[cfg(feature = "durable")]
mod whole;
#[cfg(feature = "durable")]
mod writer;

pub use crate::files::store::{
    CommitError, Head, Life, MAX_GONE, Mutation, Row, RowContents, Store,
};
#[cfg(feature = "durable")]
pub use durable::Durable;
#[cfg(all(feature = "durable", feature = "cli"))]
pub(crate) use error::is_guarded;
#[cfg(all(feature = "durable", feature = "cli"))]
pub(crate) use half_made::remove_all as remove_half_made;
#[cfg(feature = "durable")]
pub use options::Options;
#[cfg(feature = "durable")]
pub use read_only::ReadOnly;
#[cfg(all(feature = "durable", feature = "cli"))]
pub(crate) use whole::create as create_whole;
