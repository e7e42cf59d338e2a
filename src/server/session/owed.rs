//! Answers that wait for the disk, and what may be decided meanwhile.

use super::answer::Answer;
use crate::budget::{Budget, Charge};
use crate::files::{Decided, Table};
use crate::name::FileRef;
use crate::refusal::{Limit, Refusal};
use crate::wire::Request;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many requests of one client may be decided before the first of them is visible.
const MAX_OWED: usize = 512;

/// The most bytes read for owed answers, not counting the last answer.
const MAX_OWED_BYTES: usize = 64 << 10;

/// The most bytes of contents that are decided and not visible, beside those of the latest change: a
/// part is committed while the next one arrives.
const MAX_HELD_BYTES: usize = 16 << 20;

/// With this many bytes of contents a commit takes long enough to receive more meanwhile.
const LARGE_BYTES: usize = 64 << 10;

/// The memory that a request takes until it is answered: its answer, and what the table keeps of
/// it. Contents and files are charged separately.
const OWED_BYTES: u64 = 512;

/// Answers to send, in order, once the decided changes are visible. Changes that the client sent
/// together are in one commit.
pub(super) struct Owed<'a> {
    table: &'a Table,
    answers: VecDeque<OwedAnswer<'a>>,
    /// How many bytes were read for them.
    bytes: usize,
    /// How many bytes of contents their requests had.
    held: usize,
    charge: Charge,
    /// Whether memory for more of them has run out.
    is_over: bool,
}

struct OwedAnswer<'a> {
    answer: Decided<Answer<'a>>,
    /// How many bytes of contents the request had.
    held: usize,
}

impl<'a> Owed<'a> {
    pub(super) fn new(table: &'a Table, budget: &Arc<Budget>) -> Self {
        let charge = Charge::none(budget);
        Owed { table, answers: VecDeque::new(), bytes: 0, held: 0, charge, is_over: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Returns whether the answers have to be sent before another request is decided.
    pub(super) fn is_full(&self) -> bool {
        self.is_over || self.answers.len() >= MAX_OWED || self.bytes >= MAX_OWED_BYTES
    }

    /// Returns whether the first answer can be sent without waiting.
    pub(super) fn is_first_known(&self) -> bool {
        self.answers.front().is_some_and(|first| first.answer.ticket.is_known())
    }

    /// Has what waits committed by another thread.
    pub(super) fn hurry(&self) {
        if let Some(last) = self.answers.back() {
            last.answer.ticket.hurry();
        }
    }

    /// Returns whether contents of many bytes wait: probably more of them arrive.
    pub(super) fn holds_large(&self) -> bool {
        self.held >= LARGE_BYTES
    }

    /// Returns whether the first answers have to be sent before more contents are received.
    pub(super) fn holds_much(&self) -> bool {
        self.answers.len() > 1 && self.held > MAX_HELD_BYTES
    }

    /// Adds the answer of a request that had `held` bytes of contents.
    pub(super) fn push(&mut self, answer: Decided<Answer<'a>>, held: usize) {
        if let Ok(Answer::Contents(_, contents)) = &answer.outcome {
            self.bytes += contents.len();
        }
        self.is_over |= self.charge.grow(OWED_BYTES).is_err();
        self.held += held;
        self.answers.push_back(OwedAnswer { answer, held });
    }

    pub(super) fn pop(&mut self) -> Option<Decided<Answer<'a>>> {
        let OwedAnswer { answer, held } = self.answers.pop_front()?;
        self.held -= held;
        if self.is_empty() {
            self.bytes = 0;
            self.is_over = false;
            self.charge.shrink(self.charge.bytes());
        }
        Some(answer)
    }

    /// Returns whether memory has run out that earlier requests of this client may free: they do so
    /// when they become visible.
    pub(super) fn may_free_memory<T>(&self, result: &Result<T, Refusal>) -> bool {
        !self.is_empty() && matches!(result, Err(Refusal::Limit(Limit::Memory, _)))
    }
}

/// However the session ends, its decided changes are visible afterwards, or never will be.
impl Drop for Owed<'_> {
    fn drop(&mut self) {
        for OwedAnswer { answer, .. } in &self.answers {
            let _ = self.table.outcome(&answer.ticket);
        }
    }
}

/// Executes a `read` or `stat` that need not wait until the earlier requests are visible: it sees
/// what they have decided, and its answer waits for them.
pub(super) fn read_in_turn<'a>(
    table: &Table,
    request: &Request<'_>,
) -> Option<Decided<Answer<'a>>> {
    match *request {
        Request::Read { file: file @ FileRef::Name(_) } => {
            Some(table.read_in_turn(file)?.map(Answer::contents))
        }
        Request::Stat { file: file @ FileRef::Name(_) } => {
            Some(table.stat_in_turn(file)?.map(Answer::stat))
        }
        _ => None,
    }
}

/// Returns whether a request need not wait until the earlier ones are visible, once it has arrived
/// whole: it is a change, or does not concern files. A request that reads what is visible must wait.
pub(super) fn may_be_decided_early(request: &Request<'_>) -> bool {
    use Request::{Cas, Create, Delete, Help, Touch, Types, Write};
    matches!(
        request,
        Write { .. } | Cas { .. } | Create { .. } | Touch { .. } | Delete { .. } | Types | Help
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Clock, Registry, Ticket};

    fn table(budget: &Arc<Budget>) -> Table {
        Table::new(Registry::default(), Clock::manual(), budget.clone(), 1)
    }

    #[test]
    fn owed_answers_take_memory_and_without_memory_no_more_are_owed() {
        let refused = || Decided { ticket: Ticket::DONE, outcome: Err(Refusal::NotFound) };
        let budget = Budget::new(3 * OWED_BYTES);
        let table = table(&budget);
        let mut owed = Owed::new(&table, &budget);
        for _ in 0..3 {
            owed.push(refused(), 0);
        }
        assert!(!owed.is_full() && budget.used() == budget.max());
        owed.push(refused(), 0);
        assert!(owed.is_full());
        while owed.pop().is_some() {}
        assert!(!owed.is_full() && budget.used() == 0);
        for _ in 0..MAX_OWED {
            owed.push(refused(), 0);
        }
        assert!(owed.is_full());
        drop(owed);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_latest_contents_are_held_beside_the_maximum() {
        let refused = || Decided { ticket: Ticket::DONE, outcome: Err(Refusal::NotFound) };
        let budget = Budget::new(1 << 20);
        let table = table(&budget);
        let mut owed = Owed::new(&table, &budget);
        owed.push(refused(), MAX_HELD_BYTES + 1);
        assert!(!owed.holds_much() && owed.holds_large() && owed.is_first_known());
        owed.push(refused(), LARGE_BYTES);
        assert!(owed.holds_much() && owed.pop().is_some());
        assert!(!owed.holds_much() && owed.holds_large() && owed.pop().is_some());
        assert!(!owed.holds_large() && !owed.is_first_known());
    }
}
