//! What a request is answered, and how that goes out.

use super::session::{Next, Session};
use crate::contents::Contents;
use crate::files::{Change, Changes, Listing, Stat, Waiting};
use crate::name::Name;
use crate::wire::{Changed, Listed, Reply};
use std::io;
use std::time::{Duration, Instant};

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
    Listing(Listing),
    Changes(Changes),
    /// What changes within this time.
    ChangesWithin(Duration, Waiting<'a>),
    /// Nothing more.
    Farewell,
}

impl Session<'_> {
    pub(super) fn send(&mut self, answer: Answer<'_>) -> io::Result<Next> {
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
            Answer::Listing(listing) => self.send_listing(&listing)?,
            Answer::Changes(changes) => self.send_changes(&changes)?,
            Answer::ChangesWithin(time, waiting) => {
                // Also for a peer that has ended its side: it may still read.
                self.connection.wait_end(waiting.waker(), Instant::now() + time)?;
                match waiting.changes() {
                    Ok(changes) => self.send_changes(&changes)?,
                    Err(refusal) => return self.refuse(refusal),
                }
            }
            Answer::Farewell => return Ok(Next::Close),
        }
        self.connection.relieve()?;
        Ok(Next::Request)
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
