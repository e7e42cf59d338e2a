//! What each request does: one match.

use super::session::Session;
use super::stats;
use crate::contents::Contents;
use crate::files::{KINDS, MEMORY_FILE};
use crate::name::NameRef;
use crate::refusal::Refusal;
use crate::wire::{COMMANDS, FileRef, Reply, Request};

/// What a client gets for a request that was done.
pub(super) enum Answer<'a> {
    /// A line.
    Line(Reply<'a>),
    /// A line, then whole lines, as many as it says.
    Lines(Reply<'a>, String),
    /// A line, then contents and a line end.
    Contents(Reply<'a>, Contents),
    /// Nothing more.
    Farewell,
}

impl Session<'_> {
    /// Does a request whose contents, if it has any, are here.
    pub(super) fn dispatch(
        &mut self,
        request: &Request<'_>,
        contents: Option<Contents>,
    ) -> Result<Answer<'static>, Refusal> {
        let table = &self.server.table;
        let written = |contents: Option<Contents>| {
            let contents = contents.ok_or(Refusal::Internal)?;
            self.server.refused.saw_contents(contents.len());
            Ok(contents)
        };
        let reply = match *request {
            Request::Read { file } => {
                let (stat, contents) = table.read(name(file)?)?;
                let head = Reply::Contents {
                    version: stat.version,
                    numbytes: stat.numbytes,
                    exptime: stat.exptime,
                };
                return Ok(Answer::Contents(head, contents));
            }
            Request::Write { file, exptime, .. } => {
                Reply::Version(table.write(name(file)?, written(contents)?, exptime)?)
            }
            Request::Cas { file, version, exptime, .. } => {
                Reply::Version(table.cas(name(file)?, version, written(contents)?, exptime)?)
            }
            Request::Delete { file, version } => {
                table.delete(name(file)?, version)?;
                Reply::Done
            }
            Request::Stat { file } => {
                let stat = table.stat(name(file)?)?;
                Reply::Stat {
                    version: stat.version,
                    numbytes: stat.numbytes,
                    exptime: stat.exptime,
                    kind: MEMORY_FILE,
                    opens: 0,
                }
            }
            Request::Hello { token } => {
                self.present(token)?;
                let table = &self.server.table;
                Reply::Hello { epoch: table.epoch(), rev: table.totals().version }
            }
            Request::Types => {
                let kinds = KINDS.iter().map(|kind| kind.to_string());
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

    /// Takes the token that a client shows, or its lack of one.
    fn present(&mut self, token: Option<&[u8]>) -> Result<(), Refusal> {
        match (&self.server.token, token) {
            (None, _) => Ok(()),
            (Some(_), None) if self.admitted => Ok(()),
            (Some(_), None) => Err(Refusal::Denied),
            (Some(expected), Some(token)) if expected.is(token) => {
                self.admit();
                Ok(())
            }
            (Some(_), Some(_)) => Err(Refusal::WrongToken),
        }
    }
}

/// No descriptor can be open while there is no command that opens one.
fn name(file: FileRef<'_>) -> Result<NameRef<'_>, Refusal> {
    match file {
        FileRef::Name(name) => Ok(name),
        FileRef::Descriptor(_) => Err(Refusal::BadDescriptor),
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
