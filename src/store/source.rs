//! A backup as a stream: one state of the tree, read piece by piece while the table changes.

use super::core::Core;
use super::error::{self, Result, damaged};
use super::stream::Encoder;
use super::tree::engine::LongView;
use super::tree::view::{View, part_missing};
use crate::files::store::{Backup, Head, Life, Row, RowContents};
use crate::name::Name;
use redb::Error;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;

/// A piece has about this many bytes. Between two pieces the database may be closed.
const PIECE_BYTES: usize = 64 << 10;

/// How many files or removals are counted in one go.
const COUNT_AT_ONCE: usize = 4096;

/// The bytes of a backup. Each read may fail because a change needed the room that the state takes.
pub(super) struct Source {
    core: Arc<Core>,
    view: LongView,
    encoder: Encoder,
    next: Next,
    piece: Vec<u8>,
    /// How much of the piece is read.
    consumed: usize,
}

/// What comes after the piece.
enum Next {
    /// The files after this name.
    Files(Vec<u8>),
    /// Contents from this part on, of which this many bytes are left, and then the files after `name`.
    Parts {
        name: Name,
        version: u64,
        part: u32,
        left: u64,
    },
    /// The removals after this version.
    Removals(u64),
    Nothing,
}

impl Source {
    /// Begins a backup of everything that is committed.
    pub(super) fn begin(core: Arc<Core>) -> io::Result<Self> {
        core.checkpoint_all().map_err(|e| core.failed(e))?;
        let begun = core.engine().view().and_then(|view| {
            let head = core.engine().look_again(&view, View::stamp)?.head;
            Ok((view, head))
        });
        let (view, head) = begun.map_err(|e| located(&core, e))?;
        let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
        let encoder = Encoder::start(&mut piece, &head);
        Ok(Source { core, view, encoder, next: Next::Files(Vec::new()), piece, consumed: 0 })
    }

    /// Returns the whole backup, with its length. Counting reads each file, but not large contents.
    pub(super) fn counted(self) -> io::Result<Backup> {
        let (head, numbytes) = self.count().map_err(|e| located(&self.core, e))?;
        Ok(Backup { version: head.version, numbytes, bytes: Box::new(self) })
    }

    fn count(&self) -> Result<(Head, u64)> {
        let engine = self.core.engine();
        let head = engine.look_again(&self.view, View::stamp)?.head;
        let mut out = Vec::new();
        let mut encoder = Encoder::start(&mut out, &head);
        let mut numbytes = 0;
        let mut last = Vec::new();
        loop {
            let (after, mut count) = (std::mem::take(&mut last), 0);
            let are_all = engine.look_again(&self.view, |view| {
                view.files_after(&after, |row| {
                    last.clear();
                    last.extend_from_slice(row.name.as_bytes());
                    count += 1;
                    if let Some((name, version, life, contents)) = lasting(row) {
                        let length = contents.numbytes();
                        encoder.file(&mut out, &name, version, life, length);
                        numbytes += length;
                    }
                    Ok(count < COUNT_AT_ONCE)
                })
            })?;
            numbytes += out.len() as u64;
            out.clear();
            if are_all {
                break;
            }
        }
        let mut last = 0;
        loop {
            let (after, mut count) = (last, 0);
            let are_all = engine.look_again(&self.view, |view| {
                view.removals_after(after, |version, name| {
                    (last, count) = (version, count + 1);
                    encoder.removal(&mut out, version, &name);
                    Ok(count < COUNT_AT_ONCE)
                })
            })?;
            numbytes += out.len() as u64;
            out.clear();
            if are_all {
                break;
            }
        }
        encoder.finish(&mut out);
        Ok((head, numbytes + out.len() as u64))
    }

