//! STATE: the table of files, their versions, what ends them, and code files.
//!
//! Knows no sockets and no protocol: names, contents and numbers in, refusals out.

mod clock;
mod commits;
mod file;
mod file_type;
mod histogram;
mod kinds;
mod mutation;
mod registry;
mod stat;
mod state;
pub(crate) mod store;
mod table;
#[cfg(test)]
mod tests;

pub use clock::Clock;
pub(crate) use commits::Commits;
pub use file::{Caller, ClientId, File};
pub use file_type::FileType;
pub(crate) use histogram::Histogram;
pub(crate) use kinds::MAX_DESCRIPTORS as TEXT_FILE_DESCRIPTORS;
pub(crate) use registry::Registry;
pub(crate) use stat::Looked;
pub(crate) use stat::Stat;
pub(crate) use state::cost::OPEN as OPEN_COST;
pub(crate) use state::expiry::Expiry;
pub(crate) use state::ticket::Ticket;
pub(crate) use table::Table;
pub(crate) use table::close::Endings;
pub(crate) use table::list::Listing;
#[cfg(feature = "durable")]
pub(crate) use table::load::Contradiction;
pub(crate) use table::open::{Open, Opened, Opening};
pub(crate) use table::wait::{Wait, Waiter};
pub(crate) use table::watch::{Change, Changes, Waiting, Watch};
pub(crate) use table::write::Decided;
