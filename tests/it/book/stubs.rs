//! The programs of the chapters as they are committed, and what it means that one fails.

use super::chapters::{Chapter, chapters};
use crate::documents::root;
use crate::examples::built;
use crate::programs::program;
use crate::server::PATIENCE;
use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

/// The status of a program that panicked.
const PANICKED: i32 = 101;

/// Runs a program. Returns its status, unless it has to be killed, and what it said on stderr.
pub(super) fn run(mut command: Command) -> (Option<ExitStatus>, String) {
    command.current_dir(root()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let (sender, said) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stderr.read_to_end(&mut bytes);
        sender.send(String::from_utf8_lossy(&bytes).into_owned())
    });
    let said = said.recv_timeout(PATIENCE);
    if said.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().unwrap();
    (said.is_ok().then_some(status), said.unwrap_or_default())
}

/// Returns whether a program failed by itself.
pub(super) fn failed(status: ExitStatus) -> bool {
    status.code().is_some_and(|code| code != 0)
}

/// An exercise that succeeds as it stands leaves nothing to do.
#[test]
fn every_exercise_fails_until_it_is_solved() {
    for Chapter { number, page } in chapters() {
        let (status, said) = run(program(built(&format!("ch{number:02}_exercise"))));
        let panicked = status.and_then(|status| status.code()) == Some(PANICKED);
        let in_exercise = said.contains("panicked at examples/");
        assert!(panicked && in_exercise, "{}: its exercise does not fail: {said}", page.path);
    }
}
