//! The store of a server that is active.

use super::changes::{Change, Limits};
use super::commit::{Committer, NotDone};
use super::election::PATIENCE;
use super::gateway::{Range, Txn};
use super::scan::{self, Scan, located};
use super::source;
use super::term::Term;
use crate::contents::Contents;
use crate::files::store::{
    Backup, CommitError, Gather, Head, Mutation, Row, RowContents, Store, Whole,
};
use crate::name::Name;
use crate::random;
use crate::store::error::damaged;
use crate::store::tree::tables::STORED_FROM;
use crate::version::Epoch;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest time that a commit waits for further changes: clients nearby answer faster.
const LONGEST_GATHER: Duration = Duration::from_millis(5);

/// A table in etcd, as long as this server is active.
#[derive(Debug)]
struct EtcdStore {
    term: Arc<Term>,
    committer: Mutex<Committer>,
    /// The size of the smallest change that etcd does not take, in bytes.
    refused_bytes: Mutex<usize>,
    /// The last commit found no room.
    is_full: AtomicBool,
}

impl Term {
    /// Returns the store of the table. Once the term is over it commits nothing.
    pub(crate) fn store(self: &Arc<Self>) -> Arc<dyn Store> {
        let committer = Committer::new(self.clone(), Head::new(Epoch(0)));
        Arc::new(EtcdStore {
            term: self.clone(),
            committer: Mutex::new(committer),
            refused_bytes: Mutex::new(usize::MAX),
            is_full: AtomicBool::new(false),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl EtcdStore {
    /// Puts a batch: in one transaction, or in several where one does not take it. Each has a head of
    /// its own: what is in etcd is always the table at one of its versions.
    fn put(&self, batch: &[Mutation], head: &Head) -> Result<(), NotDone> {
        let mut committer = lock(&self.committer);
        if !(head.is_sound() && batch.iter().all(Mutation::is_sound)) {
            let e = damaged("a batch has numbers that no table has");
            return Err(NotDone::Lost(located(e)));
        }
        if batch.iter().any(|mutation| mutation.adds().is_some()) {
            self.expect_room()?;
        }
        let before = committer.stamp.head;
        let head = Head { forgotten: head.forgotten.max(before.forgotten), ..*head };
        let changes = self.changes(&committer, batch, head.forgotten).map_err(NotDone::Lost)?;
        let refused_bytes = *lock(&self.refused_bytes);
        if changes.iter().any(|change| change.bytes() >= refused_bytes) {
            return Err(NotDone::TooLarge(format!("etcd takes less than {refused_bytes} bytes")));
        }
        let mut rest = &changes[..];
        loop {
            let (part, later) = rest.split_at(committer.limits.take(rest));
            let head = match later.is_empty() {
                true => head,
                // The table at the version that this part reaches.
                false => {
                    let last = committer.stamp.head;
                    let reached = part.iter().filter_map(|change| change.version).max();
                    let version = last.version.max(reached.unwrap_or(0));
                    Head { version, forgotten: last.forgotten, ..head }
                }
            };
            match committer.put(part, head) {
                Ok(()) if later.is_empty() => return Ok(()),
                Ok(()) => rest = later,
                Err(not_done) => {
                    let Err(not_done) = committer.learn(not_done, part) else { continue };
                    if let NotDone::TooLarge(_) = not_done {
                        *lock(&self.refused_bytes) = part[0].bytes();
                    }
                    return match rest.len() == changes.len() {
                        true => Err(not_done),
                        // A refusal means that nothing was done.
                        false => Err(NotDone::Lost(not_done.into())),
                    };
                }
            }
        }
    }

    /// # Errors
    /// The database is as large as it may be.
    fn expect_room(&self) -> Result<(), NotDone> {
        let (bytes, max) = (self.term.database_bytes(), self.term.cluster.max_data);
        match max.filter(|max| bytes >= *max) {
            Some(max) => Err(NotDone::Full(format!(
                "etcd: its database has {bytes} bytes, and may have {max}: compact and defragment it"
            ))),
            None => Ok(()),
        }
    }

    fn changes(
        &self,
        committer: &Committer,
        batch: &[Mutation],
        forgotten: u64,
    ) -> io::Result<Vec<Change>> {
        let keys = &self.term.cluster.keys;
        let touched = self.touched(committer.limits, batch)?;
        let changes = batch
            .iter()
            .map(|mutation| Change::of(mutation, keys, &committer.large, &touched, forgotten));
        changes.collect::<Result<_, _>>().map_err(located)
    }

    /// Reads the values of the files that a batch touches.
    fn touched<'a>(
        &self,
        limits: Limits,
        batch: &'a [Mutation],
    ) -> io::Result<BTreeMap<&'a Name, Vec<u8>>> {
        let keys = &self.term.cluster.keys;
        let names = batch.iter().filter_map(|mutation| match mutation {
            Mutation::Touch { name, .. } => Some(name),
            _ => None,
        });
        let names: Vec<_> = names.collect();
        let mut touched = BTreeMap::new();
        for names in names.chunks(limits.ops) {
            let mut txn = Txn::default();
            let files: Vec<_> = names.iter().map(|name| keys.file(name.as_bytes())).collect();
            files.iter().for_each(|key| txn.get(key));
            let files: Vec<_> = files.iter().map(|key| &key[..]).collect();
            let reply = self.term.cluster.gateway.transact_again(txn, PATIENCE)?;
            let found = reply.found_all(&files)?;
            let found = names.iter().zip(found);
            touched.extend(found.filter_map(|(name, found)| Some((*name, found?.value))));
        }
        Ok(touched)
    }
}

impl Store for EtcdStore {
    fn load(
        &self,
        file: &mut dyn FnMut(Row),
        removal: &mut dyn FnMut(u64, Name),
    ) -> io::Result<Head> {
        let mut committer = lock(&self.committer);
        committer.probe()?;
        let cluster = &self.term.cluster;
        let key = cluster.keys.head();
        let range = Range::one(&key);
        match cluster.gateway.range(&range, PATIENCE)?.one(&key)? {
            Some(head) => committer.take_over(&head)?,
            None => {
                expect_nothing(Scan::new(cluster.keys.files(), 0), &self.term)?;
                committer.put(&[], Head::new(Epoch(random::draw()?)))?;
            }
        }
        // Nobody else changes the table.
        let mut scan = Scan::new(cluster.keys.files(), 0);
        loop {
            let page = scan.page(cluster)?;
            if page.is_empty() {
                break;
            }
            for found in page {
                let row = scan::row(&cluster.keys, &found)?;
                if let RowContents::Stored(_) = row.contents {
                    committer.large.insert(row.version);
                }
                file(row);
            }
        }
        let mut scan = Scan::new(cluster.keys.removals(), scan.revision());
        loop {
            let page = scan.page(cluster)?;
            if page.is_empty() {
                return Ok(committer.stamp.head);
            }
            for found in page {
                let (version, name) = scan::removal(&cluster.keys, &found)?;
                removal(version, name);
            }
        }
    }

    fn commit(&self, batch: &[Mutation], head: &Head) -> Result<(), CommitError> {
        let begun = Instant::now();
        let done = self.put(batch, head);
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.term.last_commit_nanos.store(nanos, SeqCst);
        if done.is_ok() {
            self.is_full.store(false, SeqCst);
        }
        done.map_err(|not_done| match not_done {
            NotDone::Full(why) | NotDone::TooLarge(why) => {
                if !self.is_full.swap(true, SeqCst) {
                    log::warn!("{why}");
                }
                let (bytes, max) = self.size();
                CommitError::Full(max.unwrap_or(bytes))
            }
            not_done => {
                let e = io::Error::from(not_done);
                self.term.end(&e.to_string());
                CommitError::Failed(e)
            }
        })
    }

    fn contents(&self, version: u64) -> io::Result<Option<Contents>> {
        let found = scan::contents(&self.term.cluster, version, 0)?;
        if found.is_none() && !self.term.may_answer() {
            return Err(io::Error::other("etcd: this server is no longer active"));
        }
        Ok(found.map(Contents::from))
    }

    fn size(&self) -> (u64, Option<u64>) {
        (self.term.database_bytes(), self.term.cluster.max_data)
    }

    fn begin_backup(&self) -> io::Result<Option<Backup>> {
        source::begin(self.term.cluster.clone()).map(Some)
    }

    fn whole(&self) -> Whole {
        lock(&self.committer).limits.whole()
    }

    /// A transaction of fifty changes takes about twice as long as one of a single change, so that waiting
    /// for half of its time is worth it if the others come.
    fn gather(&self) -> Option<Gather> {
        let longest = (self.term.last_commit() / 2).min(LONGEST_GATHER);
        Some(Gather { longest, changes: Limits::default().ops })
    }

    fn stored_from(&self) -> usize {
        STORED_FROM
    }
}

/// # Errors
/// There are files without a head: a restore was killed.
fn expect_nothing(mut files: Scan, term: &Term) -> io::Result<()> {
    if files.page(&term.cluster)?.is_empty() {
        return Ok(());
    }
    let why = "etcd: the prefix has files, but no table: a restore was interrupted, or the prefix of \
               another table begins with this one. Repeat the restore, or take another prefix";
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}
