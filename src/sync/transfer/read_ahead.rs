//! Reads what is to be pushed, a batch ahead of what is sent: while the server writes one batch, the
//! next is read, cut and hashed. It knows nothing of the server.

use super::chunk::{Chunks, Window, read_up_to};
use super::upload::Upload;
use crate::sync::disk::root::{Root, file_stat};
use crate::sync::disk::stat::FileKind;
use crate::sync::disk::unchanged::{Busy, open_unchanged, read_unchanged};
use crate::sync::error::Error;
use crate::sync::hash::{Hash, Hasher};
use std::fs::File;
use std::io;
use std::sync::mpsc::sync_channel;
use std::thread;

/// The most pieces of a batch, and about how many bytes it has.
const MAX_PIECES: usize = 512;
const BATCH_BYTES: usize = if cfg!(test) { 4 << 20 } else { 12 << 20 };

/// A part of an upload. The chunks of a file come before its end.
pub(in crate::sync) enum Piece {
    Folder,
    Inline(Hash, Vec<u8>),
    Chunks(Window),
    /// The hash and the size of the file whose chunks came before.
    End(Hash, u64),
    /// It has changed since it was found.
    Busy,
    Failed(Error),
}

impl Piece {
    fn bytes(&self) -> usize {
        match self {
            Piece::Inline(_, bytes) => bytes.len(),
            Piece::Chunks(window) => window.bytes.len(),
            _ => 0,
        }
    }
}

/// Pieces, each with the number of its upload.
pub(in crate::sync) type Batch = Vec<(usize, Piece)>;

/// Reads the uploads in their order, and calls `take` with one batch after another. With more than
/// one, a thread reads the next batch meanwhile.
pub(in crate::sync) fn read_ahead(
    root: &Root,
    uploads: &[Upload],
    mut take: impl FnMut(Batch) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut reader = Reader { root, uploads, next: 0, open: None };
    let Some(first) = reader.next_batch() else { return Ok(()) };
    if reader.is_done() {
        return take(first);
    }
    thread::scope(|scope| {
        let (give, batches) = sync_channel(0);
        let read = move || {
            while let Some(batch) = reader.next_batch() {
                // After an error the receiver is gone.
                if give.send(batch).is_err() {
                    return;
                }
            }
        };
        let spawned =
            thread::Builder::new().name("sync-read".to_string()).spawn_scoped(scope, read);
        spawned.map_err(Error::about("a thread"))?;
        take(first)?;
        batches.into_iter().try_for_each(take)
    })
}

struct Reader<'a> {
    root: &'a Root,
    uploads: &'a [Upload],
    /// The upload to begin next.
    next: usize,
    /// The large file that is being read: the upload before `next`.
    open: Option<Large>,
}

struct Large {
    file: File,
    chunks: Chunks<File>,
    whole: Hasher,
    size: u64,
}

impl Reader<'_> {
    fn is_done(&self) -> bool {
        self.open.is_none() && self.next == self.uploads.len()
    }

    /// Returns the next batch; `None` after the last one.
    fn next_batch(&mut self) -> Option<Batch> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES && batch.len() < MAX_PIECES {
            let Some(piece) = self.next_piece(BATCH_BYTES - bytes) else { break };
            bytes += piece.1.bytes();
            batch.push(piece);
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Returns the next piece, of about `room` bytes at most if it is one of several of a file.
    fn next_piece(&mut self, room: usize) -> Option<(usize, Piece)> {
        if self.open.is_none() {
            let upload = self.uploads.get(self.next)?;
            self.next += 1;
            let piece = match upload.found.stat.kind {
                FileKind::Dir => Ok(Ok(Some(Piece::Folder))),
                _ if upload.is_large() => self.begin(upload).map(|begun| begun.map(|()| None)),
                _ => read_small(self.root, upload).map(|read| read.map(Some)),
            };
            let piece = match piece {
                Ok(Ok(None)) => None,
                Ok(Ok(Some(piece))) => Some(piece),
                Ok(Err(Busy)) => Some(Piece::Busy),
                Err(e) => Some(Piece::Failed(e)),
            };
            if let Some(piece) = piece {
                return Some((self.next - 1, piece));
            }
        }
        let upload = &self.uploads[self.next - 1];
        let piece = self
            .read_on(upload, room)
            .unwrap_or_else(|e| Piece::Failed(Error::at(&upload.path)(e)));
        if !matches!(piece, Piece::Chunks(_)) {
            self.open = None;
        }
        Some((self.next - 1, piece))
    }

    fn begin(&mut self, upload: &Upload) -> Result<Result<(), Busy>, Error> {
        let file = match open_unchanged(self.root, &upload.path, &upload.found.stat)? {
            Ok(file) => file,
            Err(busy) => return Ok(Err(busy)),
        };
        let source = file.try_clone().map_err(Error::at(&upload.path))?;
        let chunks = Chunks::of(source, upload.found.stat.size);
        self.open = Some(Large { file, chunks, whole: Hasher::default(), size: 0 });
        Ok(Ok(()))
    }

    fn read_on(&mut self, upload: &Upload, room: usize) -> io::Result<Piece> {
        let Some(large) = &mut self.open else { return Ok(Piece::Busy) };
        if let Some(window) = large.chunks.next(room)? {
            large.whole.update(&window.bytes);
            large.size += window.bytes.len() as u64;
            return Ok(Piece::Chunks(window));
        }
        Ok(match file_stat(&large.file)? == upload.found.stat {
            true => Piece::End(large.whole.finish(), large.size),
            false => Piece::Busy,
        })
    }
}

fn read_small(root: &Root, upload: &Upload) -> Result<Result<Piece, Busy>, Error> {
    let size = upload.found.stat.size as usize;
    read_unchanged(root, &upload.path, &upload.found.stat, |file| {
        let mut bytes = Vec::new();
        read_up_to(file, &mut bytes, size)?;
        Ok(Piece::Inline(Hash::of(&bytes), bytes))
    })
}
