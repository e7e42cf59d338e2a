//! The rows of a folder, in memory and in a file: at some moment the disk and the server both had
//! exactly what a row says.
//!
//! The file is a log of frames. What follows the last whole one was being written when the machine
//! stopped, and is cut off: a row that is lost costs a look at its file, and nothing else.

pub(in crate::sync) use super::records::Row;

use super::records::{apply, frame, put_epoch, put_removal, put_reset, put_row, split_frame};
use crate::sync::disk::root::Root;
use crate::sync::error::Error;
use crate::sync::path::RelPath;
use crate::sync::steps::disk;
use crate::version::Epoch;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const HEAD: &[u8] = b"telefile sync index 1\n";

/// The log is rewritten when it is this many times as long as its rows need, and longer than
/// [`SMALL_BYTES`].
const GROWTH: u64 = 3;
const SMALL_BYTES: u64 = 1 << 20;

/// The rows, and the epoch of the table that their versions belong to.
#[derive(Debug)]
pub(in crate::sync) struct Index {
    rows: BTreeMap<RelPath, Row>,
    epoch: Option<Epoch>,
    /// `None`: nothing is written, in a dry run.
    file: Option<File>,
    path: PathBuf,
    bytes: u64,
    /// Records that are not in the file yet.
    pending: Vec<u8>,
    /// Paths whose rows are not even in `pending`: a power loss may still take what they say.
    unflushed: BTreeSet<RelPath>,
}

impl Index {
    /// Makes an index that is in no file.
    pub(in crate::sync) fn in_memory() -> Self {
        let (rows, path, unflushed) = (BTreeMap::new(), PathBuf::new(), BTreeSet::new());
        Index { rows, epoch: None, file: None, path, bytes: 0, pending: Vec::new(), unflushed }
    }

