//! What a round did, and how a caller observes and stops it.

use super::error::Error;
use super::path::RelPath;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// An event of a synchronisation that runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The session's id, before anything else; `-` in a dry run of a folder that would get a new one.
    Id(&'a str),
    /// A warning, for people.
    Notice(&'a str),
    /// A line of the plan, in a dry run.
    Plan(&'a str),
    /// This many more files will be moved, with this many bytes as far as that is known.
    Planned {
        /// Files and folders.
        files: u64,
        /// The size of their contents.
        bytes: u64,
    },
    /// This many bytes of contents are done, whether they had to be sent or not.
    Moved(u64),
    /// One file or folder is done: its path, escaped.
    Finished(&'a str),
    /// A round has ended.
    Round(&'a Summary),
}

/// What a round did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Files and folders that were sent.
    pub pushed: u64,
    /// How many of these are folders.
    pub pushed_folders: u64,
    /// Files and folders that came.
    pub pulled: u64,
    /// How many of these are folders.
    pub pulled_folders: u64,
    /// Files and folders that were deleted on the server.
    pub deleted_there: u64,
    /// Files and folders that went to the trash.
    pub deleted_here: u64,
    /// Conflict copies that were made.
    pub conflicts: u64,
    /// Paths that wait for the next round, because they were just being changed.
    pub pending: u64,
    /// Paths that were left out, each once, and why.
    pub left_out: Vec<(String, String)>,
}

impl Summary {
    /// Adds what a further round did. What is pending or left out is what that says.
    pub(super) fn add(&mut self, next: Summary) {
        let Summary { pushed, pulled, deleted_there, deleted_here, conflicts, .. } = *self;
        *self = Summary {
            pushed: pushed + next.pushed,
            pushed_folders: self.pushed_folders + next.pushed_folders,
            pulled: pulled + next.pulled,
            pulled_folders: self.pulled_folders + next.pulled_folders,
            deleted_there: deleted_there + next.deleted_there,
            deleted_here: deleted_here + next.deleted_here,
            conflicts: conflicts + next.conflicts,
            ..next
        };
    }

    /// Returns whether nothing was to be done.
    pub fn is_quiet(&self) -> bool {
        let Summary { pushed, pulled, deleted_there, deleted_here, conflicts, .. } = self;
        pushed + pulled + deleted_there + deleted_here + conflicts == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { pushed, pulled, deleted_there, deleted_here, conflicts, pending, .. } = self;
        let copies = if *conflicts == 1 { "conflict copy" } else { "conflict copies" };
        let of_these = |folders: u64| match folders {
            0 => String::new(),
            1 => " (1 folder)".to_string(),
            n => format!(" ({n} folders)"),
        };
        let parts = [
            (pushed, format!("sent{}", of_these(self.pushed_folders))),
            (pulled, format!("received{}", of_these(self.pulled_folders))),
            (deleted_there, "deleted on the server".to_string()),
            (deleted_here, "moved to the trash".to_string()),
            (conflicts, copies.to_string()),
            (pending, "pending".to_string()),
        ];
        let parts = parts.into_iter().filter(|(n, _)| **n > 0);
        let parts: Vec<_> = parts.map(|(n, what)| format!("{n} {what}")).collect();
        f.write_str(if parts.is_empty() { "nothing to do" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// The longest pause between two attempts to reach the server.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Receives the events of a synchronisation.
pub trait Observer {
    /// Takes one event. It should not block for long.
    fn event(&mut self, event: Event<'_>);
}

impl<F: FnMut(Event<'_>)> Observer for F {
    fn event(&mut self, event: Event<'_>) {
        self(event);
    }
}

/// Stops folder synchronisation from anywhere. Clones stop the same one.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    wake: Sender<Wake>,
    woken: Arc<Mutex<Receiver<Wake>>>,
}

/// Why a new round may be due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    Stop,
    /// The server has changes.
    Server,
    /// The watcher of the folder has seen something, or has stopped.
    Folder,
}

impl Stop {
    /// Returns a handle that has not stopped anything.
    #[expect(clippy::new_without_default, reason = "it is no value, but a connection")]
    pub fn new() -> Self {
        let (wake, woken) = channel();
        Stop { asked: Arc::default(), wake, woken: Arc::new(Mutex::new(woken)) }
    }

    /// Asks to stop: after the file that is just being moved.
    pub fn stop(&self) {
        self.asked.store(true, SeqCst);
        let _ = self.wake.send(Wake::Stop);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(SeqCst)
    }

    /// Sleeps.
    ///
    /// # Errors
    /// It was asked to stop.
    pub(super) fn wait(&self, time: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            if self.is_asked() {
                return Err(Error::Stopped);
            }
            thread::sleep(Duration::from_millis(50).min(time));
        }
        Ok(())
    }

    pub(super) fn waker(&self) -> Sender<Wake> {
        self.wake.clone()
    }

    pub(super) fn wakes(&self) -> Arc<Mutex<Receiver<Wake>>> {
        self.woken.clone()
    }
}

/// The observer, and whether to go on.
pub(super) struct Progress<'a> {
    observer: &'a mut dyn Observer,
    stop: Stop,
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

impl<'a> Progress<'a> {
    pub(super) fn new(observer: &'a mut dyn Observer, stop: Stop) -> Self {
        Progress { observer, stop }
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    pub(super) fn say(&mut self, event: Event<'_>) {
        self.observer.event(event);
    }

    pub(super) fn notice(&mut self, text: impl fmt::Display) {
        self.observer.event(Event::Notice(&text.to_string()));
    }

    /// Notes that bytes are done.
    ///
    /// # Errors
    /// It was asked to stop.
    pub(super) fn moved(&mut self, bytes: u64) -> Result<(), Error> {
        self.observer.event(Event::Moved(bytes));
        self.check()
    }

    pub(super) fn finished(&mut self, path: &RelPath) -> Result<(), Error> {
        self.observer.event(Event::Finished(&path.to_string()));
        self.check()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.stop.is_asked() { Err(Error::Stopped) } else { Ok(()) }
    }
}

/// What a round has done so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) pushed: u64,
    pub(super) pushed_folders: u64,
    pub(super) pulled: u64,
    pub(super) pulled_folders: u64,
    pub(super) deleted_there: u64,
    pub(super) deleted_here: u64,
    pub(super) conflicts: u64,
    pub(super) sent_bytes: u64,
    /// Paths to look at again at once.
    pub(super) again: BTreeSet<RelPath>,
    /// Paths that are left out, each with all its reasons.
    left_out: BTreeMap<String, BTreeSet<String>>,
}

impl Report {
    pub(super) fn fail(&mut self, path: RelPath, why: impl ToString) {
        let (path, why) = (path.to_string(), why.to_string());
        // Most errors name the path that they are about.
        let about = why.strip_prefix(&path).and_then(|why| why.strip_prefix(": "));
        let why = about.unwrap_or(&why);
        self.leave_out(path, why);
    }

    fn leave_out(&mut self, path: String, why: &str) {
        // The names of entries and chunks mean nothing to a user.
        let why = match why.split_once(": ") {
            Some((name, refusal)) if name.starts_with("s/") => refusal,
            _ => why,
        };
        self.left_out.entry(path).or_default().insert(why.to_string());
    }

    /// Notes a name on the server that is the key of no path, or of another one than its entry says.
    pub(super) fn fail_key(&mut self, key: &str) {
        self.leave_out(key.escape_debug().to_string(), "no entry has such a key");
    }

    /// Notes that the rest of the changes on the server could not be brought here.
    pub(super) fn fail_all(&mut self, why: Error) {
        self.leave_out("the folder".to_string(), &why.to_string());
    }

    pub(super) fn summary(self) -> Summary {
        let join = |whys: BTreeSet<String>| whys.into_iter().collect::<Vec<_>>().join("; ");
        let left_out = self.left_out.into_iter().map(|(path, whys)| (path, join(whys)));
        Summary {
            pushed: self.pushed,
            pushed_folders: self.pushed_folders,
            pulled: self.pulled,
            pulled_folders: self.pulled_folders,
            deleted_there: self.deleted_there,
            deleted_here: self.deleted_here,
            conflicts: self.conflicts,
            pending: self.again.len() as u64,
            left_out: left_out.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_in_words() {
        let mut summary = Summary::default();
        assert_eq!(summary.to_string(), "nothing to do");
        summary.conflicts = 1;
        assert_eq!(summary.to_string(), "1 conflict copy");
        (summary.conflicts, summary.pulled) = (2, 3);
        assert_eq!(summary.to_string(), "3 received, 2 conflict copies");
        (summary.pushed, summary.pushed_folders, summary.pulled_folders) = (10_001, 1, 2);
        let text = "10001 sent (1 folder), 3 received (2 folders), 2 conflict copies";
        assert_eq!(summary.to_string(), text);
    }
}