    /// Encodes the next piece. None is left if it stays empty.
    fn advance(&mut self) -> Result<()> {
        let Source { core, view, encoder, next, piece, .. } = self;
        core.engine().look_again(view, |view| {
            while piece.len() < PIECE_BYTES {
                match next {
                    Next::Files(after) => *next = files(view, after, encoder, piece)?,
                    Next::Parts { name, version, part, left } => {
                        let parts = parts(view, *version, part, left, encoder, piece);
                        parts.map_err(|e| of_file(name, e))?;
                        if *left == 0 {
                            *next = Next::Files(name.as_bytes().to_vec());
                        }
                    }
                    Next::Removals(after) => {
                        let are_all = view.removals_after(*after, |version, name| {
                            *after = version;
                            encoder.removal(piece, version, &name);
                            Ok(piece.len() < PIECE_BYTES)
                        })?;
                        if are_all {
                            encoder.finish(piece);
                            *next = Next::Nothing;
                        }
                    }
                    Next::Nothing => break,
                }
            }
            Ok(())
        })
    }
}

/// Encodes files until the piece is full, or one has contents in parts. Returns what comes next.
fn files(
    view: &View,
    after: &mut Vec<u8>,
    encoder: &mut Encoder,
    piece: &mut Vec<u8>,
) -> Result<Next> {
    let (first, mut in_parts) = (std::mem::take(after), None);
    let are_all = view.files_after(&first, |row| {
        after.clear();
        after.extend_from_slice(row.name.as_bytes());
        let Some((name, version, life, contents)) = lasting(row) else { return Ok(true) };
        encoder.file(piece, &name, version, life, contents.numbytes());
        match contents {
            RowContents::Inline(bytes) => encoder.contents(piece, &bytes),
            RowContents::Code => {}
            RowContents::Stored(left) => {
                in_parts = Some(Next::Parts { name, version, part: 0, left });
                return Ok(false);
            }
        }
        Ok(piece.len() < PIECE_BYTES)
    })?;
    Ok(match (in_parts, are_all) {
        (Some(parts), _) => parts,
        (None, true) => Next::Removals(0),
        (None, false) => Next::Files(std::mem::take(after)),
    })
}

/// Encodes parts of contents from number `part` on, until the piece is full.
fn parts(
    view: &View,
    version: u64,
    part: &mut u32,
    left: &mut u64,
    encoder: &mut Encoder,
    piece: &mut Vec<u8>,
) -> Result<()> {
    let before = *part;
    view.parts(version, *part, |bytes, later| {
        if bytes.len() as u64 + later != *left {
            return Err(part_missing(version));
        }
        encoder.contents(piece, bytes);
        (*part, *left) = (*part + 1, later);
        Ok(piece.len() < PIECE_BYTES)
    })?;
    match *part == before {
        true => Err(damaged("it has no contents")),
        false => Ok(()),
    }
}

/// Returns what a backup has of a file: nothing of one that ends with its server.
fn lasting(row: Row) -> Option<(Name, u64, Life, RowContents)> {
    match (&row.contents, row.life) {
        (RowContents::Code, _) | (_, Life::Connection) => None,
        _ => Some((row.name, row.version, row.life, row.contents)),
    }
}

fn of_file(name: &Name, e: Error) -> Error {
    match e {
        Error::Corrupted(what) => damaged(format!("{}: {what}", name.as_name_ref().for_log())),
        e => e,
    }
}

/// Returns an error with the path of the database.
fn located(core: &Core, e: Error) -> io::Error {
    if let Error::DatabaseClosed = e {
        let why = "the backup ends: a change needed the room that it took, or the store was closed";
        return error::at(core.engine().path(), Error::Io(io::Error::other(why)));
    }
    error::at(core.engine().path(), e)
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.consumed == self.piece.len() {
            self.piece.clear();
            self.consumed = 0;
            self.advance().map_err(|e| located(&self.core, e))?;
        }
        Ok(&self.piece[self.consumed..])
    }

    fn consume(&mut self, count: usize) {
        self.consumed += count;
    }
}

impl Read for Source {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut ready = self.fill_buf()?;
        let count = ready.read(bytes)?;
        self.consume(count);
        Ok(count)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}
