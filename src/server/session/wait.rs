//! The step of a session that waits for something to happen in the table, for up to a day. A session
//! waits for one thing at a time, on its own thread; the requests behind it wait too.

use super::answer::{Answer, Pending};
use super::{Flow, Session};
use crate::files::{Open, Opening, Wait, Waiter, Waiting};
use std::io;
use std::time::Instant;

impl<'a> Session<'a> {
    /// Waits for what a request asks for, then answers it. The earlier ones are answered: no such
    /// request is decided before.
    pub(super) fn wait(&mut self, pending: Pending<'a>) -> io::Result<Flow> {
        debug_assert!(self.owed.is_empty());
        match pending {
            Pending::Changes(time, waiting) => {
                self.wait_for_changes(Instant::now() + time, waiting)
            }
            Pending::Version(time, waiter) => self.wait_for_version(Instant::now() + time, waiter),
            Pending::Open(opening) => self.wait_for_open(opening),
        }
    }

    /// Waits until there is a change, the deadline has passed, or the client has ended its side. It
    /// may still read then.
    fn wait_for_changes(&mut self, deadline: Instant, waiting: Waiting<'a>) -> io::Result<Flow> {
        self.connection.wait_for_waker(waiting.waker(), deadline)?;
        let prefix = waiting.prefix().to_string();
        let changes = self.all_changes(&prefix, waiting.changes());
        self.write(Answer::Changes(changes))?;
        Ok(Flow::Continue)
    }

    /// Waits until the file has changed, the deadline has passed, or the client has ended its side.
    fn wait_for_version(&mut self, deadline: Instant, waiter: Waiter<'a>) -> io::Result<Flow> {
        let mut waiter = waiter;
        loop {
            self.connection.wait_for_waker(waiter.waker(), deadline)?;
            match waiter.look() {
                Ok(Wait::Later(again)) => waiter = again,
                Ok(Wait::Now(version)) => {
                    self.write(Answer::version(version))?;
                    return Ok(Flow::Continue);
                }
                Err(refusal) => return self.refuse(refusal),
            }
        }
    }

    /// Waits until a new file is on disk.
    fn wait_for_open(&mut self, opening: Opening<'a>) -> io::Result<Flow> {
        let mut opening = opening;
        loop {
            match self.opens.finish(opening) {
                Ok(Open::Later(again)) => opening = again,
                Ok(Open::Now(opened)) => {
                    self.write(Answer::opened(opened))?;
                    return Ok(Flow::Continue);
                }
                Err(refusal) => return self.refuse(refusal),
            }
        }
    }
}
