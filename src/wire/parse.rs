//! From a line to a request, or to what is wrong with it.

use super::fields::{self, Fields, text};
use super::{MAX_ITEMS, MAX_WATCH_SECONDS, Mistake, Request};
use crate::exptime::Exptime;
use crate::name::{Fd, FileRef, NameRef, Stem, is_session_id};

/// A line that is no request. What matters is whether the next request can still be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The end is known: after these contents, if there are any.
    InStep {
        /// How many bytes of contents the line announces.
        numbytes: Option<u64>,
        /// The mistake in the line.
        why: Mistake,
    },
    /// The end is not known: an unknown command, or contents of unknown length.
    OutOfStep(Mistake),
}

/// Returns whether a line holds only spaces. It is no request and gets no reply.
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| *b == b' ')
}

impl<'a> Request<'a> {
    /// Parses one line, given without its end.
    ///
    /// ```
    /// use telefile::wire::{Malformed, Mistake, Request};
    ///
    /// assert_eq!(Request::parse(b"help"), Ok(Request::Help));
    /// // The reader knows that six bytes follow, so it can skip them and go on.
    /// let why = Mistake::Exptime;
    /// let bad_exptime = Request::parse(b"write foo 6 soon");
    /// assert_eq!(bad_exptime, Err(Malformed::InStep { numbytes: Some(6), why }));
    /// let why = Mistake::Number("numbytes");
    /// assert_eq!(Request::parse(b"write foo six"), Err(Malformed::OutOfStep(why)));
    /// ```
    ///
    /// # Errors
    /// The mistake in a line that is no request, and what follows the line as far as that is known.
    pub fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        let mut line = Line { fields: Fields::new(line) };
        let request = match line.fields.next().unwrap_or_default() {
            b"write" => return line.write(),
            b"cas" => return line.cas(),
            b"create" => return line.create(),
            b"read" => line.file().map(|file| Request::Read { file }),
            b"stat" => line.file().map(|file| Request::Stat { file }),
            b"delete" => line.delete(),
            b"touch" => line.touch(),
            b"list" => line.list(),
            b"watch" => line.watch(),
            b"wait" => line.wait(),
            b"open" => line.open(),
            b"close" => line.close(),
            b"session" => line.session(),
            b"hello" => Ok(Request::Hello { token: line.fields.next() }),
            b"types" => Ok(Request::Types),
            b"stats" => Ok(Request::Stats),
            b"backup" => Ok(Request::Backup),
            b"help" => Ok(Request::Help),
            b"quit" => Ok(Request::Quit),
            _ => return Err(Malformed::OutOfStep(Mistake::UnknownCommand)),
        };
        let request = request.and_then(|request| line.end(request));
        request.map_err(|why| Malformed::InStep { numbytes: None, why })
    }
}

/// A line that is being parsed.
struct Line<'a> {
    /// Those that are not parsed yet.
    fields: Fields<'a>,
}

