//! What the server promises to one client alone: the files as an object that takes one step at a
//! time.

use stateright::semantics::SequentialSpec;
use std::collections::BTreeMap;
use std::fmt;

pub(crate) type Name = &'static str;

/// A request, or a step of the clock. Contents are numbers, lives are seconds, 0 is forever. Versions
/// are plain numbers too, because people write histories.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Read(Name),
    Write(Name, u64, u64),
    Cas(Name, u64, u64, u64),
    Delete(Name, Option<u64>),
    Touch(Name, u64, u64),
    /// By this many milliseconds.
    Advance(u64),
    /// The server ends the file with these contents, because a time or a connection is over.
    Expire(Name, u64),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Ok(u64),
    Done,
    /// The version, the contents, the seconds that remain.
    Contents(u64, u64, u64),
    NotFound,
    Version(u64),
    /// None came.
    Lost,
}

/// Every file at one moment. Those that have expired are not among them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Files {
    /// The latest version in a reply, and one for each delete since.
    last: u64,
    /// Files that have expired and may not have taken their version yet: the server does that at any
    /// time, without a reply.
    unnumbered: u64,
    /// Milliseconds.
    now: u64,
    files: BTreeMap<Name, File>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct File {
    version: u64,
    /// It is this version. Otherwise it is this one or a later one: its change has no answer.
    is_exact: bool,
    contents: u64,
    deadline: Option<u64>,
}

impl Files {
    /// No files, after `last` changes.
    pub(crate) fn none(last: u64) -> Files {
        Files { last, unnumbered: 0, now: 0, files: BTreeMap::new() }
    }

    /// No files among others, which take any number of versions at any time.
    pub(crate) fn among_others() -> Files {
        Files { unnumbered: u64::MAX / 2, ..Files::none(0) }
    }

    fn version(&self, name: Name) -> u64 {
        self.files.get(name).map_or(0, |file| file.version)
    }

    fn deadline(&self, life: u64) -> Option<u64> {
        (life > 0).then_some(self.now + life * 1000)
    }

    fn read(&self, name: Name) -> Answer {
        let Some(file) = self.files.get(name) else { return Answer::NotFound };
        let left = file.deadline.map_or(0, |at| (at - self.now).div_ceil(1000));
        Answer::Contents(file.version, file.contents, left)
    }

    fn write(&mut self, name: Name, contents: u64, life: u64) -> Answer {
        self.last += 1;
        let (version, deadline) = (self.last, self.deadline(life));
        self.files.insert(name, File { version, is_exact: true, contents, deadline });
        Answer::Ok(version)
    }

    fn delete(&mut self, name: Name, expected: Option<u64>) -> Answer {
        match self.version(name) {
            0 => Answer::NotFound,
            version if expected.is_some_and(|v| v != version) => Answer::Version(version),
            _ => {
                self.files.remove(name);
                self.last += 1;
                Answer::Done
            }
        }
    }

    fn touch(&mut self, name: Name, expected: u64, life: u64) -> Answer {
        let deadline = self.deadline(life);
        match self.files.get_mut(name) {
            None => Answer::NotFound,
            Some(file) if file.version != expected => Answer::Version(file.version),
            Some(file) => {
                file.deadline = deadline;
                Answer::Ok(file.version)
            }
        }
    }

    fn advance(&mut self, by: u64) -> Answer {
        self.now += by;
        let (before, now) = (self.files.len(), self.now);
        self.files.retain(|_, file| file.deadline.is_none_or(|at| now < at));
        self.unnumbered += (before - self.files.len()) as u64;
        Answer::Done
    }

    fn expire(&mut self, name: Name, contents: u64) -> Answer {
        match self.files.get(name) {
            Some(file) if file.contents == contents => self.delete(name, None),
            _ => Answer::NotFound,
        }
    }

