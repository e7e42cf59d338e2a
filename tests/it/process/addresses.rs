//! `--addr` with several addresses, for each command that connects.
#![cfg(all(feature = "sync", feature = "durable", target_os = "linux"))]

use super::lock::Locked;
use super::verbs::feed;
use super::{Serving, run, telefile};
use crate::server::{Folder, eventually};
use rustix::process::Signal;
use std::process::Command;

/// Returns the address of a socket in a folder.
fn socket(folder: &Folder, name: &str) -> String {
    format!("unix:{}", folder.path().join(name).display())
}

/// Returns a command that has the addresses from the environment.
fn with_addresses(list: &str, args: &[&str]) -> Command {
    let mut command = telefile(args);
    command.env("TELEFILE_ADDR", list);
    command
}

#[test]
fn every_command_passes_over_a_dead_server() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (data, saved, notes) = (path("data"), path("saved"), path("notes"));
    let serving = Serving::local(&["--data", &data, "--allow-backup"]);
    let list = format!("{},{}", socket(&folder, "dead"), serving.addresses[0]);
    for args in [
        &["write", "f"][..],
        &["connect"],
        &["bench", "--conns", "2", "--secs", "0.1", "--size", "1M"],
        &["lock", "l", "--", "true"],
        &["lock", "--ttl", "30", "l", "--", "true"],
        &["hold", "h", "--", "true"],
        &["watch", "--follow", "--for", "0", ""],
        &["backup", &saved, "--addr", &list],
    ] {
        let fed = feed(with_addresses(&list, args), b"");
        assert_eq!((fed.status, &fed.stderr[..]), (0, ""), "{args:?}");
    }
    let ended = run(telefile(&["stat", "f", "--addr", &list]));
    assert!(ended.stdout.starts_with("version 1\n"), "{ended:?}");

    std::fs::create_dir(&notes).unwrap();
    let mut sync = telefile(&["sync", "--once", &list, "0", &notes, "1"]);
    let ended = run({
        sync.env("XDG_STATE_HOME", path("state"));
        sync
    });
    assert!(ended.status == 0 && ended.stdout.starts_with("id: "), "{ended:?}");
}

#[test]
fn the_error_names_each_address() {
    let folder = Folder::new();
    let (one, two) = (socket(&folder, "one"), socket(&folder, "two"));
    let list = format!("{one},{two}");
    let words = [&*format!("{one}: "), &format!("; {two}: ")];
    for (status, args) in
        [(3, &["read", "f"][..]), (3, &["connect"]), (3, &["bench"]), (69, &["lock", "l", "true"])]
    {
        run(with_addresses(&list, args)).failed(status, &words);
    }
    let mut sync =
        telefile(&["sync", "--once", &list, "0", &folder.path().display().to_string(), "1"]);
    sync.env("XDG_STATE_HOME", folder.path());
    run(sync).failed(3, &words);
}

#[test]
fn a_bad_part_of_a_list_is_a_wrong_command_line() {
    for (list, why) in [
        ("127.0.0.1:1,", "address 2 of 2 is empty"),
        (",127.0.0.1:1", "address 1 of 2 is empty"),
        ("127.0.0.1:1,b", "address 2 of 2 is wrong: b: an address is HOST:PORT"),
    ] {
        run(telefile(&["read", "f", "--addr", list])).failed(2, &["'--addr <ADDR>'", why]);
        run(with_addresses(list, &["read", "f"])).failed(2, &["'TELEFILE_ADDR'", why]);
    }
    for hosts in ["127.0.0.1,", "127.0.0.1,b:c"] {
        let sync = telefile(&["sync", "--once", hosts, "1", ".", "1"]);
        run(sync).failed(2, &["address 2 of 2 is "]);
    }
}

#[test]
fn a_lease_goes_on_at_the_server_that_has_taken_over_the_table() {
    let folder = Folder::new();
    let data = folder.path().join("data").display().to_string();
    let (one, two) = (socket(&folder, "one"), socket(&folder, "two"));
    let serve = |address: &str| Serving::start(&["--listen", address, "--data", &data]);
    let serving = serve(&one);
    let script = ["lock", "--ttl", "600", "--check", "0.1", "l", "sh", "-c", "echo ready; read x"];
    let mut locked = Locked::start(with_addresses(&format!("{one},{two}"), &script));
    locked.says("ready");
    serving.stop(Signal::TERM);
    let serving = serve(&two);
    eventually("the holder comes to the other address", || {
        run(telefile(&["stats", "--addr", &two])).stdout.lines().any(|line| line == "connections 2")
    });
    locked.type_line("");
    assert_eq!(locked.ended(), (0, String::new()), "it is released as it should be");
    run(telefile(&["stat", "l", "--addr", &two])).failed(6, &["l does not exist"]);
    serving.stop(Signal::TERM);
}
