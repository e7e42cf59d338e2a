//! What a machine remembers of its synchronised folders, outside of them:
//! `$XDG_STATE_HOME/telefile/<hash of id and folder>/`.

pub(super) mod index;
mod records;

use super::error::Error;
use super::hash::Hash;
use super::report::Summary;
use super::time::Utc;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A new log is begun at this length; the previous one is kept.
const MAX_LOG_BYTES: u64 = 1 << 20;

/// The file that holds the path of the synchronised folder.
const ROOT: &str = "root";

/// The file that says when the collector last ran.
const COLLECTED: &str = "collected";

/// The file that the process that synchronises the folder holds locked, with its number in it.
const PROCESS: &str = "process";

/// The file that holds the address of the server that the folder was last synchronised with.
const SERVER: &str = "server";

/// The file that says which marker the rows are about.
const MARKED: &str = "marker";

/// The state of one folder.
#[derive(Debug)]
pub(in crate::sync) struct State {
    pub(in crate::sync) folder: PathBuf,
    /// The synchronised folder.
    root: PathBuf,
    /// Held until this is dropped.
    lock: Option<File>,
    process: Option<File>,
}

impl State {
    /// Returns where the state of a session and a folder is. The server's address is no part of it:
    /// a server has several.
    pub(in crate::sync) fn at(home: &Path, id: &str, root: &Path) -> Self {
        let name = Hash::of(&[id.as_bytes(), b"\0", root.as_os_str().as_bytes()].concat());
        let folder = home.join("telefile").join(&name.to_string()[..32]);
        State { folder, root: root.to_path_buf(), lock: None, process: None }
    }

    /// Returns the states of a folder, whatever the session.
    pub(in crate::sync) fn all_of(home: &Path, root: &Path) -> io::Result<Vec<Self>> {
        let is_of = |folder: &PathBuf| {
            fs::read(folder.join(ROOT)).is_ok_and(|found| found == root.as_os_str().as_bytes())
        };
        let of = |folder| State { folder, root: root.to_path_buf(), lock: None, process: None };
        Ok(folders(home)?.into_iter().filter(is_of).map(of).collect())
    }

    /// Makes the state of a folder, unless it exists, and locks it.
    pub(in crate::sync) fn make(&mut self) -> Result<(), Error> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&self.folder).map_err(Error::of(&self.folder))?;
        self.lock()?;
        let path = self.folder.join(PROCESS);
        self.process = Some(hold(&path).map_err(Error::of(&path))?);
        let path = self.folder.join(ROOT);
        fs::write(&path, self.root.as_os_str().as_bytes()).map_err(Error::of(&path))
    }

    /// Locks a state that exists. The lock in the folder itself does not do: the same path can lead to
    /// another folder in another container, with the same home.
    pub(in crate::sync) fn lock(&mut self) -> Result<(), Error> {
        let path = self.folder.join("lock");
        let open = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let lock = open.map_err(Error::of(&path))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => self.lock = Some(lock),
            Err(Errno::WOULDBLOCK) => {
                let state = self.folder.display();
                return Err(Error::Refused(format!(
                    "{state}: another process uses this state of the folder"
                )));
            }
            Err(e) => return Err(Error::of(&path)(e.into())),
        }
        Ok(())
    }

    /// Appends a line to the log.
    pub(in crate::sync) fn log(&self, line: &str) {
        let path = self.folder.join("log");
        if fs::metadata(&path).is_ok_and(|found| found.len() > MAX_LOG_BYTES) {
            let _ = fs::rename(&path, self.folder.join("log.old"));
        }
        let open = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        // A log that cannot be written must not stop what it is about.
        let _ = open.and_then(|mut log| writeln!(log, "{} {line}", Utc::now()));
    }

    /// Returns when the collector last ran.
    pub(in crate::sync) fn collected(&self) -> Option<Utc> {
        Utc::parse(fs::read_to_string(self.folder.join(COLLECTED)).ok()?.trim_end())
    }

    /// Notes when the collector ran. If that fails, it runs again.
    pub(in crate::sync) fn set_collected(&self, at: Utc) {
        let _ = fs::write(self.folder.join(COLLECTED), format!("{at}\n"));
    }

    /// Returns the address of the server of the last start, if it is known.
    pub(in crate::sync) fn server(&self) -> Option<String> {
        self.read_note(SERVER)
    }

    /// Notes the address of the server. If that fails, a wrong address is noticed later, or not.
    pub(in crate::sync) fn set_server(&self, address: &str) {
        let _ = fs::write(self.folder.join(SERVER), format!("{address}\n"));
    }

    /// Returns which marker the rows are about, if it is known.
    pub(in crate::sync) fn marker(&self) -> Option<String> {
        self.read_note(MARKED)
    }

    /// Notes which marker the rows are about.
    pub(in crate::sync) fn set_marker(&self, identity: &str) -> Result<(), Error> {
        self.write_note(MARKED, &format!("{identity}\n"))
    }

    /// Returns the text of a small file, without its line end.
    pub(in crate::sync) fn read_note(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.folder.join(name)).ok()?;
        Some(text.trim_end().to_string())
    }

    /// Replaces a small file.
    pub(in crate::sync) fn write_note(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.folder.join(name);
        let new = path.with_extension("new");
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
        written.map_err(Error::of(&path))
    }

    /// Replaces what `telefile sync --status` shows of this folder.
    pub(in crate::sync) fn set_status(&self, status: &Status) {
        let new = self.folder.join("status.new");
        let text = status.to_text();
        let written = fs::write(&new, text);
        let _ = written.and_then(|()| fs::rename(&new, self.folder.join("status")));
    }
}

