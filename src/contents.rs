//! The bytes of a file, and how they arrive. A common word: imports only the budget and the
//! refusal from this crate.

#[cfg(test)]
mod tests;

use crate::budget::{Budget, Charge, block};
use crate::refusal::Refusal;
use std::fmt;
use std::mem::size_of;
use std::ops::Deref;
use std::sync::Arc;

/// Spare bytes before a large value. The allocator begins a large block 16 bytes into a page, and
/// the kernel's copy to a socket then trips over addresses that are equal modulo 4 KiB: 4.4 GB/s
/// against 7.5 with the value 64 bytes further on.
const SPARE_BYTES: usize = 64;
const LARGE_BYTES: usize = 16 << 10;

/// How far the memory for arriving contents runs ahead of the bytes that have arrived.
const FIRST_AHEAD_BYTES: usize = 64 << 10;
const MAX_AHEAD_BYTES: usize = 1 << 20;

/// The most bytes that are held without an allocation: they fit beside a length into the room of
/// three pointers.
const SHORT_BYTES: usize = 22;

/// The bytes of a file. They are immutable. Clones share them; up to 22 bytes are copied instead.
///
/// ```
/// let contents = telefile::Contents::from(b"abcdef".as_slice());
/// assert_eq!(&contents[..3], b"abc");
/// ```
#[derive(Clone)]
pub struct Contents(Bytes);

#[derive(Clone)]
enum Bytes {
    Short { len: u8, bytes: [u8; SHORT_BYTES] },
    Shared(Arc<Held>),
}

const _: () = assert!(size_of::<Contents>() == 24);

struct Held {
    bytes: Vec<u8>,
    /// Where the value begins in `bytes`: 0 or [`SPARE_BYTES`].
    start: usize,
    /// Released when the last clone is dropped.
    charge: Charge,
}

/// What contents take in addition to their bytes: [`Held`], and the two counts before it.
const HELD_BYTES: u64 = block(2 * size_of::<usize>() + size_of::<Held>());

impl Deref for Contents {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Short { len, bytes } => &bytes[..usize::from(*len)],
            Bytes::Shared(held) => &held.bytes[held.start..],
        }
    }
}

impl Contents {
    /// Returns the bytes as contents without an allocation, if they are few enough.
    fn short(from: &[u8]) -> Option<Self> {
        let mut bytes = [0; SHORT_BYTES];
        bytes.get_mut(..from.len())?.copy_from_slice(from);
        Some(Contents(Bytes::Short { len: from.len() as u8, bytes }))
    }

    fn shared(bytes: Vec<u8>, start: usize, charge: Charge) -> Self {
        Contents(Bytes::Shared(Arc::new(Held { bytes, start, charge })))
    }

    /// Returns the allocation, if there is one and it has no other owner.
    fn unshared(&mut self) -> Option<&mut Held> {
        match &mut self.0 {
            Bytes::Short { .. } => None,
            Bytes::Shared(held) => Arc::get_mut(held),
        }
    }

    /// Counts contents made by a type while they wait to be sent. Contents that the type still
    /// shares are its own state, and are not counted.
    ///
    /// # Errors
    /// [`Limit::Memory`](crate::Limit::Memory) if there is no room for them.
    pub(crate) fn charged(mut self, budget: &Arc<Budget>) -> Result<Self, Refusal> {
        if let Some(held) = self.unshared()
            && held.charge.budget().is_none()
        {
            let mut charge = Charge::none(budget);
            charge.grow(HELD_BYTES + block(held.bytes.capacity()))?;
            held.charge = charge;
        }
        Ok(self)
    }

    /// Counts contents with no other owner as `charge`, which was taken for them before.
    pub(crate) fn with_charge(mut self, charge: Charge) -> Self {
        if let Some(held) = self.unshared() {
            held.charge = charge;
        }
        self
    }

    /// Counts contents that a type gets, also short ones: see [`same_budget`](Self::same_budget).
    ///
    /// # Errors
    /// [`Limit::Memory`](crate::Limit::Memory) if there is no room for them.
    pub(crate) fn counted(self, budget: &Arc<Budget>) -> Result<Self, Refusal> {
        match self.0 {
            Bytes::Shared(_) => Ok(self),
            Bytes::Short { .. } => {
                Contents::shared(self.to_vec(), 0, Charge::default()).charged(budget)
            }
        }
    }

