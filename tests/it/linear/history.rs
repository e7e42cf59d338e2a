//! What was asked and answered when, and whether one order of it all explains every answer.

use super::spec::{Answer, Files, Op};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::rc::Rc;

/// One request and its answer. It took effect at some moment between `start` and `end`. One without an
/// answer has no end, a thread of its own, and perhaps no effect.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) thread: usize,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) op: Op,
    pub(crate) answer: Answer,
    /// The start of the event that it follows, although both were sent together.
    pub(crate) after: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct History {
    before: Files,
    /// In the order in which they began.
    events: Vec<Event>,
}

impl History {
    pub(crate) fn new(before: Files, mut events: Vec<Event>) -> History {
        events.sort_by_key(|event| event.start);
        assert!(events.len() <= 64, "a bit for each event");
        History { before, events }
    }

    pub(crate) fn is_linearizable(&self) -> bool {
        self.search().0
    }

    /// Returns whether an order is found, and how many states the search has met.
    pub(crate) fn search(&self) -> (bool, usize) {
        let index = |start| self.events.iter().position(|event| event.start == start);
        let after = self.events.iter().map(|event| event.after.and_then(index)).collect();
        let is_answered = |(_, event): &(usize, &Event)| event.answer != Answer::Lost;
        let answered = self.events.iter().enumerate().filter(is_answered);
        let answered = answered.fold(0, |bits, (i, _)| bits | 1 << i);
        let (files, met) = (self.before.clone(), Rc::default());
        let search = Search { files, done: 0, answered, after, met: Rc::clone(&met) };
        let mut tester = LinearizabilityTester::new(search);
        let starts = self.events.iter().enumerate().map(|(i, event)| (event.start, true, i));
        let ends = self.events.iter().enumerate().map(|(i, event)| (event.end, false, i));
        let mut moments: Vec<_> = starts.chain(ends).collect();
        moments.sort_unstable();
        for (_, starts, i) in moments {
            let Event { thread, op, answer, .. } = &self.events[i];
            let recorded = match starts {
                true => tester.on_invoke(*thread, (i, op.clone())),
                false => tester.on_return(*thread, answer.clone()),
            };
            recorded.expect("a thread asks one thing after the other");
        }
        let is_linearizable = tester.is_consistent();
        (is_linearizable, met.borrow().len())
    }
}

/// The files, and which events led to them. The tester tries every order of events; where two
/// orders of the same events lead to the same files, what follows is tried once, else a history
/// without an order would take it forever.
#[derive(Clone)]
struct Search {
    files: Files,
    done: u64,
    /// The events with an answer.
    answered: u64,
    /// Of each event.
    after: Rc<[Option<usize>]>,
    met: Rc<RefCell<HashSet<(u64, Files)>>>,
}

impl SequentialSpec for Search {
    type Op = (usize, Op);
    type Ret = Answer;

    fn invoke(&mut self, (_, op): &Self::Op) -> Answer {
        self.files.invoke(op)
    }

    fn is_valid_step(&mut self, (i, op): &Self::Op, answer: &Answer) -> bool {
        let in_turn = self.after[*i].is_none_or(|before| self.done & 1 << before != 0);
        // What happens after all answers may as well not happen, and what changes nothing can wait for that.
        let is_late = self.done & self.answered == self.answered;
        self.done |= 1 << i;
        let is_valid = match answer {
            Answer::Lost => self.files.happens(op) || is_late,
            answer => self.files.is_valid_step(op, answer),
        };
        in_turn && is_valid && self.met.borrow_mut().insert((self.done, self.files.clone()))
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.before)?;
        for Event { thread, start, end, op, answer, after } in &self.events {
            let op = op.to_string();
            let after = after.map_or(String::new(), |start| format!("  after {start}"));
            writeln!(f, "{start:>4} ..{end:>4}  thread {thread}  {op:<24} {answer}{after}")?;
        }
        Ok(())
    }
}
