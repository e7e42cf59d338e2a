//! STATE: the table of files, their versions and their deadlines.
//!
//! Knows no socket and no protocol: names, contents and numbers in, refusals out.

mod clock;
mod deadlines;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use clock::Clock;
pub(crate) use table::KINDS;
pub use table::{MEMORY_FILE, Stat, Table, Totals};
