//! A client's requests, checked before anything is sent, so that no name can smuggle a second
//! request into the line.

use super::error::Error;
use crate::exptime::{Exptime, whole_seconds};
use crate::name::{FileRef, ForLog, NameRef, Stem};
use crate::version::Version;
use crate::wire::{MAX_LINE_BYTES, MAX_WATCH_SECONDS, Request};
use std::time::Duration;

/// The file of a request: how the request refers to it, and its name for errors.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) file: FileRef<'a>,
    pub(super) name: &'a str,
}

impl<'a> Subject<'a> {
    pub(super) fn named(text: &'a str) -> Result<Self, Error> {
        Ok(Subject { file: FileRef::Name(name(text)?), name: text })
    }
}

/// A valid request.
pub(super) struct Call<'a> {
    pub(super) request: Request<'a>,
    pub(super) contents: Option<&'a [u8]>,
    /// The file's name for errors, even if the request has its descriptor.
    pub(super) file: Option<&'a str>,
}

impl<'a> Call<'a> {
    pub(super) fn about(
        subject: Subject<'a>,
        request: impl FnOnce(FileRef<'a>) -> Request<'a>,
    ) -> Result<Self, Error> {
        let Subject { file, name } = subject;
        Call { request: request(file), contents: None, file: Some(name) }.fitting()
    }

    pub(super) fn write(
        subject: Subject<'a>,
        contents: &'a [u8],
        exptime: Exptime,
    ) -> Result<Self, Error> {
        let numbytes = contents.len() as u64;
        let request = |file| Request::Write { file, numbytes, exptime };
        Ok(Call { contents: Some(contents), ..Call::about(subject, request)? })
    }

    pub(super) fn cas(
        subject: Subject<'a>,
        version: Version,
        contents: &'a [u8],
        exptime: Exptime,
    ) -> Result<Self, Error> {
        let numbytes = contents.len() as u64;
        let request = |file| Request::Cas { file, version: version.0, numbytes, exptime };
        Ok(Call { contents: Some(contents), ..Call::about(subject, request)? })
    }

    /// `time` is rounded up to seconds.
    pub(super) fn wait(
        subject: Subject<'a>,
        version: Version,
        time: Duration,
    ) -> Result<Self, Error> {
        let seconds = whole_seconds(time).min(MAX_WATCH_SECONDS);
        Call::about(subject, |file| Request::Wait { file, version: version.0, seconds })
    }

    pub(super) fn open(text: &'a str, kind: Option<&'a str>) -> Result<Self, Error> {
        if let Some(kind) = kind {
            name(kind)?;
        }
        let request = Request::Open { name: name(text)?, kind };
        Call { request, contents: None, file: Some(text) }.fitting()
    }

    pub(super) fn create(
        prefix: &'a str,
        contents: &'a [u8],
        exptime: Exptime,
    ) -> Result<Self, Error> {
        let invalid = || {
            let prefix = ForLog(prefix);
            Error::Invalid(format!("{prefix} and 20 digits are not a name of at most 430 bytes"))
        };
        let stem = name(prefix).and_then(|_| Stem::new(prefix).ok_or_else(invalid))?;
        let request = Request::Create { stem, numbytes: contents.len() as u64, exptime };
        Call { request, contents: Some(contents), file: Some(prefix) }.fitting()
    }

    /// Returns a request about the files whose names begin with `prefix`.
    pub(super) fn of_prefix(
        prefix: &'a str,
        request: impl FnOnce(&'a str) -> Request<'a>,
    ) -> Result<Self, Error> {
        let call = Call { request: request(field(prefix)?), contents: None, file: Some(prefix) };
        call.fitting()
    }

    /// Returns a request about no file.
    pub(super) fn plain(request: Request<'a>) -> Self {
        Call { request, contents: None, file: None }
    }

    /// Returns whether the answer is a version or a word, and nothing longer.
    pub(super) fn is_change(&self) -> bool {
        use Request::{Cas, Delete, Touch, Write};
        matches!(self.request, Write { .. } | Cas { .. } | Touch { .. } | Delete { .. })
    }

    /// Rejects what the server would refuse or misread.
    fn fitting(self) -> Result<Self, Error> {
        check_numbers(&self.request)?;
        let mut line = Vec::new();
        self.request.write_to(&mut line);
        if line.len() >= MAX_LINE_BYTES + b"\r\n".len() {
            let name = ForLog(self.file.unwrap_or_default());
            return Err(Error::Invalid(format!("{name}: the name is too long for a line")));
        }
        Ok(self)
    }
}

fn check_numbers(request: &Request<'_>) -> Result<(), Error> {
    let (version, exptime) = match *request {
        Request::Write { exptime, .. } | Request::Create { exptime, .. } => (0, exptime),
        Request::Cas { version, exptime, .. } | Request::Touch { version, exptime, .. } => {
            (version, exptime)
        }
        Request::Delete { version, .. } => (version.unwrap_or(0), Exptime::Never),
        Request::Wait { version, .. } => (version, Exptime::Never),
        Request::Watch { rev, .. } => (rev, Exptime::Never),
        _ => return Ok(()),
    };
    if version >= 1 << 63 {
        return Err(Error::Invalid(format!("{version} is not a version: those are below 2^63")));
    }
    // On the line it would be 0, which is "never".
    if exptime == Exptime::Seconds(0) {
        return Err(Error::Invalid("an exptime of 0 seconds: that would be never".to_string()));
    }
    Ok(())
}

/// Returns `text` if it fits into one field; it may be empty.
pub(super) fn field(text: &str) -> Result<&str, Error> {
    if text.contains([' ', '\r', '\n']) {
        return Err(Error::Invalid(format!(
            "{text:?} has a space or a line end, and a name has none"
        )));
    }
    Ok(text)
}

fn name(text: &str) -> Result<NameRef<'_>, Error> {
    NameRef::try_from(text).map_err(|e| Error::Invalid(e.to_string()))
}
