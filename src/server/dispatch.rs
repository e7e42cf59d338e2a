//! What each request does: one match.

use super::Shared;
use super::answer::Answer;
use super::session::Session;
use super::stats;
use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::files::{Expiry, Looked, Opened, Wait};
use crate::refusal::Refusal;
use crate::wire::{COMMANDS, Reply, Request};
use std::time::Duration;

impl<'a> Session<'a> {
    /// Executes a request whose contents, if it has any, have arrived.
    pub(super) fn dispatch(
        &mut self,
        request: &Request<'_>,
        contents: Option<Contents>,
    ) -> Result<Answer<'a>, Refusal> {
        let table = &self.server.table;
        let written = |contents: Option<Contents>| {
            let contents = contents.ok_or(Refusal::Internal)?;
            self.server.refused.saw_contents(contents.len());
            Ok(contents)
        };
        let at = |version| Answer::Line(Reply::Version(version));
        let expiry = |exptime: Exptime| Expiry::new(exptime, self.client);
        let reply = match *request {
            Request::Read { file } => {
                let (stat, contents) = table.read(file)?;
                return Ok(Answer::contents(Looked { stat, contents }));
            }
            Request::Write { file, exptime, .. } => {
                let decided = table.write(file, written(contents)?, expiry(exptime))?;
                return Answer::decided(decided, at);
            }
            Request::Cas { file, version, exptime, .. } => {
                let decided = table.cas(file, version, written(contents)?, expiry(exptime))?;
                return Answer::decided(decided, at);
            }
            Request::Delete { file, version } => {
                let decided = table.delete(file, version)?;
                return Answer::decided(decided, |()| Answer::Line(Reply::Done));
            }
            Request::Touch { file, version, exptime } => {
                let decided = table.touch(file, version, expiry(exptime))?;
                return Answer::decided(decided, at);
            }
            Request::Create { stem, exptime, .. } => {
                let decided = table.create(stem, written(contents)?, expiry(exptime))?;
                return Answer::decided(decided, |(version, name)| Answer::Created(version, name));
            }
            Request::List { prefix, limit, after } => {
                return self.list(prefix, limit, after);
            }
            Request::Watch { prefix, rev, seconds } => {
                return self.watch(prefix, rev, seconds);
            }
            Request::Wait { file, version, seconds } => {
                let time = Duration::from_secs(seconds);
                return Ok(match table.wait(file, version, seconds > 0)? {
                    Wait::Now(version) => at(version),
                    Wait::Later(waiter) => Answer::VersionWithin(time, waiter),
                });
            }
            Request::Open { name, kind } => {
                let Opened { fd, version, kind } = self.opens.open(name, kind)?;
                Reply::Fd { fd, version, kind }
            }
            Request::Close { fd } => {
                self.opens.close(fd)?;
                Reply::Done
            }
            Request::Stat { file } => return Ok(Answer::stat(table.stat(file)?)),
            Request::Hello { token } => {
                self.present(token)?;
                let Shared { ref table, idle_timeout, .. } = *self.server;
                Reply::Hello { epoch: table.epoch(), rev: table.totals().version, idle_timeout }
            }
            Request::Types => {
                let kinds = table.types().map(str::to_string);
                return Ok(lines(kinds, |count| Reply::Types { count }));
            }
            Request::Stats => {
                let stats = stats::report(self.server).into_iter();
                let stats = stats.map(|(name, value)| format!("{name} {value}"));
                return Ok(lines(stats, |count| Reply::Stats { count }));
            }
            Request::Help => {
                let width = COMMANDS.iter().map(|(usage, _)| usage.len()).max().unwrap_or(0);
                let help = COMMANDS.iter().map(|(usage, what)| format!("{usage:width$}  {what}"));
                return Ok(lines(help, |count| Reply::Help { count }));
            }
            Request::Quit => return Ok(Answer::Farewell),
        };
        Ok(Answer::Line(reply))
    }

    /// Checks the token that a client shows, or its lack of one.
    fn present(&mut self, token: Option<&[u8]>) -> Result<(), Refusal> {
        match (&self.server.token, token) {
            (None, _) => Ok(()),
            (Some(_), None) if self.admitted => Ok(()),
            (Some(_), None) => Err(Refusal::Denied),
            (Some(expected), Some(token)) if expected.matches(token) => {
                self.admit();
                Ok(())
            }
            (Some(_), Some(_)) => Err(Refusal::WrongToken),
        }
    }
}

fn lines(
    lines: impl Iterator<Item = String>,
    head: impl Fn(u64) -> Reply<'static>,
) -> Answer<'static> {
    let (mut body, mut count) = (String::new(), 0);
    for line in lines {
        body.push_str(&line);
        body.push_str("\r\n");
        count += 1;
    }
    Answer::Lines(head(count), body)
}