    /// Reads the index in a folder, or makes an empty one.
    pub(in crate::sync) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("index");
        let whole = match fs::read(&path) {
            Ok(whole) => whole,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(Error::of(&path)(e)),
        };
        let (mut rows, mut epoch) = (BTreeMap::new(), None);
        let mut end = 0;
        if let Some(mut rest) = whole.strip_prefix(HEAD) {
            while let Some((frame, behind)) = split_frame(rest) {
                if apply(frame, &mut rows, &mut epoch).is_none() {
                    break;
                }
                rest = behind;
            }
            end = whole.len() - rest.len();
        }
        drop(whole);
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(Error::of(&path))?;
        let mut prepare = || {
            file.set_len(end as u64)?;
            file.seek(SeekFrom::End(0))?;
            if end == 0 {
                file.write_all(HEAD)?;
            }
            file.stream_position()
        };
        let bytes = prepare().map_err(Error::of(&path))?;
        let (pending, unflushed) = (Vec::new(), BTreeSet::new());
        Ok(Index { rows, epoch, file: Some(file), path, bytes, pending, unflushed })
    }

    pub(in crate::sync) fn rows(&self) -> &BTreeMap<RelPath, Row> {
        &self.rows
    }

    pub(in crate::sync) fn get(&self, path: &RelPath) -> Option<&Row> {
        self.rows.get(path)
    }

    /// Returns the epoch of the table that the rows belong to.
    pub(in crate::sync) fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// Returns the length of the file, which differs after each commit that changed a row.
    pub(in crate::sync) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sets the epoch. Rows of another table are forgotten.
    pub(in crate::sync) fn set_epoch(&mut self, epoch: Epoch) {
        if self.epoch != Some(epoch) {
            self.forget_all();
            self.epoch = Some(epoch);
            put_epoch(&mut self.pending, epoch);
        }
    }

    /// Keeps rows of another table, as no version should be kept.
    #[cfg(test)]
    pub(in crate::sync) fn set_epoch_keeping_rows(&mut self, epoch: Epoch) {
        self.epoch = Some(epoch);
    }

    /// Forgets what both sides had in common: the next round deletes nothing.
    pub(in crate::sync) fn forget_all(&mut self) {
        self.rows.clear();
        self.epoch = None;
        self.unflushed.clear();
        self.pending.clear();
        put_reset(&mut self.pending);
    }

    /// Sets a row. What it says has to be on the disk.
    pub(in crate::sync) fn set(&mut self, path: RelPath, row: Row) {
        self.unflushed.remove(&path);
        put_row(&mut self.pending, &path, &row);
        self.rows.insert(path, row);
    }

    /// Sets the row of what a user wrote, which may not be on the disk yet.
    pub(in crate::sync) fn set_found(&mut self, path: RelPath, row: Row) {
        if row.stat.may_be_unflushed() {
            self.unflushed.insert(path.clone());
            self.rows.insert(path, row);
        } else {
            self.set(path, row);
        }
    }

    /// Puts the row of a path in doubt, if there is one.
    pub(in crate::sync) fn doubt(&mut self, path: &RelPath) {
        self.doubt_if(path, |_| true);
    }

    /// Puts the row of a path in doubt if `is_meant` says so.
    pub(in crate::sync) fn doubt_if(
        &mut self,
        path: &RelPath,
        is_meant: impl FnOnce(&Row) -> bool,
    ) {
        if let Some(row) = self.get(path).copied().filter(is_meant) {
            self.set(path.clone(), row.in_doubt());
        }
    }

    pub(in crate::sync) fn remove(&mut self, path: &RelPath) {
        self.unflushed.remove(path);
        if self.rows.remove(path).is_some() {
            put_removal(&mut self.pending, path);
        }
    }

    /// Writes all changed rows to the disk. Before those of what users wrote lately, everything is
    /// flushed: were the file lost or emptied in a power loss, its row would make that the user's wish,
    /// and the server would lose it as well.
    pub(in crate::sync) fn commit_found(&mut self, root: &Root) -> Result<(), Error> {
        if !self.unflushed.is_empty() {
            root.sync_file_system().map_err(Error::about("the folder"))?;
            for path in std::mem::take(&mut self.unflushed) {
                put_row(&mut self.pending, &path, &self.rows[&path]);
            }
        }
        self.commit()
    }

    /// Writes the changed rows to the disk, but for those of what users wrote lately.
    pub(in crate::sync) fn commit(&mut self) -> Result<(), Error> {
        let Some(file) = self.file.as_mut().filter(|_| !self.pending.is_empty()) else {
            return Ok(());
        };
        let frame = frame(&self.pending);
        let written = disk::write_index(file, &frame).and_then(|()| file.sync_data());
        if let Err(e) = written {
            // Nothing that is behind half a frame would be read.
            let cut = file.set_len(self.bytes).and_then(|()| file.seek(SeekFrom::End(0)));
            return Err(Error::of(&self.path)(cut.err().unwrap_or(e)));
        }
        self.pending.clear();
        self.bytes += frame.len() as u64;
        let needed = self.rows.len() as u64 * 160;
        if self.unflushed.is_empty() && self.bytes > SMALL_BYTES.max(GROWTH * needed) {
            self.rewrite().map_err(Error::of(&self.path))?;
        }
        Ok(())
    }

    /// Writes a new file with the rows that there are.
    fn rewrite(&mut self) -> std::io::Result<()> {
        let new = self.path.with_extension("new");
        let mut records = Vec::new();
        if let Some(epoch) = self.epoch {
            put_epoch(&mut records, epoch);
        }
        self.rows.iter().for_each(|(path, row)| put_row(&mut records, path, row));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&new)?;
        file.write_all(HEAD)?;
        file.write_all(&frame(&records))?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        self.bytes = file.stream_position()?;
        self.file = Some(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::decide::{Kind, Thing};
    use crate::sync::disk::stat::{FileKind, Stat};
    use crate::sync::hash::Hash;
    use crate::version::Version;

    fn path(text: &str) -> RelPath {
        RelPath::new(text.as_bytes()).unwrap()
    }

    fn row(content: &str, version: u64) -> Row {
        let thing = Thing { kind: Kind::File(Hash::of(content.as_bytes())), mode: 0o640 };
        let (kind, mode) = (FileKind::File, 0o640);
        let stat = Stat { kind, mode, size: 7, mtime: -1, ctime: 3, inode: 4, device: 5 };
        Row { thing, version: Version(version), stat }
    }

    #[test]
    fn rows_are_there_again_and_half_a_frame_is_not() {
        let folder = tempfile();
        let mut index = Index::open(&folder).unwrap();
        index.set_epoch(Epoch(7));
        index.set(path("a"), row("a", 1));
        index.set(path("b"), row("b", 2));
        index.commit().unwrap();
        index.remove(&path("a"));
        index.set(path("b"), row("c", 3));
        index.commit().unwrap();
        let whole = fs::read(folder.join("index")).unwrap();
        for length in 0..=whole.len() {
            fs::write(folder.join("index"), &whole[..length]).unwrap();
            let index = Index::open(&folder).unwrap();
            let expected = match length {
                n if n == whole.len() => vec![(path("b"), row("c", 3))],
                _ if index.epoch().is_none() => vec![],
                _ => vec![(path("a"), row("a", 1)), (path("b"), row("b", 2))],
            };
            assert_eq!(index.rows().clone().into_iter().collect::<Vec<_>>(), expected, "{length}");
        }
        fs::write(folder.join("index"), b"something else").unwrap();
        assert!(Index::open(&folder).unwrap().rows().is_empty());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn another_table_has_no_rows_and_a_long_log_is_written_anew() {
        let folder = tempfile();
        let mut index = Index::open(&folder).unwrap();
        index.set_epoch(Epoch(7));
        for version in 0..20_000 {
            index.set(path("a"), row("a", version));
        }
        index.commit().unwrap();
        index.set(path("b"), row("b", 1));
        index.commit().unwrap();
        assert!(fs::metadata(folder.join("index")).unwrap().len() < 1000);
        let mut index = Index::open(&folder).unwrap();
        assert_eq!((index.rows().len(), index.epoch()), (2, Some(Epoch(7))));
        index.set_epoch(Epoch(8));
        index.commit().unwrap();
        let index = Index::open(&folder).unwrap();
        assert_eq!((index.rows().len(), index.epoch()), (0, Some(Epoch(8))));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_row_of_what_may_not_be_on_the_disk_waits_for_the_flush() {
        let folder = tempfile();
        let mut index = Index::open(&folder).unwrap();
        let old = row("old", 1);
        let ahead = Stat { ctime: i64::MAX, ..old.stat };
        let new = Row { stat: ahead, version: Version(2), ..old };
        let written =
            || Index::open(&folder).unwrap().rows().clone().into_iter().collect::<Vec<_>>();
        index.set_found(path("old"), old);
        index.set_found(path("new"), new);
        index.commit().unwrap();
        assert_eq!(index.get(&path("new")), Some(&new));
        assert_eq!(written(), [(path("old"), old)]);
        // The log is not written anew before the flush: all rows would be in it.
        for version in 0..20_000 {
            index.set(path("old"), row("old", version));
        }
        index.commit().unwrap();
        assert_eq!(written().len(), 1);
        index.set_found(path("gone"), new);
        index.remove(&path("gone"));
        index.commit_found(&Root::open(&folder).unwrap()).unwrap();
        assert_eq!(written(), [(path("new"), new), (path("old"), row("old", 19_999))]);
        fs::remove_dir_all(folder).unwrap();
    }

    fn tempfile() -> PathBuf {
        use std::hash::{BuildHasher, RandomState};
        let name = format!("telefile-index-{:x}", RandomState::new().hash_one(0));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    }
}
