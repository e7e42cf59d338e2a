//! An ignore file that makes no sense, as another machine may send one.

use super::{User, start};
use crate::server::eventually;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const FILE: &str = ".telefile-ignore";

/// Makes something at the path of the ignore file.
type Make = fn(&Path);

#[test]
fn a_bad_line_is_skipped_and_said_on_each_machine() {
    let user = User::new();
    user.write("a/.telefile-ignore", "*.o\n[z-a]\n/build\n");
    user.write("a/x.o", "left alone");
    user.write("a/build", "left alone");
    user.write("a/x", "sent");
    let ended = user.once("a", &[]);
    assert_eq!(ended.status, 1, "{ended:?}");
    let line = "telefile: .telefile-ignore:2: left out: error parsing glob '[z-a]': invalid range";
    assert!(ended.stderr.starts_with("telefile: 2 sent\n"), "{ended:?}");
    assert!(ended.stderr.contains(line), "{ended:?}");

    let id = ended.stdout.trim_start_matches("id: ").trim_end().to_string();
    user.does("b", &[&id], "2 received");
    user.write("b/y.o", "left alone");
    let ended = user.once("b", &[]);
    assert!(ended.status == 1 && ended.stderr.contains(line), "{ended:?}");
    assert!(!ended.stderr.contains("sent"), "{ended:?}");
}

#[test]
fn without_an_ignore_file_that_can_be_read_the_patterns_stay_as_they_were() {
    let makes: [(&str, Make); 3] = [
        ("no longer a regular file", |path| fs::create_dir(path).unwrap()),
        ("symbolic links", |path| symlink("x", path).unwrap()),
        ("larger than 1048576 bytes", |path| fs::write(path, "x\n".repeat(600_000)).unwrap()),
    ];
    for (why, make) in makes {
        let user = User::new();
        user.write("a/.telefile-ignore", "*.o\n");
        user.write("a/x.o", "left alone");
        let mut program = start(user.sync("a", &["--ignore", "*.p"]));
        fs::remove_file(user.path("a").join(FILE)).unwrap();
        make(&user.path("a").join(FILE));
        eventually("it is said", || program.stderr.now().contains(why));
        user.write("a/y.o", "left alone");
        user.write("a/y.p", "left alone");
        user.write("a/y", "sent");
        let id = program.stdout.now().trim_start_matches("id: ").trim_end().to_string();
        eventually("another machine has the new file", || {
            let ended = user.once("b", &[&id]);
            assert!(ended.status <= 1, "{ended:?}");
            user.names("b").contains(&"y".to_string())
        });
        let names = user.names("b");
        assert!(
            !names.iter().any(|name| name.ends_with(".o") || name.ends_with(".p")),
            "{names:?}"
        );
        assert_eq!(program.ended(), None);
        assert_eq!(program.stderr.now().matches("the patterns stay").count(), 1);
    }
}

/// The patterns cannot be read, and the file that another machine sent cannot be put there.
#[test]
fn two_reasons_of_one_path_are_said_in_one_line_once() {
    let user = User::new();
    user.write("a/x", "sent");
    let id = user.does("a", &[], "1 sent");
    user.does("b", &[&id], "1 received");
    symlink("x", user.path("b").join(FILE)).unwrap();
    user.write("a/.telefile-ignore", "*.o\n");
    user.does("a", &[], "1 sent");
    let program = start(user.sync("b", &["--no-watch"]));
    for n in 0..3 {
        user.write(&format!("b/{n}"), "one more round");
        eventually("it is sent", || program.stderr.now().matches("1 sent").count() > n);
    }
    let stderr = program.stderr.now();
    let lines: Vec<_> = stderr.lines().filter(|line| line.contains("ignore: left out: ")).collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    for why in ["neither a file nor a folder", "the patterns stay as they were"] {
        assert!(lines[0].contains(why), "{stderr}");
    }
}

#[test]
fn the_patterns_of_the_command_line_hold_until_others_replace_them() {
    let user = User::new();
    user.write("a/x", "sent");
    user.write("a/x.o", "left alone");
    user.write("a/x.p", "left alone later");
    let id = user.does("a", &["--ignore", "*.o", "--ignore", "/build"], "2 sent");
    user.does("b", &[&id], "2 received");
    let kept = "telefile: left alone as at an earlier start: [\"*.o\", \"/build\"]\n";
    let quiet = format!("{kept}telefile: nothing to do\n");
    for flags in [&[][..], &[], &["--dry-run", "--ignore", ""], &[&id, "--new"]] {
        let ended = user.once("a", flags);
        match flags.len() {
            3 => assert_eq!(ended.stdout.lines().nth(1), Some("push x.o"), "{ended:?}"),
            _ => assert_eq!((ended.status, &ended.stderr), (0, &quiet), "{ended:?}"),
        }
    }
    // A file that was synchronised, and one that never was.
    user.does("a", &["--ignore", "*.p"], "1 sent");
    fs::remove_file(user.path("b/x.p")).unwrap();
    user.does("b", &[], "1 received, 1 deleted on the server");
    assert_eq!(user.names("a"), ["x", "x.o", "x.p"]);
    user.write("a/x.p", "changed while it was left alone");
    user.does("a", &["--ignore", ""], "1 sent");
    user.does("a", &[], "nothing to do");
    user.does("b", &[], "1 received");
    assert_eq!(user.read("b/x.p"), "changed while it was left alone");
}

#[test]
fn a_file_that_changed_on_both_sides_while_it_was_left_alone_is_kept_twice() {
    let user = User::new();
    user.write("a/x", "one");
    let id = user.does("a", &[], "1 sent");
    user.does("b", &[&id], "1 received");
    user.write("a/x", "two");
    user.does("a", &["--ignore", "x"], "nothing to do");
    user.write("b/x", "three");
    user.does("b", &[], "1 sent");
    let ended = user.once("a", &["--ignore", ""]);
    assert!(ended.stderr.contains("changed on both sides"), "{ended:?}");
    assert_eq!((user.read("a/x"), user.names("a").len()), ("three".to_string(), 2));
}

#[test]
fn a_start_whose_patterns_cannot_be_read_sends_nothing() {
    let user = User::new();
    user.write("a/x.o", "left alone");
    user.does("a", &["--ignore", "*.o"], "nothing to do");
    fs::write(user.path("a/.telefile-sync/ignore"), "[z-a]\n").unwrap();
    user.once("a", &[]).failed(1, &[".telefile-sync/ignore", "[z-a]"]);
    fs::write(user.path("a/.telefile-sync/ignore"), b"\xff\n").unwrap();
    user.once("a", &[]).failed(1, &[".telefile-sync/ignore"]);
    user.does("a", &["--ignore", "*.o"], "nothing to do");
}
