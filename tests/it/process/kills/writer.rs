//! A client that changes files in all possible ways, until the server is killed.

use super::book::Book;
use super::change::{Body, Change, Lease, exptime};
use super::owned::Owned;
use super::uptime::Uptime;
use crate::random::Random;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard};
use telefile::client::{Answer, Error, OpenFile, Pipeline};
use telefile::net::Address;
use telefile::{Client, Exptime, Refusal, Version};

/// The number of names of each writer, and of shared names.
const NAMES: usize = 6;

/// The most files that a writer has created by `create` and not deleted yet.
const MAX_CREATED: usize = 12;

pub(super) struct Writer {
    pub(super) id: u64,
    random: Random,
    marks: u64,
    pub(super) owned: Owned,
    /// Names that must not survive a kill, with their versions.
    pub(super) passing: Vec<(String, Version)>,
}

impl Writer {
    pub(super) fn new(id: u64, random: Random) -> Writer {
        Writer { id, random, marks: 0, owned: Owned::default(), passing: Vec::new() }
    }

    pub(super) fn owns(&self, name: &str) -> bool {
        name.starts_with(&format!("own{}/", self.id)) || name.starts_with(&self.prefix())
    }

    /// The prefix of created names.
    fn prefix(&self) -> String {
        format!("created{}/", self.id)
    }

    /// Changes files until the connection is lost.
    pub(super) fn go(&mut self, address: &Address, uptime: Uptime, book: &Mutex<Book>) {
        let client = match Client::connect_to(address) {
            Ok(client) => client,
            Err(Error::Connect(_) | Error::Lost(_)) => return,
            Err(e) => panic!("{e}"),
        };
        let session = Session { client: &client, uptime, book };
        let Err(error) = self.try_go(&session);
        assert!(matches!(error, Error::Lost(_)), "writer {}: {error}", self.id);
    }

    fn try_go(&mut self, session: &Session<'_>) -> Result<Infallible, Error> {
        let _open = self.pass(session)?;
        loop {
            match self.random.below(20) {
                0..=6 => self.one(session)?,
                7..=9 => self.create(session)?,
                10..=14 => self.many(session)?,
                15 => self.unname(session)?,
                _ => self.share(session)?,
            }
        }
    }

    /// Creates files that no restart keeps: an ephemeral file, and one of a file type.
    fn pass(&mut self, session: &Session<'_>) -> Result<OpenFile, Error> {
        let name = format!("passing/{}", self.id);
        let version = session.client.write_expiring(&name[..], "here", Exptime::Connection)?;
        session.book().acknowledge(version, &name, None);
        self.passing.push((name, version));
        let name = format!("passing/code{}", self.id);
        let open = session.client.open(&name, Some("File"))?;
        session.book().acknowledge(open.version(), &name, None);
        self.passing.push((name, open.version()));
        Ok(open)
    }

    fn body(&mut self) -> Body {
        self.marks += 1;
        Body::new(self.id << 48 | self.marks, &mut self.random)
    }

    fn name(&mut self, names: usize) -> String {
        format!("own{}/{}", self.id, self.random.below(names))
    }

    fn lease(&mut self, uptime: Uptime) -> Option<Lease> {
        let seconds = 1000 + self.random.below(100_000_u64);
        (self.random.below(3) == 0).then(|| Lease { seconds, sent: uptime.now() })
    }

    /// Returns the next change to one of the first `names` of its own.
    fn draw(&mut self, names: usize, uptime: Uptime) -> Change {
        let name = self.name(names);
        match (self.owned.expected(&name), self.random.below(6)) {
            (Some(known), 0) => {
                Change::Delete { name, version: known.filter(|_| self.random.below(2) == 0) }
            }
            (Some(Some(version)), 1) => Change::Touch { name, version, lease: self.lease(uptime) },
            (known, n) => {
                let (cas, body) = (known.flatten().filter(|_| n < 4), self.body());
                Change::Write { name, cas, body, lease: self.lease(uptime) }
            }
        }
    }

    fn one(&mut self, session: &Session<'_>) -> Result<(), Error> {
        let change = self.draw(NAMES, session.uptime);
        self.owned.send(change.clone());
        let version = session.ask(&change)?;
        self.owned.settle(version, None, &mut session.book());
        Ok(())
    }

    /// Sends changes to a few or several names in one pipeline.
    fn many(&mut self, session: &Session<'_>) -> Result<(), Error> {
        let (count, names) = (2 + self.random.below(14), 1 + self.random.below(NAMES));
        // Short changes arrive with those before them, and share their commit.
        let max_length = if self.random.below(2) == 0 { 200 } else { usize::MAX };
        let mut changes = Vec::new();
        for _ in 0..count {
            let change = for_pipeline(self.draw(names, session.uptime), max_length);
            self.owned.send(change.clone());
            changes.push((change.bytes(), change));
        }
        let mut pipeline = session.client.pipeline();
        for (bytes, change) in &changes {
            add(&mut pipeline, change, bytes)?;
        }
        for answer in pipeline.send() {
            let version = match answer? {
                Answer::Version(version) => Some(version),
                Answer::Done => None,
                other => panic!("{other:?}"),
            };
            self.owned.settle(version, None, &mut session.book());
        }
        Ok(())
    }

