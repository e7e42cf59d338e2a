//! What clients asked and were answered, and whether the versions put it all into one order.
//!
//! Every change has a version, and every answer has one. So no search for an order is needed, as in
//! `tests/it/linear`, and a history may be long and have requests without an answer: the versions have to
//! agree with the times, and each version has one contents.

use std::collections::HashMap;

/// A request, and what is known of it. Contents are numbers that no other change has.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// When it was sent and when its answer came, or its connection ended; in nanoseconds.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) file: usize,
    pub(super) op: Op,
    pub(super) answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    Read,
    Write(u64),
    /// The version that is expected, and the contents.
    Cas(u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    /// A change is made, and this is its version.
    Done(u64),
    /// The version, and the contents; those of version 0 mean nothing.
    Found(u64, u64),
    /// The file is at this version: a refused cas says so, and a list.
    IsAt(u64),
    /// None: what was asked for may have been done.
    Lost,
}

impl Event {
    /// Returns the version at which the file was at some moment of the request.
    fn version(&self) -> Option<u64> {
        match self.answer {
            Answer::Done(version) | Answer::Found(version, _) | Answer::IsAt(version) => {
                Some(version)
            }
            Answer::Lost => None,
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.answer, Answer::Done(_))
    }

    fn contents(&self) -> Option<u64> {
        match self.op {
            Op::Read => None,
            Op::Write(contents) | Op::Cas(_, contents) => Some(contents),
        }
    }
}

/// Returns what no server of one table can have answered; nothing if all is well.
pub(super) fn contradictions(events: &[Event]) -> Vec<String> {
    let mut found = Vec::new();
    versions_have_one_contents(events, &mut found);
    order_agrees_with_time(events, &mut found);
    cas_replaces_what_it_expects(events, &mut found);
    found
}

fn versions_have_one_contents(events: &[Event], found: &mut Vec<String>) {
    let asked: HashMap<u64, &Event> =
        events.iter().filter_map(|event| Some((event.contents()?, event))).collect();
    // A version belongs to one file of the table, and has one contents.
    let mut versions: HashMap<u64, (usize, u64)> = HashMap::new();
    let mut places: HashMap<u64, u64> = HashMap::new();
    let mut done: HashMap<u64, &Event> = HashMap::new();
    for event in events {
        let (version, contents) = match (event.answer, event.op) {
            (Answer::Found(version, contents), _) if version > 0 => (version, contents),
            (Answer::Done(version), Op::Write(contents) | Op::Cas(_, contents)) => {
                if let Some(other) = done.insert(version, event) {
                    found.push(format!("one version for two changes: {other:?}, {event:?}"));
                }
                (version, contents)
            }
            _ => continue,
        };
        let is = (event.file, contents);
        let known = *versions.entry(version).or_insert(is);
        if known != is {
            found.push(format!("version {version} is {known:?} and {is:?}: {event:?}"));
        }
        let place = *places.entry(contents).or_insert(version);
        if place != version {
            found.push(format!("contents {contents} have versions {place} and {version}"));
        }
        match asked.get(&contents) {
            None => found.push(format!("nobody wrote this: {event:?}")),
            Some(change) if matches!(change.answer, Answer::IsAt(_)) => {
                found.push(format!("it was refused, {change:?}, and is there: {event:?}"));
            }
            Some(change) if event.end < change.start => {
                found.push(format!("seen before it was asked for, {change:?}: {event:?}"));
            }
            Some(_) => {}
        }
    }
}

/// A request that begins after another one has ended sees no older version of its file. The version of a
/// change is above those of all answers before it, of any file.
fn order_agrees_with_time(events: &[Event], found: &mut Vec<String>) {
    let mut ends: Vec<&Event> = events.iter().filter(|event| event.version().is_some()).collect();
    let mut starts = ends.clone();
    ends.sort_by_key(|event| event.end);
    starts.sort_by_key(|event| event.start);
    let mut ended = ends.into_iter().peekable();
    // The latest so far: of each file, and of all changes.
    let mut files: HashMap<usize, &Event> = HashMap::new();
    let mut latest: Option<&Event> = None;
    for event in starts {
        while let Some(before) = ended.next_if(|before| before.end < event.start) {
            let of_file = files.entry(before.file).or_insert(before);
            if before.version() > of_file.version() {
                *of_file = before;
            }
            if before.version() > latest.and_then(Event::version) {
                latest = Some(before);
            }
        }
        if let Some(before) = files.get(&event.file).filter(|b| b.version() > event.version()) {
            found.push(format!("an old version is seen: {before:?}, and then {event:?}"));
        }
        if let Some(before) = latest.filter(|b| event.is_done() && b.version() >= event.version()) {
            found.push(format!("a change has no later version: {before:?}, and then {event:?}"));
        }
    }
}

