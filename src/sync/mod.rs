//! Folders that several machines keep equal through a server.

mod apply;
mod beneath;
mod chunk;
mod conflict;
mod decide;
mod delete;
mod entry;
mod error;
mod fetch;
mod folder;
mod forget;
mod gc;
mod guard;
mod guarding;
mod hash;
mod ignored;
mod index;
mod listing;
mod marker;
mod path;
mod preflight;
mod pull;
mod push;
mod recover;
mod remote;
mod report;
mod root;
mod round;
mod run;
mod scan;
mod server_watch;
mod settings;
mod stat;
mod state;
mod steps;
mod temporary;
#[cfg(test)]
mod tests;
mod time;
mod watcher;

pub use error::Error;
pub use forget::forget;
pub use report::{Event, Observer, Stop, Summary};
pub use run::{run, status};
pub use settings::Settings;
pub use state::Status;
