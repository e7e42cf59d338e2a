//! The program `telefile` from outside: arguments, environment, signals, output.
#![cfg(feature = "cli")]

mod addresses;
mod admission;
mod backup;
mod backup_read_only;
mod backup_running;
mod backup_signals;
mod bench;
mod config;
mod connect;
mod coordination;
mod data;
mod epoch;
mod failing_disk;
mod few_processes;
mod file_size;
mod first_process;
mod flags;
mod following;
mod footprint;
mod full_disk;
mod generated;
mod help;
mod hold;
mod inherited;
mod install;
mod json;
mod kills;
mod listening;
mod lock;
mod lock_lost;
mod lock_signals;
mod lock_waits;
mod logs;
mod memory;
mod names;
mod odd_systems;
mod open_files;
mod precedence;
mod scripts;
mod service;
mod signals;
mod slow_readers;
mod stats;
mod statuses;
mod streams;
mod sync;
mod telnet;
mod terminal;
mod text_files;
mod unread_log;
mod update;
mod verbs;
mod waits;
mod watching;

use crate::pace::Pace;
use crate::programs::program;
use crate::server::{Client, PATIENCE, STOP_TIME, eventually};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use telefile::net::Address;

/// Returns `telefile` without settings from the environment of the tests.
pub(crate) fn telefile(args: &[&str]) -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_telefile"));
    command.args(args);
    command
}

/// A running program, and its output so far. Killed when dropped.
struct Program {
    child: Child,
    stdout: Text,
    stderr: Text,
}

/// The output of a pipe, read by a thread, so that the program never waits for its reader.
#[derive(Clone)]
struct Text(Arc<Mutex<(String, bool)>>);

impl Text {
    fn of(pipe: impl Read + Send + 'static) -> Text {
        let text = Text(Arc::default());
        let writer = text.clone();
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                writer.0.lock().unwrap().0.push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
            writer.0.lock().unwrap().1 = true;
        });
        text
    }

    fn now(&self) -> String {
        self.0.lock().unwrap().0.clone()
    }

    fn whole(&self) -> String {
        eventually("the pipe is closed", || self.0.lock().unwrap().1);
        self.now()
    }
}

impl Program {
    fn start(mut command: Command) -> Program {
        command.stdin(Stdio::null());
        Program::start_with_stdin(command)
    }

    /// Starts a command with its own stdin.
    fn start_with_stdin(mut command: Command) -> Program {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Text::of(child.stdout.take().unwrap());
        let stderr = Text::of(child.stderr.take().unwrap());
        Program { child, stdout, stderr }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Returns whether a signal has stopped all threads: each stops for itself, a moment after `signal`.
    fn is_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks.flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|state| state.starts_with('T'))
        })
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end. Returns the exit status.
    #[track_caller]
    fn wait(&mut self) -> i32 {
        eventually("the program ends", || self.ended().is_some());
        let status = self.ended().unwrap();
        status.code().unwrap_or_else(|| panic!("{status}: {}", self.stderr.now()))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a program that ends by itself.
#[track_caller]
pub(crate) fn run(command: Command) -> Ended {
    let mut program = Program::start(command);
    let status = program.wait();
    Ended { status, stdout: program.stdout.whole(), stderr: program.stderr.whole() }
}

impl Ended {
    /// Checks that it failed with this exit status and one line that has all of `words`.
    #[track_caller]
    pub(crate) fn failed(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(self.stderr.starts_with("telefile: ") && self.stderr.ends_with('\n'), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {self:?}");
        }
    }
}

/// A running `telefile serve` that has printed its addresses.
pub(crate) struct Serving {
    program: Program,
    pub(crate) addresses: Vec<Address>,
}

impl Serving {
    /// Starts a server with these arguments after `serve`.
    #[track_caller]
    pub(crate) fn start(args: &[&str]) -> Serving {
        Serving::from(telefile(&[&["serve"], args].concat()))
    }

    /// Starts a server on a free TCP port, with these further arguments.
    #[track_caller]
    pub(crate) fn local(args: &[&str]) -> Serving {
        Serving::start(&[&["--listen", "127.0.0.1:0"], args].concat())
    }

    #[track_caller]
    fn from(command: Command) -> Serving {
        Serving::of(Program::start(command))
    }

    #[track_caller]
    fn of(mut program: Program) -> Serving {
        let since = Instant::now();
        while !program.stdout.now().ends_with('\n') {
            let ended = program.ended();
            assert!(
                ended.is_none() && since.elapsed() < PATIENCE,
                "{ended:?}: {}",
                program.stderr.now()
            );
            thread::sleep(Duration::from_millis(2));
        }
        let line = program.stdout.now();
        let start = concat!("telefile ", env!("CARGO_PKG_VERSION"), " listening on ");
        let addresses = line.strip_prefix(start).and_then(|rest| rest.strip_suffix('\n'));
        let addresses = addresses.unwrap_or_else(|| panic!("{line:?}")).split(' ');
        let addresses = addresses.map(|a| a.parse().unwrap()).collect();
        Serving { program, addresses }
    }

    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.addresses[0])
    }

    pub(crate) fn log(&self) -> String {
        self.program.stderr.now()
    }

    #[cfg_attr(not(feature = "etcd"), expect(dead_code))] // only servers of a table in etcd are paused
    pub(crate) fn signal(&self, signal: Signal) {
        self.program.signal(signal);
        if signal == Signal::STOP {
            eventually("no thread of it runs", || self.program.is_stopped());
        }
    }

    /// Waits until a line of the log has all of `words`.
    #[track_caller]
    fn logs(&self, words: &[&str]) {
        let since = Instant::now();
        let has_all = |line: &str| words.iter().all(|word| line.contains(word));
        while !self.log().lines().any(has_all) {
            assert!(since.elapsed() < PATIENCE, "no {words:?} in the log:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it with a signal, and checks that it ends cleanly and quickly. Returns its log.
    #[track_caller]
    pub(crate) fn stop(self, signal: Signal) -> String {
        let pace = Pace::start();
        let log = self.end(signal);
        let took = pace.took();
        assert!(took < STOP_TIME, "{took:?}");
        log
    }

    /// Does the same, however long a slow disk makes it take.
    #[track_caller]
    pub(crate) fn end(mut self, signal: Signal) -> String {
        self.program.signal(signal);
        let status = self.program.wait();
        assert_eq!(status, 0, "{}", self.log());
        let stdout = self.program.stdout.whole();
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        self.program.stderr.whole()
    }
}
