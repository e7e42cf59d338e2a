//! Reads entries and chunks, many at a time, and never more than a fixed amount of memory holds: any
//! client with the id may have written them.

use super::entry::ChunkRef;
use super::remote::{Read, Remote};
use crate::client::{self, Answer};
use crate::contents::Contents;
use crate::refusal::Refusal;
use crate::sync::error::Error;
use crate::sync::hash::Hash;
use crate::sync::steps::shown;
use crate::version::Version;

/// How many entries are requested at once.
const GROUP: usize = 64;

/// The largest entry.
const MAX_ENTRY_BYTES: u64 = 64 << 20;

/// About how many bytes of entries are held at once.
const MAX_HELD_BYTES: usize = if cfg!(test) { 1 << 20 } else { 16 << 20 };

impl Remote {
    /// Returns the versions and texts of the first of these entries, at least of one, as far as they
    /// fit into memory together; `None` for those that do not exist. One that is too large is as an
    /// empty one.
    pub(in crate::sync) fn read_entries(
        &self,
        keys: &[String],
    ) -> Result<Vec<Option<Read>>, Error> {
        let names: Vec<_> = keys.iter().map(|key| format!("{}e/{key}", self.prefix)).collect();
        let (mut reads, mut held) = (Vec::new(), 0);
        self.read(&names, |n, answer| {
            if held > MAX_HELD_BYTES {
                return Ok(());
            }
            let answer = match answer {
                Err(client::Error::TooLarge { .. }) => self.read_large(&names[n])?,
                answer => answer,
            };
            let read = read_of(answer)?;
            let read = read.map(|(version, text)| (shown(&names[n], version), text.to_vec()));
            held += read.as_ref().map_or(0, |(_, text)| text.len());
            reads.push(read);
            Ok(())
        })?;
        Ok(reads)
    }

    /// Calls `take` with each of these entries, a few at a time.
    pub(in crate::sync) fn each_entry(
        &self,
        keys: &[String],
        mut take: impl FnMut(&String, Option<Read>),
    ) -> Result<(), Error> {
        let (mut rest, mut size) = (keys, GROUP);
        while !rest.is_empty() {
            let group = &rest[..rest.len().min(size)];
            let reads = self.read_entries(group)?;
            size = next_size(group.len(), reads.len(), GROUP);
            let (done, behind) = rest.split_at(reads.len());
            done.iter().zip(reads).for_each(|(key, read)| take(key, read));
            rest = behind;
        }
        Ok(())
    }

    fn read_large(&self, name: &str) -> Result<Result<Answer, client::Error>, Error> {
        if self.large.get().is_none() {
            let client = self.builder.clone().max_contents(MAX_ENTRY_BYTES);
            let client = client.connect(&self.address)?;
            if client.epoch() != self.epoch() {
                return Err(client::Error::OtherTable.into());
            }
            let _ = self.large.set(client);
        }
        let client = self.large.get().unwrap_or(&self.client);
        Ok(client.read(name).map(Answer::Snapshot))
    }

    /// Returns the bytes of chunks; `None` for those that do not exist or are not what their name
    /// says.
    pub(in crate::sync) fn read_chunks(
        &self,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Option<Contents>>, Error> {
        let names: Vec<_> = chunks.iter().map(|chunk| self.chunk_name(chunk.hash)).collect();
        let mut reads = Vec::new();
        self.read(&names, |n, answer| {
            let ChunkRef { hash, length } = chunks[n];
            let is_right =
                |bytes: &Contents| bytes.len() as u64 == length && Hash::of(bytes) == hash;
            reads.push(read_of(answer)?.map(|(_, bytes)| bytes).filter(is_right));
            Ok(())
        })?;
        Ok(reads)
    }

    fn read(
        &self,
        names: &[String],
        mut take: impl FnMut(usize, Result<Answer, client::Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut pipeline = self.client.pipeline();
        for name in names {
            pipeline.read(name)?;
        }
        pipeline.send().enumerate().try_for_each(|(n, answer)| take(n, answer))
    }
}

/// Returns how many entries to ask for next, after `read` of `asked` fitted into memory. Entries that do
/// not fit are received in vain, so fewer are asked for while they are large.
pub(in crate::sync) fn next_size(asked: usize, read: usize, most: usize) -> usize {
    if read < asked { read } else { (2 * asked).min(most) }
}

/// Returns the version and contents that an answer is; empty ones for those that are too large.
fn read_of(answer: Result<Answer, client::Error>) -> Result<Option<(Version, Contents)>, Error> {
    match answer {
        Ok(Answer::Snapshot(snapshot)) => Ok(Some((snapshot.version, snapshot.contents))),
        Ok(_) => Ok(None),
        Err(client::Error::TooLarge { .. }) => Ok(Some((Version::ABSENT, Contents::default()))),
        Err(e) if e.refusal() == Some(&Refusal::NotFound) => Ok(None),
        Err(e) => Err(e.into()),
    }
}
