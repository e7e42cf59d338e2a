//! Brings the contents of entries into temporary files.

use super::chunk::Chunks;
use super::write_behind::write_behind;
use crate::contents::Contents;
use crate::sync::disk::marker::Marker;
use crate::sync::disk::root::{Rename, file_stat, set_times_and_mode};
use crate::sync::disk::temporary::{NEW, PART, Temporary, remove_if_there};
use crate::sync::error::Error;
use crate::sync::hash::{Hash, Hasher};
use crate::sync::path::RelPath;
use crate::sync::server::entry::{Body, ChunkRef, Content, Entry};
use crate::sync::server::remote::Remote;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;

/// How many bytes of chunks are requested at once.
const WINDOW_BYTES: u64 = 4 << 20;

/// How much of a file is cut into chunks at once.
const SOURCE_BYTES: usize = 4 << 20;

/// How many chunks are requested at once at most, however small they are.
const WINDOW_CHUNKS: usize = 512;

/// The outcome of fetching contents.
pub(in crate::sync) enum Fetched {
    Complete(Temporary),
    /// A chunk does not exist or is damaged: the entry is read again in the next round.
    Missing,
}

/// A file on this disk in which chunks may be found.
struct Source {
    file: File,
    /// Where each chunk begins.
    chunks: HashMap<Hash, u64>,
}

impl Source {
    fn of(file: File) -> io::Result<Self> {
        let (mut found, mut offset) = (HashMap::new(), 0);
        let mut chunks = Chunks::of(file.try_clone()?, file_stat(&file)?.size);
        while let Some(window) = chunks.next(SOURCE_BYTES)? {
            for chunk in window.chunks {
                found.insert(chunk.hash, offset);
                offset += chunk.length;
            }
        }
        Ok(Source { file, chunks: found })
    }

    /// Reads a chunk, if it is still there. Only the hash of the whole file shows whether it has changed.
    fn read(&self, chunk: &ChunkRef) -> Option<Contents> {
        let offset = *self.chunks.get(&chunk.hash)?;
        let mut bytes = vec![0; usize::try_from(chunk.length).ok()?];
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        Some(bytes.into())
    }
}

/// Writes the content of an entry into a temporary file. `same` may be a file with the same content
/// and `old` one with chunks of it; `moved` is called with the number of bytes that have arrived.
pub(in crate::sync) fn fetch(
    remote: &Remote,
    marker: &Marker,
    number: usize,
    entry: &Entry,
    same: Option<File>,
    old: Option<File>,
    moved: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<Fetched, Error> {
    let Content::File { hash, size, body } = &entry.content else { return Ok(Fetched::Missing) };
    let at = || Error::at(&entry.path);
    let temporary = &marker.temporary;
    if matches!(body, Body::Chunks(_)) {
        let room = temporary.free_bytes().map_err(at())?;
        if *size > room {
            // Found out now, and not after everything else has lost its room to it.
            // Without the room, which changes all the time: it is said once.
            let why = format!("it has {size} bytes, for which the disk has no room");
            return Err(at()(io::Error::other(why)));
        }
    }
    let fixed = |text: &str| RelPath::new(text.as_bytes()).expect("one of ours");
    let text = match body {
        Body::Inline(_) => format!("{NEW}{number}"),
        // An incomplete one is a source of the next attempt.
        Body::Chunks(_) => format!("{PART}{hash}"),
    };
    let mut name = fixed(&text);
    let earlier = match body {
        Body::Inline(_) => None,
        Body::Chunks(_) => {
            let earlier = temporary.open_file(&name).ok();
            remove_if_there(temporary, &name).map_err(at())?;
            earlier
        }
    };
    let mut file = match temporary.create_file(&text) {
        // Of a process that crashed.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            temporary.remove_file(&name).and_then(|()| temporary.create_file(&text))
        }
        file => file,
    }
    .map_err(at())?;
    match body {
        Body::Inline(bytes) => {
            file.write_all(bytes).map_err(at())?;
            moved(*size)?;
        }
        Body::Chunks(_) => {
            let copied = match same {
                Some(same) => copy(same, &mut file, *hash).map_err(at())?,
                None => false,
            };
            if copied {
                moved(*size)?;
            } else {
                let sources = [old, earlier].into_iter().flatten().map(Source::of);
                let sources = sources.collect::<io::Result<Vec<_>>>().map_err(at())?;
                if !assemble(remote, entry, &file, &sources, moved)? {
                    return Ok(Fetched::Missing);
                }
            }
        }
    }
    if matches!(body, Body::Chunks(_)) {
        // Another path may have the same content.
        let complete = fixed(&format!("{NEW}{number}"));
        let renamed = temporary.rename(&name, temporary, &complete, Rename::ToFree);
        renamed.map_err(at())?;
        name = complete;
    }
    set_times_and_mode(&file, entry.mtime, entry.mode).map_err(at())?;
    let stat = file_stat(&file).map_err(at())?;
    Ok(Fetched::Complete(Temporary { name, stat, file: Some(file) }))
}

/// Copies a file that may have this content; leaves `to` empty if it has not.
fn copy(mut from: File, to: &mut File, hash: Hash) -> io::Result<bool> {
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; 256 << 10]);
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            n => {
                hasher.update(&buffer[..n]);
                to.write_all(&buffer[..n])?;
            }
        }
    }
    let is_same = hasher.finish() == hash;
    if !is_same {
        to.set_len(0)?;
        to.rewind()?;
    }
    Ok(is_same)
}

/// Writes all chunks in order; false if one is missing, or they are not the content.
fn assemble(
    remote: &Remote,
    entry: &Entry,
    file: &File,
    sources: &[Source],
    moved: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<bool, Error> {
    let Content::File { hash, size, body: Body::Chunks(chunks) } = &entry.content else {
        return Ok(false);
    };
    let written = write_behind(file, &entry.path, *size, |write| {
        let mut rest = &chunks[..];
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(WINDOW_CHUNKS).take_while(|chunk| {
                bytes += chunk.length;
                bytes <= WINDOW_BYTES
            });
            let (window, behind) = rest.split_at(fits.count().max(1));
            rest = behind;
            let here = |chunk: &ChunkRef| sources.iter().find_map(|source| source.read(chunk));
            let mut parts: Vec<_> = window.iter().map(here).collect();
            let absent = window.iter().zip(&parts).filter(|(_, part)| part.is_none());
            let absent: Vec<_> = absent.map(|(chunk, _)| *chunk).collect();
            let mut fetched = remote.read_chunks(&absent)?.into_iter();
            for part in &mut parts {
                let Some(bytes) = part.take().or_else(|| fetched.next().flatten()) else {
                    return Ok(false);
                };
                moved(bytes.len() as u64)?;
                if !write(bytes)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    })?;
    Ok(written == Some(*hash))
}