    /// Returns what contents of `numbytes` bytes take of a budget, besides the `Contents`.
    pub(crate) fn cost(numbytes: usize) -> u64 {
        if numbytes <= SHORT_BYTES { 0 } else { HELD_BYTES + block(numbytes) }
    }

    /// Returns an empty charge on the budget that these contents count in. Short contents count in
    /// none, unless they are [counted](Contents::counted).
    pub(crate) fn same_budget(&self) -> Charge {
        match &self.0 {
            Bytes::Short { .. } => Charge::default(),
            Bytes::Shared(held) => held.charge.budget().map(Charge::none).unwrap_or_default(),
        }
    }
}

/// Contents that count in no budget.
impl From<Vec<u8>> for Contents {
    fn from(bytes: Vec<u8>) -> Self {
        Contents::short(&bytes).unwrap_or_else(|| Contents::shared(bytes, 0, Charge::default()))
    }
}

impl From<&[u8]> for Contents {
    fn from(bytes: &[u8]) -> Self {
        Contents::short(bytes).unwrap_or_else(|| bytes.to_vec().into())
    }
}

impl From<String> for Contents {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for Contents {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contents({} bytes)", self.len())
    }
}

/// No bytes.
impl Default for Contents {
    fn default() -> Self {
        Contents::from([].as_slice())
    }
}

impl AsRef<[u8]> for Contents {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Contents {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Contents {}

/// Incoming contents: a length announced by a peer, and memory that is taken from the budget as
/// bytes arrive, never for the announcement.
pub struct Incoming {
    bytes: Vec<u8>,
    start: usize,
    announced: usize,
    charge: Charge,
}

/// Shows how many bytes are announced and how many are missing.
impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({} bytes, {} missing)", self.announced, self.missing())
    }
}

impl Incoming {
    /// Expects `announced` bytes. Takes no memory yet.
    pub fn new(announced: usize, budget: &Arc<Budget>) -> Self {
        let start = if announced < LARGE_BYTES { 0 } else { SPARE_BYTES };
        Incoming { bytes: Vec::new(), start, announced, charge: Charge::none(budget) }
    }

    /// Returns how many bytes are still to come.
    pub fn missing(&self) -> usize {
        self.announced - self.arrived()
    }

    /// Returns how many bytes have arrived.
    pub(crate) fn arrived(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    /// Returns the bytes so far, to append up to `missing` more; there is room for some of them.
    ///
    /// # Errors
    /// [`Limit::Memory`](crate::Limit::Memory) when the budget is exhausted.
    pub fn room(&mut self) -> Result<&mut Vec<u8>, Refusal> {
        if self.bytes.len() == self.bytes.capacity() {
            let ahead = if self.bytes.is_empty() { FIRST_AHEAD_BYTES } else { MAX_AHEAD_BYTES };
            let more = self.start.saturating_sub(self.bytes.len()) + ahead.min(self.missing());
            let larger = block(self.bytes.len() + more);
            self.charge.grow(larger - block(self.bytes.capacity()))?;
            if self.bytes.try_reserve_exact(more).is_err() {
                return Err(self.charge.refusal());
            }
            if self.bytes.is_empty() {
                self.bytes.resize(self.start, 0);
            }
        }
        Ok(&mut self.bytes)
    }

    /// Expects as many further bytes as have arrived: there are more than announced.
    pub(crate) fn expect_as_much(&mut self) {
        self.announced += self.arrived();
    }

    /// Returns the contents; all of them have arrived.
    pub fn finish(self) -> Contents {
        debug_assert_eq!(self.missing(), 0);
        self.end()
    }

    /// Returns what has arrived, though more was announced.
    pub(crate) fn end(mut self) -> Contents {
        if let Some(short) = Contents::short(self.bytes.get(self.start..).unwrap_or_default()) {
            return short;
        }
        self.charge.grow_over(HELD_BYTES);
        Contents::shared(self.bytes, self.start, self.charge)
    }
}
