//! Requests at random, decided one upon the other before any is seen, on a disk with little room:
//! whatever is refused for that, the others are answered as if those had not been asked.

use super::*;
use crate::files::state::expiry::End;
use crate::files::tests::BY;
use proptest::prelude::*;
use std::collections::BTreeMap;

const NAMES: [&str; 2] = ["a", "b"];

/// Whose files may end with it.
fn client() -> ClientId {
    ClientId::new(7)
}

/// Half of a file's life.
const WHILE: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug)]
enum Op {
    Write {
        name: usize,
        guard: Option<Guard>,
        bytes: usize,
        expiry: Expiry,
    },
    Touch {
        name: usize,
        guard: Guard,
        expiry: Expiry,
    },
    Delete {
        name: usize,
        guard: Option<Guard>,
    },
    Read {
        name: usize,
    },
    /// A [`WHILE`] passes.
    Wait,
}

/// Which version a request expects.
#[derive(Clone, Copy, Debug)]
enum Guard {
    Latest,
    Before,
    Absent,
}

fn op() -> impl Strategy<Value = Op> {
    let name = || 0..NAMES.len();
    let guard = || prop_oneof![4 => Just(Guard::Latest), 1 => Just(Guard::Before), 1 => Just(Guard::Absent)];
    let expiry = || {
        let with = Expiry::With(client());
        prop::sample::select(vec![Expiry::Never, Expiry::Never, Expiry::Seconds(1), with])
    };
    let bytes = prop_oneof![6 => 0..STORED_FROM, 1 => STORED_FROM..2 * STORED_FROM];
    prop_oneof![
        6 => (name(), prop::option::of(guard()), bytes, expiry())
            .prop_map(|(name, guard, bytes, expiry)| Op::Write { name, guard, bytes, expiry }),
        2 => (name(), guard(), expiry())
            .prop_map(|(name, guard, expiry)| Op::Touch { name, guard, expiry }),
        4 => (name(), prop::option::of(guard())).prop_map(|(name, guard)| Op::Delete { name, guard }),
        3 => name().prop_map(|name| Op::Read { name }),
        1 => Just(Op::Wait),
    ]
}

/// A request and when it was decided.
struct Asked {
    name: &'static str,
    what: What,
    at: Duration,
    decided: Decided<Answer>,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Write(Option<u64>, usize, Expiry),
    Touch(u64, Expiry),
    Delete(Option<u64>),
    Read,
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    At(u64),
    Gone,
    Contents(u64, usize),
}

/// One who asks, and remembers what versions each name had.
struct Asker<'a> {
    table: &'a Table,
    clock: &'a Clock,
    versions: BTreeMap<&'static str, Vec<u64>>,
    asked: Vec<Asked>,
}

impl Asker<'_> {
    fn version(&self, name: &str, guard: Guard) -> u64 {
        let versions = self.versions.get(name).map_or(&[][..], |versions| versions);
        match guard {
            Guard::Latest => versions.last().copied().unwrap_or(0),
            Guard::Before => versions.iter().rev().nth(1).copied().unwrap_or(0),
            Guard::Absent => 0,
        }
    }

    fn ask(&mut self, op: Op) {
        let expected = |name, guard: Option<Guard>| guard.map(|guard| self.version(name, guard));
        let (name, what) = match op {
            Op::Wait => return self.clock.advance(WHILE),
            Op::Read { name } => (NAMES[name], What::Read),
            Op::Write { name, guard, bytes, expiry } => {
                (NAMES[name], What::Write(expected(NAMES[name], guard), bytes, expiry))
            }
            Op::Touch { name, guard, expiry } => {
                (NAMES[name], What::Touch(self.version(NAMES[name], guard), expiry))
            }
            Op::Delete { name, guard } => (NAMES[name], What::Delete(expected(NAMES[name], guard))),
        };
        let (file, at) = (super::name(name), self.clock.now());
        let decided = match what {
            What::Write(expected, bytes, expiry) => {
                let contents = Contents::from(vec![0; bytes]);
                let decided = match expected {
                    Some(version) => self.table.cas(file, version, contents, expiry, BY),
                    None => self.table.write(file, contents, expiry, BY),
                };
                at_once(decided).map(Answer::At)
            }
            What::Touch(version, expiry) => {
                at_once(self.table.touch(file, version, expiry)).map(Answer::At)
            }
            What::Delete(expected) => {
                at_once(self.table.delete(file, expected)).map(|()| Answer::Gone)
            }
            What::Read => match self.table.read_in_turn(file) {
                Some(decided) => decided.map(read),
                None => return, // it would have to wait
            },
        };
        if let (What::Write(..), Ok(Answer::At(version))) = (what, &decided.outcome) {
            self.versions.entry(name).or_default().push(*version);
        }
        self.asked.push(Asked { name, what, at, decided });
    }
}

