//! A folder that becomes a symlink to another one, and itself again, as often as that can be while a
//! round runs.

use super::super::User;
use crate::process::{Ended, Program};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const ROUNDS: usize = 12;

/// The most attempts in one round.
const MAX_SWAPS: usize = 20_000;

/// After the last swap, this many rounds of each side make the folders equal.
const ROUNDS_TO_REST: usize = 5;

/// Puts a symlink in the folder's place and the folder back until the program ends. Returns how often.
fn swap(folder: &Path, outside: &Path, parked: &Path, program: &mut Program) -> usize {
    let mut times = 0;
    for _ in 0..MAX_SWAPS {
        if program.ended().is_some() {
            break;
        }
        // The round may just have taken the folder away.
        if fs::rename(folder, parked).is_err() {
            continue;
        }
        if symlink(outside, folder).is_ok() {
            // Unless a copy has been made of it.
            let _ = fs::remove_file(folder);
        }
        // The round may just have made a folder of this name.
        while fs::rename(parked, folder).is_err() {
            fs::rename(folder, parked.with_extension(times.to_string())).unwrap();
        }
        times += 1;
    }
    times
}

/// Checks that a round came to its end, whatever it left out.
#[track_caller]
fn assert_round_ended(ended: &Ended) {
    let is_summary = |line: &str| {
        line.strip_prefix("telefile: ").is_some_and(|text| {
            text == "nothing to do" || text.starts_with(|c: char| c.is_ascii_digit())
        })
    };
    let only_left_out =
        ended.status == 1 && ended.stderr.lines().all(|line| line.contains(": left out: "));
    assert!(only_left_out || ended.stderr.lines().any(is_summary), "{ended:?}");
}

/// Returns the paths and contents of all files in a folder, without the marker.
fn files(folder: &Path) -> Vec<(String, String)> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(at) = folders.pop() {
        for path in fs::read_dir(at).unwrap().map(|item| item.unwrap().path()) {
            if path.ends_with(".telefile-sync") {
                continue;
            }
            assert!(!path.is_symlink(), "{path:?}");
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                files.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_folder_that_becomes_a_symlink_leads_nowhere() {
    let user = User::new();
    user.write("outside/secret", "OUTSIDE");
    user.write("outside/one", "OUTSIDE");
    user.write("a/d/one", "1");
    let id = user.does("a", &[], "2 sent (1 folder)");
    user.does("b", &[&id], "2 received (1 folder)");
    let (folder, outside, parked) = (user.path("b/d"), user.path("outside"), user.path("parked"));
    let mut times = 0;
    for round in 0..ROUNDS {
        // Both ways through the folder, and beside it.
        user.write("a/d/one", &format!("{round}"));
        user.write(&format!("a/d/new-{round}"), "new");
        user.write(&format!("b/d/mine-{round}"), "mine");
        user.write(&format!("b/beside-{round}"), "beside");
        assert_round_ended(&user.once("a", &["--force"]));
        let mut program = Program::start(user.sync("b", &["--once", "--force"]));
        times += swap(&folder, &outside, &parked, &mut program);
        let status = program.wait();
        let (stdout, stderr) = (program.stdout.whole(), program.stderr.whole());
        assert_round_ended(&Ended { status, stdout, stderr });
    }
    assert!(times > ROUNDS, "{times}");
    for _ in 0..ROUNDS_TO_REST {
        user.once("b", &["--force"]);
        user.once("a", &["--force"]);
    }
    user.does("b", &[], "nothing to do");
    user.does("a", &[], "nothing to do");
    let found = files(&user.path("a"));
    assert_eq!(found, files(&user.path("b")));
    assert_eq!(user.read(&format!("a/beside-{}", ROUNDS - 1)), "beside");
    // Nothing was read there, and nothing was written.
    assert!(found.iter().all(|(_, content)| content != "OUTSIDE"), "{found:?}");
    assert_eq!(user.names("outside"), ["one", "secret"]);
    assert!(files(&outside).iter().all(|(_, content)| content == "OUTSIDE"));
}