    /// Does what was asked for without an answer. Returns whether anything has changed.
    pub(crate) fn happens(&mut self, op: &Op) -> bool {
        if let Op::Cas(name, expected, ..)
        | Op::Delete(name, Some(expected))
        | Op::Touch(name, expected, _) = op
        {
            self.learn(name, *expected);
        }
        let answer = self.invoke(op);
        if let (Op::Write(name, ..) | Op::Cas(name, ..), Answer::Ok(_)) = (op, &answer)
            && let Some(file) = self.files.get_mut(name)
        {
            file.is_exact = false;
        }
        matches!(answer, Answer::Ok(_) | Answer::Done)
    }

    /// Takes this for the version of a file, if that is not known and may be this one.
    fn learn(&mut self, name: Name, version: u64) {
        let taken = version.saturating_sub(self.last);
        if let Some(file) = self.files.get_mut(name)
            && !file.is_exact
            && version >= file.version
            && taken <= self.unnumbered
        {
            (file.version, file.is_exact) = (version, true);
            self.last += taken;
            self.unnumbered -= taken;
        }
    }

    /// Lets expired files take the versions up to the one before `version`; whether there are as
    /// many.
    fn number_up_to(&mut self, version: u64) -> bool {
        match version.checked_sub(self.last + 1) {
            Some(taken) if taken <= self.unnumbered => {
                self.last += taken;
                self.unnumbered -= taken;
                true
            }
            _ => false,
        }
    }
}

impl SequentialSpec for Files {
    type Op = Op;
    type Ret = Answer;

    fn invoke(&mut self, op: &Op) -> Answer {
        match *op {
            Op::Read(name) => self.read(name),
            Op::Write(name, contents, life) => self.write(name, contents, life),
            Op::Cas(name, version, contents, life) => match self.version(name) {
                current if current != version => Answer::Version(current),
                _ => self.write(name, contents, life),
            },
            Op::Delete(name, version) => self.delete(name, version),
            Op::Touch(name, version, life) => self.touch(name, version, life),
            Op::Advance(by) => self.advance(by),
            Op::Expire(name, contents) => self.expire(name, contents),
        }
    }

    fn is_valid_step(&mut self, op: &Op, answer: &Answer) -> bool {
        if let Some((name, version)) = version_before(op, answer) {
            self.learn(name, version);
        }
        if let (Op::Write(..) | Op::Cas(..), Answer::Ok(version)) = (op, answer)
            && !self.number_up_to(*version)
        {
            return false;
        }
        self.invoke(op) == *answer
    }
}

/// Returns which file was at which version before a request, according to its answer.
fn version_before(op: &Op, answer: &Answer) -> Option<(Name, u64)> {
    match (op, answer) {
        (Op::Read(name), Answer::Contents(version, ..))
        | (Op::Touch(name, ..), Answer::Ok(version))
        | (
            Op::Cas(name, ..) | Op::Delete(name, _) | Op::Touch(name, ..),
            Answer::Version(version),
        )
        | (Op::Cas(name, version, ..), Answer::Ok(_))
        | (Op::Delete(name, Some(version)), Answer::Done) => Some((name, *version)),
        _ => None,
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Read(name) => write!(f, "read {name}"),
            Op::Write(name, contents, life) => write!(f, "write {name} '{contents}' {life}"),
            Op::Cas(name, version, contents, life) => {
                write!(f, "cas {name} {version} '{contents}' {life}")
            }
            Op::Delete(name, None) => write!(f, "delete {name}"),
            Op::Delete(name, Some(version)) => write!(f, "delete {name} {version}"),
            Op::Touch(name, version, life) => write!(f, "touch {name} {version} {life}"),
            Op::Advance(by) => write!(f, "{by} ms pass"),
            Op::Expire(name, contents) => write!(f, "end of {name} with '{contents}'"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Ok(version) => write!(f, "OK {version}"),
            Answer::Done => write!(f, "OK"),
            Answer::Contents(version, contents, left) => {
                write!(f, "CONTENTS {version} '{contents}' {left}")
            }
            Answer::NotFound => write!(f, "ERR_FILE_NOT_FOUND"),
            Answer::Version(version) => write!(f, "ERR_VERSION {version}"),
            Answer::Lost => write!(f, "no answer"),
        }
    }
}
