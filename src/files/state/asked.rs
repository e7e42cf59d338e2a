//! What a request asks of a file, and how that is judged.

use crate::refusal::Refusal;

/// What is asked of a file. A version is the one that the file has to be at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::files) enum Asked {
    /// New contents; version 0 is a file that does not exist.
    Put(Option<u64>),
    Touch(u64),
    Remove(Option<u64>),
    /// Its end, by the time or with a connection.
    End,
    Read,
}

impl Asked {
    /// Judges by the version that the file is at; `None` is a file that does not exist.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Version`]
    pub(in crate::files) fn judge(self, current: Option<u64>) -> Result<(), Refusal> {
        let expected = match (self, current) {
            (Asked::Put(expected), _) => expected,
            (Asked::End, _) => return Ok(()),
            (_, None) => return Err(Refusal::NotFound),
            (Asked::Touch(expected), _) => Some(expected),
            (Asked::Remove(expected), _) => expected,
            (Asked::Read, _) => None,
        };
        let current = current.unwrap_or(0);
        match expected {
            Some(expected) if expected != current => Err(Refusal::Version(current)),
            _ => Ok(()),
        }
    }

    /// Whether it is done to any file, whatever its version.
    pub(in crate::files) fn is_unconditional(self) -> bool {
        matches!(self, Asked::Put(None) | Asked::Remove(None))
    }
}
