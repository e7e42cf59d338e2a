//! Runs the command of `telefile lock`, `hold` and `update`: starts it, passes signals on to it, and
//! waits for its end. Statuses 125 to 127 are as in env(1) and timeout(1), the others from
//! sysexits.h.

mod child;
mod relay;
mod witness;

pub(super) use witness::{WITNESS, witness};

use super::failure::Failure;
use super::signals;
use crate::exptime::FOREVER;
use child::Child;
use relay::{PASSED_ON, Relay};
use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::process::{self, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use witness::Witness;

/// The verbs that run a command. Their exit statuses are their own also for a wrong command line.
pub(super) const VERBS: [&str; 3] = ["lock", "hold", "update"];

/// EX_USAGE.
const USAGE: u8 = 64;
/// EX_NOINPUT.
const NO_FILE: u8 = 66;
/// EX_UNAVAILABLE.
const NO_SERVER: u8 = 69;
/// EX_NOPERM.
const DENIED: u8 = 77;
pub(super) const FAILED: u8 = 125;
const NOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// What happens to that which is held while the command runs.
pub(super) enum News {
    /// It ends by itself at this time, unless it is renewed again.
    Renewed(Instant),
    Lost(String),
}

/// What to call with the news.
pub(super) type Report = Arc<dyn Fn(News) + Send + Sync>;

/// What can happen while the command runs.
enum Event {
    News(News),
    Ended(u8),
    /// All of the output of a filter, or why it is not.
    Output(io::Result<Vec<u8>>),
    /// A signal to this process, and when it arrived.
    Signal(i32, Instant),
    /// A signal to the process group.
    Seen(i32),
    /// Signals to the group are no longer visible.
    Unwitnessed,
}

/// What runs commands, one after another.
pub(super) struct Job {
    /// Where to hand over a command that has started.
    started: Sender<Arc<Child>>,
    is_started: Option<Receiver<Arc<Child>>>,
    events: Sender<Event>,
    next: Receiver<Event>,
    relay: Relay,
    witness: Option<Witness>,
}

/// A command that has started.
pub(super) struct Running(Arc<Child>);

impl Job {
    pub(super) fn new() -> Result<Self, Failure> {
        signals::see_children().map_err(Failure::failed).map_err(own_status)?;
        let (started, is_started) = mpsc::channel();
        let (events, next) = mpsc::channel();
        let (relay, is_started) = (Relay::new(false), Some(is_started));
        Ok(Job { started, is_started, events, next, relay, witness: None })
    }

    /// Returns what to call with news of that which is held.
    pub(super) fn report(&self) -> Report {
        let events = self.events.clone();
        Arc::new(move |news| drop(events.send(Event::News(news))))
    }

    /// Starts everything that must run beside the command, so that nothing can fail any more once the
    /// command has started. From here on signals are for the command.
    pub(super) fn prepare(&mut self) -> io::Result<()> {
        let Some(started) = self.is_started.take() else { return Ok(()) };
        // Without a witness the command may get some signals twice.
        let (witness, seen) = Witness::start().ok().unzip();
        self.witness = witness;
        self.relay = Relay::new(seen.is_some());
        signals::each(&PASSED_ON, {
            let events = self.events.clone();
            move |signal| drop(events.send(Event::Signal(signal, Instant::now())))
        })?;
        if let Some(mut seen) = seen {
            let events = self.events.clone();
            start("witness", move || {
                while let Ok(signal) = seen.next() {
                    let _ = events.send(Event::Seen(signal));
                }
                events.send(Event::Unwitnessed)
            })?;
        }
        let events = self.events.clone();
        start("wait", move || {
            for child in started {
                let status = child.wait().unwrap_or_else(|e| {
                    failed(format!("cannot wait for the command: {e}")).report();
                    FAILED
                });
                let _ = events.send(Event::Ended(status));
            }
        })?;
        Ok(())
    }

    /// Starts a command with these environment variables. If that is impossible, reports why and
    /// returns the exit status.
    pub(super) fn start(
        &self,
        command: &[OsString],
        variables: &[(&str, String)],
    ) -> Result<Running, u8> {
        Ok(self.start_as(command, variables, false)?.0)
    }

    fn start_as(
        &self,
        command: &[OsString],
        variables: &[(&str, String)],
        is_filter: bool,
    ) -> Result<(Running, Option<(ChildStdin, ChildStdout)>), u8> {
        let (child, pipes) = Child::start(command, variables, is_filter).map_err(|e| {
            failed(format!("{}: {e}", command[0].display())).report();
            match e.kind() {
                _ if child::is_lack(&e) => FAILED,
                ErrorKind::NotFound => NOT_FOUND,
                _ => NOT_RUN,
            }
        })?;
        let child = Arc::new(child);
        // The thread that waits lives as long as this.
        let _ = self.started.send(child.clone());
        Ok((Running(child), pipes))
    }

    /// Waits until the command has ended, and passes signals on to it. Returns its exit status, or why
    /// that which is held was lost before the end: at `end`, unless it is renewed.
    pub(super) fn wait(
        &mut self,
        running: &Running,
        mut end: Option<Instant>,
    ) -> Result<u8, String> {
        loop {
            let due = end.into_iter().chain(self.relay.next_due()).min();
            match self.next(due, Some(&running.0)) {
                Some(Event::News(News::Renewed(until))) => end = Some(until),
                Some(Event::News(News::Lost(why))) => return Err(why),
                Some(Event::Ended(status)) => return Ok(status),
                Some(_) => {}
                None if end.is_some_and(|end| end <= Instant::now()) => {
                    return Err(LATE.to_string());
                }
                None => {}
            }
        }
    }

    /// Runs a command as a filter: writes `input` to it, and returns its exit status and its output,
    /// of which there may be `max` bytes.
    ///
    /// Like the shell's `$(...)` this waits for the end of the output, which other processes may
    /// hold open. A signal that is to end this process ends the wait, and no output counts.
    pub(super) fn filter(
        &mut self,
        command: &[OsString],
        variables: &[(&str, String)],
        input: Vec<u8>,
        max: u64,
    ) -> Result<(u8, io::Result<Vec<u8>>), u8> {
        let (running, pipes) = self.start_as(command, variables, true)?;
        let Some((mut stdin, stdout)) = pipes else { return Err(FAILED) };
        // A command may end without reading its input, and write before it has read all.
        let piped = start("input", move || stdin.write_all(&input)).and_then(|_| {
            let events = self.events.clone();
            start("output", move || {
                let mut output = Vec::new();
                let read = stdout.take(max.saturating_add(1)).read_to_end(&mut output);
                let _ = events.send(Event::Output(read.map(|_| output)));
            })
        });
        if let Err(e) = piped {
            failed(format!("cannot start a thread: {e}")).report();
            self.end(&running, Duration::ZERO);
            return Err(FAILED);
        }
        let (mut status, mut output, mut signalled) = (None, None, None);
        loop {
            let due = self.relay.next_due();
            match self.next(due, Some(&running.0)) {
                Some(Event::Ended(code)) => status = Some(code),
                Some(Event::Output(read)) => output = Some(read),
                Some(Event::Signal(signal, _)) if ENDS.contains(&signal) => {
                    signalled = Some(128 + signal as u8);
                }
                _ => {}
            }
            match (status, signalled) {
                (Some(0), Some(signalled)) => return Err(signalled),
                (Some(code), _) if code != 0 || output.is_some() => {
                    return Ok((code, output.unwrap_or(Ok(Vec::new()))));
                }
                _ => {}
            }
        }
    }

    /// Returns the next event, or nothing at this time. Passes signals on.
    fn next(&mut self, due: Option<Instant>, child: Option<&Child>) -> Option<Event> {
        let now = Instant::now();
        let act = |decision: relay::Decision| child.map_or((), |child| decision.act(child));
        self.relay.take_due(now).into_iter().for_each(act);
        let left = due.map_or(FOREVER, |due| due.saturating_duration_since(now));
        let event = self.next.recv_timeout(left).ok()?;
        match event {
            Event::Signal(signal, time) => {
                let in_group = child.is_some_and(|child| child.has_what_the_group_got(time));
                self.relay.take(signal, in_group, Instant::now()).into_iter().for_each(act);
            }
            Event::Seen(signal) => {
                self.relay.see(signal, Instant::now()).into_iter().for_each(act);
            }
            Event::Unwitnessed => self.relay.unwitnessed(),
            _ => {}
        }
        Some(event)
    }

    /// Ends the command, but no process that it has started.
    pub(super) fn end(&self, running: &Running, kill_after: Duration) {
        let child = &running.0;
        for (signal, time) in [(Signal::TERM, kill_after), (Signal::KILL, FOREVER)] {
            child.signal(signal);
            child.signal(Signal::CONT); // a stopped process cannot end
            let deadline = Instant::now() + time;
            let left = || deadline.saturating_duration_since(Instant::now());
            while let Ok(event) = self.next.recv_timeout(left()) {
                if let Event::Ended(_) = event {
                    return;
                }
            }
        }
    }
}

/// The signals that end a program which does not handle them.
const ENDS: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// Why something is lost that nobody else has acquired.
pub(super) const LATE: &str = "it was not renewed in time";

fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_string()).spawn(work)
}

/// Returns the line that this process writes into the file of a job, to be recognised as its holder.
pub(super) fn holder() -> String {
    let host = rustix::system::uname();
    format!("{}:{}\n", host.nodename().to_string_lossy(), process::id())
}

/// Returns a failure with the status of a job.
pub(super) fn failed(why: String) -> Failure {
    own_status(Failure::failed(why))
}

/// Maps a failure to a status that commands hardly use.
pub(super) fn own_status(failure: Failure) -> Failure {
    let status = match failure.status {
        Failure::USAGE => USAGE,
        Failure::NO_CONNECTION | Failure::FULL => NO_SERVER,
        Failure::NOT_FOUND => NO_FILE,
        Failure::DENIED => DENIED,
        status if status >= USAGE => status,
        _ => FAILED,
    };
    Failure { status, ..failure }
}
