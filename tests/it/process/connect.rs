//! `telefile connect`: a plain session through pipes.

use super::verbs::{at, ended, feed, start};
use super::{Serving, telefile};
use crate::server::{Folder, eventually};
use rustix::process::Signal;
use std::io::{BufRead, Read, Write};
use std::process::Stdio;

#[test]
fn connect_sends_stdin_and_prints_replies() {
    let folder = Folder::new();
    let unix = format!("unix:{}", folder.path().join("socket").display());
    let serving = Serving::local(&["--listen", &unix]);
    let mut command = telefile(&["connect", "--addr", &unix]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut ask = |text: &str| {
        stdin.write_all(text.as_bytes()).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(ask("write f 6\nabcdef\n"), "OK 1\r\n");
    assert_eq!(ask("read g\n"), "ERR_FILE_NOT_FOUND\r\n");
    assert_eq!(ask("quit\n"), "");
    // Its stdin is still open: the server has ended the session.
    assert_eq!(ended(&mut child), 0);
    drop(serving);
}

#[test]
fn connect_prints_all_replies_after_the_end_of_stdin() {
    let serving = Serving::local(&[]);
    let large = vec![b'x'; 3_000_000];
    let sent = [b"write f 3000000\n", &large[..], b"\nread f\nread f\n"].concat();
    let fed = feed(at(&serving, &["connect"]), &sent);
    let head = b"CONTENTS 1 3000000 0\r\n";
    let once = [head, &large[..], b"\r\n"].concat();
    let expected = [b"OK 1\r\n", &once[..], &once].concat();
    assert_eq!((fed.status, &fed.stderr[..]), (0, ""));
    assert!(fed.stdout == expected, "{} bytes", fed.stdout.len());
}

#[test]
fn connect_ends_with_the_server_and_with_its_reader() {
    let serving = Serving::local(&[]);
    let mut command = at(&serving, &["connect"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
    let mut unread = command.spawn().unwrap();
    unread.stdin.as_mut().unwrap().write_all(b"stats\n").unwrap();
    assert_eq!(ended(&mut unread), 0, "nobody reads, although stdin goes on");
    let mut stderr = String::new();
    unread.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr, "");

    let mut command = at(&serving, &["connect"]);
    let (typed, mut typing) = std::io::pipe().unwrap();
    typing.write_all(b"read f\n").unwrap();
    let (mut child, line, _stdout) = start(command.stdin(typed));
    assert_eq!(line, "ERR_FILE_NOT_FOUND\r\n");
    let address = serving.addresses[0].to_string();
    serving.stop(Signal::TERM);
    assert_eq!(ended(&mut child), 3, "more could have been typed");
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let closed = "the server closed the connection";
    assert_eq!(stderr, format!("telefile: the connection is lost: {address}: {closed}\n"));
}

#[test]
fn a_killed_server_is_status_3() {
    let serving = Serving::local(&[]);
    let (typed, typing) = std::io::pipe().unwrap();
    let mut command = at(&serving, &["connect"]);
    let mut child = command.stdin(typed).stderr(Stdio::piped()).spawn().unwrap();
    eventually("it is connected", || serving.client().stat("connections") == 2);
    drop(serving);
    assert_eq!(ended(&mut child), 3);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    drop(typing);
}

#[test]
fn a_request_that_breaks_the_framing_is_status_1() {
    let serving = Serving::local(&["--connections", "1"]);
    let ends = "telefile: the server ended the session: ERR_CMD_ERR\n";
    for sent in [&b"reed x\n"[..], b"read x y\nwrite x 1\nabc\nread x\n"] {
        let fed = feed(at(&serving, &["connect"]), sent);
        assert_eq!((fed.status, &fed.stderr[..]), (1, ends), "{sent:?}");
        assert!(fed.stdout.ends_with(b"ERR_CMD_ERR\r\n"), "{fed:?}");
    }
    // These are answered, and the rest of stdin is sent too.
    for sent in [&b"read x y\n"[..], b"read x y\nquit\n", b"read x\nread @7\n"] {
        assert_eq!(feed(at(&serving, &["connect"]), sent).status, 0, "{sent:?}");
    }
    let inside = "telefile: stdin ended inside a request, which was not executed\n";
    for part in [&b"delete x"[..], b"write x 9\nabc"] {
        feed(at(&serving, &["connect"]), part).said(1, "", inside);
    }
    let _inside = serving.client();
    let (typed, _typing) = std::io::pipe().unwrap();
    let mut command = at(&serving, &["connect"]);
    command.stdin(typed).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    assert_eq!(ended(&mut child), 9);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(stderr.contains("ERR_LIMIT connections 1"), "{stderr}");
}
