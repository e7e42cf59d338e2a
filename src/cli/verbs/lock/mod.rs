//! `telefile lock`: runs a command while it holds a lock on the server, and ends the command if the
//! lock is lost. Statuses 125 to 127 are as in env(1) and timeout(1), the others from sysexits.h.

mod child;
mod hold;
mod relay;
mod settings;
mod witness;

pub(crate) use settings::Settings;
pub(crate) use witness::{WITNESS, witness};

use crate::cli::failure::{Failure, Outcome};
use crate::cli::signals;
use crate::exptime::FOREVER;
use child::Child;
use hold::{LATE, Lock, News, Terms, Trouble};
use relay::{PASSED_ON, Relay};
use rustix::process::Signal;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use witness::{Seen, Witness};

/// The verb. Its exit statuses are its own also for a wrong command line.
pub(crate) const NAME: &str = "lock";

/// EX_USAGE.
const USAGE: u8 = 64;
/// EX_UNAVAILABLE.
const NO_SERVER: u8 = 69;
const FAILED: u8 = 125;
const NOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// What can happen while the command runs.
enum Event {
    Lock(News),
    Ended(u8),
    /// A signal to this process, and when it arrived.
    Signal(i32, Instant),
    /// A signal to the process group.
    Seen(i32),
    /// Signals to the group are no longer visible.
    Unwitnessed,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        match lock(self)? {
            0 => Ok(()),
            status => Err(Failure::silent(status)),
        }
    }
}

/// Runs the command and returns the exit status.
fn lock(settings: Settings) -> Result<u8, Failure> {
    let Settings { name, command, wait, ttl, check, kill_after, held, remote } = settings;
    let [wait, ttl] =
        [wait, ttl].map(|time| time.map(|secs| Duration::from_secs(secs).min(FOREVER)));
    let terms = Terms { remote, name, ttl, check };
    signals::see_children().map_err(Failure::failed).map_err(own_status)?;
    let (events, next) = mpsc::channel();
    let report = {
        let events = events.clone();
        Arc::new(move |news| drop(events.send(Event::Lock(news))))
    };
    let mut lock = match Lock::acquire(terms, wait, report).map_err(own_status)? {
        Ok(lock) => lock,
        Err(why) => return Err(Failure { status: held, ..Failure::failed(why) }),
    };
    if lock.end().is_some_and(|end| end <= Instant::now()) {
        let lost = lost(lock.name(), LATE);
        lock.abandon();
        return Err(lost);
    }
    // Without a witness the command may get some signals twice.
    let (_witness, seen) = Witness::start().ok().unzip();
    let is_witnessed = seen.is_some();
    let run = match watch_over(&mut lock, seen, events) {
        Ok(run) => run,
        Err(e) => {
            failed(format!("the command is not run: {e}")).report();
            return Ok(release(lock, FAILED));
        }
    };
    let child = match Child::start(&command, lock.token(), lock.epoch()) {
        Ok(child) => Arc::new(child),
        Err(e) => {
            failed(format!("{}: {e}", command[0].display())).report();
            let status = match e.kind() {
                _ if child::is_lack(&e) => FAILED,
                ErrorKind::NotFound => NOT_FOUND,
                _ => NOT_RUN,
            };
            return Ok(release(lock, status));
        }
    };
    // The receiver lives as long as the events are received.
    let _ = run.send(child.clone());
    match wait_end(&lock, &child, Relay::new(is_witnessed), &next) {
        Ok(status) => Ok(release(lock, status)),
        Err(why) => {
            lost(lock.name(), &why).report();
            lock.abandon();
            end(&child, &next, kill_after);
            Ok(FAILED)
        }
    }
}

