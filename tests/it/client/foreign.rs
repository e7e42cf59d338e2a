//! The clients in other languages that the examples show, run as a reader would run them.

use super::{connect, running};
use std::process::Command;
use telefile::net::Address;

/// Runs an example; nothing if the program that it needs is not installed here.
fn run(program: &str, example: &str, address: &Address) -> Option<String> {
    let path = format!("{}/examples/{example}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(program);
    command.args([&path, &address.to_string(), "Note"]);
    let output = match command.output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("NOT TESTED: {example}, for {program} is not installed");
            return None;
        }
        output => output.unwrap(),
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{example}: {stderr}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_clients_in_python_and_bash_work() {
    for (program, example) in [("python3", "client.py"), ("bash", "client.sh")] {
        let server = running();
        let Some(printed) = run(program, example, server.addresses()[0]) else { continue };
        let name = if program == "bash" { "Bash" } else { "Python" };
        let expected = format!("hi from {name} at version 2\nrefused: ERR_VERSION 2\n");
        assert_eq!(printed, expected);
        let stat = connect(server.addresses()[0]).stat("greeting");
        assert!(stat.is_err(), "it has closed what it opened: {stat:?}");
    }
}

#[test]
fn the_examples_are_short() {
    for example in ["client.py", "client.sh"] {
        let path = format!("{}/examples/{example}", env!("CARGO_MANIFEST_DIR"));
        let lines = std::fs::read_to_string(path).unwrap().lines().count();
        assert!(lines < 60, "{example} has {lines} lines");
    }
}
