//! From a batch to etcd: transactions that put the head, and change nothing if another server is
//! active or the head is another.
//!
//! A reply may be lost. A second transaction then finds out whether the first one was done: it puts the
//! old head with another nonce. A read is not enough, because the first transaction may still be on its
//! way. If the second one succeeds, the first one can no longer succeed. If it fails, the head that it
//! reads shows whether the first one was done.

use super::changes::{Change, Limits, Op};
use super::election::PATIENCE;
use super::gateway::{KeyValue, Refused, Reply, Trouble, Txn};
use super::scan::in_key;
use super::term::Term;
use crate::files::store::Head;
use crate::store::format::Stamp;
use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

/// The pauses between two attempts to learn whether a transaction was done.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// What puts the head: one server, as long as it is active.
#[derive(Debug)]
pub(super) struct Committer {
    term: Arc<Term>,
    /// The last head that is in etcd, or a new table's, which is not.
    pub(super) stamp: Stamp,
    /// The revision at which that was put; 0 if it is not in etcd.
    modified: i64,
    /// Each head gets another one.
    nonce: u32,
    /// The versions with large contents.
    pub(super) large: HashSet<u64>,
    pub(super) limits: Limits,
}

/// Why changes are not in etcd.
#[derive(Debug)]
pub(super) enum NotDone {
    /// etcd's database is full.
    Full(String),
    /// It takes smaller transactions.
    TooManyOperations(String),
    TooLarge(String),
    /// Perhaps they are, or will be: this server must do nothing more.
    Lost(io::Error),
}

/// What has become of a transaction whose reply was lost: with the head's revision then.
enum Settled {
    Done(i64),
    /// It never will be.
    NotDone(i64),
}

impl From<Trouble> for NotDone {
    fn from(trouble: Trouble) -> Self {
        match trouble.refused() {
            Some(Refused::Full) => NotDone::Full(trouble.to_string()),
            Some(Refused::TooManyOperations) => NotDone::TooManyOperations(trouble.to_string()),
            Some(Refused::TooLarge) => NotDone::TooLarge(trouble.to_string()),
            _ => NotDone::Lost(trouble.into()),
        }
    }
}

impl From<NotDone> for io::Error {
    fn from(not_done: NotDone) -> io::Error {
        match not_done {
            NotDone::Lost(e) => e,
            NotDone::Full(why) => io::Error::new(ErrorKind::StorageFull, why),
            NotDone::TooManyOperations(why) | NotDone::TooLarge(why) => io::Error::other(why),
        }
    }
}

impl Committer {
    /// Makes the one of a table that is not loaded.
    pub(super) fn new(term: Arc<Term>, fresh: Head) -> Self {
        Committer {
            term,
            stamp: Stamp { batch: 0, head: fresh, sum: 0 },
            modified: 0,
            nonce: 0,
            large: HashSet::new(),
            limits: Limits::default(),
        }
    }