/// Starts everything that must run beside the command, so that nothing can fail any more once the
/// command has started. Returns where to hand over the command.
fn watch_over(
    lock: &mut Lock,
    seen: Option<Seen>,
    events: Sender<Event>,
) -> io::Result<Sender<Arc<Child>>> {
    let (run, started) = mpsc::channel::<Arc<Child>>();
    signals::each(&PASSED_ON, {
        let events = events.clone();
        move |signal| drop(events.send(Event::Signal(signal, Instant::now())))
    })?;
    if let Some(mut seen) = seen {
        let events = events.clone();
        start("witness", move || {
            while let Ok(signal) = seen.next() {
                let _ = events.send(Event::Seen(signal));
            }
            events.send(Event::Unwitnessed)
        })?;
    }
    start("wait", move || {
        let Ok(child) = started.recv() else { return };
        let status = child.wait().unwrap_or_else(|e| {
            failed(format!("cannot wait for the command: {e}")).report();
            FAILED
        });
        let _ = events.send(Event::Ended(status));
    })?;
    lock.keep()?;
    Ok(run)
}

fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_string()).spawn(work)
}

/// Waits until the command has ended, and passes signals on to it. Returns its exit status, or why
/// the lock was lost before the end.
fn wait_end(
    lock: &Lock,
    child: &Child,
    mut relay: Relay,
    events: &Receiver<Event>,
) -> Result<u8, String> {
    let mut end = lock.end();
    loop {
        let now = Instant::now();
        relay.take_due(now).into_iter().for_each(|decision| decision.act(child));
        let due = end.into_iter().chain(relay.next_due()).min();
        let left = due.map_or(FOREVER, |due| due.saturating_duration_since(now));
        match events.recv_timeout(left) {
            Ok(Event::Lock(News::Renewed(until))) => end = Some(until),
            Ok(Event::Lock(News::Lost(why))) => return Err(why),
            Ok(Event::Ended(status)) => return Ok(status),
            Ok(Event::Signal(signal, time)) => {
                let in_group = child.has_what_the_group_got(time);
                let decided = relay.take(signal, in_group, Instant::now());
                decided.into_iter().for_each(|decision| decision.act(child));
            }
            Ok(Event::Seen(signal)) => {
                let decided = relay.see(signal, Instant::now());
                decided.into_iter().for_each(|decision| decision.act(child));
            }
            Ok(Event::Unwitnessed) => relay.unwitnessed(),
            Err(_) if end.is_some_and(|end| end <= Instant::now()) => return Err(LATE.to_string()),
            Err(_) => {}
        }
    }
}

/// Ends the command, but no process that it has started.
fn end(child: &Child, events: &Receiver<Event>, kill_after: Duration) {
    for (signal, time) in [(Signal::TERM, kill_after), (Signal::KILL, FOREVER)] {
        child.signal(signal);
        child.signal(Signal::CONT); // a stopped process cannot end
        let deadline = Instant::now() + time;
        let left = || deadline.saturating_duration_since(Instant::now());
        while let Ok(event) = events.recv_timeout(left()) {
            if let Event::Ended(_) = event {
                return;
            }
        }
    }
}

/// Releases the lock and returns the exit status for a command that ended with `status`: a
/// different one if the lock was lost meanwhile.
fn release(lock: Lock, status: u8) -> u8 {
    let name = lock.name().to_string();
    match lock.release() {
        Ok(()) => status,
        Err(Trouble::Lost(why)) => {
            lost(&name, &why).report();
            FAILED
        }
        Err(Trouble::Unreachable(why)) => {
            failed(format!("cannot release lock {name}, which ends by itself: {why}")).report();
            status
        }
    }
}

fn lost(name: &str, why: &str) -> Failure {
    failed(format!("lock {name} is lost: {why}"))
}

fn failed(why: String) -> Failure {
    own_status(Failure::failed(why))
}

/// Maps a failure to a status of this command, which the command it runs hardly uses.
pub(crate) fn own_status(failure: Failure) -> Failure {
    let status = match failure.status {
        Failure::USAGE => USAGE,
        Failure::NO_CONNECTION => NO_SERVER,
        _ => FAILED,
    };
    Failure { status, ..failure }
}
