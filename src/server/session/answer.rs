//! What becomes of a request: an answer, a wait for one, or the end.

use super::outgoing::Outgoing;
use crate::contents::Contents;
use crate::files::{
    Changes, Decided, Listing, Looked, Opened, Opening, Stat, Ticket, Waiter, Waiting,
};
use crate::name::Name;
use crate::refusal::Refusal;
use crate::server::room::Long;
use crate::wire::Reply;
use std::time::Duration;

/// What becomes of a request that is not refused.
pub(super) enum Outcome<'a> {
    /// Answered now.
    Answer(Answer<'a>),
    /// Decided, and answered once its ticket is done.
    Decided(Decided<Answer<'a>>),
    /// Answered after a wait.
    Pending(Pending<'a>),
    /// The client quits.
    Quit,
}

/// What a request waits for.
pub(super) enum Pending<'a> {
    /// The changes within this time.
    Changes(Duration, Waiting<'a>),
    /// The version of a file once it has changed, within this time.
    Version(Duration, Waiter<'a>),
    /// The commit of a new file.
    Open(Opening<'a>),
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
    /// The id of a session, the table's epoch and version, and whether the session is new.
    Session {
        id: String,
        epoch: u64,
        rev: u64,
        is_new: bool,
    },
    Listing(Long<'a, Listing>),
    Changes(Long<'a, Changes>),
    Backup(Outgoing<'a>),
}

impl<'a> Outcome<'a> {
    pub(super) fn line(reply: Reply<'a>) -> Self {
        Outcome::Answer(Answer::Line(reply))
    }

    #[inline]
    pub(super) fn decided<T>(
        decided: Decided<T>,
        answer: impl FnOnce(T) -> Answer<'a>,
    ) -> Result<Self, Refusal> {
        match decided.ticket.is_done() {
            true => decided.outcome.map(answer).map(Outcome::Answer),
            false => Ok(Outcome::Decided(decided.map(answer))),
        }
    }
}

impl Answer<'_> {
    pub(super) fn version(version: u64) -> Self {
        Answer::Line(Reply::Version(version))
    }

    pub(super) fn opened(opened: Opened) -> Self {
        let Opened { fd, version, kind } = opened;
        Answer::Line(Reply::Fd { fd, version, kind })
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

    /// Returns the same kind of answer for the state that was found instead.
    pub(super) fn instead(self, looked: Looked) -> Self {
        let Stat { version, numbytes, exptime } = looked.stat;
        match self {
            Answer::Line(Reply::Stat { kind, opens, .. }) => {
                Answer::Line(Reply::Stat { version, numbytes, exptime, kind, opens })
            }
            _ => Answer::contents(looked),
        }
    }

    /// Returns the answer as one that waits for nothing.
    pub(super) fn done(self) -> Decided<Self> {
        Decided { ticket: Ticket::DONE, outcome: Ok(self) }
    }
}
