//! Programs that tests start, and what is said where one cannot be started.

use std::ffi::OsStr;
use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// A program that gets no settings from the environment of the tests: with them a test would meet
/// the server of whoever runs the tests, and its token. No signal is blocked in it either.
pub(crate) fn program(path: impl AsRef<OsStr>) -> Command {
    #[cfg(feature = "cli")]
    nix::sys::signal::SigSet::all().thread_unblock().unwrap();
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_setting = text.starts_with("TELEFILE_") && !text.starts_with("TELEFILE_TEST_");
        if text == "RUST_LOG" || is_setting {
            command.env_remove(name);
        }
    }
    command
}

/// Whether a program is installed; says that the test is skipped if not.
pub(crate) fn has(name: &str) -> bool {
    let found = is_installed(name);
    if !found {
        skipped(&format!("{name} is not installed"));
    }
    found
}

pub(crate) fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Says that the test that calls this does not test all, and why: past the capture of the harness,
/// so that nobody believes that it did. `make test` repeats these lines in the end.
pub(crate) fn skipped(why: &str) {
    let thread = thread::current();
    let _ = writeln!(stderr(), "SKIPPED, {why}: {}", thread.name().unwrap_or("a test"));
}

#[test]
fn a_program_inherits_no_settings() {
    let shell = std::env::current_exe().unwrap();
    let mut inner = program(shell);
    inner.args(["--exact", "programs::the_environment_of_the_child", "--ignored", "--nocapture"]);
    let outer = Command::new("env")
        .args(["TELEFILE_ADDR=127.0.0.1:1", "TELEFILE_TOKEN_FILE=/none", "RUST_LOG=trace"])
        .args(["TELEFILE_TEST_SEED=7"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&outer.stdout);
    assert!(seen.contains("TELEFILE_TEST_SEED=7"), "{seen}");
    assert!(!["_ADDR", "_TOKEN_FILE", "RUST_LOG"].iter().any(|name| seen.contains(name)), "{seen}");
}

/// Run by the test above, with settings in its environment.
#[test]
#[ignore = "a part of a_program_inherits_no_settings"]
fn the_environment_of_the_child() {
    let output = program("env").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let is_ours = |line: &&str| line.starts_with("TELEFILE_") || line.starts_with("RUST_LOG");
    text.lines().filter(is_ours).for_each(|line| println!("{line}"));
}

#[test]
fn a_missing_program_is_noticed() {
    assert!(is_installed("sh") && !is_installed("telefile-no-such-program"));
}

#[test]
fn every_program_is_started_through_this_module() {
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => sources(&path, found),
                false => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it")), &mut found);
    found.retain(|path| path.extension().is_some_and(|end| end == "rs"));
    found.retain(|path| !path.ends_with("programs.rs"));
    let makes = |path: &&PathBuf| fs::read_to_string(path).unwrap().contains("Command::new(");
    let astray: Vec<_> = found.iter().filter(makes).collect();
    assert!(astray.is_empty() && found.len() > 50, "use crate::programs::program in {astray:?}");
}
