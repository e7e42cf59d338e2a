//! Where the program listens: its addresses, ports and socket files.

use super::{Program, Serving, run, telefile};
use crate::programs::skipped;
use crate::server::{Client, Folder, eventually};
use rustix::process::Signal;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use telefile::net::Address;

fn unix(folder: &Folder) -> (String, std::path::PathBuf) {
    let path = folder.path().join("socket");
    (format!("unix:{}", path.display()), path)
}

#[test]
fn one_line_names_all_addresses_and_each_is_served() {
    let folder = Folder::new();
    let (unix, path) = unix(&folder);
    let mut args = vec!["--listen", "127.0.0.1:0", "--listen", &unix];
    if TcpListener::bind("[::1]:0").is_ok() {
        args.extend(["--listen", "[::1]:0"]);
    } else {
        // Not eprintln, which is shown only for a failed test.
        skipped("this machine has no IPv6, [::1] is not tested");
    }
    let serving = Serving::start(&args);
    assert_eq!(serving.addresses.len(), args.len() / 2);
    assert_eq!(serving.addresses[1].to_string(), unix);
    for (i, address) in serving.addresses.iter().enumerate() {
        assert!(!matches!(address, Address::Tcp(tcp) if tcp.port() == 0));
        let mut client = Client::connect(address);
        assert_eq!(client.write(&format!("f{i}"), b"abcdef"), format!("OK {}", i + 1));
        assert_eq!(client.ask("read f0"), "CONTENTS 1 6 0", "{address}");
        assert_eq!(client.contents(6), b"abcdef");
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    serving.stop(Signal::TERM);
    assert!(!path.exists(), "the socket's file goes with the server");
}

#[test]
fn the_next_server_takes_the_same_port_at_once() {
    let mut serving = Serving::local(&[]);
    for _ in 0..3 {
        let address = serving.addresses[0].to_string();
        let mut served = serving.client();
        // The server closes first, so its end of the connection stays in TIME-WAIT.
        served.send("read f\r\nquit\r\n");
        assert_eq!(served.read_to_end(), "ERR_FILE_NOT_FOUND\r\n");
        drop(served);
        let idle = serving.client();
        serving.stop(Signal::INT);
        drop(idle);
        serving = Serving::start(&["--listen", &address]);
        assert_eq!(serving.client().ask("read f"), "ERR_FILE_NOT_FOUND");
    }
}

#[test]
fn an_address_in_use_is_named_in_the_error() {
    let folder = Folder::new();
    let (unix, path) = unix(&folder);
    let serving = Serving::local(&["--listen", &unix]);
    for address in &serving.addresses {
        let address = address.to_string();
        let second = run(telefile(&["serve", "--listen", &address]));
        second.failed(1, &[&address, "address already in use"]);
    }
    assert!(path.exists());
    for address in &serving.addresses {
        assert_eq!(Client::connect(address).ask("read f"), "ERR_FILE_NOT_FOUND");
    }
}

#[test]
fn the_socket_of_a_killed_server_is_replaced() {
    let folder = Folder::new();
    let (unix, path) = unix(&folder);
    let mut killed = Serving::start(&["--listen", &unix]);
    let mut client = killed.client();
    assert_eq!(client.write("f", b"abcdef"), "OK 1");
    killed.program.signal(Signal::KILL);
    eventually("it is killed", || killed.program.ended().is_some());
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket(), "left behind");
    let next = Serving::start(&["--listen", &unix]);
    assert_eq!(next.client().ask("read f"), "ERR_FILE_NOT_FOUND");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn other_files_and_live_sockets_are_left_alone() {
    let folder = Folder::new();
    let (unix, path) = unix(&folder);
    fs::write(&path, "precious").unwrap();
    run(telefile(&["serve", "--listen", &unix])).failed(1, &[&unix, "not a socket"]);
    assert_eq!(fs::read(&path).unwrap(), b"precious");

    // The socket of another program, which listens.
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    run(telefile(&["serve", "--listen", &unix])).failed(1, &[&unix, "in use"]);
    assert!(path.exists());

    // A symbolic link is neither followed nor replaced.
    fs::remove_file(&path).unwrap();
    let target = folder.path().join("target");
    std::os::unix::fs::symlink(&target, &path).unwrap();
    run(telefile(&["serve", "--listen", &unix])).failed(1, &[&unix]);
    assert!(path.is_symlink() && !target.exists());

    let nowhere = format!("unix:{}/no/such/folder/socket", folder.path().display());
    run(telefile(&["serve", "--listen", &nowhere])).failed(1, &[&nowhere]);
}

#[test]
fn a_server_that_cannot_start_leaves_no_socket_behind() {
    let folder = Folder::new();
    let (unix, path) = unix(&folder);
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let occupied = occupied.local_addr().unwrap().to_string();
    let args = ["serve", "--listen", &unix, "--listen", &occupied];
    run(telefile(&args)).failed(1, &[&occupied, "in use"]);
    assert!(!path.exists());
}

#[test]
fn a_file_that_replaced_the_socket_is_not_removed() {
    let folder = Folder::new();
    let (unix, path) = unix(&folder);
    let serving = Serving::start(&["--listen", &unix]);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    serving.stop(Signal::TERM);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_closed_stdout_is_no_failure() {
    let mut command = telefile(&["serve", "--listen", "127.0.0.1:0"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdin(std::process::Stdio::null()).stdout(writer).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stderr = super::Text::of(child.stderr.take().unwrap());
    let stdout = super::Text::of(std::io::empty());
    let mut program = Program { child, stdout, stderr };
    eventually("it serves", || program.stderr.now().contains(" on 127.0.0.1:"));
    program.signal(Signal::TERM);
    assert_eq!(program.wait(), 0);
}
