//! Many small contents in few allocations.

/// How large a piece is. Contents that are larger have one of their own.
const PIECE_BYTES: usize = 64 << 10;

/// Contents, one after another. None is ever removed.
#[derive(Debug, Default)]
pub(super) struct Pieces(Vec<Vec<u8>>);

/// Where contents are in [`Pieces`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    piece: u32,
    at: u32,
    length: u32,
}

impl Pieces {
    /// Adds a copy of these bytes, less than 4 GiB of them.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Span {
        let has_room = |piece: &Vec<u8>| piece.capacity() - piece.len() >= bytes.len();
        if !self.0.last().is_some_and(has_room) {
            self.0.push(Vec::with_capacity(PIECE_BYTES.max(bytes.len())));
        }
        let piece = self.0.len() - 1;
        let at = self.0[piece].len();
        self.0[piece].extend_from_slice(bytes);
        Span { piece: piece as u32, at: at as u32, length: bytes.len() as u32 }
    }

    pub(super) fn get(&self, Span { piece, at, length }: Span) -> &[u8] {
        &self.0[piece as usize][at as usize..][..length as usize]
    }
}