/// Returns the folder of states from the environment: `$XDG_STATE_HOME`, or `~/.local/state`.
pub(in crate::sync) fn home(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, Error> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    let why = "neither XDG_STATE_HOME nor HOME says where to keep the state";
    home.ok_or_else(|| Error::Refused(why.to_string()))
}

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
            folder, last_round, did, pending, conflicts, left_out, watcher, server, ..
        } = self;
        format!(
            "folder {folder}\nlast_round {last_round}\ndid {did}\n\
             pending {pending}\nconflicts {conflicts}\nleft_out {left_out}\nwatcher {watcher}\n\
             server {server}\n"
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
            watcher: field("watcher"),
            server: field("server"),
        }
    }
}

/// Returns the states of all folders of this machine and user: of each folder the latest.
pub(in crate::sync) fn all(home: &Path) -> io::Result<Vec<Status>> {
    let mut all = Vec::new();
    for folder in folders(home)? {
        if let Ok(text) = fs::read_to_string(folder.join("status")) {
            let mut status = Status::parse(&text);
            status.process = holder(&folder.join(PROCESS));
            all.push(status);
        }
    }
    all.sort_by(|a, b| (&a.folder, &b.last_round).cmp(&(&b.folder, &a.last_round)));
    // A folder that changed to another id has the state of the old one too.
    all.dedup_by(|next, kept| next.folder == kept.folder);
    Ok(all)
}

/// Returns the folders of all states.
fn folders(home: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(home.join("telefile")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        folders => folders?.map(|folder| Ok(folder?.path())).collect(),
    }
}

/// Locks a file, and writes the number of this process into it.
fn hold(path: &Path) -> io::Result<File> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let mut file = open?;
    // Only `holder` has it locked, and only for a moment.
    rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// Returns the number of the process that holds a file.
fn holder(path: &Path) -> Option<u32> {
    let mut file = File::open(path).ok()?;
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
            watcher: "alive".to_string(),
            server: "connected".to_string(),
        };
        assert_eq!(Status::parse(&status.to_text()), status);
        assert_eq!(Status::parse("pending x\n\n"), Status::default());
    }

    #[test]
    fn two_processes_never_use_one_state() {
        let home = std::env::temp_dir().join(format!("telefile-state-{}", std::process::id()));
        let state = || State::at(&home, "id", Path::new("/x"));
        let mut first = state();
        first.make().unwrap();
        let why = state().make().unwrap_err().to_string();
        assert!(why.ends_with("another process uses this state of the folder"), "{why}");
        drop(first);
        state().lock().unwrap();
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn the_process_of_a_status_is_the_one_that_holds_the_state() {
        let home = std::env::temp_dir().join(format!("telefile-holder-{}", std::process::id()));
        let mut state = State::at(&home, "id", Path::new("/x"));
        state.make().unwrap();
        state.set_status(&Status::after(Path::new("/x"), &Summary::default()));
        let process = || all(&home).unwrap()[0].process;
        assert_eq!(process(), Some(std::process::id()));
        drop(state);
        // Whatever process has the number by now.
        assert_eq!(process(), None);
        State::at(&home, "id", Path::new("/x")).make().unwrap();
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn the_state_is_in_an_absolute_folder_of_the_environment() {
        let find = |xdg: &str, own: &str| {
            home(|name| match name {
                "XDG_STATE_HOME" => Some(xdg.into()),
                _ => Some(own.into()),
            })
            .ok()
        };
        assert_eq!(find("/s", "/home/ann"), Some("/s".into()));
        assert_eq!(find("s", "/home/ann"), Some("/home/ann/.local/state".into()));
        assert_eq!(find("", ""), None);
        let at = |id, root| State::at(Path::new("/s"), id, Path::new(root)).folder;
        assert_ne!(at("a", "/x"), at("a", "/y"));
        assert_ne!(at("a", "/x"), at("b", "/x"));
    }
}
