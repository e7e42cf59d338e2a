//! Writes a store into a backup, and restores one from it.

use super::durable::Durable;
use super::error;
use super::folder::Folder;
use super::options::Options;
use super::source::Source;
use super::stream::{BackupReader, Item};
use crate::files::store::Head;
use redb::Error;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;

/// A restore writes items in batches of at most this many bytes, or this many items.
const BATCH_BYTES: usize = 16 << 20;
const BATCH_ITEMS: usize = 4096;

impl Durable {
    /// Writes the table as it is at this moment, while changes go on: its files, the removals that are
    /// remembered, and its latest version. Files that end with a connection and code files are left out, because
    /// they end with their server. Errors call the backup `name`.
    ///
    /// # Errors
    /// The store is damaged; those of the disk and of `to`.
    pub fn backup(&self, mut to: impl Write, name: &str) -> io::Result<()> {
        let located = |e: io::Error| error::at(Path::new(name), Error::Io(e));
        let mut source = Source::begin(self.core().clone())?;
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

    /// Restores a backup into a folder, which must be missing or empty, as a new table whose epoch
    /// is `epoch`: versions that the first table assigned after the backup will be assigned again.
    /// Files keep the versions that they have in the backup. Errors call the backup `name`.
    ///
    /// # Errors
    /// The backup is damaged, or of a later version of this program ([`InvalidData`](io::ErrorKind::InvalidData));
    /// the folder is in use or not empty; those of the disk and of `from`. The folder has no store
    /// then, and is missing again if it was missing before.
    pub fn restore(folder: &Path, from: impl Read, name: &str, epoch: u64) -> io::Result<()> {
        let (folder, made) = Folder::make(folder)?;
        folder.expect_empty()?;
        let located = |e| error::at(Path::new(name), e);
        let (mut reader, head) = BackupReader::start(from).map_err(located)?;
        let head = Head { epoch, ..head };
        let restoring = folder.begin_restore()?;
        Durable::create(&folder, Options::default(), epoch, |store| {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while let Some(item) = reader.item().map_err(located)? {
                bytes += item.bytes();
                batch.push(item);
                if bytes >= BATCH_BYTES || batch.len() >= BATCH_ITEMS {
                    insert(store, &head, &batch, bytes)?;
                    (batch, bytes) = (Vec::new(), 0);
                }
            }
            insert(store, &head, &batch, bytes)
        })?;
        drop(restoring);
        made.keep();
        Ok(())
    }
}

fn insert(store: &Durable, head: &Head, batch: &[Item], bytes: usize) -> io::Result<()> {
    let done = store.core().transact(head, Some(bytes as u64), false, |tables| {
        batch.iter().try_for_each(|item| match item {
            Item::File { name, version, life, contents } => {
                tables.insert(name, *version, None, *life, Some(contents))
            }
            Item::Removal { version, name } => tables.insert_removal(*version, name),
        })
    });
    done.map_err(|e| store.failed(e))
}