    /// Takes over the head that is in etcd.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn take_over(&mut self, head: &KeyValue) -> io::Result<()> {
        self.stamp = self.decode(head)?;
        (self.modified, self.nonce) = (head.modified, self.stamp.sum);
        self.large.clear();
        Ok(())
    }

    /// Finds out how many operations etcd takes in a transaction. It has to be known before the table
    /// gathers its first batch.
    ///
    /// # Errors
    /// etcd is out of reach, or it takes too few operations.
    pub(super) fn probe(&mut self) -> io::Result<()> {
        loop {
            let (head, mut txn) = (self.term.cluster.keys.head(), Txn::default());
            (0..self.limits.ops).for_each(|_| txn.get(&head));
            match self.term.cluster.gateway.transact_again(txn, PATIENCE) {
                Ok(_) => return Ok(()),
                Err(trouble) => self.learn(trouble.into(), &[])?,
            }
        }
    }

    /// Puts changes, and this head.
    pub(super) fn put(&mut self, changes: &[Change], head: Head) -> Result<(), NotDone> {
        let stamp = self.write(changes, head)?;
        self.stamp = stamp;
        self.term.grow_database(changes.iter().map(Change::bytes).sum());
        for change in changes {
            if let Some(replaced) = change.replaced {
                self.large.remove(&replaced);
            }
            self.large.extend(change.large);
        }
        Ok(())
    }

    /// Puts changes while there is no head yet. They may be put twice.
    pub(super) fn fill(&self, changes: &[Change]) -> Result<(), NotDone> {
        self.repeat(|txn| changes.iter().flat_map(|c| &c.ops).for_each(|op| op.add_to(txn)))
    }

    /// Runs a transaction that may run twice, while this server is active and the head its own.
    pub(super) fn repeat(&self, add: impl FnOnce(&mut Txn)) -> Result<(), NotDone> {
        let mut txn = self.fenced();
        add(&mut txn);
        let reply = self.term.cluster.gateway.transact_again(txn, PATIENCE)?;
        match reply.has_succeeded()? {
            true => Ok(()),
            false => Err(NotDone::Lost(self.foreign("or another server is active"))),
        }
    }

    /// Makes the next transactions smaller, after one with these changes was too large.
    ///
    /// # Errors
    /// What was wrong was not that, or it cannot be smaller.
    pub(super) fn learn(&mut self, not_done: NotDone, changes: &[Change]) -> Result<(), NotDone> {
        let limits = &mut self.limits;
        match not_done {
            NotDone::TooManyOperations(why) if limits.ops > Limits::LEAST_OPS => {
                limits.ops = (limits.ops / 2).max(Limits::LEAST_OPS);
                log::warn!("{why}: transactions have at most {} operations now", limits.ops);
            }
            NotDone::TooManyOperations(why) => {
                let least = Limits::LEAST_OPS;
                let why = format!("{why}: give etcd --max-txn-ops 128, at least {least}");
                return Err(NotDone::Lost(io::Error::new(ErrorKind::InvalidInput, why)));
            }
            NotDone::TooLarge(why) if changes.len() > 1 => {
                let bytes = changes.iter().map(Change::bytes).sum::<usize>();
                limits.bytes = (bytes / 2).max(1);
                log::warn!("{why}: transactions have at most {} bytes now", limits.bytes);
            }
            not_done => return Err(not_done),
        }
        Ok(())
    }

    /// Runs the transaction until it is known to be done. Returns the stamp that it put.
    fn write(&mut self, changes: &[Change], head: Head) -> Result<Stamp, NotDone> {
        loop {
            self.expect_active().map_err(NotDone::Lost)?;
            let stamp = Stamp { batch: self.stamp.batch + 1, head, sum: self.draw_nonce() };
            let mut txn = self.fenced();
            for op in changes.iter().flat_map(|change| &change.ops) {
                op.add_to(&mut txn);
            }
            let keys = &self.term.cluster.keys;
            if head.forgotten > self.stamp.head.forgotten {
                txn.delete_range(&keys.removals().0, &keys.removal(head.forgotten + 1));
            }
            Op::Put(keys.head(), stamp.encode()).add_to(&mut txn);
            let settled = match self.term.cluster.gateway.transact(txn) {
                Ok(reply) => match self.judge(&reply, &stamp, None, &[]) {
                    Err(e) if e.kind() == ErrorKind::TimedOut => {
                        self.settle(&stamp, &e.to_string())
                    }
                    settled => settled,
                },
                Err(Trouble::Unknown(why)) => self.settle(&stamp, &why),
                Err(Trouble::Refused(Refused::Token, why)) => self.settle(&stamp, &why),
                Err(trouble) => return Err(trouble.into()),
            };
            match settled.map_err(NotDone::Lost)? {
                Settled::Done(modified) => {
                    self.modified = modified;
                    return Ok(stamp);
                }
                Settled::NotDone(modified) => self.modified = modified,
            }
        }
    }

    /// Finds out whether the transaction that puts `sent` was done, whose reply was lost.
    fn settle(&mut self, sent: &Stamp, why: &str) -> io::Result<Settled> {
        log::info!("a reply of etcd was lost, and the commit is settled: {why}");
        let (mut nonces, mut pause) = (Vec::new(), FIRST_PAUSE);
        loop {
            self.expect_active()?;
            let again = Stamp { sum: self.draw_nonce(), ..self.stamp };
            nonces.push(again.sum);
            let mut txn = self.fenced();
            Op::Put(self.term.cluster.keys.head(), again.encode()).add_to(&mut txn);
            match self.term.cluster.gateway.transact(txn) {
                Ok(reply) => match self.judge(&reply, sent, Some(&again), &nonces) {
                    Err(e) if e.kind() == ErrorKind::TimedOut => log::debug!("{e}"),
                    settled => return settled,
                },
                // It is known some time later, when etcd has room again.
                Err(trouble) if trouble.refused() == Some(Refused::Full) => {
                    log::debug!("{trouble}")
                }
                Err(trouble) if trouble.may_pass() => log::debug!("{trouble}"),
                Err(trouble) => return Err(trouble.into()),
            }
            self.term.pause(pause);
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Reads what the reply to a transaction says of the one that puts `sent`: it is the reply to this
    /// one, or to that which puts `again`. `nonces` are those of all that asked what became of it.
    ///
    /// # Errors
    /// Another server is active, or another program has put the head. [`ErrorKind::TimedOut`] if the
    /// reply does not say.
    fn judge(
        &self,
        reply: &Reply,
        sent: &Stamp,
        again: Option<&Stamp>,
        nonces: &[u32],
    ) -> io::Result<Settled> {
        if reply.has_succeeded()? {
            let modified = reply.revision()?;
            return Ok(match again {
                None => Settled::Done(modified),
                Some(_) => Settled::NotDone(modified),
            });
        }
        let keys = &self.term.cluster.keys;
        let [leader, head] = reply.found([&keys.leader(), &keys.head()])?;
        let revision = self.term.leader().revision;
        if leader.as_ref().is_none_or(|leader| leader.created != revision) {
            let why = "another server is active, or the lease has ended";
            self.term.end(why);
            return Err(io::Error::other(format!("etcd: {why}")));
        }
        let Some(head) = head else { return Err(self.foreign("it is gone")) };
        let found = self.decode(&head)?;
        if (found.batch, found.sum) == (sent.batch, sent.sum) {
            return Ok(Settled::Done(head.modified));
        }
        if found.batch == self.stamp.batch && nonces.contains(&found.sum) {
            return Ok(Settled::NotDone(head.modified));
        }
        Err(self.foreign("it is not what this server has put"))
    }

    /// Begins a transaction that does nothing unless this server is active, and the head its own.
    fn fenced(&self) -> Txn {
        let keys = &self.term.cluster.keys;
        let (leader, head) = (keys.leader(), keys.head());
        Txn::default()
            .if_created(&leader, self.term.leader().revision)
            .if_modified(&head, self.modified)
            .otherwise_get(&leader)
            .otherwise_get(&head)
    }

    fn draw_nonce(&mut self) -> u32 {
        self.nonce = self.nonce.wrapping_add(1);
        self.nonce
    }

    fn expect_active(&self) -> io::Result<()> {
        match self.term.is_over() {
            true => Err(io::Error::other("etcd: this server is no longer active")),
            false => Ok(()),
        }
    }

    fn decode(&self, head: &KeyValue) -> io::Result<Stamp> {
        Stamp::decode(&head.value).map_err(|e| in_key(&head.key, e))
    }

    fn foreign(&self, what: &str) -> io::Error {
        let key = String::from_utf8_lossy(&self.term.cluster.keys.head()).into_owned();
        let why = format!("etcd: another program has changed the table's head {key}: {what}");
        io::Error::new(ErrorKind::InvalidData, why)
    }
}
