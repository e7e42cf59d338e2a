//! The client in Python: its own tests, with the Python that is installed and with the oldest one at hand,
//! and how it shares files with the one in Rust.
#![cfg(feature = "cli")]

use crate::examples::built;
use crate::programs::{has, program, skipped};
use crate::server::{PATIENCE, Running, eventually};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use telefile::client::recipes::LeasedElection;
use telefile::{Client, Clock, Refusal, Server};

/// The oldest minor version of Python 3 that the client supports.
const OLDEST: u32 = 9;

#[test]
fn the_tests_of_the_python_client_pass() {
    if has("python3") {
        run_tests(Path::new("python3"));
    }
}

#[test]
fn the_tests_of_the_python_client_pass_with_the_oldest_python() {
    let newest = minor(Path::new("python3"));
    let Some(oldest) = (OLDEST..newest.unwrap_or(OLDEST)).find_map(of_version) else {
        return skipped("only one version of Python is installed");
    };
    run_tests(&oldest);
}

/// What it checks, and how strictly, is in `pyproject.toml`.
#[test]
fn the_types_of_the_python_client_are_right() {
    if has("mypy") {
        let mut command = program("mypy");
        let output =
            command.args(["--cache-dir", "/dev/null"]).current_dir(PACKAGE).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
    }
}

/// The folder of the package in Python.
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python");

/// A candidate. It prints each leader that it observes, and each event of its own leadership.
const CANDIDATE: &str = r#"
import sys, telefile
from telefile.recipes import LeasedElection

def show(leader):
    print(leader.contents.decode(), leader.token, flush=True)

election = LeasedElection(telefile.Client(sys.argv[1], timeout=300), "leader", 60)
show(election.leader())
leads = election.campaign("python")
show(election.next_leader(None, 0))
sys.stdin.readline()
show(election.next_leader(leads.token, 300))
try:
    leads.resign()
except telefile.VersionMismatch as e:
    print("not the leader, but", e.current)
"#;

#[test]
fn candidates_in_rust_and_in_python_compete_for_the_same_leadership() {
    if !has("python3") {
        return;
    }
    const TTL: Duration = Duration::from_secs(60);
    let clock = Clock::manual();
    let server = Running::start(Server::builder().clock(clock.clone()));
    let address = server.addresses()[0];
    let connect = || Client::builder().timeout(Some(PATIENCE)).connect_to(address).unwrap();
    let (client, observer) = (connect(), connect());
    let election = LeasedElection::new(&client, "leader", TTL);
    let waiting = || {
        let stats = observer.stats().unwrap();
        stats.contains(&("watches".to_string(), "1".to_string()))
    };

    let first = election.campaign("rust").unwrap();
    let mut command = program("python3");
    command.args(["-c", CANDIDATE, &address.to_string()]).env("PYTHONPATH", PACKAGE);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = command.spawn().unwrap();
    let mut said = BufReader::new(python.stdout.take().unwrap()).lines();
    let mut next = || said.next().expect("a line").unwrap();
    assert_eq!(next(), format!("rust {}", first.token()));
    eventually("it waits", waiting);
    clock.advance(TTL);
    let second = election.next_leader(Some(first.token()), PATIENCE).unwrap();
    // There is nobody between the two.
    let second = second.or_else(|| election.next_leader(None, PATIENCE).unwrap()).unwrap();
    assert!(&*second.contents == b"python" && second.token > first.token());
    assert_eq!(next(), format!("python {}", second.token));
    let refusal = first.resign().unwrap_err();
    assert_eq!(refusal.refusal(), Some(&Refusal::Version(second.token.0)));

    let candidate = thread::spawn(move || election.campaign("rust again").unwrap());
    eventually("it waits", waiting);
    clock.advance(TTL);
    let third = candidate.join().unwrap();
    assert!(third.token() > second.token);
    python.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(next(), format!("rust again {}", third.token()));
    assert_eq!(next(), format!("not the leader, but {}", third.token()));
    assert!(python.wait().unwrap().success());
    third.resign().unwrap();
}

#[track_caller]
fn run_tests(python: &Path) {
    let built = built("myserver").parent().unwrap().parent().unwrap().to_path_buf();
    assert!(built.join("telefile").exists(), "{built:?}");
    let mut command = program(python);
    command.args(["-X", "dev", "-m", "unittest", "-v"]);
    command.current_dir(PACKAGE);
    command.env("TELEFILE_TEST_BUILT", built).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{python:?}: {said}");
    let (_, ran) = said.rsplit_once("\nRan ").unwrap_or_else(|| panic!("{python:?}: {said}"));
    let count: u32 = ran.split(' ').next().unwrap().parse().unwrap();
    assert!(count > 80, "{python:?} ran {count} tests: {said}");
    assert!(!said.contains("ResourceWarning"), "{python:?}: {said}");
    for line in said.lines().filter(|line| line.contains("... skipped ")) {
        skipped(line);
    }
}

/// Returns a Python of a minor version that runs, also one that pyenv has installed.
fn of_version(wanted: u32) -> Option<PathBuf> {
    let name = format!("python3.{wanted}");
    let home = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".pyenv")));
    let versions = home.and_then(|home| std::fs::read_dir(home.join("versions")).ok());
    let installed = versions.into_iter().flatten().flatten().map(|entry| entry.path());
    let installed = installed.map(|folder| folder.join("bin").join(&name));
    let mut candidates = [PathBuf::from(&name)].into_iter().chain(installed);
    candidates.find(|python| minor(python) == Some(wanted))
}

/// Returns the minor version of a Python 3; `None` if it does not run.
fn minor(python: &Path) -> Option<u32> {
    let show = "import sys; print(sys.version_info[1])";
    let output = program(python).args(["-c", show]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
