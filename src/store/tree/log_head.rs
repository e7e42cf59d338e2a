//! What the database knows of its log, so that a start notices if it is not the same one.

use crate::store::error::Result;
use crate::store::format::{Fields, seal, unseal};

/// What the checksum of the log's head covers besides it.
const LOG: &[u8] = b"log";

/// What the database knows of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct LogHead {
    /// Distinguishes it from all other logs. A secret.
    pub(in crate::store) id: u64,
    /// A batch that was in the log for certain, and is there unless the database has it.
    pub(in crate::store) batch: u64,
    /// What [`Stamp::sum`](super::format::Stamp::sum) was for it.
    pub(in crate::store) sum: u32,
    /// Which of the log's files had it.
    pub(in crate::store) slot: u32,
}

impl LogHead {
    /// Returns the head of an empty log.
    pub(in crate::store) fn new(id: u64) -> Self {
        LogHead { id, batch: 0, sum: 0, slot: 0 }
    }

    pub(in crate::store) fn encode(&self) -> Vec<u8> {
        let mut value = [self.id, self.batch].map(u64::to_le_bytes).concat();
        value.extend_from_slice(&self.sum.to_le_bytes());
        value.extend_from_slice(&self.slot.to_le_bytes());
        seal(&mut value, LOG);
        value
    }

    pub(in crate::store) fn decode(value: &[u8]) -> Result<Self> {
        let mut fields = Fields(unseal(value, LOG, "the head of the log")?);
        let (id, batch) = (fields.u64()?, fields.number()?);
        let (sum, slot) = (fields.u32()?, fields.u32()?);
        fields.end()?;
        Ok(LogHead { id, batch, sum, slot })
    }
}
