//! Cutting a file into chunks by its content.

use crate::sync::hash::Hash;
use crate::sync::server::entry::{ChunkRef, MAX_CHUNK_BYTES};
use fastcdc::v2020::FastCDC;
use std::io::{self, ErrorKind, Read};

const MIN_CHUNK_BYTES: usize = 64 << 10;
const AVERAGE_CHUNK_BYTES: usize = 256 << 10;
const MAX_BYTES: usize = MAX_CHUNK_BYTES as usize;

/// Consecutive chunks of a file.
pub(in crate::sync) struct Window {
    pub(in crate::sync) bytes: Vec<u8>,
    pub(in crate::sync) chunks: Vec<ChunkRef>,
}

impl Window {
    /// Returns each chunk with its bytes.
    pub(in crate::sync) fn iter(&self) -> impl Iterator<Item = (ChunkRef, &[u8])> {
        let mut rest = &self.bytes[..];
        self.chunks.iter().map(move |chunk| {
            let (bytes, behind) = rest.split_at(chunk.length as usize);
            rest = behind;
            (*chunk, bytes)
        })
    }
}

/// The chunks of a file. A chunk's end depends only on the bytes near it, so an insertion moves the
/// later chunks and changes few. Every client has to cut at the same places.
#[derive(Debug)]
pub(in crate::sync) struct Chunks<R> {
    source: R,
    /// How many bytes the source still has, unless the file has grown.
    left: u64,
    /// The beginning of a chunk whose end is not known yet.
    rest: Vec<u8>,
}

impl<R: Read> Chunks<R> {
    /// Cuts the `size` bytes of `source`; it reads only a little more than these.
    pub(in crate::sync) fn of(source: R, size: u64) -> Self {
        Chunks { source, left: size, rest: Vec::new() }
    }

    /// Returns the next chunks, with at most `max_bytes` bytes unless a single one has more; `None` at
    /// the end of the file.
    ///
    /// # Errors
    /// Those of the file.
    pub(in crate::sync) fn next(&mut self, max_bytes: usize) -> io::Result<Option<Window>> {
        let mut bytes = std::mem::take(&mut self.rest);
        // A batch may have hundreds of short files: no buffer is larger than its file.
        let all = usize::try_from(self.left + 1).unwrap_or(usize::MAX).saturating_add(bytes.len());
        let (wanted, had) = (max_bytes.max(MAX_BYTES).min(all), bytes.len());
        let is_end = read_up_to(&mut self.source, &mut bytes, wanted)? < wanted;
        self.left = self.left.saturating_sub((bytes.len() - had) as u64);
        let (mut chunks, mut end) = (Vec::new(), 0);
        // What follows may move the end of a chunk that is not certain to be whole.
        while end < bytes.len() && (is_end || bytes.len() - end >= MAX_BYTES) {
            let here = &bytes[end..bytes.len().min(end + MAX_BYTES)];
            let cut = FastCDC::new(here, MIN_CHUNK_BYTES, AVERAGE_CHUNK_BYTES, MAX_BYTES);
            let (_, length) = cut.cut(0, here.len());
            chunks.push(ChunkRef { hash: Hash::of(&here[..length]), length: length as u64 });
            end += length;
        }
        self.rest = bytes.split_off(end);
        Ok((!chunks.is_empty()).then_some(Window { bytes, chunks }))
    }
}

/// Reads until there are `wanted` bytes or the file ends; returns how many there are.
pub(in crate::sync) fn read_up_to(
    source: &mut impl Read,
    bytes: &mut Vec<u8>,
    wanted: usize,
) -> io::Result<usize> {
    let mut filled = bytes.len();
    bytes.resize(wanted.max(filled), 0);
    while filled < wanted {
        match source.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    bytes.truncate(filled);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Bytes that no chunk shares with another.
    fn bytes(count: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        };
        (0..count).map(|_| next()).collect()
    }

    fn cut(bytes: &[u8]) -> Vec<ChunkRef> {
        cut_with(bytes, 4 << 20)
    }

    fn cut_with(bytes: &[u8], max_bytes: usize) -> Vec<ChunkRef> {
        let (mut chunks, mut refs) = (Chunks::of(bytes, bytes.len() as u64), Vec::new());
        let mut whole: Vec<u8> = Vec::new();
        while let Some(window) = chunks.next(max_bytes).unwrap() {
            assert!(window.bytes.capacity() <= bytes.len() + 1);
            for (chunk, bytes) in window.iter() {
                assert_eq!(chunk.hash, Hash::of(bytes));
                whole.extend(bytes);
            }
            refs.extend(window.chunks);
        }
        assert!(whole == bytes);
        refs
    }

    #[test]
    fn how_much_is_read_at_once_moves_no_cut() {
        let bytes = bytes(5 << 20);
        let chunks = cut(&bytes);
        for max_bytes in [1, (1 << 20) + 1, 3_000_000, 64 << 20] {
            assert_eq!(cut_with(&bytes, max_bytes), chunks, "{max_bytes}");
        }
    }

    #[test]
    fn a_byte_inserted_at_the_start_changes_few_chunks() {
        let bytes = bytes(8 << 20);
        let before = cut(&bytes);
        let after = cut(&[&b"x"[..], &bytes].concat());
        let known: HashSet<_> = before.iter().map(|r| r.hash).collect();
        let new = after.iter().filter(|r| !known.contains(&r.hash)).count();
        assert!(new <= 3 && before.len() > 16, "{new} of {}", after.len());
    }

    #[test]
    fn chunks_have_the_agreed_lengths_and_ends() {
        let chunks = cut(&bytes(8 << 20));
        let (last, others) = chunks.split_last().unwrap();
        assert!(others.iter().all(|r| (64 << 10..=1 << 20).contains(&r.length)), "{chunks:?}");
        assert!(last.length <= 1 << 20);
        // Every client cuts alike: a change of these is a change of the protocol.
        let all: Vec<_> = chunks.iter().map(|r| format!("{} {}\n", r.hash, r.length)).collect();
        assert_eq!(Hash::of(all.concat().as_bytes()).short(), "27f7109e");
        assert_eq!(cut(&[0; 3 << 20]).len(), 3);
        assert_eq!(cut(b""), []);
    }
}
