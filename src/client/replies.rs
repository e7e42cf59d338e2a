//! Receives each kind of reply, with the lines or contents that follow it, as a value.

use super::call::Call;
use super::error::Error;
use super::transport::Transport;
use super::values::Hello;
use super::{Answer, Change, Changes, DEFAULT_MAX_CONTENTS, Listed, Page, Session, Snapshot, Stat};
use crate::name::Fd;
use crate::version::{Epoch, Version};
use crate::wire::{self, MAX_ITEMS, Reply, Request};

impl Transport {
    /// Takes the answer to the oldest pending request of any kind.
    pub(super) fn answer(&mut self, call: &Call<'_>) -> Result<Answer, Error> {
        match call.request {
            Request::Read { .. } => self.snapshot(call).map(Answer::Snapshot),
            Request::Write { .. } | Request::Cas { .. } | Request::Touch { .. } => {
                self.version(call).map(Answer::Version)
            }
            Request::Stat { .. } => self.stat(call).map(Answer::Stat),
            _ => self.done(call).map(|()| Answer::Done),
        }
    }

    pub(super) fn snapshot(&mut self, call: &Call<'_>) -> Result<Snapshot, Error> {
        let (version, numbytes, exptime) = self.reply(call, |reply| match reply {
            Reply::Contents { version, numbytes, exptime } => {
                Some((Version(version), numbytes, exptime))
            }
            _ => None,
        })?;
        let contents = self.contents(call, numbytes)?;
        Ok(Snapshot { contents, version, exptime })
    }

    pub(super) fn version(&mut self, call: &Call<'_>) -> Result<Version, Error> {
        self.reply(call, |reply| match reply {
            Reply::Version(version) => Some(Version(version)),
            _ => None,
        })
    }

    pub(super) fn done(&mut self, call: &Call<'_>) -> Result<(), Error> {
        self.reply(call, |reply| (reply == Reply::Done).then_some(()))
    }

    pub(super) fn stat(&mut self, call: &Call<'_>) -> Result<Stat, Error> {
        self.reply(call, |reply| match reply {
            Reply::Stat { version, numbytes, exptime, kind, opens } => {
                let version = Version(version);
                Some(Stat { version, numbytes, exptime, kind: kind.to_string(), opens })
            }
            _ => None,
        })
    }

    /// Returns the descriptor, the version and the type.
    pub(super) fn opened(&mut self, call: &Call<'_>) -> Result<(Fd, Version, String), Error> {
        self.reply(call, |reply| match reply {
            Reply::Fd { fd, version, kind } => Some((fd, Version(version), kind.to_string())),
            _ => None,
        })
    }

    pub(super) fn hello(&mut self, call: &Call<'_>) -> Result<Hello, Error> {
        self.reply(call, |reply| match reply {
            Reply::Hello { epoch, rev, idle_timeout } => {
                Some(Hello { epoch: Epoch(epoch), version: Version(rev), idle_timeout })
            }
            _ => None,
        })
    }

    pub(super) fn session(&mut self, call: &Call<'_>) -> Result<Session, Error> {
        self.reply(call, |reply| match reply {
            Reply::Session { id, rev, is_new, .. } => {
                let version = Version(rev);
                Some(Session { id: id.to_string(), version, is_new })
            }
            _ => None,
        })
    }

    /// Returns the version and the length of a backup, whose bytes follow.
    pub(super) fn backup(&mut self, call: &Call<'_>) -> Result<(Version, u64), Error> {
        self.reply(call, |reply| match reply {
            Reply::Backup { rev, numbytes } => Some((Version(rev), numbytes)),
            _ => None,
        })
    }

    /// Returns the lines of an answer that announces how many there are.
    pub(super) fn lines(&mut self, call: &Call<'_>) -> Result<Vec<String>, Error> {
        let count = self.reply(call, |reply| match reply {
            Reply::Types { count } | Reply::Stats { count } => Some(count),
            _ => None,
        })?;
        let (mut lines, mut bytes) = (Vec::new(), 0);
        for _ in 0..count {
            self.next_line()?;
            bytes += self.line.len() + size_of::<String>();
            // Not the client's maximum of contents: that may be arbitrarily small.
            if bytes as u64 > DEFAULT_MAX_CONTENTS {
                return Err(self.unexpected(call));
            }
            lines.push(String::from_utf8_lossy(&self.line).into_owned());
        }
        Ok(lines)
    }

    /// Returns the version and the name of a new file.
    pub(super) fn created(&mut self, call: &Call<'_>) -> Result<(Version, String), Error> {
        self.reply(call, |reply| match reply {
            Reply::Created { version, name } => Some((Version(version), name.as_str().to_string())),
            _ => None,
        })
    }

    pub(super) fn page(&mut self, call: &Call<'_>) -> Result<Page, Error> {
        let Request::List { limit, .. } = call.request else { return Err(self.unexpected(call)) };
        let (rev, count, more) = self.reply(call, |reply| match reply {
            // More files follow only behind a full page.
            Reply::List { rev, count, more } if count <= limit && (count > 0 || !more) => {
                Some((rev, count, more))
            }
            _ => None,
        })?;
        let files = self.items(call, count, |line| {
            let wire::Listed { version, numbytes, exptime, name } = wire::Listed::parse(line)?;
            let name = name.as_str().to_string();
            Some(Listed { name, version: Version(version), numbytes, exptime })
        })?;
        if !follows(&files, &call.request) {
            return Err(self.unexpected(call));
        }
        Ok(Page { version: Version(rev), files, more })
    }

    pub(super) fn changes(&mut self, call: &Call<'_>) -> Result<Changes, Error> {
        let (rev, count) = self.reply(call, |reply| match reply {
            Reply::Changes { rev, count } if count <= MAX_ITEMS => Some((rev, count)),
            _ => None,
        })?;
        let changes = self.items(call, count, |line| {
            let wire::Changed { version, numbytes, name } = wire::Changed::parse(line)?;
            let (name, version) = (name.as_str().to_string(), Version(version));
            Some(Change { name, version, numbytes })
        })?;
        Ok(Changes { version: Version(rev), changes })
    }

    fn items<T>(
        &mut self,
        call: &Call<'_>,
        count: u64,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        for _ in 0..count {
            self.next_line()?;
            items.push(parse(&self.line).ok_or(()).map_err(|()| self.unexpected(call))?);
        }
        Ok(items)
    }
}

/// Returns whether the files are in order and those that the list asks for. Otherwise a list of
/// several pages could go on forever.
fn follows(files: &[Listed], list: &Request<'_>) -> bool {
    let Request::List { prefix, after, .. } = *list else { return false };
    let prefix = if prefix == "*" { "" } else { prefix }; // as the server reads it
    let mut last = after.unwrap_or_default();
    files.iter().all(|file| {
        let is_next = file.name.as_str() > last && file.name.starts_with(prefix);
        last = &file.name;
        is_next
    })
}
