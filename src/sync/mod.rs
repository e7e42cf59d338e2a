//! Folders that several machines keep equal through a server.

mod connection;
mod decide;
mod disk;
mod dry_run;
mod error;
mod folder;
mod forget;
mod guard;
mod guarding;
mod hash;
mod id;
mod left_out;
mod lock;
mod path;
mod preflight;
mod report;
mod round;
mod run;
mod server;
mod settings;
mod state;
mod steps;
#[cfg(test)]
mod tests;
mod time;
mod transfer;
mod watching;

#[cfg(feature = "cli")]
pub(crate) use disk::watcher::is_guarded;
pub use error::Error;
pub use forget::forget;
pub use report::{Event, Observer, Stop, Summary};
pub use run::{run, status};
pub use settings::Settings;
pub use state::status::Status;
