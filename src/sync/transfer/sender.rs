//! Sends what was read for a push: the chunks that the server lacks, then the entries, then the rows.

use super::chunk::Window;
use super::read_ahead::{Batch, Piece};
use super::refused::Refused;
use super::upload::{MAX_INLINE_BYTES, Upload, doubt};
use crate::sync::decide::{Kind, Thing};
use crate::sync::disk::root::Root;
use crate::sync::error::Error;
use crate::sync::hash::Hash;
#[cfg(test)]
use crate::sync::path::RelPath;
use crate::sync::report::{Progress, Report};
use crate::sync::server::entry::{Body, ChunkRef, Content, Entry};
use crate::sync::server::listing::Listing;
use crate::sync::server::remote::{Cas, Remote};
use crate::sync::state::index::{Index, Row};
use crate::sync::steps::step;
#[cfg(test)]
use crate::sync::steps::{Fault, has};
use crate::version::Version;
use std::collections::HashSet;

/// After about this many bytes the rows are written: an upload that is killed goes on from there.
const ROWS_BYTES: usize = 64 << 20;

/// What an entry costs beside its contents, in bytes.
const ENTRY_BYTES: usize = 4 << 10;

/// An entry that is ready to be sent, and the row that it will be.
struct Ready<'a> {
    upload: &'a Upload,
    thing: Thing,
    text: Vec<u8>,
}

/// Where a push goes, and who has to know of it.
pub(in crate::sync) struct Target<'a, 'b> {
    /// The folder.
    pub(in crate::sync) root: &'a Root,
    pub(in crate::sync) remote: &'a Remote,
    pub(in crate::sync) index: &'a mut Index,
    pub(in crate::sync) listing: &'a mut Listing,
    pub(in crate::sync) observer: &'a mut Progress<'b>,
    /// This client's name.
    pub(in crate::sync) client: &'a str,
    pub(in crate::sync) refused: &'a mut Refused,
    pub(in crate::sync) report: &'a mut Report,
}

/// The sending half of a push.
pub(in crate::sync) struct Sender<'a, 'b> {
    uploads: &'a [Upload],
    to: Target<'a, 'b>,
    /// A large file, and its chunks that the server has: those of the entry that is replaced, and
    /// those already sent.
    known: (Option<usize>, HashSet<Hash>),
    /// The chunks so far of the file that is being read.
    chunks: Vec<ChunkRef>,
    /// Uploads of which a chunk was refused.
    failed: HashSet<usize>,
    /// Sent since rows were last written.
    bytes: usize,
}

impl<'a, 'b> Sender<'a, 'b> {
    pub(in crate::sync) fn new(uploads: &'a [Upload], to: Target<'a, 'b>) -> Self {
        let (known, chunks, failed) = ((None, HashSet::new()), Vec::new(), HashSet::new());
        Sender { uploads, to, known, chunks, failed, bytes: 0 }
    }

    /// Stores the chunks of a batch, then sets the entries of what it completes.
    pub(in crate::sync) fn take(&mut self, batch: Batch) -> Result<(), Error> {
        self.to.observer.check()?;
        self.store(&batch)?;
        let mut ready = Vec::new();
        for (number, piece) in batch {
            let upload = &self.uploads[number];
            if let Piece::Chunks(window) = piece {
                self.chunks.extend(window.chunks);
                continue;
            }
            let chunks = std::mem::take(&mut self.chunks);
            if self.failed.contains(&number) {
                continue;
            }
            let content = match piece {
                Piece::Folder => Content::Dir,
                Piece::Inline(hash, bytes) => {
                    let size = bytes.len() as u64;
                    Content::File { hash, size, body: Body::Inline(bytes) }
                }
                Piece::End(hash, size) => Content::File { hash, size, body: Body::Chunks(chunks) },
                Piece::Chunks(_) | Piece::Busy => {
                    self.to.report.again.insert(upload.path.clone());
                    continue;
                }
                Piece::Failed(e) if e.is_of_one_path() => {
                    self.to.report.fail(upload.path.clone(), e);
                    continue;
                }
                Piece::Failed(e) => return Err(e),
            };
            ready.extend(self.entry(upload, content));
        }
        self.bytes += ready.len() * ENTRY_BYTES;
        self.send(ready)?;
        if self.bytes >= ROWS_BYTES {
            self.bytes = 0;
            self.to.index.commit_found(self.to.root)?;
        }
        Ok(())
    }

