//! `telefile watch --follow`: the files that exist, and what becomes of them, whatever the server does.

use super::verbs::{at, feed};
use super::{Program, Serving, run, telefile};
use crate::server::{Folder, eventually};
use rustix::process::Signal;

fn epoch(serving: &Serving) -> String {
    serving.client().ask("hello").split(' ').nth(2).unwrap().to_string()
}

#[track_caller]
fn prints(program: &Program, text: &str) {
    eventually(text, || {
        assert_eq!(program.stderr.now(), "");
        program.stdout.now() == text
    });
}

#[test]
fn files_are_listed_first_and_then_followed() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    for name in ["svc/a", "svc/b", "other"] {
        client.write(name, b"up");
    }
    let program = Program::start(at(&serving, &["watch", "--follow", "svc/"]));
    let mut text =
        format!("table {}\njoin 1 2 svc/a\njoin 2 2 svc/b\ncurrent 3\n", epoch(&serving));
    prints(&program, &text);
    client.write("svc/a", b"busy");
    text += "put 4 4 svc/a\ncurrent 4\n";
    prints(&program, &text);
    client.write("else", b"");
    assert_eq!(client.ask("delete svc/b"), "OK");
    text += "leave 6 0 svc/b\ncurrent 6\n";
    prints(&program, &text);
    client.write("svc/b", b"");
    text += "join 7 0 svc/b\ncurrent 7\n";
    prints(&program, &text);
}

#[test]
fn the_present_state_is_a_follow_for_no_time() {
    let serving = Serving::local(&[]);
    let epoch = epoch(&serving);
    let follow = ["watch", "--follow", "--for", "0", ""];
    let ended = run(at(&serving, &follow));
    assert_eq!((ended.status, ended.stdout), (0, format!("table {epoch}\ncurrent 0\n")));
    let writes: String = (0..10_500).map(|i| format!("write a/{i} 0\n\n")).collect();
    assert_eq!(feed(at(&serving, &["connect"]), writes.as_bytes()).status, 0);
    let ended = run(at(&serving, &follow));
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with("join ")).count(), 10_500);
    assert!(ended.stdout.ends_with("\ncurrent 10500\n"));
    let json = run(at(&serving, &["watch", "--follow", "--for", "0", "--json", "a/9999"])).stdout;
    let expected = format!(
        "{{\"event\":\"table\",\"epoch\":\"{epoch}\"}}\n\
         {{\"event\":\"join\",\"name\":\"a/9999\",\"version\":10000,\"numbytes\":0}}\n\
         {{\"event\":\"current\",\"version\":10500}}\n"
    );
    assert_eq!(json, expected);
}

#[test]
fn a_restart_is_printed_as_what_it_changes() {
    let folder = Folder::new();
    let address = format!("unix:{}", folder.path().join("socket").display());
    let serving = Serving::start(&["--listen", &address]);
    let first = epoch(&serving);
    serving.client().write("a", b"x");
    serving.client().write("b", b"x");
    let program = Program::start(telefile(&["watch", "--follow", "", "--addr", &address]));
    let mut text = format!("table {first}\njoin 1 1 a\njoin 2 1 b\ncurrent 2\n");
    prints(&program, &text);
    serving.program.signal(Signal::KILL);
    drop(serving);
    text += "stale\n";
    eventually("it says so", || program.stdout.now() == text);
    let serving = Serving::start(&["--listen", &address]);
    let second = epoch(&serving);
    text += &format!("table {second}\n");
    // Files may be made before and after it lists them.
    serving.client().write("a", b"xyz");
    serving.client().write("c", b"");
    eventually("it goes on", || program.stdout.now().ends_with("current 2\n"));
    let rest = program.stdout.now();
    let rest = rest.strip_prefix(&text).unwrap();
    assert!(
        rest.lines().any(|line| line.starts_with("leave ") && line.ends_with(" 0 b")),
        "{rest}"
    );
    assert_eq!(rest.matches("put 1 3 a\n").count() + rest.matches("join 1 3 a\n").count(), 1);
    assert!(rest.contains("join 2 0 c\n"), "{rest}");
    let stderr = program.stderr.now();
    assert!(stderr.lines().count() == 1 && stderr.ends_with("; trying again\n"), "{stderr}");
}

#[test]
fn with_an_epoch_another_table_is_status_4() {
    let folder = Folder::new();
    let address = format!("unix:{}", folder.path().join("socket").display());
    let serving = Serving::start(&["--listen", &address]);
    let epoch = epoch(&serving);
    let args = ["watch", "--follow", "", "--addr", &address, "--epoch", &epoch];
    let mut program = Program::start(telefile(&args));
    prints(&program, &format!("table {epoch}\ncurrent 0\n"));
    drop(serving);
    eventually("it says so", || program.stdout.now().ends_with("stale\n"));
    let _serving = Serving::start(&["--listen", &address]);
    assert_eq!(program.wait(), 4);
    run(telefile(&args)).failed(4, &["another table"]);
}

#[test]
fn a_follow_ends_with_its_reader_and_needs_a_first_connection() {
    let serving = Serving::local(&[]);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = at(&serving, &["watch", "--follow", ""]);
    command.stdin(std::process::Stdio::null()).stdout(writer);
    let mut child = command.spawn().unwrap();
    drop(command);
    drop(reader);
    assert_eq!(super::verbs::ended(&mut child), 0);
    run(telefile(&["watch", "--follow", "", "--addr", "unix:/no/such"])).failed(3, &["/no/such"]);
    run(at(&serving, &["watch", "--follow", "", "7"])).failed(2, &["--follow"]);
    run(at(&serving, &["watch", "--follow", "--once", ""])).failed(2, &["--follow"]);
    run(at(&serving, &["watch", "--follow", "a b"])).failed(2, &["a b"]);
}
