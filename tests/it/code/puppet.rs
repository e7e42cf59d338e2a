//! A file type on strings: a test holds them by the file's name.

use crate::server::{PATIENCE, eventually};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use telefile::{ClientId, Contents, File, Name, Refusal};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Op {
    Create,
    Open,
    Read,
    Write,
    Close,
    Drop,
    Refresh,
    Numbytes,
}

/// What an operation does instead of nothing.
pub(super) enum Act {
    Refuse(Refusal),
    Panic,
    /// With a payload whose drop panics too.
    PanicTwice,
    /// Says that it has begun, and waits for the end of the [`Hold`].
    Wait(Sender<()>, Receiver<()>),
}

/// The strings of one file; also of those that are made later under the same name.
pub(super) struct Strings {
    name: String,
    acts: Mutex<HashMap<Op, Act>>,
    changed: AtomicBool,
    log: Mutex<Vec<String>>,
}

/// An operation that waits. Dropped, it goes on.
pub(super) struct Hold {
    begun: Receiver<()>,
    _release: Sender<()>,
}

static ALL: LazyLock<Mutex<HashMap<String, Weak<Strings>>>> = LazyLock::new(Default::default);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Strings {
    /// Of a file with a name of its own.
    pub(super) fn new() -> Arc<Strings> {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("puppet/{}", LAST.fetch_add(1, Relaxed));
        let strings = Arc::new(Strings {
            name,
            acts: Mutex::default(),
            changed: AtomicBool::new(false),
            log: Mutex::default(),
        });
        lock(&ALL).insert(strings.name.clone(), Arc::downgrade(&strings));
        strings
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// `verb` with the file's name behind it.
    pub(super) fn to(&self, verb: &str) -> String {
        format!("{verb} {}", self.name)
    }

    pub(super) fn open(&self) -> String {
        format!("open {} Puppet", self.name)
    }

    /// What the next such operation does. Once.
    pub(super) fn next(&self, op: Op, act: Act) {
        assert!(lock(&self.acts).insert(op, act).is_none(), "{op:?} has something to do");
    }

    pub(super) fn hold(&self, op: Op) -> Hold {
        let (begins, begun) = mpsc::channel();
        let (release, released) = mpsc::channel();
        self.next(op, Act::Wait(begins, released));
        Hold { begun, _release: release }
    }

    /// As if another program had changed what the file shows.
    pub(super) fn change(&self) {
        self.changed.store(true, Relaxed);
    }

    /// The operations so far, but for questions; `open`, `close` with the number of the client, from 1.
    pub(super) fn log(&self) -> Vec<String> {
        lock(&self.log).clone()
    }

    /// How often an operation has begun.
    pub(super) fn count(&self, op: &str) -> usize {
        self.log().iter().filter(|line| line.split(' ').next() == Some(op)).count()
    }

    /// The opens that succeeded are closed, each file that was made has ended, and that was all.
    #[track_caller]
    pub(super) fn is_over(&self, creates: usize, opens: usize) {
        let ended = || self.count("drop") == creates && self.count("close") == opens;
        eventually(&format!("{creates} ends, {opens} closes"), || {
            ended() || self.count("close") > opens
        });
        assert!(ended() && self.count("create") == creates, "{:?}", self.log());
    }

    fn does(&self, op: Op, line: String) -> Result<(), Refusal> {
        if !line.is_empty() {
            lock(&self.log).push(line);
        }
        let act = lock(&self.acts).remove(&op);
        match act {
            None => Ok(()),
            Some(Act::Refuse(refusal)) => Err(refusal),
            // Like `panic!`, past the hooks: another test counts the panics that they see.
            Some(Act::Panic) => std::panic::resume_unwind(Box::new("the puppet panics")),
            Some(Act::PanicTwice) => std::panic::resume_unwind(Box::new(Bomb)),
            Some(Act::Wait(begins, released)) => {
                let _ = begins.send(());
                let _ = released.recv_timeout(3 * PATIENCE);
                Ok(())
            }
        }
    }
}

impl Drop for Strings {
    fn drop(&mut self) {
        lock(&ALL).remove(&self.name);
    }
}

impl Hold {
    /// Waits until the operation has begun.
    #[track_caller]
    pub(super) fn begun(&self) {
        self.begun.recv_timeout(PATIENCE).expect("the operation begins");
    }
}

/// Keeps what is written. Its size is as many bytes.
pub(super) struct Puppet {
    strings: Arc<Strings>,
    contents: Contents,
}

impl File for Puppet {
    fn create(name: &Name, _: &()) -> Result<Self, Refusal> {
        let strings = lock(&ALL).get(name.as_str()).and_then(Weak::upgrade);
        let strings = strings.ok_or(Refusal::NotFound)?;
        strings.does(Op::Create, "create".to_string())?;
        Ok(Puppet { strings, contents: Contents::from("") })
    }

    fn open(&mut self, by: ClientId) -> Result<(), Refusal> {
        self.strings.does(Op::Open, format!("open {by}"))
    }

    fn read(&mut self) -> Result<Contents, Refusal> {
        self.strings.does(Op::Read, "read".to_string())?;
        Ok(self.contents.clone())
    }

    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        self.contents = contents;
        self.strings.does(Op::Write, "write".to_string())
    }

    fn close(&mut self, by: ClientId) {
        let _ = self.strings.does(Op::Close, format!("close {by}"));
    }

    fn refresh(&mut self) -> bool {
        let _ = self.strings.does(Op::Refresh, String::new());
        self.strings.changed.swap(false, Relaxed)
    }

    fn numbytes(&self) -> u64 {
        let _ = self.strings.does(Op::Numbytes, String::new());
        self.contents.len() as u64
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        let _ = self.strings.does(Op::Drop, "drop".to_string());
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("the bomb"));
    }
}