    /// Returns the entry to set. `None` if it was only touched.
    fn entry(&mut self, upload: &'a Upload, content: Content) -> Option<Ready<'a>> {
        let Upload { path, version, found } = upload;
        let thing = Thing { kind: content.kind(), mode: found.stat.mode };
        if let Some(row) = self.to.index.get(path).copied()
            && row.thing == thing
            && row.version == *version
        {
            self.to.index.set_found(path.clone(), Row { stat: found.stat, ..row });
            return None;
        }
        let (path, mtime, from) = (path.clone(), found.stat.mtime, self.to.client.to_string());
        let entry = Entry { path, mode: thing.mode, mtime, content, from };
        Some(Ready { text: entry.to_bytes(), thing, upload })
    }

    /// Finds out which chunks of a large file the server has for certain.
    fn learn(&mut self, number: usize) -> Result<(), Error> {
        if self.known.0 == Some(number) {
            return Ok(());
        }
        let Upload { path, version, .. } = &self.uploads[number];
        self.known = (Some(number), HashSet::new());
        if *version != Version::ABSENT {
            // They stay while this upload is announced, so nobody has to ask for each of them.
            let old = self.to.remote.read_entries(&[path.key()])?.pop().flatten();
            let old = old.filter(|(now, _)| now == version);
            let old = old.and_then(|(_, text)| Entry::parse(&text)).map(|entry| entry.content);
            if let Some(Content::File { body: Body::Chunks(chunks), .. }) = old {
                self.known.1.extend(chunks.iter().map(|chunk| chunk.hash));
            }
        }
        Ok(())
    }

    /// Stores those chunks of a batch that the server does not have. A refused one concerns its own file
    /// alone, of which nothing more is sent.
    fn store(&mut self, batch: &Batch) -> Result<(), Error> {
        let windows = batch.iter().filter_map(|(number, piece)| match piece {
            Piece::Chunks(window) if !self.failed.contains(number) => Some((*number, window)),
            _ => None,
        });
        let windows: Vec<(usize, &Window)> = windows.collect();
        let (mut unknown, mut bytes) = (Vec::new(), 0);
        for (number, window) in &windows {
            self.learn(*number)?;
            let new = window.iter().filter(|(chunk, _)| self.known.1.insert(chunk.hash));
            unknown.extend(new.map(|(chunk, bytes)| (*number, chunk, bytes)));
            bytes += window.bytes.len();
        }
        match self.store_unknown(&unknown) {
            Err(e) if e.is_of_one_path() => {
                windows.iter().for_each(|(number, _)| self.refuse(*number, &e));
            }
            stored => stored?,
        }
        self.bytes += bytes;
        self.to.observer.moved(bytes as u64)
    }

    fn store_unknown(&mut self, unknown: &[(usize, ChunkRef, &[u8])]) -> Result<(), Error> {
        let references: Vec<_> = unknown.iter().map(|(_, chunk, _)| *chunk).collect();
        let missing = self.to.remote.missing(&references)?;
        let absent = unknown.iter().zip(missing).filter(|(_, is_missing)| *is_missing);
        let absent: Vec<_> = absent.map(|(absent, _)| absent).collect();
        let chunks: Vec<_> = absent.iter().map(|(_, chunk, bytes)| (chunk.hash, *bytes)).collect();
        let mut sent: u64 = chunks.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let mut refused = Vec::new();
        self.to.remote.put_chunks(&chunks, |n, e| {
            sent -= chunks[n].1.len() as u64;
            refused.push((absent[n].0, e));
        })?;
        step("a batch of chunks is stored")?;
        refused.iter().for_each(|(number, e)| self.refuse(*number, e));
        self.to.report.sent_bytes += sent;
        Ok(())
    }

    /// Notes that the server has refused a part of an upload.
    fn refuse(&mut self, number: usize, why: &Error) {
        let upload = &self.uploads[number];
        if self.failed.insert(number) {
            self.to.report.fail(upload.path.clone(), why);
            self.to.refused.add(upload, why);
        }
    }

    /// Sets entries, and writes the rows of those that are set.
    fn send(&mut self, ready: Vec<Ready<'_>>) -> Result<(), Error> {
        if ready.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::new();
        let entries: Vec<_> = ready
            .into_iter()
            .map(|Ready { upload, thing, text }| {
                rows.push((thing, upload));
                (upload.path.clone(), upload.version, text)
            })
            .collect();
        #[cfg(test)]
        if has(Fault::RowFirst) {
            for ((path, version, _), (thing, upload)) in entries.iter().zip(&rows) {
                let (version, stat) = (Version(version.0 + 1), upload.found.stat);
                let row = Row { thing: *thing, version, stat };
                self.to.index.set(path.clone(), row);
            }
            self.to.index.commit()?;
        }
        let before = doubt(self.to.index, entries.iter().map(|(path, ..)| path))?;
        let Target { remote, index, listing, observer, report, refused, .. } = &mut self.to;
        step("entries are about to be set")?;
        remote.put_entries(&entries, |n, done| {
            step("an entry is set")?;
            let ((path, _, text), (thing, upload)) = (&entries[n], rows[n]);
            match done {
                Ok(Cas::Done(version)) => {
                    let stat = upload.found.stat;
                    index.set_found(path.clone(), Row { thing, version, stat });
                    listing.set(path, version);
                    report.pushed += 1;
                    report.pushed_folders += u64::from(thing.kind == Kind::Dir);
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
                    if upload.is_large() {
                        refused.add(upload, &e);
                    }
                    report.fail(path.clone(), e);
                }
                Err(e) => return Err(e),
            }
            Ok(())
        })
    }
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
