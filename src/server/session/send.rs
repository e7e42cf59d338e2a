//! Answering a request, in the order of the requests.

use super::answer::{Answer, Outcome};
use super::owed::{may_be_decided_early, read_in_turn};
use super::{Flow, Session};
use crate::contents::Contents;
use crate::files::{Change, Changes, Decided, Listing, Stat, Ticket};
use crate::refusal::Refusal;
use crate::wire::{Changed, Listed, Reply, Request, ShownLine};
use std::fmt;
use std::io;

impl<'a> Session<'a> {
    /// Executes a request whose contents, if it has any, have arrived, and answers it.
    pub(super) fn execute(
        &mut self,
        request: &Request<'_>,
        contents: Option<Contents>,
    ) -> io::Result<Flow> {
        self.server.expect_active()?; // contents take time to arrive
        let held = contents.as_ref().map_or(0, |contents| contents.len());
        // Memory that earlier changes free once they are visible may make room for this one.
        let again = if self.owed.is_empty() { None } else { contents.clone() };
        let mut outcome = self.dispatch(request, contents);
        if self.owed.may_free_memory(&outcome) {
            self.send_owed()?;
            outcome = self.dispatch(request, again);
        }
        match outcome {
            Ok(Outcome::Answer(answer)) if self.owed.is_empty() => self.write(answer)?,
            Ok(Outcome::Answer(answer)) => return self.owe(answer.done(), 0),
            Ok(Outcome::Decided(answer)) => return self.owe(answer, held),
            Ok(Outcome::Pending(pending)) => return self.wait(pending),
            Ok(Outcome::Quit) => return Ok(Flow::Close),
            Err(refusal) => return self.refuse(refusal),
        }
        Ok(Flow::Continue)
    }

    /// Collects a read, or decides it if earlier answers are owed. Returns false if the request is to
    /// be executed now; the earlier ones are answered if it has to wait for them.
    pub(super) fn is_answered_later(&mut self, request: &Request<'_>) -> io::Result<bool> {
        if self.owed.is_empty() {
            return self.collect(request);
        }
        if let Some(answer) = read_in_turn(&self.server.table, request) {
            self.owe(answer, 0)?;
            return Ok(true);
        }
        if !may_be_decided_early(request) {
            self.send_owed()?;
        }
        Ok(false)
    }

    /// Answers a request with `held` bytes of contents once its ticket is done and the earlier requests are answered.
    pub(super) fn owe(&mut self, answer: Decided<Answer<'a>>, held: usize) -> io::Result<Flow> {
        self.owed.push(answer, held);
        if self.owed.is_full() {
            self.send_owed()?;
        }
        while self.owed.holds_much() {
            self.send_first_owed()?;
        }
        Ok(Flow::Continue)
    }

    /// Answers the collected reads. Waits until the decided changes are visible, and answers them. No
    /// reply is sent before that.
    pub(super) fn send_owed(&mut self) -> io::Result<()> {
        self.answer_reads()?;
        while !self.owed.is_empty() {
            self.send_first_owed()?;
        }
        Ok(())
    }

    pub(super) fn send_first_owed(&mut self) -> io::Result<()> {
        let Some(Decided { ticket, outcome }) = self.owed.pop() else { return Ok(()) };
        let outcome = match self.server.table.outcome(&ticket) {
            Ok(None) => outcome,
            Ok(Some(looked)) => outcome.map(|answer| answer.instead(looked)),
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(answer) => self.write(answer),
            Err(refusal) => self.write_refusal(refusal).map(drop),
        }
    }

    /// Answers all requests, and sends the answers.
    pub(super) fn flush_owed(&mut self) -> io::Result<()> {
        self.send_owed()?;
        self.connection.flush()
    }

    pub(super) fn write(&mut self, answer: Answer<'a>) -> io::Result<()> {
        let output = self.connection.output();
        match answer {
            Answer::Line(reply) => reply.write_to(output),
            Answer::Lines(head, lines) => {
                head.write_to(output);
                output.extend_from_slice(lines.as_bytes());
            }
            Answer::Contents(head, contents) => {
                head.write_to(output);
                self.connection.send_contents(&contents)?;
            }
            Answer::Session { id, epoch, rev, is_new } => {
                Reply::Session { id: &id, epoch, rev, is_new }.write_to(output);
            }
            Answer::Created(version, name) => {
                Reply::Created { version, name: name.as_name_ref() }.write_to(output);
            }
            Answer::Listing(listing) => self.write_listing(&listing.value)?,
            Answer::Changes(changes) => self.write_changes(&changes.value)?,
            Answer::Backup(backup) => self.write_backup(backup)?,
        }
        self.connection.flush_if_large()
    }

    fn write_listing(&mut self, listing: &Listing) -> io::Result<()> {
        let Listing { rev, ref files, more } = *listing;
        let count = files.len() as u64;
        Reply::List { rev, count, more }.write_to(self.connection.output());
        for file in files {
            let Stat { version, numbytes, exptime } = file.stat;
            let name = file.name.as_name_ref();
            Listed { version, numbytes, exptime, name }.write_to(self.connection.output());
            self.connection.flush_if_large()?;
        }
        Ok(())
    }

    fn write_changes(&mut self, changes: &Changes) -> io::Result<()> {
        let Changes { rev, ref changes } = *changes;
        Reply::Changes { rev, count: changes.len() as u64 }.write_to(self.connection.output());
        for change in changes {
            let Change { version, numbytes, ref name } = *change;
            let name = name.as_name_ref();
            Changed { version, numbytes, name }.write_to(self.connection.output());
            self.connection.flush_if_large()?;
        }
        Ok(())
    }

    /// Refuses a request, once the earlier ones are answered.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> io::Result<Flow> {
        if !self.owed.is_empty() && !refusal.closes() {
            return self.owe(Decided { ticket: Ticket::DONE, outcome: Err(refusal) }, 0);
        }
        self.send_owed()?;
        self.write_refusal(refusal)
    }

    /// Refuses a line after which the start of the next request is unknown, and disconnects.
    pub(super) fn disconnect(&mut self, why: impl fmt::Display, line: &[u8]) -> io::Result<Flow> {
        let (stream, client, word) = (self.connection.stream(), self.client, "ERR_CMD_ERR");
        log::info!("{stream} {client} disconnected: {word}: {why}: {}", ShownLine(line));
        self.send_owed()?;
        self.connection.answer_telnet(); // as if it had come before the rest
        self.refuse(Refusal::OutOfStep)
    }

    pub(super) fn write_refusal(&mut self, refusal: Refusal) -> io::Result<Flow> {
        if refusal == Refusal::Internal && self.server.table.is_lost() {
            // The change may be on disk, and the reply would say that nothing has changed.
            return Err(io::Error::other("a commit failed, and its outcome is unknown"));
        }
        self.server.settings.refused.count(&refusal);
        self.counters.count_refusal(&refusal);
        let (stream, client, word) = (self.connection.stream(), self.client, refusal.word());
        match refusal {
            Refusal::OutOfStep => {} // the reason is already logged
            Refusal::WrongToken => log::info!("{stream} {client} disconnected: {word}: {refusal}"),
            _ => log::debug!("{stream} {client} is refused: {word}: {refusal}"),
        }
        let closes = refusal.closes();
        Reply::Refused(refusal).write_to(self.connection.output());
        self.connection.flush_if_large()?;
        Ok(if closes { Flow::Close } else { Flow::Continue })
    }
}
