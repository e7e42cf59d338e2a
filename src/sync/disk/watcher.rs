//! Watches the folder for changes. An event is a hint: the watcher may miss any change, so the folder is
//! also scanned from time to time.

use super::marker::Marker;
use crate::sync::path::{MARKER, RelPath};
use crate::sync::report::Wake;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{
    Config, ErrorKind, Event, EventHandler, RecommendedWatcher, RecursiveMode, Watcher as _,
};
use rustix::io::Errno;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A path is looked at this long after it was closed or renamed...
const QUICK: Duration = Duration::from_millis(100);
/// ...or after its last change of another kind...
const QUIET: Duration = Duration::from_secs(1);
/// ...but at the latest this long after its first one.
const PATIENCE: Duration = Duration::from_secs(10);

/// With more changed paths everything is scanned.
const MAX_PATHS: usize = 10_000;

/// The file whose changes show that the watcher lives.
const PROBE: &str = "probe";

/// The name of the thread that the crate starts for each watcher.
#[cfg(feature = "cli")]
const THREAD: &str = "notify-rs inotify loop";

const NO_THREAD: &str = "its thread has ended, or could not be started";
const NO_WATCHES: &str = "there are more folders than may be watched; \
                          `sysctl fs.inotify.max_user_watches=1000000` allows more";
const NO_INSTANCE: &str = "there are too many watchers; \
                           `sysctl fs.inotify.max_user_instances=1000` allows more";

/// What a watcher has seen.
#[derive(Debug, Default)]
struct Seen {
    changed: BTreeMap<RelPath, Changed>,
    /// Something was missed.
    rescan: bool,
    probed: bool,
    failed: Option<String>,
}

#[derive(Debug)]
struct Changed {
    first: Instant,
    due: Instant,
}

/// A watcher of one folder.
#[derive(Debug)]
pub(in crate::sync) struct Watcher {
    seen: Arc<Mutex<Seen>>,
    /// `None` while this is dropped.
    watcher: Option<RecommendedWatcher>,
    /// When a sign of life was last asked for.
    asked: Option<Instant>,
}

/// Takes what the watcher's thread sees.
struct Handler {
    folder: PathBuf,
    seen: Arc<Mutex<Seen>>,
    wake: Sender<Wake>,
}

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Calls what panics once the watcher's thread has ended, or was never started.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    IS_GUARDED.set(true);
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    IS_GUARDED.set(false);
    done
}

/// Returns whether a panic of this thread is reported as the death of a watcher.
#[cfg(feature = "cli")]
pub(crate) fn is_guarded() -> bool {
    IS_GUARDED.get() || thread::current().name() == Some(THREAD)
}

impl EventHandler for Handler {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        self.note(|seen, folder| seen.take(folder, event, Instant::now()));
    }
}

impl Handler {
    fn note(&self, note: impl FnOnce(&mut Seen, &Path)) {
        let mut seen = lock(&self.seen);
        let was_empty = seen.is_empty();
        note(&mut seen, &self.folder);
        if was_empty && !seen.is_empty() {
            let _ = self.wake.send(Wake::Folder);
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        if thread::panicking() {
            self.note(|seen, _| seen.failed = Some(NO_THREAD.to_string()));
        }
    }
}

impl Watcher {
    /// Starts watching.
    ///
    /// # Errors
    /// Why that is not possible, for people.
    pub(in crate::sync) fn start(folder: &Path, wake: Sender<Wake>) -> Result<Self, String> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let handler = Handler { folder: folder.to_path_buf(), seen: seen.clone(), wake };
        let config = Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(handler, config).map_err(|e| text_of(&e))?;
        let mut watcher = Watcher { seen, watcher: Some(watcher), asked: None };
        let inner = watcher.watcher.as_mut();
        let watched = guarded(|| inner.map(|inner| inner.watch(folder, RecursiveMode::Recursive)));
        match watched.flatten() {
            Some(watched) => watched.map(|()| watcher).map_err(|e| text_of(&e)),
            None => Err(NO_THREAD.to_string()),
        }
    }

    /// Returns the paths that are due, or `None` if everything has to be scanned, and when the next
    /// path will be due.
    pub(in crate::sync) fn due(
        &mut self,
        now: Instant,
    ) -> (Option<BTreeSet<RelPath>>, Option<Instant>) {
        self.lock().due(now)
    }

    /// Returns when the next path will be due.
    pub(in crate::sync) fn next_due(&self) -> Option<Instant> {
        let seen = self.lock();
        if seen.rescan { None } else { seen.changed.values().map(|changed| changed.due).min() }
    }

    /// Asks for a sign of life.
    pub(in crate::sync) fn ask(&mut self, marker: &Marker) {
        self.lock().probed = false;
        self.asked = marker.open_probe(PROBE).ok().map(|_closed| Instant::now());
    }

