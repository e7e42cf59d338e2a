//! Every documented exit status, for each command that speaks to a server.

use super::verbs::{Fed, at, feed};
use super::{Serving, telefile};
use crate::server::Folder;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Every command except those that run a command, which have statuses of their own, and whether it changes a file.
const COMMANDS: [(&[&str], bool); 18] = [
    (&["read", "f"], false),
    (&["write", "f"], true),
    (&["cas", "f", "0"], true),
    (&["create", "f"], true),
    (&["add", "f", "1"], false), // it reads first
    (&["touch", "f", "1", "9"], true),
    (&["delete", "f"], true),
    (&["delete", "--prefix", "f", "--yes"], false), // it lists first
    (&["stat", "f"], false),
    (&["hello"], false),
    (&["list"], false),
    (&["wait", "f", "0"], false),
    (&["watch", "f", "0"], false),
    (&["open", "f"], false),
    (&["types"], false),
    (&["stats"], false),
    (&["connect"], false),
    (&["bench", "--conns", "1", "--secs", "0.01"], false),
];

/// Runs a command against the server at this address, with a request on stdin.
#[track_caller]
fn ask(args: &[&str], address: &str) -> Fed {
    let mut command = telefile(args);
    command.env("TELEFILE_ADDR", address);
    let fed = feed(command, b"stats\n");
    let is_line = fed.stderr.starts_with("telefile: ") && fed.stderr.lines().count() == 1;
    assert!(is_line, "{args:?}: {fed:?}");
    fed
}

/// Starts a server that does this with every connection.
fn server(with: impl Fn(BufReader<TcpStream>) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let with = with.clone();
            thread::spawn(move || with(BufReader::new(stream)));
        }
    });
    address
}

fn line(input: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    let _ = input.read_line(&mut line);
    line
}

#[test]
fn no_server_is_status_3() {
    let folder = Folder::new();
    let nobody = format!("unix:{}", folder.path().join("nobody").display());
    let closing = server(drop);
    for (args, _) in COMMANDS {
        for address in [&nobody, &closing] {
            let fed = ask(args, address);
            let found = (fed.status, &fed.stdout[..], fed.stderr.contains("may have been made"));
            assert_eq!(found, (3, &b""[..], false), "{args:?} {address}: {fed:?}");
        }
    }
}

#[test]
fn a_server_of_another_protocol_is_status_3() {
    let other = server(|mut input| {
        let _ = line(&mut input);
        let _ = input.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    // `connect` prints the reply of any server.
    for (args, _) in COMMANDS.iter().filter(|(args, _)| args[0] != "connect") {
        let fed = ask(args, &other);
        assert_eq!((fed.status, &fed.stdout[..]), (3, &b""[..]), "{args:?}: {fed:?}");
        assert!(fed.stderr.contains("not a telefile server"), "{args:?}: {fed:?}");
    }
}

#[test]
fn a_lost_connection_is_status_3_and_a_change_may_be_made() {
    let losing = server(|mut input| {
        if line(&mut input).starts_with("hello") {
            let _ = input.get_mut().write_all(b"HELLO 1 0123456789abcdef 7\r\n");
            let _ = line(&mut input);
        }
    });
    for (args, changes) in COMMANDS {
        let fed = ask(args, &losing);
        assert_eq!((fed.status, &fed.stdout[..]), (3, &b""[..]), "{args:?}: {fed:?}");
        assert_eq!(
            fed.stderr.contains("the change may have been made"),
            changes,
            "{args:?}: {fed:?}"
        );
    }
}

#[test]
fn a_missing_token_is_status_8() {
    let folder = Folder::new();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret").unwrap();
    let serving = Serving::local(&["--token-file", token.to_str().unwrap()]);
    let address = serving.addresses[0].to_string();
    // `connect` prints the reply of the server; the token can come from stdin.
    for (args, _) in COMMANDS.iter().filter(|(args, _)| args[0] != "connect") {
        let fed = ask(args, &address);
        assert_eq!((fed.status, &fed.stdout[..]), (8, &b""[..]), "{args:?}: {fed:?}");
        let words = "requires a token, and did not get the right one (ERR_DENIED); --token-file";
        assert!(fed.stderr.contains(words), "{args:?}: {fed:?}");
    }
}

#[test]
fn too_many_connections_are_status_9() {
    let serving = Serving::local(&["--connections", "1"]);
    let mut inside = serving.client();
    assert!(inside.ask("hello").starts_with("HELLO "));
    for (args, _) in COMMANDS {
        let fed = feed(at(&serving, args), b"stats\n");
        assert_eq!(fed.status, 9, "{args:?}: {fed:?}");
        assert!(fed.stderr.contains("ERR_LIMIT connections 1"), "{args:?}: {fed:?}");
    }
}

#[test]
fn each_wrong_command_line_is_status_2() {
    for (args, _) in COMMANDS {
        let fed = ask(&[args, &["--no-such-flag"]].concat(), "unix:/nobody");
        let found = (fed.status, fed.stderr.contains("--no-such-flag"));
        assert_eq!(found, (2, true), "{args:?}: {fed:?}");
        let fed = ask(&[args, &["--addr", "8080"]].concat(), "unix:/nobody");
        assert_eq!((fed.status, fed.stderr.contains("8080")), (2, true), "{args:?}: {fed:?}");
    }
}
