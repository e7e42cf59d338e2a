//! Brings what has changed from one side to the other.

pub(super) mod chunk;
pub(super) mod delete;
pub(super) mod fetch;
pub(super) mod folders;
pub(super) mod pull;
pub(super) mod push;
pub(super) mod read_ahead;
pub(super) mod refused;
pub(super) mod sender;
pub(super) mod upload;
pub(super) mod write_behind;
