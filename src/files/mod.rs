//! STATE: the table of files, their versions and what ends them, and the files that are code.
//!
//! Knows no socket and no protocol: names, contents and numbers in, refusals out.

mod changes;
mod clock;
mod code;
mod cost;
mod descriptors;
mod entry;
mod expiry;
mod file;
mod housekeeping;
mod kept;
mod kinds;
mod list;
mod locked;
mod open;
mod registry;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod wait;
mod watch;
mod watchers;
mod write;

pub use clock::Clock;
pub(crate) use cost::OPEN as OPEN_COST;
pub use descriptors::Fd;
pub use expiry::Expiry;
pub use file::{ClientId, File, FileType};
pub use kept::Ticket;
pub(crate) use kept::store;
pub(crate) use kinds::MAX_DESCRIPTORS as TEXT_FILE_DESCRIPTORS;
pub use list::{Listed, Listing};
pub(crate) use open::Endings;
pub use open::Opened;
pub use registry::{MEMORY_FILE, Registry};
pub(crate) use table::Looked;
pub use table::{Stat, Table, Totals};
pub use wait::{Wait, Waiter};
pub use watch::{Change, Changes, Waiting, Watch};
pub use write::Decided;
