//! The commands for coordination: `list`, `watch`, `create`, `touch`.

use super::verbs::{at, ended, feed, start};
use super::{Serving, run, telefile};
use crate::server::{Folder, eventually};
use rustix::process::Signal;
use std::fmt::Write as _;
use std::io::{BufRead, Read};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line
}

fn stderr(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn list_shows_the_files() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    let said = |args: &[&str], stdout: &str| feed(at(&serving, args), b"").said(0, stdout, "");
    said(&["list"], "");
    let epoch = client.ask("hello").split(' ').nth(2).unwrap().to_string();
    said(&["list", "--head"], &format!("LIST 0 {epoch}\n"));
    for (name, contents) in [("svc/b", "two"), ("svc/a", "1"), ("other", "")] {
        client.write(name, contents.as_bytes());
    }
    assert_eq!(client.ask("touch svc/a 2 99"), "OK 2");
    said(&["list", "svc/"], "2 1 99 svc/a\n1 3 0 svc/b\n");
    said(&["list", "--names"], "other\nsvc/a\nsvc/b\n");
    let all = format!("LIST 3 {epoch}\nother\nsvc/a\nsvc/b\n");
    said(&["list", "*", "--names", "--head"], &all);
    said(&["list", "svc/", "--names", "--limit", "1"], "svc/a\n");
    said(&["list", "--names", "--after", "other", "--limit=7"], "svc/a\nsvc/b\n");
    said(&["list", "svc/", "--after", "svc/b"], "");
}

#[test]
fn a_list_and_a_watch_have_a_line_for_each_file() {
    const FILES: usize = 20_500;
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    let (mut requests, mut names) = (String::new(), String::new());
    for i in 0..FILES {
        write!(requests, "write svc/{i:05} 0\r\n\r\n").unwrap();
        writeln!(names, "svc/{i:05}").unwrap();
    }
    let sender = client.sender();
    thread::scope(|scope| {
        scope.spawn(|| sender.send(&requests));
        (0..FILES).for_each(|_| assert!(client.line().starts_with("OK ")));
    });
    let ask = |args: &[&str]| feed(at(&serving, args), b"");
    ask(&["list", "svc/", "--names"]).said(0, &names, "");
    let head = ask(&["list", "--head", "--names", "--limit", "20001"]);
    let expected = names.split_inclusive('\n').take(20_001).collect::<String>();
    let epoch = client.ask("hello").split(' ').nth(2).unwrap().to_string();
    head.said(0, &format!("LIST {FILES} {epoch}\n{expected}"), "");
    let puts = |from: usize| -> String {
        names.lines().zip(1..).skip(from).map(|(name, v)| format!("put {v} 0 {name}\n")).collect()
    };
    ask(&["watch", "svc/", "0", "--for", "0"]).said(0, &puts(0), "");
    ask(&["watch", "svc/", "300", "--once"]).said(0, &puts(300), "");
}

#[test]
fn a_watch_from_the_rev_of_a_list_misses_nothing() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    client.write("svc/a", b"1");
    client.write("svc/b", b"1");
    let ask = |args: &[&str]| feed(at(&serving, args), b"");
    let epoch = client.ask("hello").split(' ').nth(2).unwrap().to_string();
    let list = format!("LIST 2 {epoch}\nsvc/a\nsvc/b\n");
    ask(&["list", "svc/", "--head", "--names"]).said(0, &list, "");
    ask(&["watch", "svc/", "2", "--for", "0"]).said(0, "", "");
    client.write("svc/c", b"three");
    assert_eq!(client.ask("delete svc/a"), "OK");
    client.write("other", b"");
    let changes = "put 3 5 svc/c\ndel 4 0 svc/a\n";
    ask(&["watch", "svc/", "2", "--for", "0"]).said(0, changes, "");
    ask(&["watch", "svc/", "2", "--once"]).said(0, changes, "");
    let ended = ask(&["watch", "svc/", "99"]);
    assert!(ended.status == 1 && ended.stderr.contains("(ERR_COMPACTED 5)"), "{ended:?}");
}

#[test]
fn changes_are_printed_as_they_come() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    client.write("a/old", b"");
    let (mut child, first, mut stdout) = start(&mut at(&serving, &["watch", "a/", "0"]));
    assert_eq!(first, "put 1 0 a/old\n");
    for version in 2..5 {
        client.write("a/new", b"x");
        assert_eq!(line(&mut stdout), format!("put {version} 1 a/new\n"));
    }
    assert_eq!(client.ask("delete a/old"), "OK");
    assert_eq!(line(&mut stdout), "del 5 0 a/old\n");
    serving.stop(Signal::TERM);
    assert_eq!(line(&mut stdout), "");
    assert_eq!(ended(&mut child), 3, "it does not go on with another server");
    assert_eq!(stderr(&mut child).lines().count(), 1);
}

#[test]
fn a_watch_without_a_rev_begins_now() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    client.write("a/old", b"");
    let mut command = at(&serving, &["watch", "a/", "--once"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    eventually("it watches", || client.stat("watches") == 1);
    client.write("a/new", b"");
    assert_eq!(ended(&mut child), 0, "once something has changed");
    let mut text = String::new();
    child.stdout.unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "put 2 0 a/new\n");
}

