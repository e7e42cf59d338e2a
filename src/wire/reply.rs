//! One reply line, as a value.

use super::PROTOCOL_VERSION;
use super::fields::{Fields, LineOut, seconds, text};
use crate::exptime::Exptime;
use crate::name::{Fd, NameRef, is_session_id};
use crate::refusal::{Limit, Refusal};
use crate::version::Version;
use std::time::Duration;

/// A reply line. `numbytes` bytes and a line end follow `Contents` and `Backup`. A count announces that many lines:
/// [`Listed`](super::Listed) after [`List`](Reply::List), [`Changed`](super::Changed) after
/// [`Changes`](Reply::Changes).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the protocol's command table")]
#[non_exhaustive]
pub enum Reply<'a> {
    /// `CONTENTS <version> <numbytes> <exptime>`
    Contents { version: u64, numbytes: u64, exptime: Exptime },
    /// `OK <version>`
    Version(u64),
    /// `OK <version> <name>`
    Created { version: u64, name: NameRef<'a> },
    /// `OK`
    Done,
    /// `FD <fd> <version> <type>`
    Fd { fd: Fd, version: u64, kind: &'a str },
    /// `STAT <version> <numbytes> <exptime> <type> <opens>`
    Stat { version: u64, numbytes: u64, exptime: Exptime, kind: &'a str, opens: u64 },
    /// `LIST <rev> <count> <more>`
    List { rev: u64, count: u64, more: bool },
    /// `CHANGES <rev> <count>`
    Changes { rev: u64, count: u64 },
    /// `SESSION <id> <epoch> <rev> NEW`, or `OLD`.
    Session { id: &'a str, epoch: u64, rev: u64, is_new: bool },
    /// `HELLO 1 <epoch> <rev> <idle>`. `<idle>` is 0 without an idle time-out; older servers do not
    /// send the field.
    Hello { epoch: u64, rev: u64, idle_timeout: Option<Duration> },
    /// `TYPES <count>`
    Types { count: u64 },
    /// `STATS <count>`
    Stats { count: u64 },
    /// `BACKUP <rev> <numbytes>`
    Backup { rev: u64, numbytes: u64 },
    /// `HELP <count>`
    Help { count: u64 },
    /// One of the `ERR_` words.
    Refused(Refusal),
}

impl<'a> Reply<'a> {
    /// Parses one line, given without its end. Returns `None` if it is no reply. Ignores fields
    /// that a later protocol may have added after the known ones.
    ///
    /// A line does not identify every refusal: `ERR_CMD_ERR` is read as [`Refusal::Malformed`] and
    /// `ERR_DENIED` as [`Refusal::Denied`], even when the server closes after it.
    ///
    /// ```
    /// use telefile::{Refusal, Version, wire::Reply};
    ///
    /// assert_eq!(Reply::parse(b"OK 7"), Some(Reply::Version(7)));
    /// assert_eq!(Reply::parse(b"ERR_VERSION 8"), Some(Reply::Refused(Refusal::Version(Version(8)))));
    /// ```
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(line);
        let word = fields.next()?;
        let mut number = || fields.number();
        Some(match word {
            b"CONTENTS" => Reply::Contents {
                version: number()?,
                numbytes: number()?,
                exptime: fields.exptime()?,
            },
            b"OK" => match (fields.next(), fields.next()) {
                (None, _) => Reply::Done,
                (Some(version), None) => Reply::Version(super::fields::number(version)?),
                (Some(version), Some(name)) => Reply::Created {
                    version: super::fields::number(version)?,
                    name: text(name).and_then(NameRef::new)?,
                },
            },
            b"FD" => Reply::Fd { fd: Fd(number()?), version: number()?, kind: kind(&mut fields)? },
            b"STAT" => Reply::Stat {
                version: number()?,
                numbytes: number()?,
                exptime: fields.exptime()?,
                kind: kind(&mut fields)?,
                opens: fields.number()?,
            },
            b"LIST" => {
                let (rev, count) = (number()?, number()?);
                let more = number().filter(|more| *more <= 1)? == 1;
                Reply::List { rev, count, more }
            }
            b"CHANGES" => Reply::Changes { rev: number()?, count: number()? },
            b"SESSION" => {
                let id = text(fields.next()?).filter(|id| is_session_id(id))?;
                let (epoch, rev) = (epoch(&mut fields)?, fields.number()?);
                let is_new = match fields.next()? {
                    b"NEW" => true,
                    b"OLD" => false,
                    _ => return None,
                };
                Reply::Session { id, epoch, rev, is_new }
            }
            b"HELLO" => {
                number().filter(|v| *v == PROTOCOL_VERSION)?;
                let (epoch, rev) = (epoch(&mut fields)?, fields.number()?);
                let idle_timeout = fields.optional(Duration::ZERO, seconds)?;
                let idle_timeout = Some(idle_timeout).filter(|time| !time.is_zero());
                Reply::Hello { epoch, rev, idle_timeout }
            }
            b"TYPES" => Reply::Types { count: number()? },
            b"STATS" => Reply::Stats { count: number()? },
            b"BACKUP" => Reply::Backup { rev: number()?, numbytes: number()? },
            b"HELP" => Reply::Help { count: number()? },
            b"ERR_VERSION" => Reply::Refused(Refusal::Version(Version(number()?))),
            b"ERR_COMPACTED" => Reply::Refused(Refusal::Compacted(Version(number()?))),
            b"ERR_TYPE" => {
                let kind = NameRef::new(kind(&mut fields)?)?;
                Reply::Refused(Refusal::WrongType(kind.to_name()))
            }
            b"ERR_TYPE_NOT_FOUND" => Reply::Refused(Refusal::TypeNotFound),
            b"ERR_LIMIT" => {
                let what = fields.next()?;
                let limit = *Limit::ALL.iter().find(|l| l.word().as_bytes() == what)?;
                Reply::Refused(Refusal::Limit(limit, fields.number()?))
            }
            b"ERR_CMD_ERR" => Reply::Refused(Refusal::Malformed),
            b"ERR_FILE_NOT_FOUND" => Reply::Refused(Refusal::NotFound),
            b"ERR_BAD_FD" => Reply::Refused(Refusal::BadDescriptor),
            b"ERR_DENIED" => Reply::Refused(Refusal::Denied),
            b"ERR_INTERNAL" => Reply::Refused(Refusal::Internal),
            _ => return None,
        })
    }

    /// Appends the line, with its end.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let line = match *self {
            Reply::Contents { version, numbytes, exptime } => {
                let line = LineOut::new(out, "CONTENTS").number(version).number(numbytes);
                line.exptime(exptime)
            }
            Reply::Version(version) => LineOut::new(out, "OK").number(version),
            Reply::Created { version, name } => {
                LineOut::new(out, "OK").number(version).text(name.as_str())
            }
            Reply::Done => LineOut::new(out, "OK"),
            Reply::Fd { fd, version, kind } => {
                LineOut::new(out, "FD").number(fd.0).number(version).text(kind)
            }
            Reply::Stat { version, numbytes, exptime, kind, opens } => {
                let line = LineOut::new(out, "STAT").number(version).number(numbytes);
                line.exptime(exptime).text(kind).number(opens)
            }
            Reply::List { rev, count, more } => {
                LineOut::new(out, "LIST").number(rev).number(count).number(u64::from(more))
            }
            Reply::Changes { rev, count } => LineOut::new(out, "CHANGES").number(rev).number(count),
            Reply::Session { id, epoch, rev, is_new } => {
                let line = LineOut::new(out, "SESSION").text(id);
                let line = line.text(&format!("{epoch:016x}")).number(rev);
                line.text(if is_new { "NEW" } else { "OLD" })
            }
            Reply::Hello { epoch, rev, idle_timeout } => {
                let line = LineOut::new(out, "HELLO").number(PROTOCOL_VERSION);
                let line = line.text(&format!("{epoch:016x}")).number(rev);
                line.seconds(idle_timeout.unwrap_or_default())
            }
            Reply::Types { count } => LineOut::new(out, "TYPES").number(count),
            Reply::Stats { count } => LineOut::new(out, "STATS").number(count),
            Reply::Backup { rev, numbytes } => {
                LineOut::new(out, "BACKUP").number(rev).number(numbytes)
            }
            Reply::Help { count } => LineOut::new(out, "HELP").number(count),
            Reply::Refused(ref refusal) => {
                let line = LineOut::new(out, refusal.word());
                match refusal {
                    Refusal::Version(current) => line.number(current.0),
                    Refusal::Compacted(rev) => line.number(rev.0),
                    Refusal::WrongType(kind) => line.text(kind.as_str()),
                    Refusal::Limit(what, max) => line.text(what.word()).number(*max),
                    _ => line,
                }
            }
        };
        line.end();
    }
}

