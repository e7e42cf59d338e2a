//! `--json` of every verb that prints: one object a line, read by another's parser.

use super::verbs::{at, feed, start};
use super::{Serving, run};
use crate::server::eventually;
use serde_json::{Value, json};
use std::process::Stdio;

/// Runs a verb with `--json`, and returns the objects that it prints.
#[track_caller]
fn ask(serving: &Serving, args: &[&str], input: &[u8]) -> Vec<Value> {
    let args = [&args[..1], &["--json"], &args[1..]].concat();
    let fed = feed(at(serving, &args), input);
    assert_eq!((fed.status, &fed.stderr[..]), (0, ""), "{args:?}");
    objects(&fed.stdout)
}

#[track_caller]
fn objects(output: &[u8]) -> Vec<Value> {
    let text = str::from_utf8(output).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
    let parsed = text.lines().map(|line| serde_json::from_str(line).unwrap());
    parsed.inspect(|value: &Value| assert!(value.is_object(), "{value}")).collect()
}

#[test]
fn each_verb_prints_objects() {
    let serving = Serving::local(&[]);
    let epoch = serving.client().ask("hello").split(' ').nth(2).unwrap().to_string();
    let ask = |args: &[&str], input: &[u8]| ask(&serving, args, input);
    assert_eq!(ask(&["write", "f"], b"x"), [json!({"name": "f", "version": 1})]);
    assert_eq!(ask(&["cas", "f", "1"], b"one\n"), [json!({"name": "f", "version": 2})]);
    let created = json!({"name": "q/00000000000000000003", "version": 3});
    assert_eq!(ask(&["create", "q/", "--exptime", "99"], b""), [created]);
    let read = json!({
        "name": "f", "version": 2, "numbytes": 4, "exptime": 0, "contents": "one\n"
    });
    assert_eq!(ask(&["read", "f"], b""), [read]);
    let absent = json!({
        "name": "g", "version": 0, "numbytes": 1, "exptime": 0, "contents": "?"
    });
    assert_eq!(ask(&["read", "g", "--default", "?"], b""), [absent]);
    let stat = json!({
        "name": "f", "version": 2, "numbytes": 4, "exptime": 0, "type": "MemoryFile", "opens": 0,
        "epoch": epoch
    });
    assert_eq!(ask(&["stat", "f"], b""), [stat]);
    let f = json!({"name": "f", "version": 2, "numbytes": 4, "exptime": 0});
    assert_eq!(ask(&["list", "f"], b"")[0], f);
    assert_eq!(ask(&["list", "--names", "f"], b""), [json!({"name": "f"})]);
    assert_eq!(ask(&["list", "--head", "f"], b""), [json!({"rev": 3, "epoch": epoch}), f]);
    assert!(ask(&["list", "none"], b"").is_empty());
    assert_eq!(ask(&["hello"], b""), [json!({"epoch": epoch, "rev": 3})]);
    assert_eq!(ask(&["wait", "f", "1"], b""), [json!({"name": "f", "version": 2})]);
    let sum = json!({"name": "n", "value": -1, "version": 4});
    assert_eq!(ask(&["add", "n", "-1"], b""), [sum]);
    let updated = json!({"name": "n", "version": 5, "changed": true});
    assert_eq!(ask(&["update", "n", "echo", "7"], b""), [updated]);
    assert_eq!(ask(&["delete", "--prefix", "n", "--yes"], b""), [json!({"deleted": 1})]);
    let changes = [
        json!({"event": "put", "name": "f", "version": 2, "numbytes": 4}),
        json!({"event": "del", "name": "n", "version": 6}),
    ];
    assert_eq!(ask(&["watch", "--for", "0", "f", "0"], b""), changes[..1]);
    assert_eq!(ask(&["watch", "--for", "0", "n", "0"], b""), changes[1..]);
    assert!(ask(&["types"], b"").contains(&json!({"type": "Counter"})));
    eventually("the commands before have left", || {
        let stats = ask(&["stats"], b"");
        assert_eq!(stats.len(), 1);
        assert!(stats[0]["version"].is_string() || stats[0]["files"].is_number(), "{stats:?}");
        stats[0]["connections"] == 1
    });
    let mut open = at(&serving, &["open", "here", "Counter", "--json"]);
    let (mut child, line, _stdout) = start(open.stdin(Stdio::piped()));
    let opened = json!({"name": "here", "fd": 0, "version": 7, "type": "Counter"});
    assert_eq!(objects(line.as_bytes()), [opened]);
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn hostile_names_and_contents_are_strings() {
    let serving = Serving::local(&[]);
    for name in ["\"", "\\u0041", "a\u{202e}b", "\u{1f600}\u{fffd}", "{\"name\":1}", "'$(x)`"] {
        for contents in [&b"\"}\n{"[..], b"\x1b[2J\0\x7f\xc2\x9b", b"", "\u{2028}".as_bytes()] {
            ask(&serving, &["write", "--", name], contents);
            let read = ask(&serving, &["read", "--", name], b"");
            assert_eq!(read[0]["name"], name);
            assert_eq!(read[0]["contents"], str::from_utf8(contents).unwrap(), "{name}");
            assert_eq!(ask(&serving, &["list", "--", name], b"")[0]["name"], name);
        }
        ask(&serving, &["write", "--", name], b"\xff\0");
        let read = ask(&serving, &["read", "--", name], b"").remove(0);
        assert_eq!((&read["contents_base64"], read.get("contents")), (&json!("/wA="), None));
    }
}

#[test]
fn failures_are_plain_lines_on_stderr() {
    let serving = Serving::local(&[]);
    run(at(&serving, &["read", "--json", "f"])).failed(6, &["ERR_FILE_NOT_FOUND"]);
    run(at(&serving, &["read", "--json", "--head", "f"])).failed(2, &["--json"]);
}
