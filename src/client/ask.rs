//! A client's requests, checked before anything is sent, so that no name can smuggle a second
//! request into the line.

use super::error::Error;
use super::file::OpenFile;
use super::link::Link;
use crate::exptime::{Exptime, whole_seconds};
use crate::name::{FileRef, NameRef, Shown, Stem};
use crate::wire::{MAX_LINE_BYTES, MAX_WATCH_SECONDS, Request};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The file that a request is about: a name, or a file that the same client has open.
///
/// Anything that takes a `Target` takes a `&str` or a `&`[`OpenFile`].
#[derive(Clone, Copy, Debug)]
pub struct Target<'a>(Which<'a>);

#[derive(Clone, Copy, Debug)]
enum Which<'a> {
    Name(&'a str),
    Open(&'a OpenFile),
}

impl<'a> From<&'a str> for Target<'a> {
    fn from(name: &'a str) -> Self {
        Target(Which::Name(name))
    }
}

impl<'a> From<&'a String> for Target<'a> {
    fn from(name: &'a String) -> Self {
        Target(Which::Name(name))
    }
}

impl<'a> From<&'a OpenFile> for Target<'a> {
    fn from(file: &'a OpenFile) -> Self {
        Target(Which::Open(file))
    }
}

/// A valid request.
pub(super) struct Ask<'a> {
    pub(super) request: Request<'a>,
    pub(super) contents: Option<&'a [u8]>,
    /// The file's name for errors, even if the request has its descriptor.
    pub(super) file: Option<&'a str>,
}

impl<'a> Ask<'a> {
    /// Returns a request about a file of the client whose connection is `link`.
    pub(super) fn about(
        target: Target<'a>,
        link: &Arc<Mutex<Link>>,
        request: impl FnOnce(FileRef<'a>) -> Request<'a>,
    ) -> Result<Self, Error> {
        let (file, shown) = match target.0 {
            Which::Name(text) => (FileRef::Name(name(text)?), text),
            // Descriptors are valid server-wide, but opens are counted for each connection.
            Which::Open(open) if !open.is_of(link) => {
                return Err(Error::Invalid(format!("{} is open at another client", open.name())));
            }
            Which::Open(open) => (FileRef::Descriptor(open.descriptor()), open.name()),
        };
        let ask = Ask { request: request(file), contents: None, file: Some(shown) };
        ask.fitting()
    }

    pub(super) fn write(
        target: Target<'a>,
        link: &Arc<Mutex<Link>>,
        contents: &'a [u8],
        exptime: Exptime,
    ) -> Result<Self, Error> {
        let numbytes = contents.len() as u64;
        let request = |file| Request::Write { file, numbytes, exptime };
        Ok(Ask { contents: Some(contents), ..Ask::about(target, link, request)? })
    }

    pub(super) fn cas(
        target: Target<'a>,
        link: &Arc<Mutex<Link>>,
        version: u64,
        contents: &'a [u8],
        exptime: Exptime,
    ) -> Result<Self, Error> {
        let numbytes = contents.len() as u64;
        let request = |file| Request::Cas { file, version, numbytes, exptime };
        Ok(Ask { contents: Some(contents), ..Ask::about(target, link, request)? })
    }

    /// `time` is rounded up to seconds.
    pub(super) fn wait(
        target: Target<'a>,
        link: &Arc<Mutex<Link>>,
        version: u64,
        time: Duration,
    ) -> Result<Self, Error> {
        let seconds = whole_seconds(time).min(MAX_WATCH_SECONDS);
        Ask::about(target, link, |file| Request::Wait { file, version, seconds })
    }

    pub(super) fn open(text: &'a str, kind: Option<&'a str>) -> Result<Self, Error> {
        if let Some(kind) = kind {
            name(kind)?;
        }
        let request = Request::Open { name: name(text)?, kind };
        Ask { request, contents: None, file: Some(text) }.fitting()
    }

    pub(super) fn create(
        prefix: &'a str,
        contents: &'a [u8],
        exptime: Exptime,
    ) -> Result<Self, Error> {
        let invalid = || {
            let prefix = Shown(prefix);
            Error::Invalid(format!("{prefix} and 20 digits are not a name of at most 430 bytes"))
        };
        let stem = name(prefix).and_then(|_| Stem::new(prefix).ok_or_else(invalid))?;
        let request = Request::Create { stem, numbytes: contents.len() as u64, exptime };
        Ask { request, contents: Some(contents), file: Some(prefix) }.fitting()
    }

    /// Returns a request about the files whose names begin with `prefix`.
    pub(super) fn of_prefix(
        prefix: &'a str,
        request: impl FnOnce(&'a str) -> Request<'a>,
    ) -> Result<Self, Error> {
        let ask = Ask { request: request(field(prefix)?), contents: None, file: Some(prefix) };
        ask.fitting()
    }

    /// Returns a request about no file.
    pub(super) fn plain(request: Request<'a>) -> Self {
        Ask { request, contents: None, file: None }
    }

    /// Rejects what the server would refuse or misread.
    fn fitting(self) -> Result<Self, Error> {
        check_numbers(&self.request)?;
        let mut line = Vec::new();
        self.request.write_to(&mut line);
        if line.len() >= MAX_LINE_BYTES + b"\r\n".len() {
            let shown = self.file.and_then(NameRef::new).map_or(String::new(), |n| n.to_string());
            return Err(Error::Invalid(format!("{shown}: the name is too long for a line")));
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
    let why = match text {
        "" => "it is empty",
        text if text.starts_with('@') => "@ and digits are a descriptor",
        _ => "it has white space or a control character",
    };
    NameRef::new(text).ok_or_else(|| Error::Invalid(format!("{text:?} is not a name: {why}")))
}
