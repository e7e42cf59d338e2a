//! Uploads: sets entries on the server, and the chunks before them, all on one connection. If that
//! breaks, nothing of the upload can still be executed.

use super::chunk::Chunks;
use super::decide::{Kind, Thing};
use super::entry::{Body, ChunkRef, Content, Entry};
use super::error::Error;
use super::folder::Folder;
use super::hash::Hash;
use super::index::Row;
use super::path::RelPath;
use super::remote::{Cas, Remote};
use super::report::Report;
use super::scan::{Found, read_unchanged};
use super::stat::FileKind;
use super::steps::step;
#[cfg(test)]
use super::steps::{Fault, has};
use crate::version::Version;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

/// Contents up to this are in their entry.
#[cfg(not(test))]
const MAX_INLINE_BYTES: u64 = 64 << 10;
/// Tests are about chunks all the more.
#[cfg(test)]
const MAX_INLINE_BYTES: u64 = 32;

/// So many entries are sent together, and about so many bytes.
pub(super) const GROUP: usize = 64;
const GROUP_BYTES: usize = 1 << 20;

/// So many bytes of chunks wait for the server to say which of them it has.
const WINDOW_BYTES: usize = 8 << 20;

/// How long a collector may take before an upload gives up and leaves it to the next round.
#[cfg(not(test))]
const COLLECTOR_PATIENCE: Duration = Duration::from_secs(60);
/// In a schedule of the tests the collector may be waiting for this upload.
#[cfg(test)]
const COLLECTOR_PATIENCE: Duration = Duration::from_millis(100);

/// A path to push, and the version that its entry is at.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) path: RelPath,
    pub(super) version: Version,
    pub(super) found: Found,
}

/// An entry that is ready to be sent, and the row that it will be.
struct Ready {
    upload: Upload,
    thing: Thing,
    text: Vec<u8>,
}

