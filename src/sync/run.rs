//! Rounds, one after another: at each interval, and when the server or the folder has changed.

use super::error::Error;
use super::folder::Folder;
use super::left_out::LeftOut;
use super::path::RelPath;
use super::report::{Event, LONGEST_PAUSE, Observer, Progress, Stop, Summary, Wake};
use super::server::watch::watch_server;
use super::settings::Settings;
use super::state;
use super::state::status::{self, Status};
use super::watching::Watching;
use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// A scan of everything is at most this rare.
const MAX_SCAN_INTERVAL: Duration = Duration::from_secs(600);

/// With a watcher, one round in this many scans everything.
const SCAN_INTERVALS: u32 = 10;

/// `once` ends after at most this many rounds, even if files keep changing.
const ROUNDS_OF_ONCE: usize = 3;

/// The pauses between attempts, after something was in motion or the server was not there.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_AGAIN: Duration = Duration::from_secs(10);

/// What the status says of the last round before the first one has ended.
const NO_ROUND: &str = "none";

/// The status is written at least this often, even if nothing happens.
const STATUS_INTERVAL: Duration = Duration::from_secs(60);

/// Keeps a folder equal to its session: one round, or rounds until `stop`. Returns what the last round
/// did.
///
/// The server is watched by a thread that ends within some seconds of this.
///
/// # Errors
/// See [`Error`]. A lost connection is one with [`once`](Settings::once) alone; otherwise it is tried
/// again, with growing pauses.
pub fn run(
    settings: &Settings,
    observer: &mut dyn Observer,
    stop: &Stop,
) -> Result<Summary, Error> {
    let is_one_round = settings.once || settings.dry_run;
    Folder::check(settings)?;
    let (start, mut pause) = (Instant::now(), Duration::from_secs(1));
    loop {
        let progress = Progress::new(&mut *observer, stop.clone());
        let e = match settings.builder().connect(&settings.address).map_err(Error::from) {
            Ok(client) => match Folder::open(settings, client, progress) {
                Ok(mut folder) => {
                    let ended = match is_one_round {
                        true => folder.once(),
                        false => Rounds::new(&mut folder).run(stop),
                    };
                    return ended.inspect_err(|e| folder.note_end(e));
                }
                Err(e) => e,
            },
            Err(e) => e,
        };
        let left = settings.retry.saturating_sub(start.elapsed());
        let is_endless = !is_one_round && e.is_of_connection();
        if !is_endless && (left.is_zero() || !e.is_without_server()) {
            return Err(e);
        }
        if !is_endless {
            pause = pause.min(left);
        }
        let text = format!("{e}; next attempt in {} s", pause.as_secs());
        observer.event(Event::Notice(&text));
        stop.wait(pause)?;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

impl Folder<'_> {
    /// Writes into the status why the command ends.
    fn note_end(&self, why: &Error) {
        if matches!(why, Error::Stopped) || self.settings.dry_run {
            return;
        }
        let did = format!("stopped: {why}");
        self.state.log(&did);
        let status = Status::after(&self.path, &Summary::default());
        let conflicts = self.conflict_copies();
        self.state.set_status(&Status { did, conflicts, ..status });
    }

    /// Does one round, and further ones for what was in motion.
    fn once(&mut self) -> Result<Summary, Error> {
        let (mut total, mut again) = self.round(None)?;
        for _ in 1..ROUNDS_OF_ONCE {
            if again.is_empty() || self.settings.dry_run {
                break;
            }
            let (summary, more) = self.round(None)?;
            total.add(summary);
            again = more;
        }
        self.observer.say(Event::Round(&total));
        if !self.settings.dry_run {
            self.collect_if_due()?;
            self.state.log(&total.to_string());
            self.state.set_status(&Status {
                conflicts: self.conflict_copies(),
                waiting: self.held.clone().unwrap_or_default(),
                ..Status::after(&self.path, &total)
            });
        }
        Ok(total)
    }
}

/// The state between rounds.
struct Rounds<'a, 'b> {
    folder: &'a mut Folder<'b>,
    watching: Watching,
    /// Paths that were in motion.
    again: BTreeSet<RelPath>,
    pause: Duration,
    scanned: Option<Instant>,
    left_out: LeftOut,
    /// After the last round that ended.
    status: Status,
    /// What was last written as the status, and when.
    written: Option<(Instant, Status)>,
}

impl<'a, 'b> Rounds<'a, 'b> {
    fn new(folder: &'a mut Folder<'b>) -> Self {
        let status = Status {
            last_round: NO_ROUND.to_string(),
            did: "has not ended".to_string(),
            ..Status::after(&folder.path, &Summary::default())
        };
        Rounds {
            folder,
            watching: Watching::new(),
            again: BTreeSet::new(),
            pause: FIRST_PAUSE,
            scanned: None,
            left_out: LeftOut::default(),
            status,
            written: None,
        }
    }

    fn run(&mut self, stop: &Stop) -> Result<Summary, Error> {
        watch_server(self.folder.settings, &self.folder.id, stop)?;
        let mut last = Summary::default();
        loop {
            if stop.is_asked() {
                return Ok(last);
            }
            let (scope, next) = self.scope();
            let is_full = scope.is_none();
            let mut wait = self.folder.settings.interval;
            match self.folder.round(scope.as_ref()) {
                Ok((summary, again)) => {
                    self.pause = match again.is_empty() {
                        true => FIRST_PAUSE,
                        false => (2 * self.pause).min(LONGEST_AGAIN),
                    };
                    if !again.is_empty() {
                        wait = wait.min(self.pause);
                    }
                    if is_full {
                        self.scanned = Some(Instant::now());
                        if let Some(watcher) = self.watching.watcher() {
                            watcher.ask(&self.folder.marker);
                        }
                    }
                    self.again = again;
                    self.show(&summary, is_full);
                    if summary.is_quiet() {
                        self.folder.collect_if_due()?;
                    }
                    last = summary;
                }
                Err(e) if e.may_pass() || self.folder.marker.is_damaged() => {
                    self.pause = (2 * self.pause).clamp(Duration::from_secs(1), LONGEST_PAUSE);
                    wait = self.pause;
                    // Also for a full disk: the next round begins with everything.
                    self.folder.remote = None;
                    match scope {
                        Some(scope) => self.again.extend(scope),
                        None => self.scanned = None,
                    }
                    let text = format!("{e}; next attempt in {} s", wait.as_secs());
                    self.folder.notice(&text);
                    self.write_status(&text);
                }
                Err(Error::Stopped) => return Ok(last),
                Err(e) => return Err(e),
            }
            let until =
                next.map_or(wait, |next| wait.min(next.saturating_duration_since(Instant::now())));
            self.sleep(stop, until);
        }
    }

    /// Returns what the next round is about, and when the watcher will have more.
    fn scope(&mut self) -> (Option<BTreeSet<RelPath>>, Option<Instant>) {
        let now = Instant::now();
        let interval = self.folder.settings.interval;
        let rare = (interval * SCAN_INTERVALS).min(MAX_SCAN_INTERVAL).max(interval);
        if self.watching.tend(self.folder, now, rare) {
            self.scanned = None;
        }
        let Some(watcher) = self.watching.watcher() else { return (None, None) };
        let is_due = self.scanned.is_none_or(|scanned| now - scanned >= rare);
        let (due, next) = watcher.due(now);
        match due {
            Some(due) if !is_due => (Some(&due | &self.again), next),
            _ => (None, None),
        }
    }

    /// Waits until something happens, or the time is over.
    fn sleep(&mut self, stop: &Stop, time: Duration) {
        let wakes = stop.wakes();
        let wakes = wakes.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + time;
        // A wake of the watcher says that something will be due soon.
        if let Ok(Wake::Folder) = wakes.recv_timeout(time)
            && let Some(watcher) = self.watching.watcher()
        {
            // A close may bring forward what a write has put off.
            while let Some(next) = watcher.next_due() {
                let left = next.min(deadline).saturating_duration_since(Instant::now());
                if left.is_zero() || wakes.recv_timeout(left.min(FIRST_PAUSE)) == Ok(Wake::Stop) {
                    break;
                }
            }
        }
        while wakes.try_recv().is_ok() {}
    }

    /// Shows what a round did, if it did anything, and the paths that it left out for the first time.
    fn show(&mut self, summary: &Summary, is_full: bool) {
        let left_out = self.left_out.news(&summary.left_out, is_full);
        if !summary.is_quiet() || !left_out.is_empty() || self.status.last_round == NO_ROUND {
            self.folder.observer.say(Event::Round(&Summary { left_out, ..summary.clone() }));
            self.folder.state.log(&summary.to_string());
        }
        let left_out = self.left_out.count();
        self.status = Status { left_out, ..Status::after(&self.folder.path, summary) };
        let server = format!("connected to {}", self.folder.settings.address);
        self.write_status(&server);
    }

    /// Writes the status, if it says anything new or is old.
    fn write_status(&mut self, server: &str) {
        let watcher = self.watching.state();
        let waiting = self.folder.held.clone().unwrap_or_default();
        let server = server.to_string();
        let status = Status { watcher, server, waiting, ..self.status.clone() };
        let is_same = |written: &Status| {
            Status { last_round: status.last_round.clone(), ..written.clone() } == status
        };
        let is_fresh =
            |(at, written): &(Instant, Status)| at.elapsed() < STATUS_INTERVAL && is_same(written);
        if !self.written.as_ref().is_some_and(is_fresh) {
            let conflicts = self.folder.conflict_copies();
            self.folder.state.set_status(&Status { conflicts, ..status.clone() });
            self.written = Some((Instant::now(), status));
        }
    }
}

/// Returns the states of all folders that this user synchronises on this machine.
///
/// # Errors
/// [`Error::System`] if they cannot be read.
pub fn status() -> Result<Vec<Status>, Error> {
    let home = state::home(|name| std::env::var_os(name))?;
    status::all(&home).map_err(Error::of(&home))
}
