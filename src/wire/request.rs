//! One line from a client, as a value.

use super::fields::{Fields, LineOut, exptime, number, text};
use super::{MAX_ITEMS, MAX_WATCH_SECONDS};
use crate::exptime::Exptime;
use crate::name::{FileRef, NameRef, Shown, Stem};
use std::fmt;

/// A request. `numbytes` of contents and a line end follow the line of `Write`, `Cas` and `Create`.
///
/// A `prefix` of files is any text, the empty one for all: on the line that is `*`. `limit` is at
/// most [`MAX_ITEMS`], `seconds` at most [`MAX_WATCH_SECONDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the protocol's command table")]
pub enum Request<'a> {
    Read { file: FileRef<'a> },
    Write { file: FileRef<'a>, numbytes: u64, exptime: Exptime },
    Cas { file: FileRef<'a>, version: u64, numbytes: u64, exptime: Exptime },
    Delete { file: FileRef<'a>, version: Option<u64> },
    Touch { file: FileRef<'a>, version: u64, exptime: Exptime },
    Create { stem: Stem<'a>, numbytes: u64, exptime: Exptime },
    List { prefix: &'a str, limit: u64, after: Option<&'a str> },
    Watch { prefix: &'a str, rev: u64, seconds: u64 },
    Wait { file: FileRef<'a>, version: u64, seconds: u64 },
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
            b"create" => return Self::create(fields),
            b"read" => Self::of_file(fields, |file| Request::Read { file }),
            b"stat" => Self::of_file(fields, |file| Request::Stat { file }),
            b"delete" => Self::delete(fields),
            b"touch" => Self::touch(fields),
            b"list" => Self::list(fields),
            b"watch" => Self::watch(fields),
            b"wait" => Self::wait(fields),
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
        let name = fields.name()?;
        let kind = fields.optional(None, |field| text(field).map(Some))?;
        fields.end(Request::Open { name, kind })
    }

    fn delete(mut fields: Fields<'a>) -> Option<Self> {
        let file = file_ref(fields.next()?)?;
        let version = fields.optional(None, |field| number(field).map(Some))?;
        fields.end(Request::Delete { file, version })
    }

    fn touch(mut fields: Fields<'a>) -> Option<Self> {
        let file = file_ref(fields.next()?)?;
        let (version, exptime) = (fields.number()?, fields.exptime()?);
        fields.end(Request::Touch { file, version, exptime })
    }

    fn list(mut fields: Fields<'a>) -> Option<Self> {
        let prefix = prefix(fields.next()?)?;
        let limit = fields.optional(MAX_ITEMS, number).filter(|limit| *limit > 0)?;
        let after = fields.optional(None, |field| text(field).map(Some))?;
        fields.end(Request::List { prefix, limit: limit.min(MAX_ITEMS), after })
    }

    fn watch(mut fields: Fields<'a>) -> Option<Self> {
        let prefix = prefix(fields.next()?)?;
        let (rev, seconds) = (fields.number()?, fields.number()?);
        fields.end(Request::Watch { prefix, rev, seconds: seconds.min(MAX_WATCH_SECONDS) })
    }

    fn wait(mut fields: Fields<'a>) -> Option<Self> {
        let file = file_ref(fields.next()?)?;
        let (version, seconds) = (fields.number()?, fields.number()?);
        fields.end(Request::Wait { file, version, seconds: seconds.min(MAX_WATCH_SECONDS) })
    }

    fn create(mut fields: Fields<'a>) -> Result<Self, Malformed> {
        let stem = fields.next().ok_or(Malformed::OutOfStep)?;
        let numbytes = fields.number().ok_or(Malformed::OutOfStep)?;
        let create = move || {
            let stem = text(stem).and_then(Stem::new)?;
            let exptime = fields.optional(Exptime::Never, exptime)?;
            fields.end(Request::Create { stem, numbytes, exptime })
        };
        create().ok_or(Malformed::InStep { numbytes: Some(numbytes) })
    }

    fn write(mut fields: Fields<'a>) -> Result<Self, Malformed> {
        let file = fields.next().ok_or(Malformed::OutOfStep)?;
        let numbytes = fields.number().ok_or(Malformed::OutOfStep)?;
        let write = move || {
            let (file, exptime) = (file_ref(file)?, fields.optional(Exptime::Never, exptime)?);
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
            let exptime = fields.optional(Exptime::Never, exptime)?;
            fields.end(Request::Cas { file, version, numbytes, exptime })
        };
        cas().ok_or(Malformed::InStep { numbytes: Some(numbytes) })
    }

    /// Returns whether its connection holds a file once it is done: one that is open, or one that
    /// ends with the connection.
    pub fn holds(&self) -> bool {
        match self {
            Request::Open { .. } => true,
            Request::Write { exptime, .. }
            | Request::Cas { exptime, .. }
            | Request::Touch { exptime, .. }
            | Request::Create { exptime, .. } => *exptime == Exptime::Connection,
            _ => false,
        }
    }

    /// The length of the contents that follow the line, if it is a command with contents.
    pub fn numbytes(&self) -> Option<u64> {
        match self {
            Request::Write { numbytes, .. }
            | Request::Cas { numbytes, .. }
            | Request::Create { numbytes, .. } => Some(*numbytes),
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
            | Request::Touch { file, .. }
            | Request::Wait { file, .. }
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
            Request::Touch { .. } => "touch",
            Request::Create { .. } => "create",
            Request::List { .. } => "list",
            Request::Watch { .. } => "watch",
            Request::Wait { .. } => "wait",
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
            Some(FileRef::Name(name)) => line.text(name.as_str()),
            Some(FileRef::Descriptor(fd)) => line.text(&format!("@{fd}")),
            None => line,
        };
        let line = match *self {
            Request::Write { numbytes, exptime, .. } => line.number(numbytes).exptime(exptime),
            Request::Cas { version, numbytes, exptime, .. } => {
                line.number(version).number(numbytes).exptime(exptime)
            }
            Request::Delete { version: Some(version), .. } => line.number(version),
            Request::Touch { version, exptime, .. } => line.number(version).exptime(exptime),
            Request::Create { stem, numbytes, exptime } => {
                line.text(stem.as_str()).number(numbytes).exptime(exptime)
            }
            Request::List { prefix, limit, after } => {
                let line = line.text(field_of(prefix)).number(limit);
                match after {
                    Some(after) => line.text(after),
                    None => line,
                }
            }
            Request::Watch { prefix, rev, seconds } => {
                line.text(field_of(prefix)).number(rev).number(seconds)
            }
            Request::Wait { version, seconds, .. } => line.number(version).number(seconds),
            Request::Open { kind: Some(kind), .. } => line.text(kind),
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
        _ => text(field).and_then(NameRef::new).map(FileRef::Name),
    }
}

/// `*` as a whole field is every file.
fn prefix(field: &[u8]) -> Option<&str> {
    text(field).map(|prefix| if prefix == "*" { "" } else { prefix })
}

fn field_of(prefix: &str) -> &str {
    if prefix.is_empty() { "*" } else { prefix }
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
        match self {
            Request::Write { numbytes, exptime, .. } => write!(f, " {numbytes} {exptime}"),
            Request::Cas { version, numbytes, exptime, .. } => {
                write!(f, " {version} {numbytes} {exptime}")
            }
            Request::Delete { version: Some(version), .. } => write!(f, " {version}"),
            Request::Wait { version, seconds, .. } => write!(f, " {version} {seconds}"),
            Request::Touch { version, exptime, .. } => write!(f, " {version} {exptime}"),
            Request::Create { stem, numbytes, exptime } => {
                write!(f, " {} {numbytes} {exptime}", Shown(stem.as_str()))
            }
            Request::List { prefix, limit, after } => {
                write!(f, " {} {limit}", Shown(field_of(prefix)))?;
                after.map_or(Ok(()), |after| write!(f, " {}", Shown(after)))
            }
            Request::Watch { prefix, rev, seconds } => {
                write!(f, " {} {rev} {seconds}", Shown(field_of(prefix)))
            }
            _ => Ok(()),
        }
    }
}
