//! The clients in other languages that the examples show, run as a reader would run them.

use super::liar::{HELLO, liar};
use super::{connect, running};
use crate::programs::{has, program};
use std::process::Output;
use telefile::net::Address;

/// Runs an example; nothing if the program that it needs is not installed here.
fn run(name: &str, example: &str, address: &Address) -> Option<String> {
    let path = format!("{}/examples/{example}", env!("CARGO_MANIFEST_DIR"));
    let mut command = program(name);
    command.args([&path, &address.to_string(), "Note"]);
    let output = has(name).then(|| command.output().unwrap())?;
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

/// Python and Bash as a program that uses the example would: the client, and then these lines.
fn using(example: &str, lines: &str, address: &Address) -> Option<Output> {
    let examples = format!("{}/examples", env!("CARGO_MANIFEST_DIR"));
    let (name, script) = match example {
        "client.py" => ("python3", format!("from client import *\n{lines}")),
        _ => ("bash", format!("source {examples}/client.sh >/dev/null\n{lines}")),
    };
    let mut command = program(name);
    command.args(["-c", &script, &address.to_string(), &address.to_string()]);
    command.env("PYTHONPATH", examples).env("PYTHONDONTWRITEBYTECODE", "1");
    has(name).then(|| command.output().unwrap())
}

#[test]
fn the_foreign_clients_refuse_a_name_that_would_make_another_request() {
    let server = running();
    let address = server.addresses()[0];
    let client = connect(address);
    client.write("f", "kept").unwrap();
    for (example, lines) in [
        ("client.py", "Telefile(sys.argv[1]).write('f 0', b'')"),
        ("client.py", "Telefile(sys.argv[1]).ask('delete', 'f\\r\\ndelete f')"),
        ("client.py", "Telefile(sys.argv[1]).write('', b'')"),
        ("client.sh", "fs_write 'f 0' ''"),
        ("client.sh", "fs_write $'f\\ndelete f' ''"),
        ("client.sh", "fs_write '' ''"),
    ] {
        let Some(output) = using(example, lines, address) else { continue };
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{lines}");
        assert!(stderr.contains("would be another request"), "{lines}: {stderr}");
        assert_eq!(&*client.read("f").unwrap().contents, b"kept", "{lines}");
    }
}

#[test]
fn the_foreign_clients_know_the_epoch() {
    let server = running();
    let address = server.addresses()[0];
    let epoch = connect(address).epoch().to_string();
    let same = format!("print(Telefile(sys.argv[1], '{epoch}').epoch)");
    for (example, lines) in [("client.py", &same[..]), ("client.sh", "echo $epoch")] {
        let Some(output) = using(example, lines, address) else { continue };
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{epoch}\n"), "{output:?}");
    }
    let other = "Telefile(sys.argv[1], '0123456789abcdef')";
    if let Some(output) = using("client.py", other, address) {
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("another table"), "{output:?}");
    }
}

/// A server may leave out the last field of its reply to `hello`.
#[test]
fn the_python_client_accepts_an_unknown_idle_timeout() {
    let (address, _) = liar(HELLO, drop);
    let lines = "print(Telefile(sys.argv[1]).idle_timeout)";
    let Some(output) = using("client.py", lines, &address.parse().unwrap()) else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "None\n", "{output:?}");
}

#[test]
fn the_examples_are_short() {
    for example in ["client.py", "client.sh"] {
        let path = format!("{}/examples/{example}", env!("CARGO_MANIFEST_DIR"));
        let lines = std::fs::read_to_string(path).unwrap().lines().count();
        assert!(lines < 75, "{example} has {lines} lines");
    }
}
