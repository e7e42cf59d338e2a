//! The lines that follow `LIST` and `CHANGES`, as values.

use super::fields::{Fields, LineOut};
use crate::exptime::Exptime;
use crate::name::NameRef;

/// A line of a list: `<version> <numbytes> <exptime> <name>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the protocol's command table")]
pub struct Listed<'a> {
    pub version: u64,
    pub numbytes: u64,
    pub exptime: Exptime,
    pub name: NameRef<'a>,
}

/// A line of changes: `put <version> <numbytes> <name>`, or `del <version> 0 <name>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed<'a> {
    /// The version that the change took.
    pub version: u64,
    /// The size of the contents, or `None` if the name is deleted.
    pub numbytes: Option<u64>,
    /// The name that changed.
    pub name: NameRef<'a>,
}

impl<'a> Listed<'a> {
    /// Parses one line, given without its end. Returns `None` if it is no line of a list.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(line);
        let (version, numbytes) = (fields.number()?, fields.number()?);
        let (exptime, name) = (fields.exptime()?, fields.name()?);
        Some(Listed { version, numbytes, exptime, name })
    }

    /// Appends the line, with its end.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let line = LineOut::numbered(out, self.version).number(self.numbytes);
        line.exptime(self.exptime).text(self.name.as_str()).end();
    }
}

impl<'a> Changed<'a> {
    /// Parses one line, given without its end. Returns `None` if it is no line of changes.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(line);
        let put = match fields.next()? {
            b"put" => true,
            b"del" => false,
            _ => return None,
        };
        let (version, numbytes) = (fields.number()?, fields.number()?);
        Some(Changed { version, numbytes: put.then_some(numbytes), name: fields.name()? })
    }

    /// Appends the line, with its end.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let line = LineOut::new(out, if self.numbytes.is_some() { "put" } else { "del" });
        let line = line.number(self.version).number(self.numbytes.unwrap_or(0));
        line.text(self.name.as_str()).end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_byte_for_byte_and_back() {
        let name = NameRef::new("lock/db").unwrap();
        let mut out = Vec::new();
        let listed = Listed { version: 7, numbytes: 5, exptime: Exptime::Connection, name };
        listed.write_to(&mut out);
        assert_eq!(out, b"7 5 -1 lock/db\r\n");
        assert_eq!(Listed::parse(b"7 5 -1 lock/db"), Some(listed));
        assert_eq!(Listed::parse(b"7 5 -1 lock/db of a later server"), Some(listed));

        for (numbytes, text) in [(Some(3), "put 9 3 lock/db"), (None, "del 9 0 lock/db")] {
            let changed = Changed { version: 9, numbytes, name };
            out.clear();
            changed.write_to(&mut out);
            assert_eq!(out, format!("{text}\r\n").as_bytes());
            assert_eq!(Changed::parse(text.as_bytes()), Some(changed));
            let grown = format!("{text} of a later server");
            assert_eq!(Changed::parse(grown.as_bytes()), Some(changed));
        }
    }

    #[test]
    fn what_is_no_such_line() {
        for line in ["", "7", "7 5 -1", "7 5 -2 a", "x 5 0 a", "7 5 0 @1", "7 5 0 a\tb"] {
            assert_eq!(Listed::parse(line.as_bytes()), None, "{line:?}");
        }
        for line in ["", "put", "put 9 3", "del 9 a", "PUT 9 3 a", "9 3 a", "put 9 3 @1"] {
            assert_eq!(Changed::parse(line.as_bytes()), None, "{line:?}");
        }
    }
}
