//! A backup on its way to a client, and the right to have one.

use crate::refusal::{Limit, Refusal};
use crate::store::Backup;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// How many backups are on their way at most.
pub(in crate::server) const MAX_BACKUPS: u64 = 1;

/// A backup that a client is to receive.
pub(super) struct Outgoing<'a> {
    pub(super) backup: Backup,
    _turn: Turn<'a>,
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(backup: Backup, turn: Turn<'a>) -> Self {
        Outgoing { backup, _turn: turn }
    }
}

/// The right to have a backup, until it is dropped.
pub(super) struct Turn<'a>(&'a AtomicU64);

impl<'a> Turn<'a> {
    pub(super) fn take(backups: &'a AtomicU64) -> Result<Self, Refusal> {
        let more = |backups| (backups < MAX_BACKUPS).then_some(backups + 1);
        match backups.fetch_update(SeqCst, SeqCst, more) {
            Ok(_) => Ok(Turn(backups)),
            Err(_) => Err(Refusal::Limit(Limit::Backups, MAX_BACKUPS)),
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
