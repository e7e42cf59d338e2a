//! Writes a store into a backup, and restores one from it.

use super::durable::Durable;
use super::error::{self, Result, damaged};
use super::folder::Folder;
use super::options::Options;
use super::stream::{BackupReader, BackupWriter, Item};
use super::tables::View;
use crate::files::store::{Head, Life, RowContents};
use redb::Error;
use std::io::{self, Read, Write};
use std::path::Path;

/// A restore writes items in batches of at most this many bytes, or this many items.
const BATCH_BYTES: usize = 16 << 20;
const BATCH_ITEMS: usize = 4096;

impl Durable {
    /// Writes the table as it is at this moment: its files, the removals that are remembered, and
    /// its latest version. Files that end with a connection and code files are left out, because
    /// they end with their server. Errors call the backup `name`.
    ///
    /// # Errors
    /// The store is damaged; those of the disk and of `to`.
    pub fn backup(&self, to: impl Write, name: &str) -> io::Result<()> {
        let located = |e: io::Error| Error::Io(error::at(Path::new(name), Error::Io(e)));
        self.core().checkpoint_all().map_err(|e| self.failed(e))?;
        let engine = self.core().engine();
        engine.look(|view| write(view, to, located)).map_err(|e| error::at(engine.path(), e))
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

fn write(view: &View, to: impl Write, located: impl Fn(io::Error) -> Error) -> Result<()> {
    let mut writer = BackupWriter::start(to, &view.stamp()?.head).map_err(&located)?;
    view.files(|row| {
        let contents = match (row.contents, row.life) {
            (RowContents::Code, _) | (_, Life::Connection) => return Ok(()),
            (RowContents::Inline(contents), _) => contents,
            (RowContents::Stored(_), _) => {
                let of_file =
                    |what: &str| damaged(format!("{}: {what}", row.name.as_name_ref().for_log()));
                let contents = view.contents(row.version).map_err(|e| match e {
                    Error::Corrupted(what) => of_file(&what),
                    e => e,
                })?;
                contents.ok_or_else(|| of_file("it has no contents"))?
            }
        };
        let (name, version, life) = (row.name, row.version, row.life);
        writer.item(&Item::File { name, version, life, contents }).map_err(&located)
    })?;
    view.removals(|version, name| writer.item(&Item::Removal { version, name }).map_err(&located))?;
    writer.finish().map_err(&located)
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