fn epoch(fields: &mut Fields<'_>) -> Option<u64> {
    u64::from_str_radix(text(fields.next()?)?, 16).ok()
}

/// Parses a type's name. It has the form of a file's name, so it cannot upset a terminal or a line.
fn kind<'a>(fields: &mut Fields<'a>) -> Option<&'a str> {
    fields.name().map(NameRef::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn line(reply: Reply<'_>) -> String {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn replies_byte_for_byte() {
        let exptime = Exptime::Seconds(9);
        let kind = "MemoryFile";
        for (reply, expected) in [
            (
                Reply::Contents { version: 1, numbytes: 6, exptime: Exptime::Never },
                "CONTENTS 1 6 0\r\n",
            ),
            (Reply::Version(2), "OK 2\r\n"),
            (Reply::Created { version: 7, name: NameRef::new("q7").unwrap() }, "OK 7 q7\r\n"),
            (Reply::Done, "OK\r\n"),
            (Reply::List { rev: 9, count: 2, more: true }, "LIST 9 2 1\r\n"),
            (Reply::Changes { rev: 9, count: 0 }, "CHANGES 9 0\r\n"),
            (Reply::Refused(Refusal::Compacted(Version(9))), "ERR_COMPACTED 9\r\n"),
            (
                Reply::Contents { version: 1, numbytes: 0, exptime: Exptime::Connection },
                "CONTENTS 1 0 -1\r\n",
            ),
            (
                Reply::Stat { version: 3, numbytes: 4, exptime, kind, opens: 0 },
                "STAT 3 4 9 MemoryFile 0\r\n",
            ),
            (
                Reply::Hello { epoch: 0xbeef, rev: 5, idle_timeout: None },
                "HELLO 1 000000000000beef 5 0\r\n",
            ),
            (
                Reply::Hello { epoch: 0, rev: 5, idle_timeout: Some(Duration::from_millis(2500)) },
                "HELLO 1 0000000000000000 5 2.5\r\n",
            ),
            (
                Reply::Session { id: ID, epoch: 0xbeef, rev: 5, is_new: true },
                "SESSION 0123456789abcdef0123456789abcdef 000000000000beef 5 NEW\r\n",
            ),
            (Reply::Refused(Refusal::NotFound), "ERR_FILE_NOT_FOUND\r\n"),
            (Reply::Refused(Refusal::Version(Version(0))), "ERR_VERSION 0\r\n"),
            (Reply::Refused(Refusal::Limit(Limit::Contents, 10)), "ERR_LIMIT contents 10\r\n"),
        ] {
            assert_eq!(line(reply), expected);
        }
    }

    #[test]
    fn fields_of_a_later_protocol_are_passed_over() {
        assert_eq!(Reply::parse(b"STATS 3 more"), Some(Reply::Stats { count: 3 }));
        assert_eq!(Reply::parse(b"HELLO 2 00 1"), None);
        assert_eq!(Reply::parse(b"HELLO 1 00 1 soon"), None);
        assert_eq!(Reply::parse(b"WHAT 1"), None);
        assert_eq!(Reply::parse(b"STAT 1 1 1 F\x1b[31m 1"), None);
        assert_eq!(Reply::parse(b"SESSION 0123 aa 7 NEW"), None);
        assert_eq!(Reply::parse(format!("SESSION {ID} aa 7 OTHER").as_bytes()), None);
        assert_eq!(Reply::parse(b"OK x"), None);
        assert_eq!(Reply::parse(b"OK 1 @1"), None);
        assert_eq!(Reply::parse(b"LIST 1 1 2"), None);
    }

    #[test]
    fn an_older_hello_has_no_idle_timeout() {
        let hello = Some(Reply::Hello { epoch: 0xaa, rev: 7, idle_timeout: None });
        for line in ["HELLO 1 aa 7", "HELLO 1 aa 7 0", "HELLO 1 aa 7 0 later"] {
            assert_eq!(Reply::parse(line.as_bytes()), hello, "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_parses_to_the_same(a in 0..(1_u64 << 63), b in 0..(1_u64 << 63), seconds in 0..=Exptime::MAX_SECONDS, epoch: u64, which in 0_usize..21) {
            let exptime = Exptime::from_seconds(seconds);
            let name = NameRef::new("a/b").unwrap();
            let reply = [
                Reply::Contents { version: a, numbytes: b, exptime },
                Reply::Version(a),
                Reply::Done,
                Reply::Stat { version: a, numbytes: b, exptime, kind: "MyFile", opens: a },
                Reply::Hello { epoch, rev: a, idle_timeout: (b > a).then_some(Duration::from_secs(b)) },
                Reply::Types { count: a },
                Reply::Stats { count: a },
                Reply::Help { count: a },
                Reply::Refused(Refusal::Version(Version(a))),
                Reply::Refused(Refusal::Limit(Limit::Memory, b)),
                Reply::Fd { fd: Fd(a), version: b, kind: "MyFile" },
                Reply::Refused(Refusal::WrongType(NameRef::new("MyFile").unwrap().to_name())),
                Reply::Refused(Refusal::TypeNotFound),
                Reply::Refused(Refusal::BadDescriptor),
                Reply::Refused(Refusal::Malformed),
                Reply::Created { version: a, name },
                Reply::List { rev: a, count: b, more: a > b },
                Reply::Changes { rev: a, count: b },
                Reply::Refused(Refusal::Compacted(Version(a))),
                Reply::Session { id: ID, epoch, rev: a, is_new: a > b },
                Reply::Backup { rev: a, numbytes: b },
            ][which]
                .clone();
            let line = line(reply.clone());
            prop_assert_eq!(Reply::parse(line.trim_end().as_bytes()), Some(reply));
        }
    }
}
