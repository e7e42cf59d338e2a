//! The client in Python: its own tests, with the Python that is installed and with the oldest one at hand.
#![cfg(feature = "cli")]

use crate::examples::built;
use crate::programs::{has, program, skipped};
use std::path::{Path, PathBuf};

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

#[track_caller]
fn run_tests(python: &Path) {
    let built = built("myserver").parent().unwrap().parent().unwrap().to_path_buf();
    assert!(built.join("telefile").exists(), "{built:?}");
    let mut command = program(python);
    command.args(["-X", "dev", "-m", "unittest", "-v"]);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python"));
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