fn cas_replaces_what_it_expects(events: &[Event], found: &mut Vec<String>) {
    let mut versions: HashMap<usize, Vec<u64>> = HashMap::new();
    for event in events {
        versions.entry(event.file).or_default().extend(event.version());
    }
    versions.values_mut().for_each(|versions| versions.sort_unstable());
    for event in events {
        let (Op::Cas(expected, _), Answer::Done(version)) = (event.op, event.answer) else {
            continue;
        };
        let known = &versions[&event.file];
        let next = known.partition_point(|known| *known <= expected);
        if known[next] != version {
            found.push(format!("version {} is between those of {event:?}", known[next]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns events of one file, each as long as it says.
    fn history(events: &[(u64, u64, Op, Answer)]) -> Vec<Event> {
        let event = |&(start, end, op, answer)| Event { start, end, file: 0, op, answer };
        events.iter().map(event).collect()
    }

    #[test]
    fn an_honest_history_has_no_contradiction() {
        let events = history(&[
            (0, 9, Op::Write(1), Answer::Done(1)),
            (1, 8, Op::Read, Answer::Found(0, 0)),
            (2, 7, Op::Read, Answer::Found(1, 1)),
            (10, 30, Op::Write(2), Answer::Lost),
            (11, 12, Op::Write(3), Answer::Lost),
            (31, 32, Op::Read, Answer::Found(2, 2)),
            (33, 34, Op::Cas(1, 4), Answer::IsAt(2)),
            (35, 36, Op::Cas(2, 5), Answer::Done(5)),
            (37, 38, Op::Read, Answer::Found(5, 5)),
        ]);
        assert_eq!(contradictions(&events), Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_fault_is_found() {
        for (events, word) in [
            // An acknowledged write is lost.
            (
                vec![
                    (0, 1, Op::Write(1), Answer::Done(1)),
                    (2, 3, Op::Write(2), Answer::Done(2)),
                    (4, 5, Op::Read, Answer::Found(1, 1)),
                ],
                "an old version is seen",
            ),
            // It is lost, and its version is given again.
            (
                vec![(0, 1, Op::Write(1), Answer::Done(1)), (2, 3, Op::Write(2), Answer::Done(1))],
                "one version for two changes",
            ),
            // A change that was refused is made.
            (
                vec![
                    (0, 1, Op::Write(1), Answer::Done(1)),
                    (2, 3, Op::Cas(7, 2), Answer::IsAt(1)),
                    (4, 5, Op::Read, Answer::Found(2, 2)),
                ],
                "it was refused",
            ),
            // A change without an answer is made twice.
            (
                vec![
                    (0, 1, Op::Write(1), Answer::Lost),
                    (2, 3, Op::Read, Answer::Found(1, 1)),
                    (4, 5, Op::Read, Answer::Found(2, 1)),
                ],
                "have versions 1 and 2",
            ),
            // Two servers are active.
            (
                vec![
                    (0, 1, Op::Write(1), Answer::Done(1)),
                    (2, 5, Op::Cas(1, 2), Answer::Done(2)),
                    (3, 5, Op::Cas(1, 3), Answer::Done(3)),
                ],
                "is between those",
            ),
            (vec![(0, 1, Op::Read, Answer::Found(1, 1))], "nobody wrote"),
            (
                vec![(0, 1, Op::Read, Answer::Found(1, 1)), (2, 3, Op::Write(1), Answer::Lost)],
                "before it was asked for",
            ),
            (
                vec![(0, 1, Op::Write(1), Answer::Done(2)), (2, 3, Op::Write(2), Answer::Done(1))],
                "no later version",
            ),
        ] {
            let found = contradictions(&history(&events));
            assert!(found.iter().any(|found| found.contains(word)), "{word}: {found:?}");
        }
    }
}