    /// Returns whether it has given the sign of life.
    pub(in crate::sync) fn is_alive(&self) -> bool {
        self.asked.is_some() && self.lock().probed
    }

    /// Returns why it sees nothing, once it has stopped.
    pub(in crate::sync) fn why_dead(&self, now: Instant) -> Option<String> {
        let seen = self.lock();
        let is_late = self.asked.is_some_and(|asked| now - asked > PATIENCE) && !seen.probed;
        let late = is_late.then(|| "it does not see a file that was just written".to_string());
        seen.failed.clone().or(late)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let inner = self.watcher.take();
        guarded(|| drop(inner));
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns what an error means to people, and what they can do.
fn text_of(e: &notify::Error) -> String {
    let is_full = |e: &std::io::Error| Errno::from_io_error(e) == Some(Errno::MFILE);
    match &e.kind {
        ErrorKind::MaxFilesWatch => NO_WATCHES.to_string(),
        ErrorKind::Io(e) if is_full(e) => NO_INSTANCE.to_string(),
        _ => e.to_string(),
    }
}

impl Seen {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && !self.rescan && self.failed.is_none()
    }

    fn take(&mut self, root: &Path, event: notify::Result<Event>, now: Instant) {
        let event = match event {
            Ok(event) => event,
            Err(e) => {
                self.failed = Some(text_of(&e));
                return;
            }
        };
        // Before any path is looked at: an overflow has none.
        if event.need_rescan() {
            self.rescan = true;
        }
        let delay = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => QUICK,
            EventKind::Access(_) => return,
            EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) => QUICK,
            _ => QUIET,
        };
        for path in &event.paths {
            let Ok(path) = path.strip_prefix(root) else { continue };
            if path == Path::new(MARKER).join(PROBE) {
                self.probed = true;
            }
            let Some(path) = RelPath::new(path.as_os_str().as_bytes()) else { continue };
            let changed = self.changed.entry(path).or_insert(Changed { first: now, due: now });
            changed.due = (now + delay).min(changed.first + PATIENCE);
        }
        if self.changed.len() > MAX_PATHS {
            self.changed.clear();
            self.rescan = true;
        }
    }

    fn due(&mut self, now: Instant) -> (Option<BTreeSet<RelPath>>, Option<Instant>) {
        if std::mem::take(&mut self.rescan) {
            self.changed.clear();
            return (None, None);
        }
        let is_due = |changed: &Changed| changed.due <= now;
        let due = self.changed.iter().filter(|(_, changed)| is_due(changed));
        let due: BTreeSet<_> = due.map(|(path, _)| path.clone()).collect();
        self.changed.retain(|_, changed| !is_due(changed));
        (Some(due), self.changed.values().map(|changed| changed.due).min())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, Flag, RenameMode};

    fn event(kind: EventKind, path: &str) -> notify::Result<Event> {
        Ok(Event::new(kind).add_path(path.into()))
    }

    const WRITE: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    #[test]
    fn a_file_is_due_soon_after_its_close_and_later_while_it_is_written() {
        let (mut seen, start, root) = (Seen::default(), Instant::now(), Path::new("/f"));
        let at = |ms| start + Duration::from_millis(ms);
        seen.take(root, event(EventKind::Create(CreateKind::File), "/f/a"), at(0));
        seen.take(root, event(WRITE, "/f/a"), at(500));
        assert_eq!(seen.due(at(1400)), (Some(BTreeSet::new()), Some(at(1500))));
        seen.take(root, event(CLOSE, "/f/a"), at(1400));
        seen.take(root, event(EventKind::Access(AccessKind::Read), "/f/b"), at(1400));
        let a = RelPath::new(b"a").unwrap();
        assert_eq!(seen.due(at(1500)), (Some(BTreeSet::from([a.clone()])), None));
        // One that never rests is looked at anyway.
        for ms in (0..10_000).step_by(500) {
            seen.take(root, event(WRITE, "/f/a"), at(ms));
        }
        assert_eq!(seen.due(at(10_000)), (Some(BTreeSet::from([a])), None));
    }

    #[test]
    fn an_overflow_and_too_many_paths_are_a_scan_and_the_marker_is_nothing() {
        let (mut seen, now, root) = (Seen::default(), Instant::now(), Path::new("/f"));
        let marker = "/f/.telefile-sync/tmp/new-1";
        let rename = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        seen.take(root, event(rename, marker), now);
        assert!(seen.is_empty() && !seen.probed);
        seen.take(root, event(CLOSE, "/f/.telefile-sync/probe"), now);
        assert!(seen.is_empty() && seen.probed);
        seen.take(root, Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)), now);
        assert_eq!(seen.due(now), (None, None));
        for n in 0..=MAX_PATHS {
            seen.take(root, event(CLOSE, &format!("/f/{n}")), now);
        }
        assert_eq!(seen.due(now), (None, None));
        assert!(seen.is_empty());
    }
}
