//! Names of hosts with several addresses: a client tries each, a server listens on each. The names
//! come from a file of the test, which is /etc/hosts in a mount namespace.

use super::{Serving, run};
use crate::programs::{program, skipped};
use crate::server::Folder;
use std::fs;
use std::net::TcpListener;
use std::process::Command;

const HOSTS: &str = "127.0.0.1 localhost both\n::1 localhost both\n127.0.0.1 one\n192.0.2.1 far\n";

/// Returns `telefile` with these names, or `None` where the system does not allow that.
fn with_names(folder: &Folder, args: &[&str]) -> Option<Command> {
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, HOSTS).unwrap();
    let mount = "mount --bind \"$0\" /etc/hosts";
    let unshare = |script: &str| {
        let mut command = program("unshare");
        command.args(["-m", "sh", "-c", script]).arg(&hosts);
        command
    };
    let found = unshare(&format!("{mount} && getent hosts one")).output();
    if !found.is_ok_and(|output| output.stdout.starts_with(b"127.0.0.1")) {
        skipped(&format!("no names of one's own here: {args:?}"));
        return None;
    }
    let mut command = unshare(&format!("{mount} && exec \"$@\""));
    command.arg(env!("CARGO_BIN_EXE_telefile")).args(args);
    Some(command)
}

fn port(serving: &Serving) -> String {
    let address = serving.addresses[0].to_string();
    address.rsplit_once(':').unwrap().1.to_string()
}

#[test]
fn a_client_tries_each_address_of_a_name() {
    let folder = Folder::new();
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        if TcpListener::bind(listen).is_err() {
            skipped(&format!("no such address here: {listen}"));
            continue;
        }
        let serving = Serving::start(&["--listen", listen]);
        assert_eq!(serving.client().write("f", b"abcdef"), "OK 1");
        let address = format!("both:{}", port(&serving));
        for args in [&["read", "--addr", &address, "f"][..], &["connect", "--addr", &address]] {
            let Some(command) = with_names(&folder, args) else { return };
            let ended = run(command);
            assert_eq!((ended.status, &ended.stderr[..]), (0, ""), "{listen} {args:?}");
        }
    }
}

#[test]
fn the_error_names_each_address_that_was_tried() {
    let folder = Folder::new();
    let mut serving = Serving::local(&[]);
    let port = port(&serving);
    serving.program.child.kill().unwrap();
    serving.program.child.wait().unwrap();
    for (name, addresses) in [("both", &["127.0.0.1", "[::1]"][..]), ("one", &["127.0.0.1"])] {
        let address = format!("{name}:{port}");
        let Some(command) = with_names(&folder, &["list", "--addr", &address]) else { return };
        let tried: Vec<_> = addresses.iter().map(|address| format!("{address}:{port}: ")).collect();
        let tried = tried.iter().map(String::as_str);
        run(command).failed(3, &[&[&address[..]][..], &tried.collect::<Vec<_>>()].concat());
    }
    let Some(command) = with_names(&folder, &["list", "--addr", "none.invalid:80"]) else { return };
    run(command).failed(3, &["none.invalid:80: "]);
}

#[test]
fn a_server_listens_on_each_address_of_a_name() {
    let folder = Folder::new();
    let Some(command) = with_names(&folder, &["serve", "--listen", "both:0"]) else { return };
    let serving = Serving::from(command);
    let hosts =
        serving.addresses.iter().map(|a| a.to_string().rsplit_once(':').unwrap().0.to_string());
    let mut hosts: Vec<_> = hosts.collect();
    hosts.sort();
    match TcpListener::bind("[::1]:0") {
        Ok(_) => assert_eq!(hosts, ["127.0.0.1", "[::1]"]),
        Err(_) => {
            assert_eq!(hosts, ["127.0.0.1"]);
            serving.logs(&["not listening on [::1]:0"]);
        }
    }
    for address in &serving.addresses {
        assert_eq!(crate::server::Client::connect(address).ask("read f"), "ERR_FILE_NOT_FOUND");
    }
}

/// The addresses of a name are checked, not its text.
#[test]
fn a_name_of_a_public_address_needs_a_token() {
    let folder = Folder::new();
    let args = ["serve", "--listen", "far:0"];
    let Some(command) = with_names(&folder, &args) else { return };
    run(command).failed(2, &["far:0 is 192.0.2.1:0", "--token-file"]);
    // No machine has that address, so the server gets as far as binding it.
    let command = with_names(&folder, &[&args[..], &["--insecure"]].concat()).unwrap();
    let ended = run(command);
    assert!(ended.status == 1 && ended.stderr.contains("192.0.2.1:0: "), "{ended:?}");
    let command = with_names(&folder, &["serve", "--listen", "none.invalid:0"]).unwrap();
    run(command).failed(1, &["none.invalid:0: "]);
}
