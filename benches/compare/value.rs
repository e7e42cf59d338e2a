//! The one value that every client writes and expects to read back.

/// Above this size a value is compared in samples. Comparing a mebibyte costs the client as much as
/// receiving it, and would make the servers look more alike than they are.
const MAX_WHOLE_BYTES: usize = 16 << 10;
const SAMPLE_EVERY_BYTES: usize = 4096;
const SAMPLE_BYTES: usize = 64;

pub(crate) struct Value(Vec<u8>);

impl Value {
    /// Returns `numbytes` printable bytes without a short period, so that shifted bytes differ.
    pub(crate) fn new(numbytes: usize) -> Self {
        Value((0..numbytes).map(|i| b'0' + ((i * 7 + i / 61) % 75) as u8).collect())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether `bytes`, which have the right length, are this value. Of a large value only
    /// the beginning of each 4 KiB and the end are compared.
    pub(crate) fn matches(&self, bytes: &[u8]) -> bool {
        if self.0.len() <= MAX_WHOLE_BYTES {
            return bytes == self.0;
        }
        let last = self.0.len() - SAMPLE_BYTES;
        let mut samples = (0..last).step_by(SAMPLE_EVERY_BYTES).chain([last]);
        samples.all(|at| bytes[at..at + SAMPLE_BYTES] == self.0[at..at + SAMPLE_BYTES])
    }
}
