//! What a request asks of a file, and whether the file's version permits it.

use crate::refusal::Refusal;

/// What a request asks of a file. A version is the one that the file must be at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::files) enum Asked {
    /// New contents, which do not depend on the old ones: a put at any version may be combined with
    /// those before it. Version 0 requires that the file does not exist.
    Put(Option<u64>),
    Touch(u64),
    Remove(Option<u64>),
    /// The file's end, by time or with a connection.
    End,
    Read,
}

impl Asked {
    /// Checks the request against the file's current version; `None` if there is no file.
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
            Some(expected) if expected != current => Err(Refusal::Version(current.into())),
            _ => Ok(()),
        }
    }

    /// Returns whether it is a change that applies at any version.
    pub(in crate::files) fn is_unconditional(self) -> bool {
        matches!(self, Asked::Put(None) | Asked::Remove(None))
    }
}
