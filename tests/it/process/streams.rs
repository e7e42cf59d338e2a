//! Standard streams that are closed or open in the wrong mode: they look like an empty input, or
//! like an output that was written.

use super::verbs::{at, feed, start};
use super::{Ended, Serving, run, telefile};
use crate::programs::program;
use crate::server::Folder;
use std::fs::File;
use std::process::{Command, Stdio};

/// Returns the command, started by a shell with this redirection.
fn redirected(command: &Command, redirection: &str) -> Command {
    let mut shell = program("sh");
    shell.args(["-c", &format!("exec \"$@\" {redirection}"), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

const READ_STDIN: [&[&str]; 5] = [
    &["write", "config"],
    &["cas", "config", "1"],
    &["create", "config"],
    &["connect"],
    &["open", "other"],
];

#[test]
fn a_closed_stdin_is_not_an_empty_one() {
    let serving = Serving::local(&[]);
    feed(at(&serving, &["write", "config"]), b"port = 80").said(0, "1\n", "");
    for args in READ_STDIN {
        let closed = "telefile: stdin is closed; for an empty input write </dev/null\n";
        let ended = run(redirected(&at(&serving, args), "<&-"));
        assert_eq!((ended.status, &ended.stdout[..], &ended.stderr[..]), (1, "", closed));
    }
    feed(at(&serving, &["list"]), b"").said(0, "1 9 0 config\n", "");
    // Empty on purpose.
    let ended = run(redirected(&at(&serving, &["write", "config"]), "</dev/null"));
    assert_eq!((ended.status, &ended.stdout[..]), (0, "2\n"), "{ended:?}");
    // A command that does not read stdin needs none.
    let ended = run(redirected(&at(&serving, &["list"]), "<&-"));
    assert_eq!((ended.status, &ended.stdout[..]), (0, "2 0 0 config\n"), "{ended:?}");
}

#[test]
fn a_stdin_that_cannot_be_read_is_not_an_empty_one() {
    let serving = Serving::local(&[]);
    let folder = Folder::new();
    feed(at(&serving, &["write", "config"]), b"port = 80").said(0, "1\n", "");
    for args in &READ_STDIN[..3] {
        // `nohup` opens /dev/null like this.
        run(redirected(&at(&serving, args), "0>/dev/null")).failed(1, &["stdin: ", "descriptor"]);
        let input = format!("<'{}'", folder.path().display());
        run(redirected(&at(&serving, args), &input)).failed(1, &["stdin: ", "directory"]);
    }
    feed(at(&serving, &["list"]), b"").said(0, "1 9 0 config\n", "");
    for args in &READ_STDIN[3..] {
        let ended = run(redirected(&at(&serving, args), "0>/dev/null"));
        assert_eq!(ended.status, 1, "{args:?}: {ended:?}");
        assert!(ended.stderr.starts_with("telefile: stdin: "), "{args:?}: {ended:?}");
    }
}

#[cfg(feature = "durable")]
#[test]
fn restore_does_not_accept_a_closed_stdin_as_a_backup() {
    let folder = Folder::new();
    let path = folder.path().join("data").display().to_string();
    let restore = telefile(&["restore", "-", &path]);
    run(redirected(&restore, "<&-")).failed(1, &["stdin is closed"]);
    assert!(!folder.path().join("data").exists());
}

#[test]
fn an_output_that_cannot_be_printed_is_a_failure() {
    let serving = Serving::local(&[]);
    feed(at(&serving, &["write", "f"]), b"x").said(0, "1\n", "");
    let changes = [
        (&["write", "f"][..], "the change was made: 2\n"),
        (&["cas", "f", "2"], "the change was made: 3\n"),
        (&["create", "q/"], "the change was made: 4 q/00000000000000000004\n"),
    ];
    let looks = [
        &["read", "f"][..],
        &["stat", "f"],
        &["hello"],
        &["types"],
        &["stats"],
        &["list"],
        &["watch", "", "0", "--for", "0"],
        &["open", "g"],
        &["--help"],
        &["--version"],
        &["read", "--help"],
        &["bench", "--conns", "1", "--secs", "0.01"],
    ];
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    for (args, word) in changes {
        let command = redirected(&at(&serving, args), "</dev/null >/dev/full");
        let Ended { status, stderr, .. } = run(command);
        assert_eq!(status, 1, "{args:?}: {stderr}");
        assert!(stderr.ends_with(word), "{args:?}: {stderr}");
    }
    feed(at(&serving, &["write", "f"]), b"x").said(0, "5\n", "");
    // A full disk, a descriptor that is open for reading.
    for (redirection, word) in [(">/dev/full", "No space left"), ("1</dev/null", "descriptor")] {
        for args in looks {
            let command = redirected(&at(&serving, args), &format!("</dev/null {redirection}"));
            let Ended { status, stderr, .. } = run(command);
            assert_eq!(status, 1, "{args:?} {redirection}: {stderr}");
            assert!(stderr.starts_with("telefile: stdout: ") && stderr.contains(word), "{stderr}");
        }
    }
}

#[test]
fn a_session_whose_replies_cannot_be_printed_fails() {
    let serving = Serving::local(&[]);
    let Ok(full) = File::options().write(true).open("/dev/full") else { return };
    let (typed, mut typing) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut typing, b"stats\n").unwrap();
    let mut command = at(&serving, &["connect"]);
    let mut child = command.stdin(typed).stdout(full).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(super::verbs::ended(&mut child), 1, "although stdin goes on");
}

#[test]
fn an_output_to_dev_null_is_no_failure() {
    let serving = Serving::local(&[]);
    // Opened like by the shell, and like by Python's DEVNULL and Node's ignore.
    for redirection in [">/dev/null", "1<>/dev/null"] {
        let write =
            redirected(&at(&serving, &["write", "f"]), &format!("</dev/null {redirection}"));
        let ended = run(write);
        assert_eq!((ended.status, &ended.stderr[..]), (0, ""), "{redirection}");
    }
    let (mut child, line, _stdout) =
        start(at(&serving, &["watch", "", "0", "--once"]).stdin(Stdio::null()));
    assert_eq!(line, "put 2 0 f\n");
    assert_eq!(super::verbs::ended(&mut child), 0);
}
