//! Versions that outlive their server: `hello`, and `--epoch` wherever a command takes a version.

use super::verbs::{at, feed};
use super::{Ended, Serving, run};
use crate::programs::program;
use crate::server::Folder;
use rustix::process::Signal;

/// Returns the epoch as a shell gets it from `telefile hello`.
fn hello(serving: &Serving) -> (String, u64) {
    let Ended { status, stdout, stderr } = run(at(serving, &["hello"]));
    assert_eq!((status, &stderr[..]), (0, ""));
    let (epoch, rev) = stdout.strip_suffix('\n').and_then(|line| line.split_once(' ')).unwrap();
    assert!(epoch.len() == 16 && epoch.bytes().all(|b| b.is_ascii_hexdigit()), "{stdout}");
    (epoch.to_string(), rev.parse().unwrap())
}

#[test]
fn hello_list_and_stat_show_the_epoch_of_the_table() {
    let serving = Serving::local(&[]);
    assert_eq!(hello(&serving).1, 0);
    feed(at(&serving, &["write", "f"]), b"x").said(0, "1\n", "");
    let (epoch, rev) = hello(&serving);
    assert_eq!(rev, 1);
    assert!(serving.client().ask("hello").starts_with(&format!("HELLO 1 {epoch} 1")));
    let stat = run(at(&serving, &["stat", "f"])).stdout;
    assert_eq!(stat.lines().last(), Some(&format!("epoch {epoch}")[..]));
    let list = run(at(&serving, &["list", "--head"])).stdout;
    assert_eq!(list.lines().next(), Some(&format!("LIST 1 {epoch}")[..]));
}

/// Every command that takes a version, with the current one of the file.
const VERSIONED: [&[&str]; 8] = [
    &["wait", "f", "1"],
    &["touch", "f", "2", "99"],
    &["watch", "f", "1", "--for", "0"],
    &["watch", "f", "--for", "0"],
    &["list", "--after", "a"],
    &["cas", "f", "2"],
    &["delete", "f", "3"],
    &["delete", "f"],
];

#[test]
fn a_version_of_another_table_changes_and_prints_nothing() {
    let folder = Folder::new();
    let unix = format!("unix:{}", folder.path().join("socket").display());
    let serving = Serving::start(&["--listen", &unix]);
    let (old, _) = hello(&serving);
    serving.stop(Signal::TERM);

    let serving = Serving::start(&["--listen", &unix]);
    let mut client = serving.client();
    assert_eq!(client.write("a", b""), "OK 1");
    assert_eq!(client.write("f", b"another's"), "OK 2");
    let (new, _) = hello(&serving);
    assert_ne!(old, new);
    for args in VERSIONED {
        let ended = run(at(&serving, &[args, &["--epoch", &old]].concat()));
        ended.failed(4, &["another table", &old, &new, "nothing was done"]);
        assert_eq!(client.ask("stat f"), "STAT 2 9 0 MemoryFile 0", "{args:?}");
    }
    for args in &VERSIONED[..7] {
        let ended = run(at(&serving, &[*args, &["--epoch", &new]].concat()));
        assert_eq!((ended.status, &ended.stderr[..]), (0, ""), "{args:?}");
    }
    assert_eq!(client.ask("stat f"), "ERR_FILE_NOT_FOUND");
    // Hex digits are those of `hello`, or capitals.
    let capitals = ["list", "--epoch", &new.to_uppercase()];
    assert_eq!(run(at(&serving, &capitals)).status, 0);
}

#[test]
fn an_invalid_epoch_is_a_wrong_command_line() {
    let serving = Serving::local(&[]);
    for bad in
        ["", "7", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg", "+123456789abcdef"]
    {
        let ended = run(at(&serving, &["cas", "f", "0", &format!("--epoch={bad}")]));
        ended.failed(2, &["--epoch", "16 hex digits"]);
    }
    run(at(&serving, &["write", "f", "--epoch", "0123456789abcdef"])).failed(2, &["--epoch"]);
}

/// The script of the page on the command line, run by a shell; the server restarts in its middle.
#[test]
fn a_script_that_keeps_the_epoch_is_safe() {
    let page = include_str!("../../../tutorial/reference/shell.md");
    let (_, pattern) = page.split_once("```sh\nepoch=").unwrap();
    let pattern = format!("epoch={}", pattern.split_once("```").unwrap().0);
    let (keeping, using) = pattern.split_once("telefile cas").unwrap();
    let shell = |serving: &Serving, script: &str| {
        let folder = Folder::new();
        std::fs::write(folder.path().join("app.toml"), "mine").unwrap();
        let telefile = at(serving, &[]);
        let path = std::path::Path::new(telefile.get_program()).parent().unwrap();
        let path = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
        let mut shell = program("sh");
        shell.args(["-euc", script]).current_dir(folder.path()).env("PATH", path);
        shell.env("TELEFILE_ADDR", serving.addresses[0].to_string());
        run(shell)
    };
    let serving = Serving::local(&[]);
    feed(at(&serving, &["write", "config"]), b"old").said(0, "1\n", "");
    let ended = shell(&serving, &pattern);
    assert_eq!((ended.status, &ended.stdout[..]), (0, "2\n"), "{ended:?}");
    let kept = shell(&serving, &format!("{keeping}echo \"epoch=$epoch version=$version\""));
    assert_eq!(kept.status, 0, "{kept:?}");

    let serving = Serving::local(&[]);
    for _ in 0..2 {
        feed(at(&serving, &["write", "config"]), b"another's");
    }
    let ended = shell(&serving, &format!("{}; telefile cas{using}", kept.stdout.trim_end()));
    assert_eq!((ended.status, &ended.stdout[..]), (4, ""), "{ended:?}");
    feed(at(&serving, &["read", "config"]), b"").said(0, "another's", "");
}
