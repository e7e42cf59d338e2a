//! What each request does: one match.

use super::Session;
use super::answer::{Answer, Outcome, Pending};
use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::files::{Expiry, Looked, Open, Wait};
use crate::refusal::Refusal;
use crate::server::stats;
use crate::wire::{COMMANDS, Reply, Request};
use std::time::Duration;

impl<'a> Session<'a> {
    /// Executes a request whose contents, if it has any, have arrived.
    pub(super) fn dispatch(
        &mut self,
        request: &Request<'_>,
        contents: Option<Contents>,
    ) -> Result<Outcome<'a>, Refusal> {
        let table = &self.server.table;
        let written = |contents: Option<Contents>| {
            let contents = contents.ok_or(Refusal::Internal)?;
            self.server.settings.refused.saw_contents(contents.len());
            Ok(contents)
        };
        let expiry = |exptime: Exptime| Expiry::new(exptime, self.client);
        match *request {
            Request::Read { file } => {
                let (stat, contents) = table.read(file, self.client)?;
                Ok(Outcome::Answer(Answer::contents(Looked { stat, contents })))
            }
            Request::Write { file, exptime, .. } => {
                let decided =
                    table.write(file, written(contents)?, expiry(exptime), self.client)?;
                Outcome::decided(decided, Answer::version)
            }
            Request::Cas { file, version, exptime, .. } => {
                let decided =
                    table.cas(file, version, written(contents)?, expiry(exptime), self.client)?;
                Outcome::decided(decided, Answer::version)
            }
            Request::Delete { file, version } => {
                let decided = table.delete(file, version)?;
                Outcome::decided(decided, |()| Answer::Line(Reply::Done))
            }
            Request::Touch { file, version, exptime } => {
                let decided = table.touch(file, version, expiry(exptime))?;
                Outcome::decided(decided, Answer::version)
            }
            Request::Create { stem, exptime, .. } => {
                let decided = table.create(stem, written(contents)?, expiry(exptime))?;
                Outcome::decided(decided, |(version, name)| Answer::Created(version, name))
            }
            Request::List { prefix, limit, after } => {
                self.list(prefix, limit, after).map(Outcome::Answer)
            }
            Request::Watch { prefix, rev, seconds } => self.watch(prefix, rev, seconds),
            Request::Wait { file, version, seconds } => {
                let time = Duration::from_secs(seconds);
                Ok(match table.wait(file, version, seconds > 0)? {
                    Wait::Now(version) => Outcome::Answer(Answer::version(version)),
                    Wait::Later(waiter) => Outcome::Pending(Pending::Version(time, waiter)),
                })
            }
            Request::Open { name, kind } => Ok(match self.opens.open(name, kind)? {
                Open::Now(opened) => Outcome::Answer(Answer::opened(opened)),
                Open::Later(opening) => Outcome::Pending(Pending::Open(opening)),
            }),
            Request::Close { fd } => {
                self.opens.close(fd)?;
                Ok(Outcome::line(Reply::Done))
            }
            Request::Stat { file } => Ok(Outcome::Answer(Answer::stat(table.stat(file)?))),
            Request::Session { id } => self.session(id),
            Request::Hello { token } => {
                self.check_token(token)?;
                let idle_timeout = self.server.settings.idle_timeout;
                let (epoch, rev) = (table.epoch(), table.totals().version);
                Ok(Outcome::line(Reply::Hello { epoch, rev, idle_timeout }))
            }
            Request::Types => {
                Ok(lines(table.types().map(str::to_string), |count| Reply::Types { count }))
            }
            Request::Stats => {
                let stats = stats::report(self.server).into_iter();
                let stats = stats.map(|(name, value)| format!("{name} {value}"));
                Ok(lines(stats, |count| Reply::Stats { count }))
            }
            Request::Backup => self.backup(),
            Request::Help => {
                let width = COMMANDS.iter().map(|(usage, _)| usage.len()).max().unwrap_or(0);
                let help = COMMANDS.iter().map(|(usage, what)| format!("{usage:width$}  {what}"));
                Ok(lines(help, |count| Reply::Help { count }))
            }
            Request::Quit => Ok(Outcome::Quit),
        }
    }

    /// Checks the token of a `hello`, or its lack of one. The right one admits the client, which
    /// then has no deadline any more.
    fn check_token(&mut self, token: Option<&[u8]>) -> Result<(), Refusal> {
        match token {
            None if self.admitted => Ok(()),
            None => Err(Refusal::Denied),
            Some(token) if self.server.settings.token.admits(token) => {
                self.admitted = true;
                self.connection.set_deadline(None);
                Ok(())
            }
            Some(_) => Err(Refusal::WrongToken),
        }
    }
}

fn lines(
    lines: impl Iterator<Item = String>,
    head: impl Fn(u64) -> Reply<'static>,
) -> Outcome<'static> {
    let (mut body, mut count) = (String::new(), 0);
    for line in lines {
        body.push_str(&line);
        body.push_str("\r\n");
        count += 1;
    }
    Outcome::Answer(Answer::Lines(head(count), body))
}
