//! Reads that arrived together: the table answers them in one step.

use super::Session;
use super::answer::Answer;
use crate::name::FileRef;
use crate::refusal::Refusal;
use crate::wire::Request;
use std::io::{self, ErrorKind};
use std::mem;

/// The most reads of one step. It takes some microseconds.
const MAX_READS: usize = 32;

impl Session<'_> {
    /// Collects a read of a name, to be answered with those behind it. Any other request has to wait
    /// for them: answers them, and returns false.
    pub(super) fn collect(&mut self, request: &Request<'_>) -> io::Result<bool> {
        let is_read = match *request {
            Request::Read { file: FileRef::Name(name) } if self.admitted => {
                self.reads.push(name.to_name());
                true
            }
            _ => false,
        };
        if !is_read || self.reads.len() == MAX_READS {
            self.answer_reads()?;
        }
        Ok(is_read)
    }

    /// Answers the collected reads.
    ///
    /// # Errors
    /// Those of the stream, and [`ErrorKind::ConnectionAborted`] if the server stops meanwhile.
    pub(super) fn answer_reads(&mut self) -> io::Result<()> {
        let mut reads = mem::take(&mut self.reads);
        let mut names = &reads[..];
        while let [name, others @ ..] = names {
            self.check_not_stopped()?;
            let run =
                if others.is_empty() { Vec::new() } else { self.server.table.read_run(names) };
            if run.is_empty() {
                let file = FileRef::Name(name.as_name_ref());
                self.execute(&Request::Read { file }, None)?; // no refusal of a read closes
                names = others;
                continue;
            }
            names = &names[run.len()..];
            for looked in run {
                self.check_not_stopped()?;
                match looked {
                    Some(looked) => self.write(Answer::contents(looked))?,
                    None => drop(self.write_refusal(Refusal::NotFound)?),
                }
            }
        }
        reads.clear();
        self.reads = reads; // the allocation
        Ok(())
    }

    /// A stop ends the session behind the reply that is being sent: what follows has not begun.
    fn check_not_stopped(&self) -> io::Result<()> {
        match self.server.live.is_closed() {
            true => Err(ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }
}
