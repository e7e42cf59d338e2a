//! What a request is answered, and how that goes out.

use super::long::Long;
use super::session::{Next, Session};
use crate::contents::Contents;
use crate::files::{Change, Changes, Decided, Listing, Stat, Ticket, Wait, Waiter, Waiting};
use crate::name::Name;
use crate::wire::{Changed, Listed, Reply};
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// So many changes of one client may be decided before the first of them is seen.
const MAX_OWED: usize = 512;

/// What to answer when the changes are seen that were decided. They are in one commit if the client
/// has sent them together.
#[derive(Default)]
pub(super) struct Owed<'a>(VecDeque<(Ticket, Answer<'a>)>);

impl Owed<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// However the session ends, what it decided is seen after that, or never will be.
impl Drop for Owed<'_> {
    fn drop(&mut self) {
        for (ticket, _) in &self.0 {
            let _ = ticket.wait();
        }
    }
}

/// What a client gets for a request that was done.
pub(super) enum Answer<'a> {
    /// A line.
    Line(Reply<'a>),
    /// A line, then whole lines, as many as it says.
    Lines(Reply<'a>, String),
    /// A line, then contents and a line end.
    Contents(Reply<'a>, Contents),
    /// The version and the name of a new file.
    Created(u64, Name),
    Listing(Long<'a, Listing>),
    Changes(Long<'a, Changes>),
    /// What changes within this time.
    ChangesWithin(Duration, Waiting<'a>),
    /// The version of a file once it has moved, but within this time.
    VersionWithin(Duration, Waiter<'a>),
    /// What to say once a change is seen.
    When(Ticket, Box<Answer<'a>>),
    /// Nothing more.
    Farewell,
}

impl<'a> Answer<'a> {
    pub(super) fn decided<T>(decided: Decided<T>, answer: impl FnOnce(T) -> Answer<'a>) -> Self {
        let answer = answer(decided.answer);
        if decided.ticket.is_done() { answer } else { Answer::When(decided.ticket, answer.into()) }
    }
}

impl<'a> Session<'a> {
    /// Answers a request, when those before it are answered.
    pub(super) fn send(&mut self, answer: Answer<'a>) -> io::Result<Next> {
        if !matches!(answer, Answer::When(..)) {
            self.settle()?;
        }
        self.write(answer)
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
                match waiting.changes().and_then(|first| self.all_changes(&prefix, first)) {
                    Ok(changes) => self.send_changes(&changes.value)?,
                    Err(refusal) => return self.refuse(refusal),
                }
            }
            Answer::VersionWithin(time, waiter) => {
                return self.wait_for_version(Instant::now() + time, waiter);
            }
            Answer::When(ticket, answer) => {
                self.owed.0.push_back((ticket, *answer));
                if self.owed.0.len() >= MAX_OWED {
                    self.settle()?;
                }
            }
            Answer::Farewell => return Ok(Next::Close),
        }
        self.connection.relieve()?;
        Ok(Next::Request)
    }

    /// Waits until a file has moved, it is late, or the client has ended its side.
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

    /// Waits until what was decided is seen, and answers it. Before this, no reply goes out.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        while let Some((ticket, answer)) = self.owed.0.pop_front() {
            match ticket.wait() {
                Ok(()) => self.write(answer)?,
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
