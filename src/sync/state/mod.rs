//! What a machine remembers of its synchronised folders, outside of them:
//! `$XDG_STATE_HOME/telefile/<hash of id and folder>/`.

pub(super) mod index;
mod records;
pub(super) mod status;

use super::error::Error;
use super::hash::Hash;
use super::time::Utc;
use crate::sync::lock::Lock;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A new log is begun at this length; the previous one is kept.
const MAX_LOG_BYTES: u64 = 1 << 20;

/// The file that holds the path of the synchronised folder.
const ROOT: &str = "root";

/// The file that says when the collector last ran.
const COLLECTED: &str = "collected";

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
    lock: Option<Lock>,
    process: Option<Lock>,
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
        let path = self.folder.join(ROOT);
        fs::write(&path, self.root.as_os_str().as_bytes()).map_err(Error::of(&path))
    }

    /// Locks a state that exists. The lock in the folder itself does not do: the same path can lead to
    /// another folder in another container, with the same home.
    pub(in crate::sync) fn lock(&mut self) -> Result<(), Error> {
        let path = self.folder.join("lock");
        let open = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let lock = open.and_then(Lock::of).map_err(Error::of(&path))?.ok_or_else(|| {
            let state = self.folder.display();
            Error::Refused(format!("{state}: another process uses this state of the folder"))
        })?;
        self.lock = Some(lock);
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
        Utc::parse(&self.read_note(COLLECTED)?)
    }

    /// Notes when the collector ran. If that fails, it runs again.
    pub(in crate::sync) fn set_collected(&self, at: Utc) {
        let _ = self.write_note(COLLECTED, &format!("{at}\n"));
    }

    /// Returns the address of the server of the last start, if it is known.
    pub(in crate::sync) fn server(&self) -> Option<String> {
        self.read_note(SERVER)
    }

    /// Notes the address of the server. If that fails, a wrong address is noticed later, or not.
    pub(in crate::sync) fn set_server(&self, address: &str) {
        let _ = self.write_note(SERVER, &format!("{address}\n"));
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
}

/// Returns the folder of states from the environment: `$XDG_STATE_HOME`, or `~/.local/state`.
pub(in crate::sync) fn home(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, Error> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    let why = "neither XDG_STATE_HOME nor HOME says where to keep the state";
    home.ok_or_else(|| Error::Refused(why.to_string()))
}

/// Returns the folders of all states.
fn folders(home: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(home.join("telefile")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        folders => folders?.map(|folder| Ok(folder?.path())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