impl<'a> Line<'a> {
    fn delete(&mut self) -> Result<Request<'a>, Mistake> {
        let file = self.file()?;
        let version = self.optional(None, |field| number(field, "version").map(Some))?;
        Ok(Request::Delete { file, version })
    }

    fn touch(&mut self) -> Result<Request<'a>, Mistake> {
        let (file, version) = (self.file()?, self.number("version")?);
        Ok(Request::Touch { file, version, exptime: exptime(self.field()?)? })
    }

    fn list(&mut self) -> Result<Request<'a>, Mistake> {
        let prefix = self.prefix()?;
        let limit = self.optional(MAX_ITEMS, |field| number(field, "limit"))?;
        let after = |field| text(field).map(Some).ok_or(Mistake::Text);
        let after = self.optional(None, after)?;
        if limit == 0 {
            return Err(Mistake::ZeroLimit);
        }
        Ok(Request::List { prefix, limit: limit.min(MAX_ITEMS), after })
    }

    fn watch(&mut self) -> Result<Request<'a>, Mistake> {
        let (prefix, rev) = (self.prefix()?, self.number("rev")?);
        let seconds = self.number("seconds")?.min(MAX_WATCH_SECONDS);
        Ok(Request::Watch { prefix, rev, seconds })
    }

    fn wait(&mut self) -> Result<Request<'a>, Mistake> {
        let (file, version) = (self.file()?, self.number("version")?);
        let seconds = self.number("seconds")?.min(MAX_WATCH_SECONDS);
        Ok(Request::Wait { file, version, seconds })
    }

    fn open(&mut self) -> Result<Request<'a>, Mistake> {
        let name = text(self.field()?).and_then(NameRef::new).ok_or(Mistake::Name)?;
        let kind = self.optional(None, |field| text(field).map(Some).ok_or(Mistake::Text))?;
        Ok(Request::Open { name, kind })
    }

    fn session(&mut self) -> Result<Request<'a>, Mistake> {
        let id = text(self.field()?).ok_or(Mistake::Session)?;
        match id {
            "-" => Ok(Request::Session { id: None }),
            id if is_session_id(id) => Ok(Request::Session { id: Some(id) }),
            _ => Err(Mistake::Session),
        }
    }

    fn close(&mut self) -> Result<Request<'a>, Mistake> {
        match self.file()? {
            FileRef::Descriptor(fd) => Ok(Request::Close { fd }),
            FileRef::Name(_) => Err(Mistake::Descriptor),
        }
    }

    fn create(mut self) -> Result<Request<'a>, Malformed> {
        let out = Malformed::OutOfStep;
        let (stem, numbytes) = (self.field().map_err(out)?, self.number("numbytes").map_err(out)?);
        self.in_step(numbytes, |line| {
            let stem = text(stem).and_then(Stem::new).ok_or(Mistake::Stem)?;
            let exptime = line.optional(Exptime::Never, exptime)?;
            Ok(Request::Create { stem, numbytes, exptime })
        })
    }

    fn write(mut self) -> Result<Request<'a>, Malformed> {
        let out = Malformed::OutOfStep;
        let (file, numbytes) = (self.field().map_err(out)?, self.number("numbytes").map_err(out)?);
        self.in_step(numbytes, |line| {
            let (file, exptime) = (file_ref(file)?, line.optional(Exptime::Never, exptime)?);
            Ok(Request::Write { file, numbytes, exptime })
        })
    }

    fn cas(mut self) -> Result<Request<'a>, Malformed> {
        let out = Malformed::OutOfStep;
        let (file, version) = (self.field().map_err(out)?, self.field().map_err(out)?);
        let numbytes = self.number("numbytes").map_err(out)?;
        self.in_step(numbytes, |line| {
            let (file, version) = (file_ref(file)?, number(version, "version")?);
            let exptime = line.optional(Exptime::Never, exptime)?;
            Ok(Request::Cas { file, version, numbytes, exptime })
        })
    }

    /// Parses the rest of a line that has announced the length of its contents.
    fn in_step(
        mut self,
        numbytes: u64,
        rest: impl FnOnce(&mut Self) -> Result<Request<'a>, Mistake>,
    ) -> Result<Request<'a>, Malformed> {
        let request = rest(&mut self).and_then(|request| self.end(request));
        request.map_err(|why| Malformed::InStep { numbytes: Some(numbytes), why })
    }

    fn field(&mut self) -> Result<&'a [u8], Mistake> {
        self.fields.next().ok_or(Mistake::TooFewFields)
    }

    fn file(&mut self) -> Result<FileRef<'a>, Mistake> {
        file_ref(self.field()?)
    }

    /// Parses a prefix: `*` as a whole field means every file.
    fn prefix(&mut self) -> Result<&'a str, Mistake> {
        let prefix = text(self.field()?).ok_or(Mistake::Text)?;
        Ok(if prefix == "*" { "" } else { prefix })
    }

    fn number(&mut self, what: &'static str) -> Result<u64, Mistake> {
        number(self.field()?, what)
    }

    fn optional<T>(
        &mut self,
        absent: T,
        parse: impl FnOnce(&'a [u8]) -> Result<T, Mistake>,
    ) -> Result<T, Mistake> {
        self.fields.next().map_or(Ok(absent), parse)
    }

    /// Returns `value`, if no field is left.
    fn end<T>(mut self, value: T) -> Result<T, Mistake> {
        self.fields.next().map_or(Ok(value), |_| Err(Mistake::TooManyFields))
    }
}

fn number(field: &[u8], what: &'static str) -> Result<u64, Mistake> {
    fields::number(field).ok_or(Mistake::Number(what))
}

fn exptime(field: &[u8]) -> Result<Exptime, Mistake> {
    fields::exptime(field).ok_or(Mistake::Exptime)
}

fn file_ref(field: &[u8]) -> Result<FileRef<'_>, Mistake> {
    match field.strip_prefix(b"@") {
        Some(digits) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            Ok(FileRef::Descriptor(Fd(fields::number(digits).unwrap_or(u64::MAX))))
        }
        _ => text(field).and_then(NameRef::new).map(FileRef::Name).ok_or(Mistake::File),
    }
}
