//! A table that is kept beyond the life of its process: what is decided is written down by a store,
//! and seen when that is done.

mod commit;
mod fit;
mod journal;
mod load;
mod step;
pub(crate) mod store;
mod ticket;

pub(super) use journal::Journal;
pub(super) use step::Step;
pub use ticket::Ticket;
