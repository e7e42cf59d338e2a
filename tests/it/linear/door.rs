//! How a request comes to the server: through an honest door, or through one that lies in a way
//! that a faulty server might.

use super::spec::{Answer, Name, Op};
use crate::random::Random;
use std::collections::HashMap;
use std::time::Duration;
use telefile::client::{self, Error, Snapshot};
use telefile::{Client, Clock, Exptime, Refusal, Version};

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Every other read is answered as the one before it.
    StaleRead,
    /// A cas that should be done is answered, and not done.
    UndoneCas,
    /// A cas looks first and writes then, and others may come between.
    TornCas,
    /// Every other delete is answered, and not done.
    LostDelete,
    /// A file that has expired is still read.
    Undead,
    /// Now and then a change is given the version of the one before it.
    RepeatedVersion,
}

pub(super) struct Door<'a> {
    client: &'a Client,
    clock: &'a Clock,
    fault: Option<Fault>,
    random: Random,
    /// What a read of a name gives, as far as is known here, and when that ends.
    known: HashMap<Name, (Answer, Option<Duration>)>,
    /// The latest version that a change was given.
    last: Option<Answer>,
}

impl<'a> Door<'a> {
    pub(super) fn new(
        client: &'a Client,
        clock: &'a Clock,
        fault: Option<Fault>,
        random: Random,
    ) -> Door<'a> {
        Door { client, clock, fault, random, known: HashMap::new(), last: None }
    }

    pub(super) fn ask(&mut self, op: &Op) -> Answer {
        match (self.fault, op) {
            (Some(Fault::StaleRead), Op::Read(name)) => self.stale_read(name),
            (Some(Fault::UndoneCas), Op::Cas(name, version, ..)) => self.undone_cas(name, *version),
            (Some(Fault::TornCas), Op::Cas(name, version, contents, life)) => {
                self.torn_cas(name, *version, *contents, *life)
            }
            (Some(Fault::LostDelete), Op::Delete(name, version)) => {
                self.lost_delete(name, *version)
            }
            (Some(Fault::Undead), _) => self.undead(op),
            (Some(Fault::RepeatedVersion), Op::Write(..) | Op::Cas(..)) => {
                self.repeated_version(op)
            }
            _ => self.honest(op),
        }
    }

    pub(super) fn is_honest(&self) -> bool {
        self.fault.is_none()
    }

    /// Sends requests together; their answers.
    pub(super) fn honest_at_once(&self, ops: &[Op]) -> Vec<Answer> {
        let contents = |op: &Op| match op {
            Op::Write(_, contents, _) | Op::Cas(_, _, contents, _) => contents.to_string(),
            _ => String::new(),
        };
        let contents: Vec<_> = ops.iter().map(contents).collect();
        let mut pipeline = self.client.pipeline();
        for (op, contents) in ops.iter().zip(&contents) {
            let added = match *op {
                Op::Read(name) => pipeline.read(name),
                Op::Write(name, _, life) => {
                    pipeline.write_expiring(name, contents, Exptime::from_seconds(life))
                }
                Op::Cas(name, version, _, 0) => pipeline.cas(name, Version(version), contents),
                Op::Cas(..) => unreachable!("a pipeline has no cas with a life"),
                Op::Delete(name, version) => pipeline.delete(name, version.map(Version)),
                Op::Touch(name, version, life) => {
                    pipeline.touch(name, Version(version), Exptime::from_seconds(life))
                }
                Op::Advance(_) | Op::Expire(..) => unreachable!("no client asks for that"),
            };
            added.unwrap();
        }
        let convert = |reply| match reply {
            client::Answer::Snapshot(snapshot) => read(&snapshot),
            client::Answer::Version(version) => Answer::Ok(version.0),
            client::Answer::Done => Answer::Done,
            _ => unreachable!("nobody asks for it"),
        };
        pipeline.send().map(|result| answer(result, convert)).collect()
    }

    fn honest(&self, op: &Op) -> Answer {
        match *op {
            Op::Read(name) => answer(self.client.read(name), |snapshot| read(&snapshot)),
            Op::Write(name, contents, life) => answer(
                self.client.write_expiring(name, contents.to_string(), Exptime::from_seconds(life)),
                |version| Answer::Ok(version.0),
            ),
            Op::Cas(name, version, contents, life) => {
                let (contents, life) = (contents.to_string(), Exptime::from_seconds(life));
                answer(
                    self.client.cas_expiring(name, Version(version), contents, life),
                    |version| Answer::Ok(version.0),
                )
            }
            Op::Delete(name, version) => {
                answer(self.client.delete(name, version.map(Version)), |()| Answer::Done)
            }
            Op::Touch(name, version, life) => answer(
                self.client.touch(name, Version(version), Exptime::from_seconds(life)),
                |version| Answer::Ok(version.0),
            ),
            Op::Advance(by) => {
                self.clock.advance(Duration::from_millis(by));
                Answer::Done
            }
            Op::Expire(..) => unreachable!("no client asks for that"),
        }
    }

    fn stale_read(&mut self, name: Name) -> Answer {
        if let Some((known, _)) = self.known.get(name)
            && self.random.below(2) == 0
        {
            return known.clone();
        }
        let read = self.honest(&Op::Read(name));
        self.known.insert(name, (read.clone(), None));
        read
    }

    /// The version of the file, 0 if there is none.
    fn version(&self, name: Name) -> u64 {
        match self.honest(&Op::Read(name)) {
            Answer::Contents(version, ..) => version,
            _ => 0,
        }
    }

    fn undone_cas(&self, name: Name, expected: u64) -> Answer {
        match self.version(name) {
            version if version == expected => Answer::Ok(version + 1),
            version => Answer::Version(version),
        }
    }

    fn torn_cas(&self, name: Name, expected: u64, contents: u64, life: u64) -> Answer {
        match self.version(name) {
            version if version == expected => self.honest(&Op::Write(name, contents, life)),
            version => Answer::Version(version),
        }
    }

    fn lost_delete(&mut self, name: Name, expected: Option<u64>) -> Answer {
        let version = self.version(name);
        if version > 0 && expected.is_none_or(|v| v == version) && self.random.below(2) == 0 {
            return Answer::Done;
        }
        self.honest(&Op::Delete(name, expected))
    }

    fn undead(&mut self, op: &Op) -> Answer {
        let now = self.clock.now();
        let answer = self.honest(op);
        let (name, seen, life) = match (op, &answer) {
            (Op::Read(name), Answer::NotFound) => return self.outlived(name).unwrap_or(answer),
            (Op::Read(name), Answer::Contents(.., left)) => (*name, answer.clone(), *left),
            (
                Op::Write(name, contents, life) | Op::Cas(name, _, contents, life),
                Answer::Ok(version),
            ) => (*name, Answer::Contents(*version, *contents, 1), *life),
            _ => return answer,
        };
        let until = (life > 0).then(|| now + Duration::from_secs(life));
        self.known.insert(name, (seen, until));
        answer
    }

    /// What was known of a file whose life is over.
    fn outlived(&self, name: Name) -> Option<Answer> {
        let (known, until) = self.known.get(name)?;
        (self.clock.now() >= (*until)?).then(|| known.clone())
    }

    fn repeated_version(&mut self, op: &Op) -> Answer {
        let answer = self.honest(op);
        if !matches!(answer, Answer::Ok(_)) {
            return answer;
        }
        match &self.last {
            Some(last) if self.random.below(4) == 0 => last.clone(),
            _ => self.last.insert(answer).clone(),
        }
    }
}

fn read(snapshot: &Snapshot) -> Answer {
    let contents = std::str::from_utf8(&snapshot.contents).ok().and_then(|s| s.parse().ok());
    let contents = contents.expect("contents that somebody wrote");
    let left = match snapshot.exptime {
        Exptime::Never => 0,
        Exptime::Seconds(left) => left,
        Exptime::Connection => panic!("nobody has asked for that"),
    };
    Answer::Contents(snapshot.version.0, contents, left)
}

fn answer<T>(result: Result<T, Error>, success: impl FnOnce(T) -> Answer) -> Answer {
    match result {
        Ok(value) => success(value),
        Err(error) => match error.refusal() {
            Some(Refusal::NotFound) => Answer::NotFound,
            Some(Refusal::Version(version)) => Answer::Version(version.0),
            _ => panic!("{error}"),
        },
    }
}
