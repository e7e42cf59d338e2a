//! A table that is kept beyond the life of its process: what is decided is written down by a store,
//! and seen when that is done.

mod asked;
mod chain;
mod commit;
mod fit;
mod journal;
mod load;
mod step;
pub(crate) mod store;
mod ticket;
mod turn;

pub(super) use asked::Asked;
pub(super) use chain::{Done, Draft};
pub(super) use journal::Journal;
pub use ticket::Ticket;
