//! The answer to a request, and how it is sent.

use super::long::Long;
use super::session::{Next, Session};
use crate::budget::{Budget, Charge};
use crate::contents::Contents;
use crate::files::{
    Change, Changes, Decided, Listing, Looked, Stat, Ticket, Wait, Waiter, Waiting,
};
use crate::name::Name;
use crate::refusal::Refusal;
use crate::wire::{Changed, Listed, Reply};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many requests of one client may be decided before the first of them is visible.
const MAX_OWED: usize = 512;

/// The most bytes read for owed answers, not counting the last answer.
const MAX_OWED_BYTES: usize = 64 << 10;

/// The memory that a request takes until it is answered: its answer, and what the table keeps of
/// it. Contents and files are charged separately.
const OWED_BYTES: u64 = 512;

/// Answers to send, in order, once the decided changes are visible. Changes that the client sent
/// together are in one commit.
pub(super) struct Owed<'a> {
    answers: VecDeque<(Ticket, Result<Answer<'a>, Refusal>)>,
    /// How many bytes were read for them.
    bytes: usize,
    charge: Charge,
    /// Whether memory for more of them has run out.
    is_over: bool,
}

impl<'a> Owed<'a> {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        let charge = Charge::none(budget);
        Owed { answers: VecDeque::new(), bytes: 0, charge, is_over: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    fn is_full(&self) -> bool {
        self.is_over || self.answers.len() >= MAX_OWED || self.bytes >= MAX_OWED_BYTES
    }

    fn push(&mut self, ticket: Ticket, answer: Result<Answer<'a>, Refusal>) {
        if let Ok(Answer::Contents(_, contents)) = &answer {
            self.bytes += contents.len();
        }
        self.is_over |= self.charge.grow(OWED_BYTES).is_err();
        self.answers.push_back((ticket, answer));
    }

    fn pop(&mut self) -> Option<(Ticket, Result<Answer<'a>, Refusal>)> {
        let popped = self.answers.pop_front();
        if self.is_empty() {
            self.bytes = 0;
            self.is_over = false;
            self.charge.shrink(self.charge.bytes());
        }
        popped
    }
}

/// However the session ends, its decided changes are visible afterwards, or never will be.
impl Drop for Owed<'_> {
    fn drop(&mut self) {
        for (ticket, _) in &self.answers {
            let _ = ticket.wait();
        }
    }
}

