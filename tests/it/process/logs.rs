//! What the log of the program shows at each level.

use super::{Serving, telefile};
use crate::server::{Client, Folder};
use rustix::process::Signal;

/// Returns the client's own address, as the server logs it.
fn address(client: &Client) -> String {
    client.socket().local_addr().unwrap().as_socket().expect("TCP").to_string()
}

fn logging(level: &str, args: &[&str]) -> Serving {
    let mut command = telefile(&[&["serve", "--listen", "127.0.0.1:0"], args].concat());
    command.env("RUST_LOG", level);
    Serving::from(command)
}

#[test]
fn the_log_has_errors_with_the_address_and_for_debug_connections() {
    let serving = logging("debug", &["--connections", "1"]);
    let mut good = serving.client();
    let of_good = address(&good);
    assert_eq!(good.ask("read f"), "ERR_FILE_NOT_FOUND");
    serving.logs(&[&of_good, "connected"]);
    let mut refused = serving.client();
    assert_eq!(refused.line(), "ERR_LIMIT connections 1");
    serving.logs(&[&address(&refused), "refused"]);
    good.send("quit\r\n");
    assert_eq!(good.read_to_end(), "");
    drop(good);
    serving.logs(&[&of_good, "left"]);

    let mut bad = serving.client();
    let of_bad = address(&bad);
    bad.send("nonsense\r\n");
    assert_eq!(bad.read_to_end(), "ERR_CMD_ERR\r\n");
    drop(bad);
    serving.logs(&[&of_bad, "disconnected", "ERR_CMD_ERR"]);
    serving.logs(&[&of_bad, "left"]);

    let torn = serving.client();
    torn.send("write f 6\r\nab");
    torn.half_close();
    serving.logs(&[&address(&torn), "the stream ended inside contents"]);
}

#[test]
fn connections_and_commands_are_logged_only_for_debug() {
    let serving = Serving::local(&[]);
    let mut good = serving.client();
    assert_eq!(good.ask("read f"), "ERR_FILE_NOT_FOUND");
    good.send("quit\r\n");
    assert_eq!(good.read_to_end(), "");
    let torn = serving.client();
    torn.send("write f 6\r\nab");
    drop(torn);
    let mut bad = serving.client();
    bad.send("nonsense\r\n");
    assert_eq!(bad.read_to_end(), "ERR_CMD_ERR\r\n");
    serving.logs(&[&address(&bad), "disconnected", "ERR_CMD_ERR"]);
    let log = serving.stop(Signal::TERM);
    let words = [" connected", " left", " lost", "read f"];
    assert!(!words.iter().any(|word| log.contains(word)), "{log}");
}

#[test]
fn a_line_that_broke_the_framing_is_logged() {
    let serving = Serving::local(&["--max-contents", "100"]);
    let long = "x".repeat(500);
    let secret = format!("write s/{}/m six\r\n", "0123456789abcdef".repeat(2));
    for (sent, reason, line) in [
        ("nonsense foo\r\n", "an unknown command", "******** ***"),
        ("READ foo\r\n", "an unknown command", "READ foo"),
        ("GET /x HTTP/1.1\r\n", "an unknown command", "GET"),
        ("write foo\r\n", "too few fields", "write foo"),
        ("write foo six\r\n", "numbytes is no number below 2^63", "write foo six"),
        (&secret, "numbytes is no number below 2^63", "write s/01234567... six"),
        ("read foo\rbar\r\n", "a CR inside a line", "read foo bar"),
        (&long, "a line is too long", "********"),
        ("write foo 4\r\nabc\r\n", "numbytes may be one too large", "write foo 4"),
        ("write foo 3\r\nabc\n", "contents end in LF", "write foo 3"),
        ("write foo 3 -2\r\nabcd\r\n", "no line end after the contents", "write foo 3 -2"),
        ("write foo 101\r\n", "no line end after the contents", ""),
    ] {
        let mut bad = serving.client();
        let of_bad = address(&bad);
        bad.send(sent);
        if line.is_empty() {
            bad.send("x".repeat(110));
        }
        assert!(bad.read_to_end().starts_with("ERR_"));
        serving.logs(&[&of_bad, "disconnected", reason, &line.replace(" bar", "\\rbar")]);
    }
    let log = serving.stop(Signal::TERM);
    assert!(!log.contains("abc") && !log.contains("012345678") && !log.contains("xxx"), "{log}");
}

