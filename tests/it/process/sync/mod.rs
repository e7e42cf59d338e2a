//! `telefile sync` as a user meets it: what it prints, its exit statuses, and what it refuses.
#![cfg(all(feature = "sync", feature = "durable", target_os = "linux"))]

mod churn;
mod guards;
mod held;
mod hostile;
mod ignoring;
mod marker;
mod refusals;
mod sessions;
mod unwatched;

use super::{Ended, Program, Serving, run, telefile};
use crate::server::Folder;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A server, and the folders and the state of a user.
struct User {
    serving: Serving,
    folder: Folder,
}

impl User {
    fn new() -> User {
        let folder = Folder::new();
        let data = folder.path().join("data");
        User { serving: Serving::local(&["--data", &data.display().to_string()]), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and makes the folders in which it is.
    fn write(&self, name: &str, contents: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    #[track_caller]
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Returns the names in a folder, without the marker.
    fn names(&self, folder: &str) -> Vec<String> {
        let names = fs::read_dir(self.path(folder)).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != ".telefile-sync").collect();
        names.sort();
        names
    }

    fn has_marker(&self, folder: &str) -> bool {
        self.path(folder).join(".telefile-sync").exists()
    }

    fn port(&self) -> String {
        self.serving.addresses[0].to_string().rsplit(':').next().unwrap().to_string()
    }

    /// Returns `telefile sync` with these arguments.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = telefile(&[&["sync"], args].concat());
        command.env("XDG_STATE_HOME", self.path("state")).current_dir(self.folder.path());
        command
    }

    /// Returns `telefile sync HOST PORT FOLDER 1`, with further arguments. The folder is made.
    fn sync(&self, folder: &str, args: &[&str]) -> Command {
        fs::create_dir_all(self.path(folder)).unwrap();
        self.command(&[&["127.0.0.1", &self.port(), folder, "1"], args].concat())
    }

    fn once(&self, folder: &str, args: &[&str]) -> Ended {
        run(self.sync(folder, &[&["--once"], args].concat()))
    }

    /// Runs one round that has nothing to complain of, and checks what it says that it did. Returns the
    /// id.
    #[track_caller]
    fn does(&self, folder: &str, args: &[&str], what: &str) -> String {
        let ended = self.once(folder, args);
        assert_eq!(
            (ended.status, &*ended.stderr),
            (0, &*format!("telefile: {what}\n")),
            "{ended:?}"
        );
        id_of(&ended.stdout)
    }
}

/// Returns the id on the first line, which is the only one.
#[track_caller]
fn id_of(stdout: &str) -> String {
    let id = stdout.strip_prefix("id: ").and_then(|rest| rest.strip_suffix('\n'));
    let is_id = |id: &&str| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    id.filter(is_id).unwrap_or_else(|| panic!("{stdout:?}")).to_string()
}

impl Ended {
    /// Checks that a round was refused after the id was printed, with one line that has all of
    /// `words`.
    #[track_caller]
    fn stopped(&self, status: i32, words: &[&str]) {
        id_of(&self.stdout);
        let rest = Ended { stdout: String::new(), stderr: self.stderr.clone(), ..*self };
        rest.failed(status, words);
    }
}

/// Starts a client that goes on, and waits until its first round has ended.
#[track_caller]
fn start(command: Command) -> Program {
    let mut program = Program::start(command);
    crate::server::eventually("a round has ended", || {
        assert_eq!(program.ended(), None, "{}", program.stderr.now());
        program.stderr.now().ends_with('\n')
    });
    program
}
