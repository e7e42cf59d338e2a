//! Writes a table in etcd into a backup, and restores one from it.

use super::changes::Change;
use super::commit::{Committer, NotDone};
use super::election::{Etcd, PATIENCE};
use super::gateway::{KeyValue, Range};
use super::leader::Candidate;
use super::source;
use super::term::Term;
use crate::files::store::Head;
use crate::store::error::at;
use crate::store::stream::{BackupReader, Item};
use crate::version::Epoch;
use redb::Error;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// How many keys are deleted at once.
const DELETED_KEYS: u64 = 1000;

impl Etcd {
    /// The most bytes that a file has in etcd: 1 MiB. etcd refuses requests of 1.5 MiB.
    pub const MAX_CONTENTS: u64 = 1 << 20;

    /// Writes the table as it is at this moment into a backup, while changes go on: as
    /// [`Durable::backup`](crate::store::Durable::backup) does. Errors call the backup `name`.
    ///
    /// # Errors
    /// There is no table ([`ErrorKind::NotFound`]), or it is damaged; etcd does not answer, or has
    /// compacted the state before the end; errors of `to`.
    pub fn backup(&self, mut to: impl Write, name: &str) -> io::Result<()> {
        let located = |e: io::Error| at(Path::new(name), Error::Io(e));
        let mut source = source::open(self.cluster.clone())?;
        loop {
            let bytes = source.fill_buf()?;
            if bytes.is_empty() {
                return to.flush().map_err(located);
            }
            to.write_all(bytes).map_err(located)?;
            let count = bytes.len();
            source.consume(count);
        }
    }

    /// Restores a backup, as a new table whose epoch is `epoch`: as
    /// [`Durable::restore`](crate::store::Durable::restore) does. No server may be active, nor
    /// become active meanwhile. Errors call the backup `name`.
    ///
    /// # Errors
    /// The backup is damaged, or of a later version of this program, or has a file of more than
    /// [`MAX_CONTENTS`](Etcd::MAX_CONTENTS) ([`ErrorKind::InvalidData`]); there is a table
    /// ([`ErrorKind::AlreadyExists`]); a server is active ([`ErrorKind::ResourceBusy`]); etcd is
    /// full or does not answer; errors of `from`. There is no table then.
    pub fn restore(&self, from: impl Read, name: &str, epoch: u64) -> io::Result<()> {
        let located = |e| at(Path::new(name), e);
        let (mut reader, head) = BackupReader::start(from).map_err(located)?;
        let head = Head { epoch, ..head };
        self.alone(|term| {
            let mut committer = Committer::new(term.clone(), head);
            if self.head()?.is_some() {
                let why = format!("etcd: there is a table: the key {} exists", self.head_key());
                return Err(io::Error::new(ErrorKind::AlreadyExists, why));
            }
            self.clear(&committer)?; // what an interrupted restore has left
            let mut changes = Vec::new();
            while let Some(item) = reader.item().map_err(located)? {
                changes.push(self.change(&item).map_err(|e| located(Error::Io(e)))?);
                if committer.limits.take(&changes) < changes.len() {
                    fill(&mut committer, &mut changes, 1)?;
                }
            }
            fill(&mut committer, &mut changes, 0)?;
            // Only now there is a table.
            Ok(committer.put(&[], head)?)
        })
    }

    /// Gives the table a new epoch. This is needed when etcd was restored from a snapshot: versions
    /// will be assigned a second time. No server may be active.
    ///
    /// # Errors
    /// There is no table ([`ErrorKind::NotFound`]); a server is active
    /// ([`ErrorKind::ResourceBusy`]); etcd is full or does not answer.
    pub fn renew_epoch(&self, epoch: u64) -> io::Result<()> {
        self.alone(|term| {
            let Some(found) = self.head()? else {
                let why = format!("etcd: there is no table: no key {}", self.head_key());
                return Err(io::Error::new(ErrorKind::NotFound, why));
            };
            let mut committer = Committer::new(term.clone(), Head::new(Epoch(epoch)));
            committer.take_over(&found)?;
            let head = Head { epoch, ..committer.stamp.head };
            Ok(committer.put(&[], head)?)
        })
    }

    /// Does something with the table while no server can be active.
    fn alone<T>(&self, work: impl FnOnce(&Arc<Term>) -> io::Result<T>) -> io::Result<T> {
        let Some(term) = self.campaign(&Candidate::default())? else {
            let why = "etcd: a server is active: stop all servers of the table first";
            return Err(io::Error::new(ErrorKind::ResourceBusy, why));
        };
        let done = work(&term);
        term.resign();
        done
    }

    fn head_key(&self) -> String {
        String::from_utf8_lossy(&self.cluster.keys.head()).into_owned()
    }

    fn head(&self) -> io::Result<Option<KeyValue>> {
        let key = self.cluster.keys.head();
        Ok(self.cluster.gateway.range(&Range::one(&key), PATIENCE)?.one(&key)?)
    }

    /// Deletes all keys of a table without a head.
    fn clear(&self, committer: &Committer) -> io::Result<()> {
        let keys = &self.cluster.keys;
        for (begin, end) in [keys.files(), keys.all_contents(), keys.removals()] {
            loop {
                let range = Range {
                    key: &begin,
                    end: Some(&end),
                    limit: DELETED_KEYS,
                    revision: 0,
                    keys_only: true,
                };
                let (found, _) = self.cluster.gateway.range(&range, PATIENCE)?.range()?;
                let Some(last) = found.last() else { break };
                let after_last = [&last.key[..], b"\0"].concat();
                committer.repeat(|txn| txn.delete_range(&begin, &after_last))?;
            }
        }
        Ok(())
    }

    /// Returns what puts an item of a backup.
    fn change(&self, item: &Item) -> io::Result<Change> {
        let (keys, mut change) = (&self.cluster.keys, Change::default());
        match item {
            Item::File { name, contents, .. } if contents.len() as u64 > Etcd::MAX_CONTENTS => {
                return Err(io::Error::new(
                    ErrorKind::InvalidData,
                    format!(
                        "{} has {} bytes, and a file in etcd has at most {}",
                        name.as_name_ref().for_log(),
                        contents.len(),
                        Etcd::MAX_CONTENTS
                    ),
                ));
            }
            Item::File { name, version, life, contents } => {
                change.put(keys, name, *version, *life, Some(contents));
            }
            Item::Removal { version, name } => change.remember(keys, *version, name, 0),
        }
        Ok(change)
    }
}

/// Puts changes, from the first on, until `left` of them are left.
fn fill(committer: &mut Committer, changes: &mut Vec<Change>, left: usize) -> Result<(), NotDone> {
    while changes.len() > left {
        let part = committer.limits.take(changes);
        match committer.fill(&changes[..part]) {
            Ok(()) => drop(changes.drain(..part)),
            Err(not_done) => committer.learn(not_done, &changes[..part])?,
        }
    }
    Ok(())
}