/// The answer to a request that succeeded.
pub(super) enum Answer<'a> {
    /// A line.
    Line(Reply<'a>),
    /// A line, then as many whole lines as it announces.
    Lines(Reply<'a>, String),
    /// A line, then contents and a line end.
    Contents(Reply<'a>, Contents),
    /// The version and the name of a new file.
    Created(u64, Name),
    Listing(Long<'a, Listing>),
    Changes(Long<'a, Changes>),
    /// The changes within this time.
    ChangesWithin(Duration, Waiting<'a>),
    /// The version of a file once it has changed, within this time.
    VersionWithin(Duration, Waiter<'a>),
    /// The answer to send once a ticket is done.
    When(Ticket, Box<Result<Answer<'a>, Refusal>>),
    /// Nothing more.
    Farewell,
}

impl<'a> Answer<'a> {
    pub(super) fn decided<T>(
        decided: Decided<T>,
        answer: impl FnOnce(T) -> Answer<'a>,
    ) -> Result<Self, Refusal> {
        let outcome = decided.outcome.map(answer);
        match decided.ticket.is_done() {
            true => outcome,
            false => Ok(Answer::When(decided.ticket, outcome.into())),
        }
    }

    pub(super) fn contents(Looked { stat, contents }: Looked) -> Self {
        let Stat { version, exptime, .. } = stat;
        let numbytes = contents.len() as u64;
        Answer::Contents(Reply::Contents { version, numbytes, exptime }, contents)
    }

    pub(super) fn stat((stat, kind, opens): (Stat, &'static str, u64)) -> Self {
        let Stat { version, numbytes, exptime } = stat;
        Answer::Line(Reply::Stat { version, numbytes, exptime, kind, opens })
    }

    /// Returns the same kind of answer for the file that was found instead.
    fn instead(self, looked: Looked) -> Self {
        let Stat { version, numbytes, exptime } = looked.stat;
        match self {
            Answer::Line(Reply::Stat { kind, opens, .. }) => {
                Answer::Line(Reply::Stat { version, numbytes, exptime, kind, opens })
            }
            _ => Answer::contents(looked),
        }
    }
}

impl<'a> Session<'a> {
    /// Answers a request, once the earlier ones are answered.
    pub(super) fn send(&mut self, answer: Answer<'a>) -> io::Result<Next> {
        match answer {
            Answer::When(ticket, answer) => self.owe(ticket, *answer),
            answer if self.owed.is_empty() => self.write(answer),
            answer => self.owe(Ticket::DONE, Ok(answer)),
        }
    }

    /// Answers a request once the ticket is done and the earlier requests are answered.
    pub(super) fn owe(
        &mut self,
        ticket: Ticket,
        answer: Result<Answer<'a>, Refusal>,
    ) -> io::Result<Next> {
        self.owed.push(ticket, answer);
        if self.owed.is_full() {
            self.settle()?;
        }
        Ok(Next::Request)
    }

    fn write(&mut self, answer: Answer<'a>) -> io::Result<Next> {
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
            Answer::Created(version, name) => {
                Reply::Created { version, name: name.as_ref() }.write_to(output);
            }
            Answer::Listing(listing) => self.send_listing(&listing.value)?,
            Answer::Changes(changes) => self.send_changes(&changes.value)?,
            Answer::ChangesWithin(time, waiting) => {
                // Also for a peer that has ended its side: it may still read.
                self.connection.wait_end(waiting.waker(), Instant::now() + time)?;
                let prefix = waiting.prefix().to_string();
                let changes = self.all_changes(&prefix, waiting.changes());
                self.send_changes(&changes.value)?;
            }
            Answer::VersionWithin(time, waiter) => {
                return self.wait_for_version(Instant::now() + time, waiter);
            }
            Answer::When(ticket, answer) => return self.owe(ticket, *answer),
            Answer::Farewell => return Ok(Next::Close),
        }
        self.connection.relieve()?;
        Ok(Next::Request)
    }

    /// Waits until the file has changed, the deadline has passed, or the client has ended its side.
    fn wait_for_version(&mut self, deadline: Instant, mut waiter: Waiter<'a>) -> io::Result<Next> {
        loop {
            self.connection.wait_end(waiter.waker(), deadline)?;
            match waiter.look() {
                Ok(Wait::Later(again)) => waiter = again,
                Ok(Wait::Now(version)) => return self.write(Answer::Line(Reply::Version(version))),
                Err(refusal) => return self.refuse(refusal),
            }
        }
    }

    /// Waits until the decided changes are visible, and answers them. No reply is sent before that.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        while let Some((ticket, answer)) = self.owed.pop() {
            let answer = match ticket.outcome() {
                Ok(None) => answer,
                Ok(Some(looked)) => answer.map(|answer| answer.instead(looked)),
                Err(refusal) => Err(refusal),
            };
            match answer {
                Ok(answer) => self.write(answer)?,
                Err(refusal) => self.write_refusal(refusal)?,
            };
        }
        Ok(())
    }

    fn send_listing(&mut self, listing: &Listing) -> io::Result<()> {
        let Listing { rev, ref files, more } = *listing;
        let count = files.len() as u64;
        Reply::List { rev, count, more }.write_to(self.connection.output());
        for file in files {
            let Stat { version, numbytes, exptime } = file.stat;
            let name = file.name.as_ref();
            Listed { version, numbytes, exptime, name }.write_to(self.connection.output());
            self.connection.relieve()?;
        }
        Ok(())
    }

    fn send_changes(&mut self, changes: &Changes) -> io::Result<()> {
        let Changes { rev, ref changes } = *changes;
        Reply::Changes { rev, count: changes.len() as u64 }.write_to(self.connection.output());
        for change in changes {
            let Change { version, numbytes, ref name } = *change;
            let name = name.as_ref();
            Changed { version, numbytes, name }.write_to(self.connection.output());
            self.connection.relieve()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_counts_and_without_memory_no_more_is_owed() {
        let budget = Budget::new(3 * OWED_BYTES);
        let mut owed = Owed::new(&budget);
        for _ in 0..3 {
            owed.push(Ticket::DONE, Err(Refusal::NotFound));
        }
        assert!(!owed.is_full() && budget.used() == budget.max());
        owed.push(Ticket::DONE, Err(Refusal::NotFound));
        assert!(owed.is_full());
        while owed.pop().is_some() {}
        assert!(!owed.is_full() && budget.used() == 0);
        for _ in 0..MAX_OWED {
            owed.push(Ticket::DONE, Err(Refusal::NotFound));
        }
        assert!(owed.is_full());
        drop(owed);
        assert_eq!(budget.used(), 0);
    }
}
