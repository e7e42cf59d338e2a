//! STATE: the table of files, their versions and their deadlines, and the files that are code.
//!
//! Knows no socket and no protocol: names, contents and numbers in, refusals out.

mod clock;
mod code;
mod deadlines;
mod descriptors;
mod file;
mod kinds;
mod open;
mod registry;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use descriptors::Fd;
pub use file::{ClientId, File, FileType};
pub use open::Opened;
pub use registry::{MEMORY_FILE, Registry};
pub use table::{Stat, Table, Totals};
