//! Cutting a file into chunks by its content.

use super::entry::{ChunkRef, MAX_CHUNK_BYTES};
use super::hash::{Hash, Hasher};
use fastcdc::v2020::StreamCDC;
use std::io::{self, Read};

const MIN_CHUNK_BYTES: usize = 64 << 10;
const AVERAGE_CHUNK_BYTES: usize = 256 << 10;

/// A chunk, and its place in the file.
pub(super) struct Chunk {
    pub(super) offset: u64,
    pub(super) hash: Hash,
    pub(super) bytes: Vec<u8>,
}

impl Chunk {
    pub(super) fn reference(&self) -> ChunkRef {
        ChunkRef { hash: self.hash, length: self.bytes.len() as u64 }
    }
}

/// The chunks of a file: their ends depend on the bytes near them alone, so that an insertion moves
/// the later chunks and changes few. Every client has to cut alike.
pub(super) struct Chunks<R: Read> {
    cut: StreamCDC<R>,
    whole: Hasher,
}

impl<R: Read> Chunks<R> {
    pub(super) fn of(source: R) -> Self {
        let max = MAX_CHUNK_BYTES as usize;
        let cut = StreamCDC::new(source, MIN_CHUNK_BYTES, AVERAGE_CHUNK_BYTES, max);
        Chunks { cut, whole: Hasher::default() }
    }

    /// Returns the hash of all chunks so far.
    pub(super) fn hash(&self) -> Hash {
        self.whole.finish()
    }
}

impl<R: Read> Iterator for Chunks<R> {
    type Item = io::Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.cut.next()?.map_err(io::Error::from);
        Some(chunk.map(|chunk| {
            self.whole.update(&chunk.data);
            Chunk { offset: chunk.offset, hash: Hash::of(&chunk.data), bytes: chunk.data }
        }))
    }
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
        let mut chunks = Chunks::of(bytes);
        let mut end = 0;
        let refs = chunks.by_ref().map(|chunk| {
            let chunk = chunk.unwrap();
            assert_eq!(chunk.offset, end);
            end += chunk.bytes.len() as u64;
            chunk.reference()
        });
        let refs: Vec<_> = refs.collect();
        assert_eq!(refs.iter().map(|r| r.length).sum::<u64>(), bytes.len() as u64);
        assert_eq!(chunks.hash(), Hash::of(bytes));
        refs
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
