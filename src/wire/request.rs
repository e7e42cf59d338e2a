//! One line from a client, as a value.

use super::fields::LineOut;
use crate::exptime::Exptime;
use crate::name::{Fd, FileRef, ForLog, IdForLog, NameRef, Stem};
use std::fmt;

/// The first word of each request's line.
pub(crate) const VERBS: [&str; 19] = [
    "read", "write", "cas", "delete", "touch", "create", "list", "watch", "wait", "open", "close",
    "stat", "session", "hello", "types", "stats", "backup", "help", "quit",
];

/// A request. `numbytes` of contents and a line end follow the line of `Write`, `Cas` and `Create`.
///
/// A `prefix` of files is any text; the empty one means all, and is `*` on the line. `limit` is at
/// most [`MAX_ITEMS`](super::MAX_ITEMS), `seconds` at most
/// [`MAX_WATCH_SECONDS`](super::MAX_WATCH_SECONDS). `Session` without an id asks for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the protocol's command table")]
#[non_exhaustive]
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
    Close { fd: Fd },
    Stat { file: FileRef<'a> },
    Session { id: Option<&'a str> },
    Hello { token: Option<&'a [u8]> },
    Types,
    Stats,
    Backup,
    Help,
    Quit,
}

impl<'a> Request<'a> {
    /// Returns whether the connection holds a file after this request: an open one, or one that
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

    /// Returns the length of the contents that follow the line, for a command with contents.
    pub fn numbytes(&self) -> Option<u64> {
        match self {
            Request::Write { numbytes, .. }
            | Request::Cas { numbytes, .. }
            | Request::Create { numbytes, .. } => Some(*numbytes),
            _ => None,
        }
    }

    /// Returns the file that the request names, if there is one.
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

    /// Returns the place of its word in [`VERBS`].
    pub(crate) fn verb_index(&self) -> usize {
        match self {
            Request::Read { .. } => 0,
            Request::Write { .. } => 1,
            Request::Cas { .. } => 2,
            Request::Delete { .. } => 3,
            Request::Touch { .. } => 4,
            Request::Create { .. } => 5,
            Request::List { .. } => 6,
            Request::Watch { .. } => 7,
            Request::Wait { .. } => 8,
            Request::Open { .. } => 9,
            Request::Close { .. } => 10,
            Request::Stat { .. } => 11,
            Request::Session { .. } => 12,
            Request::Hello { .. } => 13,
            Request::Types => 14,
            Request::Stats => 15,
            Request::Backup => 16,
            Request::Help => 17,
            Request::Quit => 18,
        }
    }

    fn verb(&self) -> &'static str {
        VERBS[self.verb_index()]
    }

    /// Appends the line with its end. The caller appends any contents, with a line end.
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
            Request::Session { id } => line.text(id.unwrap_or("-")),
            Request::Hello { token: Some(token) } => line.bytes(token),
            _ => line,
        };
        line.end();
    }
}

fn field_of(prefix: &str) -> &str {
    if prefix.is_empty() { "*" } else { prefix }
}

/// For logs: never shows a token, and shows names as [`NameRef::for_log`] does.
impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())?;
        match self.file() {
            Some(FileRef::Name(name)) => write!(f, " {}", name.for_log())?,
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
                write!(f, " {} {numbytes} {exptime}", ForLog(stem.as_str()))
            }
            Request::List { prefix, limit, after } => {
                write!(f, " {} {limit}", ForLog(field_of(prefix)))?;
                after.map_or(Ok(()), |after| write!(f, " {}", ForLog(after)))
            }
            Request::Watch { prefix, rev, seconds } => {
                write!(f, " {} {rev} {seconds}", ForLog(field_of(prefix)))
            }
            Request::Session { id: Some(id) } => write!(f, " {}", IdForLog(id)),
            _ => Ok(()),
        }
    }
}
