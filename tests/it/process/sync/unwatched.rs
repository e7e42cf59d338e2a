//! A folder that cannot be watched, or no longer: it is said once, and scanned each time.

use super::User;
use crate::process::{Program, run};
use crate::programs::{program, skipped};
use crate::server::eventually;
use rustix::process::Signal;
use std::fs;
use std::process::Command;

/// Few enough for a limit on the whole of a test's watches.
const LIMIT: usize = 20;

/// A client of folder `a` in a world of its own, whose rounds are 0.1 s apart.
struct Client<'a> {
    user: &'a User,
    program: Program,
    files: usize,
}

impl<'a> Client<'a> {
    /// Starts `telefile sync` as the last arguments of a command.
    #[track_caller]
    fn start(user: &'a User, mut command: Command) -> Client<'a> {
        command.env("XDG_STATE_HOME", user.path("state")).current_dir(user.path("."));
        let telefile = env!("CARGO_BIN_EXE_telefile");
        command.args([telefile, "sync", "127.0.0.1", &user.port(), "a", "0.1"]);
        let program = Program::start(command);
        let mut client = Client { user, program, files: 0 };
        client.sends("a");
        client
    }

    /// Checks that a new file in a folder arrives on the server.
    #[track_caller]
    fn sends(&mut self, folder: &str) {
        self.files += 1;
        let name = format!("{folder}/new-{}", self.files);
        self.user.write(&name, "new");
        let id = || self.program.stdout.now().trim_start_matches("id: ").trim_end().to_string();
        let mut server = self.user.serving.client();
        eventually(&name, || {
            let entry = format!("stat s/{}/e/{}", id(), &name["a/".len()..]);
            server.ask(&entry).starts_with("STAT")
        });
    }

    /// Waits until a line on stderr has these words, and checks that no other line has.
    #[track_caller]
    fn says_once(&self, words: &str) {
        eventually(words, || self.program.stderr.now().contains(words));
        self.said_once(words);
    }

    #[track_caller]
    fn said_once(&self, words: &str) {
        let text = self.program.stderr.now();
        assert_eq!(text.matches(words).count(), 1, "{text}");
        assert!(!text.contains("panicked"), "{text}");
    }

    #[track_caller]
    fn has_status(&self, watcher: &str) {
        let watcher = format!("\n  watcher: {watcher}");
        let status = || run(self.user.command(&["--status"])).stdout;
        eventually(&watcher, || status().contains(&watcher));
    }

    #[track_caller]
    fn stop(mut self) {
        self.program.signal(Signal::TERM);
        assert_eq!(self.program.wait(), 0, "{}", self.program.stderr.now());
    }
}

/// Returns a command that runs its further arguments with calls that fail as `inject` says, in the
/// syntax of strace. `None` where nothing can be traced.
fn failing(inject: &str, trace: &str) -> Option<Command> {
    let strace = |out: &str| {
        let mut strace = program("strace");
        let calls = inject.split(':').next().unwrap();
        let (calls, inject) = (format!("trace={calls}"), format!("inject={inject}"));
        strace.args(["-D", "-f", "-o", out, "-e", &calls, "-e", &inject]);
        strace
    };
    let possible = strace("/dev/null").arg("true").output();
    match possible.is_ok_and(|output| output.status.success()) {
        true => Some(strace(trace)),
        false => {
            skipped("no program can be traced here");
            None
        }
    }
}

const NO_THREAD: &str = "its thread has ended, or could not be started";

#[test]
fn a_watcher_that_dies_is_said_once_and_the_folder_is_scanned() {
    let user = User::new();
    let trace = user.path("trace");
    // The second wait of the watcher's thread fails, and that of each one after it.
    let inject = "epoll_wait:error=EBADF:when=2+";
    let Some(command) = failing(inject, trace.to_str().unwrap()) else { return };
    let mut client = Client::start(&user, command);
    let why = format!("the watcher has died, so it is scanned each time: {NO_THREAD}");
    client.says_once(&why);
    client.has_status(&format!("none, so the folder is scanned each time: {NO_THREAD}\n"));
    // It is tried again, in vain, and files still arrive.
    for deaths in 2..5 {
        eventually("it dies again", || {
            fs::read_to_string(&trace).unwrap().matches("(INJECTED)").count() >= deaths
        });
        client.sends("a");
    }
    client.said_once(&why);
    client.stop();
}

#[test]
fn a_watcher_that_gets_no_thread_is_started_later() {
    let user = User::new();
    // The threads before it are those for signals and for changes on the server.
    let inject = "clone,clone3:error=EAGAIN:when=3";
    let Some(command) = failing(inject, "/dev/null") else { return };
    let mut client = Client::start(&user, command);
    let why = format!("the folder cannot be watched, so it is scanned each time: {NO_THREAD}");
    client.says_once(&why);
    client.says_once("the folder is watched again");
    client.has_status("alive\n");
    client.sends("a");
    client.said_once(&why);
    client.stop();
}

/// Returns a command that runs its further arguments with another limit. `None` where there are none
/// that only a part of the system has.
fn limited(name: &str, limit: usize) -> Option<Command> {
    let script = format!("echo {limit} >/proc/sys/user/{name} && exec \"$@\"");
    let unshare = || {
        let mut unshare = program("unshare");
        unshare.args(["-U", "-r", "sh", "-c", &script, "sh"]);
        unshare
    };
    let possible = unshare().arg("true").output();
    match possible.is_ok_and(|output| output.status.success()) {
        true => Some(unshare()),
        false => {
            skipped("no user namespace with a limit of its own can be made");
            None
        }
    }
}

fn make_folders(user: &User, parent: &str) {
    (0..2 * LIMIT).for_each(|n| fs::create_dir_all(user.path(&format!("{parent}/{n}"))).unwrap());
}

const NO_WATCHES: &str = "so it is scanned each time: there are more folders than may be watched; \
                          `sysctl fs.inotify.max_user_watches=1000000` allows more";

#[test]
fn more_folders_than_may_be_watched_are_said_once_and_scanned() {
    let Some(command) = limited("max_inotify_watches", LIMIT) else { return };
    let user = User::new();
    make_folders(&user, "a/many");
    let mut client = Client::start(&user, command);
    client.says_once(NO_WATCHES);
    client.has_status("none, so the folder is scanned each time: there are more folders than");
    for n in 0..2 * LIMIT {
        client.sends(&format!("a/many/{n}"));
    }
    client.said_once(NO_WATCHES);
    client.stop();
}

#[test]
fn watches_that_run_out_are_said_once_and_come_back_when_there_are_enough() {
    let Some(command) = limited("max_inotify_watches", LIMIT) else { return };
    let user = User::new();
    // Whatever it leads to is none of the folder's.
    make_folders(&user, "elsewhere");
    user.write("a/few/one", "1");
    std::os::unix::fs::symlink("../elsewhere", user.path("a/link")).unwrap();
    let mut client = Client::start(&user, command);
    client.has_status("alive\n");
    make_folders(&user, "a/many");
    client.says_once(NO_WATCHES);
    client.has_status("none, so the folder is scanned each time: there are more folders than");
    for n in [0, 2 * LIMIT - 1] {
        client.sends(&format!("a/many/{n}"));
    }
    client.said_once(NO_WATCHES);

    fs::remove_dir_all(user.path("a/many")).unwrap();
    client.says_once("the folder is watched again");
    client.has_status("alive\n");
    client.sends("a/few");
    client.stop();
}

#[test]
fn a_folder_that_no_watcher_is_allowed_for_is_said_once_and_scanned() {
    let Some(command) = limited("max_inotify_instances", 0) else { return };
    let user = User::new();
    let mut client = Client::start(&user, command);
    let why = "`sysctl fs.inotify.max_user_instances=1000` allows more";
    client.says_once(why);
    client.has_status("none, so the folder is scanned each time: there are too many watchers");
    (0..5).for_each(|_| client.sends("a"));
    client.said_once(why);
    client.stop();
}
