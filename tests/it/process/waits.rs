//! `telefile wait`: what it prints, and when it ends.

use super::Serving;
use super::verbs::{at, feed};
use crate::server::eventually;
use std::io::Read;
use std::process::Stdio;

#[test]
fn wait_prints_the_version_once_it_is_another_one_or_the_time_is_over() {
    let serving = Serving::local(&[]);
    let ask = |args: &[&str]| feed(at(&serving, args), b"");
    ask(&["wait", "f", "0", "0"]).said(0, "0\n", "");
    assert_eq!(feed(at(&serving, &["write", "f"]), b"one").status, 0);
    ask(&["wait", "f", "0"]).said(0, "1\n", "");
    ask(&["wait", "f", "7", "60"]).said(0, "1\n", "");
    ask(&["wait", "f", "1", "1"]).said(0, "1\n", "");
    assert_eq!(ask(&["wait", "f"]).status, 2);
    ask(&["wait", "f", "1", "soon"]).said(
        2,
        "",
        "telefile: invalid value 'soon' for '[SECS]': not a whole number of at least 0; \
         try `telefile wait --help`\n",
    );
    ask(&["wait", "f", "one"]).said(
        2,
        "",
        "telefile: invalid value 'one' for '<VERSION>': not a version, which is a whole number; \
         try `telefile wait --help`\n",
    );
}

#[test]
fn wait_without_seconds_blocks_until_the_file_changes() {
    let serving = Serving::local(&[]);
    let mut asker = serving.client();
    let mut command = at(&serving, &["wait", "lock/db", "0"]);
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    eventually("it waits", || asker.stat("watches") == 1);
    assert_eq!(asker.ask("write lock/db/x 0\r\n"), "OK 1");
    assert_eq!(asker.ask("write lock/db 0\r\n"), "OK 2");
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "2\n");
    assert!(child.wait().unwrap().success());
}