/// Also of what is refused at once.
fn at_once<T>(decided: Result<Decided<T>, Refusal>) -> Decided<T> {
    decided.unwrap_or_else(|refusal| Decided { outcome: Err(refusal), ticket: Ticket::DONE })
}

fn read(looked: Looked) -> Answer {
    Answer::Contents(looked.stat.version, looked.contents.len())
}

fn seen(decided: Decided<Answer>) -> Result<Answer, Refusal> {
    decided.ticket.hurry();
    match decided.ticket.outcome()? {
        Some(instead) => Ok(read(instead)),
        None => decided.outcome,
    }
}

/// The files as they have to be.
#[derive(Debug, Default)]
struct Files(BTreeMap<&'static str, File>);

#[derive(Clone, Copy, Debug)]
struct File {
    version: u64,
    bytes: usize,
    end: Option<End>,
}

impl Files {
    fn at(&self, name: &str, now: Duration) -> Option<File> {
        let file = self.0.get(name).copied();
        file.filter(|file| !file.end.is_some_and(|end| end.is_over(now)))
    }

    /// Whether this may be the answer at this time; 0 is the version of a write.
    fn expects(&self, name: &str, what: What, now: Duration) -> Result<Answer, Refusal> {
        let file = self.at(name, now);
        let guarded = |expected: Option<u64>, answer| match expected {
            Some(v) if v != file.map_or(0, |file| file.version) => {
                Err(Refusal::Version(file.map_or(Version(0), |file| Version(file.version))))
            }
            _ => Ok(answer),
        };
        match (what, file) {
            (What::Write(expected, ..), _) => guarded(expected, Answer::At(0)),
            (_, None) => Err(Refusal::NotFound),
            (What::Touch(version, _), _) => guarded(Some(version), Answer::At(version)),
            (What::Delete(expected), _) => guarded(expected, Answer::Gone),
            (What::Read, Some(file)) => Ok(Answer::Contents(file.version, file.bytes)),
        }
    }

    /// Takes a request with its answer. It is known by `until` that there is no room for a change,
    /// and others are judged again.
    fn take(&mut self, asked: Asked, until: Duration) {
        let Asked { name, what, at, decided } = asked;
        // What was to be refused for another reason has no version of its own.
        let needs_room = match what {
            What::Read => false,
            What::Delete(None) => decided.outcome.is_err(),
            _ => true,
        };
        let answer = seen(decided);
        if answer == Err(Refusal::Limit(Limit::Data, MAX)) {
            return assert!(needs_room, "{name} {what:?} needs no room\n{self:?}");
        }
        let shown = match (what, &answer) {
            (What::Write(..), Ok(Answer::At(_))) => Ok(Answer::At(0)),
            _ => answer.clone(),
        };
        let right = [at, until].map(|time| self.expects(name, what, time));
        assert!(right.contains(&shown), "{name} {what:?}: {answer:?} and not {right:?}\n{self:?}");
        let end = |expiry| match expiry {
            Expiry::Never => None,
            Expiry::Seconds(n) => Some(End::At(at + Duration::from_secs(n))),
            Expiry::With(client) => Some(End::With(client)),
        };
        match (what, answer) {
            (What::Write(_, bytes, expiry), Ok(Answer::At(version))) => {
                let before = self.0.insert(name, File { version, bytes, end: end(expiry) });
                assert!(before.is_none_or(|before| before.version < version));
            }
            (What::Touch(_, expiry), Ok(_)) => self.0.get_mut(name).unwrap().end = end(expiry),
            (What::Delete(_), Ok(_)) => drop(self.0.remove(name)),
            _ => {}
        }
    }

    fn check(&self, table: &Table, now: Duration) {
        let changes = changes(table, 0);
        assert!(changes.is_sorted_by(|a, b| a.0 < b.0), "{changes:?}");
        for name in NAMES {
            let is = table.read(super::name(name), BY).ok();
            let is = is.map(|(stat, contents)| (stat.version, contents.len(), stat.exptime));
            let file = self.at(name, now);
            let exptime = |end: Option<End>| end.map_or(Exptime::Never, |end| end.exptime(now));
            let right = file.map(|file| (file.version, file.bytes, exptime(file.end)));
            assert_eq!(is, right, "{name}");
            let last: Vec<_> = changes.iter().filter(|change| change.1 == name).collect();
            assert!(last.len() <= 1, "{last:?}");
            let last = last.first().map(|(version, _, gone)| (!gone).then_some(*version));
            assert_eq!(last.flatten(), file.map(|file| file.version), "{changes:?}");
        }
    }
}

/// The maximum of the disk that refusals show.
const MAX: u64 = 77;

/// Decides some requests for a commit, and others while that runs.
fn check(before: &[Op], first: &[Op], second: &[Op], room: Option<usize>) {
    let (disk, clock) = (Arc::new(Disk::default()), Clock::manual());
    let mut files = Files::default();
    let ((), committed) = with(&disk, &clock, |table| {
        let mut asker = Asker { table, clock: &clock, versions: BTreeMap::new(), asked: vec![] };
        for op in before {
            asker.ask(*op);
            asker.asked.drain(..).for_each(|asked| files.take(asked, clock.now()));
        }
        drop(table.lock_swept()); // what is over would wait to be removed
        disk.gate(NameRef::new("gate").unwrap().to_name());
        let gate = || super::write(table, "gate", "").unwrap().outcome.unwrap();
        let gated = gate();
        disk.wait_gated(gated);
        for name in 0..NAMES.len() {
            // From now on nothing waits.
            asker.ask(Op::Write { name, guard: None, bytes: 1, expiry: Expiry::Never });
        }
        first.iter().for_each(|op| asker.ask(*op));
        let next = gate();
        disk.fill(room.map(|left| Full { max: MAX, left: Some(left) }));
        disk.pass(gated);
        disk.wait_gated(next);
        second.iter().for_each(|op| asker.ask(*op));
        disk.pass(u64::MAX);
        let until = clock.now();
        asker.asked.into_iter().for_each(|asked| files.take(asked, until));
        disk.fill(None);
        files.check(table, until);
        table.end_client(client());
        files.0.retain(|_, file| file.end != Some(End::With(client())));
        files.check(table, until);
    });
    committed.unwrap();
    let ((), committed) = with(&disk, &Clock::manual(), |table| {
        let time = table.lock().now();
        files.check(table, time);
    });
    committed.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]
    #[test]
    fn requests_are_answered_as_if_those_without_room_had_not_been_asked(
        before in prop::collection::vec(op(), 0..4),
        first in prop::collection::vec(op(), 0..8),
        second in prop::collection::vec(op(), 0..8),
        room in prop::option::weighted(0.7, 0..250_usize),
    ) {
        check(&before, &first, &second, room);
    }
}