#[test]
fn a_watch_with_once_fails_if_nothing_has_changed() {
    let serving = Serving::local(&[]);
    let mut command = at(&serving, &["watch", "a", "0", "--once"]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut client = serving.client();
    eventually("it watches", || client.stat("watches") == 1);
    serving.stop(Signal::TERM);
    assert_eq!(ended(&mut child), 3);
}

#[test]
fn a_watch_lasts_its_seconds() {
    let serving = Serving::local(&[]);
    for args in [&["watch", "a", "--for", "1"][..], &["watch", "a", "--for", "1", "--once"]] {
        let since = Instant::now();
        feed(at(&serving, args), b"").said(0, "", "");
        assert!(since.elapsed() >= Duration::from_secs(1));
    }
}

#[test]
fn a_watch_ends_with_its_reader_although_nothing_changes() {
    let serving = Serving::local(&[]);
    serving.client().write("a", b"");
    let (mut child, first, stdout) = start(&mut at(&serving, &["watch", "a", "0"]));
    assert_eq!(first, "put 1 0 a\n");
    drop(stdout);
    assert_eq!(ended(&mut child), 0);
    assert_eq!(stderr(&mut child), "");
}

#[test]
fn create_appends_the_version_to_the_name() {
    let serving = Serving::local(&[]);
    let ask = |args: &[&str], input: &[u8]| feed(at(&serving, args), input);
    ask(&["create", "queue/"], b"first").said(0, "1 queue/00000000000000000001\n", "");
    let second = ask(&["create", "queue/", "--exptime", "99"], b"");
    second.said(0, "2 queue/00000000000000000002\n", "");
    let list = "1 5 0 queue/00000000000000000001\n2 0 99 queue/00000000000000000002\n";
    ask(&["list", "queue/"], b"").said(0, list, "");
    let endless = ask(&["create", "queue/", "--max-contents", "3"], b"abcd");
    endless.said(1, "", "telefile: stdin: more than 3 bytes; --max-contents raises that\n");
}

#[test]
fn touch_changes_only_the_expiry() {
    let serving = Serving::local(&[]);
    let ask = |args: &[&str]| feed(at(&serving, args), b"");
    ask(&["write", "f"]).said(0, "1\n", "");
    for (seconds, exptime) in [("99", "99"), ("0", "0")] {
        ask(&["touch", "f", "1", seconds]).said(0, "", "");
        ask(&["list"]).said(0, &format!("1 0 {exptime} f\n"), "");
    }
    let at_1 = "telefile: f is at version 1 (ERR_VERSION 1)\n";
    ask(&["touch", "f", "2", "99"]).said(7, "", at_1);
    ask(&["list"]).said(0, "1 0 0 f\n", "");
}

#[test]
fn a_file_that_would_end_with_the_command_is_refused() {
    for args in [
        &["write", "f", "--exptime", "-1"][..],
        &["write", "f", "--exptime=-1"],
        &["cas", "f", "0", "--exptime", "-1"],
        &["create", "f", "--exptime", "-1"],
        &["touch", "f", "1", "-1"],
    ] {
        // Nobody listens there: the command line is checked before connecting.
        let command = telefile(&[args, &["--addr", "unix:/nobody"]].concat());
        run(command).failed(2, &["'-1'", "the file would end at once"]);
    }
}

#[test]
fn a_wrong_command_line_is_reported() {
    let serving = Serving::local(&[]);
    for (args, word) in [
        (&["list", "a", "b"][..], "b"),
        (&["list", "a b"], "a b"),
        (&["list", "--limit", "0"], "'0' for '--limit <N>'"),
        (&["list", "--limit", "-1"], "'-1' for '--limit <N>'"),
        (&["list", "--after", "a b"], "a b"),
        (&["watch"], "PREFIX"),
        (&["watch", "a", "-1"], "'-1' for '[REV]': not a version"),
        (&["watch", "a", "soon"], "'soon' for '[REV]': not a version"),
        (&["watch", "a", "--for", "-1"], "'-1' for '--for <SECS>'"),
        (&["watch", "a", "--for", "1.5"], "'1.5' for '--for <SECS>'"),
        (&["touch", "f", "1"], "SECS"),
        (&["touch", "f", "-7", "9"], "'-7' for '<VERSION>': not a version"),
        (&["touch", "f", "1", "-9"], "'-9' for '<SECS>': not a whole number of seconds"),
        (&["touch", "f", "1", "9", "-9"], "unexpected argument"),
        (&["create"], "PREFIX"),
        (&["create", "@"], "@"),
        (&["write", "f", "--exptime", "-9"], "-9"),
    ] {
        run(at(&serving, args)).failed(2, &[word]);
    }
    let folder = Folder::new();
    let nobody = format!("unix:{}", folder.path().join("nobody").display());
    for verb in [&["list"][..], &["watch", "a"], &["touch", "f", "1", "9"], &["create", "f"]] {
        run(telefile(&[verb, &["--addr", &nobody]].concat())).failed(3, &["nobody"]);
    }
}
