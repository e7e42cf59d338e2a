//! What `telefile sync --status` shows of each folder of this user.

use super::{State, folders};
use crate::sync::error::Error;
use crate::sync::lock::Lock;
use crate::sync::report::Summary;
use crate::sync::time::Utc;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file with the status, as text.
const STATUS: &str = "status";

/// The file that the process that synchronises the folder holds locked, with its number in it.
const PROCESS: &str = "process";

/// The state of a folder of this machine, as of its last round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The folder, escaped.
    pub folder: String,
    /// The process that synchronises it, if one does.
    pub process: Option<u32>,
    /// When the last round ended, as `20261127T101112Z`.
    pub last_round: String,
    /// What it did.
    pub did: String,
    /// Paths that wait for the next round.
    pub pending: u64,
    /// Conflict copies in the folder.
    pub conflicts: u64,
    /// Paths that are left out.
    pub left_out: u64,
    /// What large files wait for; empty if for nothing.
    pub waiting: String,
    /// Whether changes of the folder are noticed at once, and why not.
    pub watcher: String,
    /// Whether the server is connected, and why not.
    pub server: String,
}

impl Status {
    pub(in crate::sync) fn after(folder: &Path, summary: &Summary) -> Self {
        Status {
            folder: folder.as_os_str().to_string_lossy().escape_debug().to_string(),
            last_round: Utc::now().to_string(),
            did: summary.to_string(),
            pending: summary.pending,
            left_out: summary.left_out.len() as u64,
            ..Status::default()
        }
    }

    fn to_text(&self) -> String {
        let Status {
            folder,
            last_round,
            did,
            pending,
            conflicts,
            left_out,
            waiting,
            watcher,
            server,
            ..
        } = self;
        format!(
            "folder {folder}\nlast_round {last_round}\ndid {did}\n\
             pending {pending}\nconflicts {conflicts}\nleft_out {left_out}\nwaiting {waiting}\n\
             watcher {watcher}\nserver {server}\n"
        )
    }

    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.unwrap_or_default().to_string()
        };
        let number = |name| field(name).parse().unwrap_or(0);
        Status {
            folder: field("folder"),
            process: None,
            last_round: field("last_round"),
            did: field("did"),
            pending: number("pending"),
            conflicts: number("conflicts"),
            left_out: number("left_out"),
            waiting: field("waiting"),
            watcher: field("watcher"),
            server: field("server"),
        }
    }
}

impl State {
    /// Writes the number of this process into the state, where `--status` finds it until this is
    /// dropped.
    pub(in crate::sync) fn hold(&mut self) -> Result<(), Error> {
        let path = self.folder.join(PROCESS);
        let mut options = OpenOptions::new();
        let open = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
        let held = open.and_then(|file| {
            // Only `holder` has it locked, and only for a moment.
            let lock = Lock::wait_for(file)?;
            lock.set_len(0)?;
            writeln!(&*lock, "{}", std::process::id())?;
            Ok(lock)
        });
        self.process = Some(held.map_err(Error::of(&path))?);
        Ok(())
    }

    /// Replaces what `telefile sync --status` shows of this folder.
    pub(in crate::sync) fn set_status(&self, status: &Status) {
        let _ = self.write_note(STATUS, &status.to_text());
    }
}

/// Returns the states of all folders of this machine and user: of each folder the latest.
pub(in crate::sync) fn all(home: &Path) -> io::Result<Vec<Status>> {
    let mut all = Vec::new();
    for folder in folders(home)? {
        if let Ok(text) = fs::read_to_string(folder.join(STATUS)) {
            let mut status = Status::parse(&text);
            status.process = holder(&folder);
            all.push(status);
        }
    }
    all.sort_by(|a, b| (&a.folder, &b.last_round).cmp(&(&b.folder, &a.last_round)));
    // A folder that changed to another id has the state of the old one too.
    all.dedup_by(|next, kept| next.folder == kept.folder);
    Ok(all)
}

/// Returns the number of the process that holds a state.
fn holder(state: &Path) -> Option<u32> {
    let mut file = File::open(state.join(PROCESS)).ok()?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => {
            let mut text = String::new();
            file.read_to_string(&mut text).ok()?;
            text.trim_end().parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_text() {
        let status = Status {
            folder: "/home/ann/a b".to_string(),
            process: None,
            last_round: "20261127T101112Z".to_string(),
            did: "1 sent".to_string(),
            pending: 1,
            conflicts: 2,
            left_out: 3,
            waiting: "for a collector".to_string(),
            watcher: "alive".to_string(),
            server: "connected".to_string(),
        };
        assert_eq!(Status::parse(&status.to_text()), status);
        assert_eq!(Status::parse("pending x\n\n"), Status::default());
    }

    #[test]
    fn the_process_of_a_status_is_the_one_that_holds_the_state() {
        let home = std::env::temp_dir().join(format!("telefile-holder-{}", std::process::id()));
        let mut state = State::at(&home, "id", Path::new("/x"));
        state.make().unwrap();
        state.hold().unwrap();
        state.set_status(&Status::after(Path::new("/x"), &Summary::default()));
        let process = || all(&home).unwrap()[0].process;
        assert_eq!(process(), Some(std::process::id()));
        drop(state);
        // Whatever process has the number by now.
        assert_eq!(process(), None);
        State::at(&home, "id", Path::new("/x")).hold().unwrap();
        fs::remove_dir_all(home).unwrap();
    }
}
