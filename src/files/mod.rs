//! STATE: the table of files, their versions, what ends them, and code files.
//!
//! Knows no sockets and no protocol: names, contents and numbers in, refusals out.

mod clock;
mod file;
mod file_type;
mod kinds;
mod registry;
mod stat;
mod state;
pub(crate) mod store;
mod table;
#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use file::{Caller, ClientId, File};
pub use file_type::FileType;
pub(crate) use kinds::MAX_DESCRIPTORS as TEXT_FILE_DESCRIPTORS;
pub use registry::{MEMORY_FILE, Registry};
pub(crate) use stat::Looked;
pub use stat::{Fd, Stat, Totals};
pub(crate) use state::cost::OPEN as OPEN_COST;
pub use state::expiry::Expiry;
pub use state::ticket::Ticket;
pub use table::Table;
pub use table::list::{Listed, Listing};
pub(crate) use table::open::Endings;
pub use table::open::{Open, Opened, Opening};
pub use table::wait::{Wait, Waiter};
pub use table::watch::{Change, Changes, Waiting, Watch};
pub use table::write::Decided;