#[test]
fn errors_that_keep_the_connection_are_logged_for_debug() {
    let serving = logging("debug", &[]);
    let mut client = serving.client();
    for request in ["touch f 1 soon", "read", "delete f x"] {
        assert_eq!(client.ask(request), "ERR_CMD_ERR");
    }
    assert_eq!(client.ask("read f"), "ERR_FILE_NOT_FOUND");
    let client = address(&client);
    serving.logs(&[&client, "exptime is neither a number below 2^63 nor -1: touch f 1 soon"]);
    serving.logs(&[&client, "too few fields: read"]);
    serving.logs(&[&client, "version is no number below 2^63: delete f x"]);
    serving.logs(&[&client, "is refused: ERR_FILE_NOT_FOUND"]);
}

#[test]
fn the_log_has_connections_of_a_unix_socket_too() {
    let folder = Folder::new();
    let unix = format!("unix:{}", folder.path().join("socket").display());
    let mut command = telefile(&["serve", "--listen", &unix]);
    command.env("RUST_LOG", "debug");
    let serving = Serving::from(command);
    assert_eq!(serving.client().ask("read f"), "ERR_FILE_NOT_FOUND");
    serving.logs(&["unix", "connected"]);
    serving.logs(&["unix", "left"]);
}

#[test]
fn debug_shows_each_command() {
    let serving = logging("debug", &[]);
    let mut client = serving.client();
    let address = address(&client);
    client.send("write a/b 6 60\r\nabcdef\r\ncas a/b 1 3\r\nxyz\r\nread a/b\r\nstat @7\r\n");
    client.send("delete a/b 9\r\nstats\r\nquit\r\n");
    assert!(client.read_to_end().starts_with("OK 1\r\nOK 2\r\nCONTENTS 2 3 0\r\nxyz\r\n"));
    let log = serving.stop(Signal::TERM);
    for command in
        ["write a/b 6 60", "cas a/b 1 3", "read a/b", "stat @7", "delete a/b 9", "stats", "quit"]
    {
        let has = |line: &str| line.contains(&address) && line.contains(command);
        assert!(log.lines().any(has), "no {command} in {log}");
    }
    assert!(!log.contains("abcdef") && !log.contains("xyz"), "contents are nobody's business");
}

#[test]
fn names_are_escaped_and_cut() {
    let serving = logging("debug", &[]);
    let mut client = serving.client();
    assert_eq!(client.ask("read to\u{202e}gpj.exe"), "ERR_FILE_NOT_FOUND");
    let long = "n".repeat(400);
    assert_eq!(client.ask(&format!("read {long}")), "ERR_FILE_NOT_FOUND");
    assert_eq!(client.ask(&format!("stat {}", "é".repeat(60))), "ERR_FILE_NOT_FOUND");
    client.send("read \u{1b}[31m\r\nbad \u{202e}\u{1b}[31m\r\n");
    assert_eq!(client.read_to_end(), "ERR_CMD_ERR\r\nERR_CMD_ERR\r\n");
    let log = serving.stop(Signal::TERM);
    assert!(log.contains("read to\\u{202e}gpj.exe"), "{log}");
    assert!(!log.contains('\u{202e}') && !log.contains('\u{1b}'), "{log}");
    assert!(log.contains(&"n".repeat(64)) && !log.contains(&"n".repeat(65)), "{log}");
    assert!(log.contains(&"é".repeat(32)) && !log.contains(&"é".repeat(33)), "{log}");
}

#[test]
fn a_token_is_in_no_log() {
    let folder = Folder::new();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3cret-of-the-server\n").unwrap();
    let path = path.to_str().unwrap();
    let guarded = logging("trace", &["--token-file", path]);
    let open = logging("trace", &[]);
    for serving in [&guarded, &open] {
        let over = format!("hello {} s3cret-of-the-server", "x".repeat(500));
        for sent in [
            "hello s3cret-of-the-server",
            "hello s3cret-wrong",
            "helo s3cret-of-the-server",
            "HELLO s3cret-of-the-server",
            "hello s3cret-of-the-server extra",
            "hello  s3cret-wrong extra",
            "hello\ts3cret-of-the-server",
            "hello s3cret-of-\u{202e}the-server",
            "hello s3cret-of-the-server\r",
            "hello s3cret-of-the-server\rx",
            "s3cret-of-the-server",
            &over,
        ] {
            let mut client = serving.client();
            client.send(format!("{sent}\r\nquit\r\n"));
            assert!(client.read_to_end().ends_with("\r\n"), "{sent:?} is answered");
            // Part of a line, and then the end of the stream.
            let client = serving.client();
            client.send(sent);
            client.half_close();
        }
    }
    for serving in [guarded, open] {
        let log = serving.stop(Signal::TERM);
        assert!(log.contains("hello") && log.contains("disconnected"), "{log}");
        assert!(!log.contains("s3cret"), "{log}");
    }
}
