//! `telefile lock`: runs a command while it has a lock on the server, and ends the command if the
//! lock is lost. Statuses are those of env(1) and timeout(1): 125 to 127 are its own.

mod child;
mod hold;

use super::flags::{self, Flag, Takes, number, seconds};
use super::remote::{HasRemote, Remote, addr, timeout, token_file};
use super::{Failure, Outcome};
use crate::exptime::Exptime;
use child::{Child, Signals};
use hold::{Lock, Terms, Trouble};
use nix::sys::signal::Signal;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

pub(super) const WHAT: &str =
    "run a command while the lock NAME is held; TELEFILE_TOKEN has the fencing token";

const FAILED: u8 = 125;
const NOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Why a lease is lost that nobody took away.
const LATE: &str = "it was not renewed in time";

/// A hundred years.
const FOR_EVER: Duration = Duration::from_secs(3_155_760_000);

struct Settings {
    remote: Remote,
    ttl: Option<Duration>,
    /// `None` is for ever.
    wait: Option<Duration>,
    check: Duration,
    kill_after: Duration,
}

impl HasRemote for Settings {
    fn remote(&mut self) -> &mut Remote {
        &mut self.remote
    }
}

const FLAGS: [Flag<Settings>; 7] = [
    addr(),
    token_file(),
    timeout(),
    Flag {
        name: "wait",
        takes: Takes::One("SECS"),
        variable: "",
        help: "for the lock; 0: not at all (for ever)",
        set: |s, text| {
            let seconds = number(text, 0)? as u64;
            s.wait = Some(Duration::from_secs(seconds.min(Exptime::MAX_SECONDS)));
            Ok(())
        },
    },
    Flag {
        name: "ttl",
        takes: Takes::One("SECS"),
        variable: "",
        help: "it survives a lost connection, for so long at most (ends with its connection)",
        set: |s, text| {
            let seconds = number(text, 1)? as u64;
            s.ttl = Some(Duration::from_secs(seconds.min(Exptime::MAX_SECONDS)));
            Ok(())
        },
    },
    Flag {
        name: "check",
        takes: Takes::One("SECS"),
        variable: "",
        help: "look so often whether it is there; the server has as long to answer (10)",
        set: |s, text| {
            s.check = seconds(text)?;
            Ok(())
        },
    },
    Flag {
        name: "kill-after",
        takes: Takes::One("SECS"),
        variable: "",
        help: "if it is lost: from SIGTERM to SIGKILL (5)",
        set: |s, text| {
            s.kill_after = seconds(text)?;
            Ok(())
        },
    },
];

/// What can happen while the command runs.
enum Event {
    /// What was asked for then is granted.
    Renewed(Instant),
    Lost(String),
    Ended(u8),
}

pub(super) fn run(args: lexopt::Parser) -> Outcome {
    match lock(args) {
        Ok(0) => Ok(()),
        Ok(status) => Err(Failure::silent(status)),
        Err(failure) => Err(Failure { status: FAILED, ..failure }),
    }
}

/// The exit status.
fn lock(args: lexopt::Parser) -> Result<u8, Failure> {
    let mut settings = Settings {
        remote: Remote::default(),
        ttl: None,
        wait: None,
        check: Duration::from_secs(10),
        kill_after: Duration::from_secs(5),
    };
    let operands = "NAME COMMAND...";
    let found = flags::parse_command("lock", operands, WHAT, &FLAGS, args, &mut settings)?;
    let Some((mut names, command)) = found else { return Ok(0) };
    let Settings { remote, ttl, wait, check, kill_after } = settings;
    let terms = Terms { remote, name: names.swap_remove(0), ttl, check };
    let lock = Arc::new(Lock::acquire(terms, wait)?);
    if lock.end(lock.since()).is_some_and(|end| end <= Instant::now()) {
        return Err(lost(&lock, LATE));
    }
    let signals = Signals::hold().map_err(Failure::failed)?;
    let child = match Child::start(&command, lock.token(), &signals) {
        Ok(child) => child,
        Err(e) => {
            Failure::failed(format!("{}: {e}", command[0].display())).tell();
            let status = if e.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN };
            return Ok(give_back(&lock, status));
        }
    };
    let events = watch_over(&lock, child, signals);
    match wait_end(&lock, &events) {
        Ok(status) => Ok(give_back(&lock, status)),
        Err(why) => {
            lost(&lock, &why).tell();
            end(child, &events, kill_after);
            Ok(FAILED)
        }
    }
}

fn watch_over(lock: &Arc<Lock>, child: Child, signals: Signals) -> Receiver<Event> {
    let (events, next) = mpsc::channel();
    let (ended, lock) = (events.clone(), lock.clone());
    thread::spawn(move || signals.pass_on(child));
    thread::spawn(move || {
        let status = child.wait().unwrap_or_else(|e| {
            Failure::failed(format!("how the command ends is not known: {e}")).tell();
            FAILED
        });
        ended.send(Event::Ended(status))
    });
    thread::spawn(move || {
        let why = lock.keep(|sent| drop(events.send(Event::Renewed(sent))));
        events.send(Event::Lost(why))
    });
    next
}

/// Waits until the command has ended; its exit status, or why the lock was lost before.
fn wait_end(lock: &Lock, events: &Receiver<Event>) -> Result<u8, String> {
    let mut end = lock.end(lock.since());
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        match events.recv_timeout(left.unwrap_or(FOR_EVER)) {
            Ok(Event::Renewed(sent)) => end = lock.end(sent),
            Ok(Event::Lost(why)) => return Err(why),
            Ok(Event::Ended(status)) => return Ok(status),
            Err(_) => return Err(LATE.to_string()),
        }
    }
}

/// Ends the command, but nothing that it has started.
fn end(child: Child, events: &Receiver<Event>, kill_after: Duration) {
    for (signal, time) in [(Signal::SIGTERM, kill_after), (Signal::SIGKILL, FOR_EVER)] {
        child.signal(signal);
        let deadline = Instant::now() + time;
        let left = || deadline.saturating_duration_since(Instant::now());
        while let Ok(event) = events.recv_timeout(left()) {
            if let Event::Ended(_) = event {
                return;
            }
        }
    }
}

/// The exit status of a command that has ended with `status`: not that if the lock was lost
/// meanwhile.
fn give_back(lock: &Lock, status: u8) -> u8 {
    match lock.release() {
        Ok(()) => status,
        Err(Trouble::Lost(why)) => {
            lost(lock, &why).tell();
            FAILED
        }
        Err(Trouble::Unreachable(why)) => {
            let name = lock.name();
            Failure::failed(format!("lock {name} is left to end by itself: {why}")).tell();
            status
        }
    }
}

fn lost(lock: &Lock, why: &str) -> Failure {
    Failure::failed(format!("lock {} is lost: {why}", lock.name()))
}
