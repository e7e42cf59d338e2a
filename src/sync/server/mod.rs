//! The session on the server: its entries and chunks, which are ordinary files of the table.

pub(super) mod entry;
pub(super) mod gc;
pub(super) mod listing;
pub(super) mod reads;
pub(super) mod remote;
pub(super) mod seal;
pub(super) mod watch;