    /// Creates a name that the server chooses, or deletes one.
    fn create(&mut self, session: &Session<'_>) -> Result<(), Error> {
        let prefix = self.prefix();
        let made = self.owned.files.keys().filter(|name| name.starts_with(&prefix));
        let made: Vec<String> = made.cloned().collect();
        if made.len() >= MAX_CREATED {
            let name = made[self.random.below(made.len())].clone();
            let change = Change::Delete { name, version: None };
            self.owned.send(change.clone());
            session.ask(&change)?;
            self.owned.settle(None, None, &mut session.book());
            return Ok(());
        }
        let body = self.body().with_mark();
        self.owned.send(Change::Create { prefix: prefix.clone(), body });
        let (version, name) = session.client.create(&prefix, body.bytes(), Exptime::Never)?;
        self.owned.settle(Some(version), Some(&name), &mut session.book());
        Ok(())
    }

    /// Deletes the name of an open file, and changes the file: such versions have no name.
    fn unname(&mut self, session: &Session<'_>) -> Result<(), Error> {
        let name = self.name(NAMES);
        if !self.owned.files.contains_key(&name) {
            return Ok(());
        }
        let open = session.client.open(&name, None)?;
        let change = Change::Delete { name: name.clone(), version: None };
        self.owned.send(change.clone());
        session.ask(&change)?;
        self.owned.settle(None, None, &mut session.book());
        for _ in 0..2 {
            let body = self.body();
            let version = open.write(body.bytes())?;
            session.book().acknowledge(version, &name, Some(body.mark));
        }
        open.close()
    }

    /// Changes a shared name.
    fn share(&mut self, session: &Session<'_>) -> Result<(), Error> {
        let name = format!("shared/{}", self.random.below(NAMES));
        let before = session.look(&name)?;
        let body = self.body().with_mark();
        session.book().attempt(&name, body);
        let written = match self.random.below(2) {
            0 => session.client.write(&name[..], body.bytes()),
            _ => session.client.cas(&name[..], before, body.bytes()),
        };
        let version = match written {
            Err(Error::Refused { refusal: Refusal::Version(now), .. }) => {
                assert!(now > before, "{name} went from {before} to {now}");
                session.book().refuse(body.mark);
                return Ok(());
            }
            version => version?,
        };
        assert!(version > before, "{name} went from {before} to {version}");
        session.book().acknowledge_shared(version, body.mark);
        Ok(())
    }
}

/// A connection, and what all writers share.
struct Session<'a> {
    client: &'a Client,
    uptime: Uptime,
    book: &'a Mutex<Book>,
}

impl Session<'_> {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    /// Sends a single change. Returns its version, if it has one.
    fn ask(&self, change: &Change) -> Result<Option<Version>, Error> {
        let bytes = change.bytes();
        let version = match change {
            Change::Write { name, cas: Some(version), lease, .. } => {
                self.client.cas_expiring(&name[..], *version, bytes, exptime(*lease))
            }
            Change::Write { name, lease, .. } => {
                self.client.write_expiring(&name[..], bytes, exptime(*lease))
            }
            Change::Touch { name, version, lease } => {
                self.client.touch(&name[..], *version, exptime(*lease))
            }
            Change::Delete { name, version } => {
                return self.client.delete(&name[..], *version).map(|()| None);
            }
            Change::Create { .. } => unreachable!("it has another answer"),
        };
        version.map(Some)
    }

    /// Returns the version of a shared name.
    fn look(&self, name: &str) -> Result<Version, Error> {
        // Another writer may create it between the answer and a look at the book.
        let before = self.book().last(name);
        match self.client.read(name) {
            Ok(snapshot) => {
                self.book().see_shared(name, &snapshot);
                Ok(snapshot.version)
            }
            Err(Error::Refused { refusal: Refusal::NotFound, .. }) => {
                assert_eq!(before, Version::ABSENT, "{name} does not exist");
                Ok(Version::ABSENT)
            }
            Err(e) => Err(e),
        }
    }
}

fn add<'a>(pipeline: &mut Pipeline<'a>, change: &'a Change, bytes: &'a [u8]) -> Result<(), Error> {
    match change {
        Change::Write { name, cas: Some(version), .. } => {
            pipeline.cas(&name[..], *version, bytes)?
        }
        Change::Write { name, lease, .. } => {
            pipeline.write_expiring(&name[..], bytes, exptime(*lease))?
        }
        Change::Touch { name, version, lease } => {
            pipeline.touch(&name[..], *version, exptime(*lease))?
        }
        Change::Delete { name, version } => pipeline.delete(&name[..], *version)?,
        Change::Create { .. } => unreachable!("its name is not known"),
    };
    Ok(())
}

/// The pipelines of the client have no cas with an exptime.
fn for_pipeline(change: Change, max_length: usize) -> Change {
    match change {
        Change::Write { name, cas, body, lease } => {
            let body = Body { length: body.length.min(max_length), ..body };
            Change::Write { name, cas, body, lease: lease.filter(|_| cas.is_none()) }
        }
        other => other,
    }
}