impl Folder<'_> {
    /// Pushes what is here. Each row is written after its entry is set.
    pub(super) fn push(&mut self, uploads: Vec<Upload>, report: &mut Report) -> Result<(), Error> {
        let mut group = Vec::new();
        let mut bytes = 0;
        let mut working: Option<String> = None;
        for upload in uploads {
            self.check_stop()?;
            let is_large = upload.found.stat.kind == FileKind::File
                && upload.found.stat.size > MAX_INLINE_BYTES;
            if is_large && working.is_none() {
                working = self.raise_working()?;
                if working.is_none() {
                    report.again.insert(upload.path);
                    continue;
                }
            }
            let path = upload.path.clone();
            let ready = match self.prepare(upload, report) {
                Ok(Some(ready)) => ready,
                Ok(None) => continue,
                Err(e) if e.is_of_one_path() => {
                    report.fail(path, e);
                    continue;
                }
                Err(e) => return Err(e),
            };
            bytes += ready.text.len();
            group.push(ready);
            if is_large || group.len() >= GROUP || bytes >= GROUP_BYTES {
                self.send(std::mem::take(&mut group), report)?;
                bytes = 0;
            }
        }
        self.send(group, report)?;
        if let Some(working) = working {
            self.remote()?.delete(&working, None)?;
        }
        self.index.commit()
    }

    /// Says that chunks are being stored which no entry has yet. `None` if a collector does not end.
    fn raise_working(&mut self) -> Result<Option<String>, Error> {
        let since = Instant::now();
        loop {
            let remote = self.remote()?;
            let name = remote.raise("w/")?;
            step("an upload is announced")?;
            if !remote.has("gc")? {
                return Ok(Some(name));
            }
            remote.delete(&name, None)?;
            if since.elapsed() > COLLECTOR_PATIENCE {
                return Ok(None);
            }
            self.check_stop()?;
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Reads what is to be pushed, and stores its chunks. `None` if there is nothing to send.
    fn prepare(&mut self, upload: Upload, report: &mut Report) -> Result<Option<Ready>, Error> {
        let Upload { path, found, .. } = &upload;
        let content = match found.stat.kind {
            FileKind::Dir => Content::Dir,
            _ if found.stat.size <= MAX_INLINE_BYTES => {
                let read = read_unchanged(&self.root, path, &found.stat, |file| {
                    let mut bytes = Vec::new();
                    file.take(MAX_INLINE_BYTES + 1).read_to_end(&mut bytes)?;
                    Ok(bytes)
                })?;
                let Ok(bytes) = read else {
                    report.again.insert(upload.path);
                    return Ok(None);
                };
                let (hash, size) = (Hash::of(&bytes), bytes.len() as u64);
                Content::File { hash, size, body: Body::Inline(bytes) }
            }
            _ => match self.store_chunks(&upload, report)? {
                Some((hash, size, chunks)) => {
                    Content::File { hash, size, body: Body::Chunks(chunks) }
                }
                None => {
                    report.again.insert(upload.path);
                    return Ok(None);
                }
            },
        };
        let kind = match &content {
            Content::Dir => Kind::Dir,
            Content::File { hash, .. } => Kind::File(*hash),
        };
        let thing = Thing { kind, mode: found.stat.mode };
        // It was only touched.
        if let Some(row) = self.index.get(path).copied()
            && row.thing == thing
            && row.version == upload.version
        {
            self.index.set(path.clone(), Row { stat: found.stat, ..row });
            return Ok(None);
        }
        let (path, mtime) = (path.clone(), found.stat.mtime);
        let entry = Entry { path, mode: thing.mode, mtime, content, from: self.client.clone() };
        Ok(Some(Ready { text: entry.to_bytes(), thing, upload }))
    }

    /// Stores the chunks of a file that the server does not have. `None` if it changes meanwhile.
    fn store_chunks(
        &mut self,
        upload: &Upload,
        report: &mut Report,
    ) -> Result<Option<(Hash, u64, Vec<ChunkRef>)>, Error> {
        let (mut all, mut failed) = (Vec::new(), None);
        let Folder { root, remote, observer, .. } = self;
        let remote = remote.as_ref().ok_or(Error::Stopped)?;
        let read = read_unchanged(root, &upload.path, &upload.found.stat, |file| {
            let mut chunks = Chunks::of(file);
            let (mut window, mut bytes) = (Vec::new(), 0);
            let mut size = 0;
            loop {
                let chunk = chunks.next().transpose()?;
                let is_last = chunk.is_none();
                if let Some(chunk) = chunk {
                    bytes += chunk.bytes.len();
                    size += chunk.bytes.len() as u64;
                    all.push(chunk.reference());
                    window.push(chunk);
                }
                if bytes >= WINDOW_BYTES || is_last {
                    let sent = store(remote, &window).and_then(|sent| {
                        report.sent_bytes += sent;
                        observer.moved(bytes as u64)
                    });
                    if let Err(e) = sent {
                        failed = Some(e);
                        return Ok((chunks.hash(), size));
                    }
                    window.clear();
                    bytes = 0;
                }
                if is_last {
                    return Ok((chunks.hash(), size));
                }
            }
        })?;
        match (failed, read) {
            (Some(e), _) => Err(e),
            (None, Ok((hash, size))) => Ok(Some((hash, size, all))),
            (None, Err(_)) => Ok(None),
        }
    }

    /// Sets entries, and writes the rows of those that are set.
    fn send(&mut self, group: Vec<Ready>, report: &mut Report) -> Result<(), Error> {
        if group.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::new();
        let entries: Vec<_> = group
            .into_iter()
            .map(|Ready { upload: Upload { path, version, found }, thing, text }| {
                rows.push((thing, found.stat));
                (path, version, text)
            })
            .collect();
        #[cfg(test)]
        if has(Fault::RowFirst) {
            for ((path, version, _), (thing, stat)) in entries.iter().zip(&rows) {
                let row = Row { thing: *thing, version: Version(version.0 + 1), stat: *stat };
                self.index.set(path.clone(), row);
            }
            self.index.commit()?;
        }
        let before = self.doubt(entries.iter().map(|(path, ..)| path))?;
        let Folder { remote, index, listing, observer, .. } = self;
        let remote = remote.as_ref().ok_or(Error::Stopped)?;
        step("entries are about to be set")?;
        remote.put_entries(&entries, |n, done| {
            step("an entry is set")?;
            let ((path, _, text), (thing, stat)) = (&entries[n], rows[n]);
            match done {
                Ok(Cas::Done(version)) => {
                    index.set(path.clone(), Row { thing, version, stat });
                    listing.set(path, version);
                    report.pushed += 1;
                    report.sent_bytes += text.len() as u64;
                    let inline = if stat.size <= MAX_INLINE_BYTES { stat.size } else { 0 };
                    observer.moved(inline)?;
                    observer.finished(path)?;
                }
                Ok(Cas::Version(current)) => {
                    before[n].into_iter().for_each(|row| index.set(path.clone(), row));
                    report.again.insert(path.clone());
                    #[cfg(test)]
                    overwrite(remote, path, current, text)?;
                    let _ = current;
                }
                Err(e) if e.is_of_one_path() => {
                    before[n].into_iter().for_each(|row| index.set(path.clone(), row));
                    report.fail(path.clone(), e);
                }
                Err(e) => return Err(e),
            }
            Ok(())
        })
    }

    /// Puts the rows of some paths in doubt, on the disk; returns them as they were.
    pub(super) fn doubt<'a>(
        &mut self,
        paths: impl Iterator<Item = &'a RelPath>,
    ) -> Result<Vec<Option<Row>>, Error> {
        #[cfg(test)]
        if has(Fault::RowFirst) {
            return Ok(paths.map(|_| None).collect());
        }
        let before = paths.map(|path| {
            let row = self.index.get(path).copied();
            self.index.doubt(path);
            row
        });
        let before = before.collect();
        self.index.commit()?;
        Ok(before)
    }
}

/// Stores those of the chunks that the server does not have; returns how many bytes those are.
fn store(remote: &Remote, window: &[super::chunk::Chunk]) -> Result<u64, Error> {
    let references: Vec<_> = window.iter().map(|chunk| chunk.reference()).collect();
    let missing = remote.missing(&references)?;
    let absent = window.iter().zip(missing).filter(|(_, is_missing)| *is_missing);
    let absent: Vec<_> = absent.map(|(chunk, _)| (chunk.hash, &chunk.bytes[..])).collect();
    remote.put_chunks(&absent)?;
    Ok(absent.iter().map(|(_, bytes)| bytes.len() as u64).sum())
}

/// What a protocol without versions would do.
#[cfg(test)]
fn overwrite(remote: &Remote, path: &RelPath, version: Version, text: &[u8]) -> Result<(), Error> {
    if has(Fault::LastWriter) {
        let again = [(path.clone(), version, text.to_vec())];
        remote.put_entries(&again, |_, done| done.map(drop))?;
    }
    Ok(())
}
