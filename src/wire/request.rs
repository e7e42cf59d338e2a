//! One line from a client, as a value.

use super::fields::{Fields, LineOut, number};
use crate::exptime::Exptime;
use crate::name::{FileRef, NameRef};
use std::fmt;

/// Every command as `help` prints it: how it is written, and what it does.
pub const COMMANDS: [(&str, &str); 12] = [
    ("read <file>", "the contents, their version, and the seconds left"),
    ("write <file> <numbytes> [<exptime>]", "replaces the contents, which follow on the next line"),
    (
        "cas <file> <version> <numbytes> [<exptime>]",
        "a write, only if this is the version; 0 creates",
    ),
    ("delete <file> [<version>]", "ends the file, only if this is the version"),
    ("open <name> [<type>]", "makes the file if there is none; a descriptor, the same for all"),
    ("close @<fd>", "gives the descriptor back; the end of a connection does so too"),
    ("stat <file>", "version, bytes, seconds left, type, opens"),
    ("hello [<token>]", "shows the token; protocol version, epoch and latest version"),
    ("types", "the types a file can have"),
    ("stats", "limits, and what is in use"),
    ("help", "this list"),
    ("quit", "ends the connection after the replies"),
];

/// A request. `numbytes` of contents and a line end follow the line of `Write` and `Cas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the protocol's command table")]
pub enum Request<'a> {
    Read { file: FileRef<'a> },
    Write { file: FileRef<'a>, numbytes: u64, exptime: Exptime },
    Cas { file: FileRef<'a>, version: u64, numbytes: u64, exptime: Exptime },
    Delete { file: FileRef<'a>, version: Option<u64> },
    Open { name: NameRef<'a>, kind: Option<&'a str> },
    Close { fd: u64 },
    Stat { file: FileRef<'a> },
    Hello { token: Option<&'a [u8]> },
    Types,
    Stats,
    Help,
    Quit,
}

/// A line that is no request. What matters is whether the next request can still be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The end is known: after these contents, if there are any.
    InStep {
        /// How many bytes of contents the line announced.
        numbytes: Option<u64>,
    },
    /// The end is not known: an unknown command, or contents of unknown length.
    OutOfStep,
}

/// Whether a line holds nothing but spaces. It is no request and gets no reply.
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| *b == b' ')
}

impl<'a> Request<'a> {
    /// Reads one line, given without its end.
    ///
    /// ```
    /// use telefile::wire::{Malformed, Request};
    ///
    /// assert_eq!(Request::parse(b"help"), Ok(Request::Help));
    /// // The reader knows that six bytes follow, so it can skip them and go on.
    /// let bad_exptime = Request::parse(b"write foo 6 soon");
    /// assert_eq!(bad_exptime, Err(Malformed::InStep { numbytes: Some(6) }));
    /// assert_eq!(Request::parse(b"write foo six"), Err(Malformed::OutOfStep));
    /// ```
    ///
    /// # Errors
    /// A line that is no request, and what follows it as far as that is known.
    pub fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(line);
        let request = match fields.next().unwrap_or_default() {
            b"write" => return Self::write(fields),
            b"cas" => return Self::cas(fields),
            b"read" => Self::of_file(fields, |file| Request::Read { file }),
            b"stat" => Self::of_file(fields, |file| Request::Stat { file }),
            b"delete" => Self::delete(fields),
            b"open" => Self::open(fields),
            b"close" => Self::of_file(fields, |file| file).and_then(|file| match file {
                FileRef::Descriptor(fd) => Some(Request::Close { fd }),
                FileRef::Name(_) => None,
            }),
            b"hello" => Some(Request::Hello { token: fields.next() }).and_then(|r| fields.end(r)),
            b"types" => fields.end(Request::Types),
            b"stats" => fields.end(Request::Stats),
            b"help" => fields.end(Request::Help),
            b"quit" => fields.end(Request::Quit),
            _ => return Err(Malformed::OutOfStep),
        };
        request.ok_or(Malformed::InStep { numbytes: None })
    }

    fn of_file<T>(mut fields: Fields<'a>, of: impl Fn(FileRef<'a>) -> T) -> Option<T> {
        let file = file_ref(fields.next()?)?;
        fields.end(of(file))
    }

    fn open(mut fields: Fields<'a>) -> Option<Self> {
        let name = name(fields.next()?)?;
        let kind = match fields.next() {
            Some(field) => Some(std::str::from_utf8(field).ok()?),
            None => None,
        };
        fields.end(Request::Open { name, kind })
    }

    fn delete(mut fields: Fields<'a>) -> Option<Self> {
        let file = file_ref(fields.next()?)?;
        let version = match fields.next() {
            Some(field) => Some(number(field)?),
            None => None,
        };
        fields.end(Request::Delete { file, version })
    }

    fn write(mut fields: Fields<'a>) -> Result<Self, Malformed> {
        let file = fields.next().ok_or(Malformed::OutOfStep)?;
        let numbytes = fields.number().ok_or(Malformed::OutOfStep)?;
        let write = move || {
            let (file, exptime) = (file_ref(file)?, fields.exptime()?);
            fields.end(Request::Write { file, numbytes, exptime })
        };
        write().ok_or(Malformed::InStep { numbytes: Some(numbytes) })
    }

    fn cas(mut fields: Fields<'a>) -> Result<Self, Malformed> {
        let file = fields.next().ok_or(Malformed::OutOfStep)?;
        let version = fields.next().ok_or(Malformed::OutOfStep)?;
        let numbytes = fields.number().ok_or(Malformed::OutOfStep)?;
        let cas = move || {
            let (file, version) = (file_ref(file)?, number(version)?);
            let exptime = fields.exptime()?;
            fields.end(Request::Cas { file, version, numbytes, exptime })
        };
        cas().ok_or(Malformed::InStep { numbytes: Some(numbytes) })
    }

    /// The length of the contents that follow the line, if it is a command with contents.
    pub fn numbytes(&self) -> Option<u64> {
        match self {
            Request::Write { numbytes, .. } | Request::Cas { numbytes, .. } => Some(*numbytes),
            _ => None,
        }
    }

    /// The file that it is about, if there is one.
    pub fn file(&self) -> Option<FileRef<'a>> {
        match self {
            Request::Read { file }
            | Request::Write { file, .. }
            | Request::Cas { file, .. }
            | Request::Delete { file, .. }
            | Request::Stat { file } => Some(*file),
            Request::Open { name, .. } => Some(FileRef::Name(*name)),
            Request::Close { fd } => Some(FileRef::Descriptor(*fd)),
            _ => None,
        }
    }

    fn verb(&self) -> &'static str {
        match self {
            Request::Read { .. } => "read",
            Request::Write { .. } => "write",
            Request::Cas { .. } => "cas",
            Request::Delete { .. } => "delete",
            Request::Open { .. } => "open",
            Request::Close { .. } => "close",
            Request::Stat { .. } => "stat",
            Request::Hello { .. } => "hello",
            Request::Types => "types",
            Request::Stats => "stats",
            Request::Help => "help",
            Request::Quit => "quit",
        }
    }

    /// Appends the line, its end included. Contents are the caller's to append, with a line end.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let line = LineOut::new(out, self.verb());
        let line = match self.file() {
            Some(FileRef::Name(name)) => line.bytes(name.as_str().as_bytes()),
            Some(FileRef::Descriptor(fd)) => line.bytes(format!("@{fd}").as_bytes()),
            None => line,
        };
        let line = match *self {
            Request::Write { numbytes, exptime, .. } => {
                line.number(numbytes).number(exptime.to_field())
            }
            Request::Cas { version, numbytes, exptime, .. } => {
                line.number(version).number(numbytes).number(exptime.to_field())
            }
            Request::Delete { version: Some(version), .. } => line.number(version),
            Request::Open { kind: Some(kind), .. } => line.bytes(kind.as_bytes()),
            Request::Hello { token: Some(token) } => line.bytes(token),
            _ => line,
        };
        line.end();
    }
}

fn file_ref(field: &[u8]) -> Option<FileRef<'_>> {
    match field.strip_prefix(b"@") {
        Some(digits) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            Some(FileRef::Descriptor(number(digits).unwrap_or(u64::MAX)))
        }
        _ => name(field).map(FileRef::Name),
    }
}

fn name(field: &[u8]) -> Option<NameRef<'_>> {
    std::str::from_utf8(field).ok().and_then(NameRef::new)
}

/// For logs: never a token, and names as [`NameRef`] shows them.
impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())?;
        match self.file() {
            Some(FileRef::Name(name)) => write!(f, " {name}")?,
            Some(FileRef::Descriptor(fd)) => write!(f, " @{fd}")?,
            None => {}
        }
        if let Request::Cas { version, .. } | Request::Delete { version: Some(version), .. } = self
        {
            write!(f, " {version}")?;
        }
        if let Request::Write { numbytes, exptime, .. } | Request::Cas { numbytes, exptime, .. } =
            self
        {
            write!(f, " {numbytes} {}", exptime.to_field())?;
        }
        Ok(())
    }
}
