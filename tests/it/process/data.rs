//! `telefile serve --data`: a folder over several starts, and folders that are refused.
#![cfg(feature = "durable")]

use super::{Serving, run, telefile};
use crate::random::Random;
use crate::server::{Folder, eventually};
use rustix::process::Signal;
use std::fs;
use std::path::PathBuf;
use telefile::client::Error;
use telefile::{Client, Exptime, Refusal};

fn places(folder: &Folder) -> (String, String) {
    let data = folder.path().join("data");
    (format!("{}", data.display()), format!("unix:{}", folder.path().join("socket").display()))
}

#[test]
fn a_second_server_reports_that_the_folder_is_in_use() {
    let folder = Folder::new();
    let (data, socket) = places(&folder);
    let serving = Serving::start(&["--data", &data, "--listen", &socket]);
    let second = telefile(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
    run(second).failed(1, &[&data, "another telefile is using it"]);
    assert_eq!(serving.client().ask("read f"), "ERR_FILE_NOT_FOUND", "the first one goes on");
}

/// Returns how often a process has called write.
fn writes(serving: &Serving) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", serving.program.child.id())).unwrap();
    let writes = io.lines().find_map(|line| line.strip_prefix("syscw: ")).unwrap();
    writes.parse().unwrap()
}

#[test]
fn pipelined_requests_of_any_kind_share_commits() {
    let folder = Folder::new();
    let (data, socket) = places(&folder);
    let serving = Serving::start(&["--data", &data, "--listen", &socket]);
    let mut client = serving.client();
    assert_eq!(client.ask("write seed 0\r\n"), "OK 1");
    let mut check = |second: &str, answer: &str| {
        let (mut requests, before) = (String::new(), writes(&serving));
        for i in 0..400 {
            requests +=
                &format!("write X{i} 1\r\nx\r\n{}\r\n", second.replace('#', &i.to_string()));
        }
        client.send(&requests);
        for i in 0..400 {
            assert!(client.line().starts_with("OK "), "write {i}");
            assert!(client.line().starts_with(answer), "{second} {i}");
            if answer == "CONTENTS" {
                client.line();
            }
        }
        // A commit for each pair would make a dozen.
        let written = writes(&serving) - before;
        assert!(written < 2000, "{second}: {written} writes");
    };
    check("delete X#", "OK");
    check("cas X# 99999999 0\r\n", "ERR_VERSION");
    check("touch X# 99999999 9", "ERR_VERSION");
    check("delete X# 99999999", "ERR_VERSION");
    check("delete none", "ERR_FILE_NOT_FOUND");
    check("read X#", "CONTENTS");
    check("read seed", "CONTENTS");
    check("stat X#", "STAT");
    check("read X# Y#", "ERR_CMD_ERR");
}

#[test]
fn a_file_is_refused_as_the_data_folder() {
    let folder = Folder::new();
    let (data, socket) = places(&folder);
    fs::write(&data, "not to be lost").unwrap();
    let serve = telefile(&["serve", "--data", &data, "--listen", &socket]);
    run(serve).failed(1, &[&data, "is not a folder"]);
    assert_eq!(fs::read(&data).unwrap(), b"not to be lost");
}

#[test]
fn a_server_that_cannot_listen_creates_no_folder() {
    let folder = Folder::new();
    let (data, socket) = places(&folder);
    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let occupied = occupied.local_addr().unwrap().to_string();
    let args = ["serve", "--data", &data, "--listen", &socket, "--listen", &occupied];
    run(telefile(&args)).failed(1, &[&occupied, "already in use"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_restarted_server_has_all_files() {
    let folder = Folder::new();
    let (data, socket) = places(&folder);
    let args = ["--data", &data[..], "--listen", &socket];
    let serving = Serving::start(&args);
    let client = Client::connect(&socket).unwrap();
    let large = vec![7; 50_000];
    let small = client.write("small", "abc").unwrap();
    let large_version = client.write_expiring("large", &large, Exptime::Seconds(1000)).unwrap();
    client.write_expiring("here", "", Exptime::Connection).unwrap();
    client.write("gone", "").unwrap();
    client.delete("gone", None).unwrap();
    let epoch = client.epoch();
    drop(client);
    let mut looking = serving.client();
    eventually("the ephemeral file ends", || looking.ask("stat here") == "ERR_FILE_NOT_FOUND");
    let rev = looking.ask("hello");
    drop(looking);
    serving.stop(Signal::TERM);

    let serving = Serving::start(&args);
    assert_eq!(serving.client().ask("hello"), rev, "epoch and rev");
    let client = Client::connect(&socket).unwrap();
    assert_eq!(client.epoch(), epoch);
    let names: Vec<_> = client.list_page("", 10, None).unwrap().files;
    let names: Vec<_> = names.into_iter().map(|file| (file.name, file.version)).collect();
    assert_eq!(names, [("large".to_string(), large_version), ("small".to_string(), small)]);
    let read = client.read("large").unwrap();
    assert!(*read.contents == *large && matches!(read.exptime, Exptime::Seconds(900..=1000)));
    let read = client.read("small").unwrap();
    assert_eq!((&*read.contents, read.exptime), (&b"abc"[..], Exptime::Never));
    serving.stop(Signal::TERM);
}

#[test]
fn stats_show_where_the_files_are_stored() {
    let folder = Folder::new();
    let (data, socket) = places(&folder);
    for (args, store) in [
        (&["--data", &data[..], "--listen", &socket][..], "durable"),
        (&["--listen", &socket], "memory"),
    ] {
        let serving = Serving::start(args);
        let stats = Client::connect(&socket).unwrap().stats().unwrap();
        assert!(stats.contains(&("store".to_string(), store.to_string())), "{stats:?}");
        serving.stop(Signal::TERM);
    }
}

/// Makes a folder with a small file and two large ones, `b` and `c`, of these bytes. Returns its
/// database.
fn filled(folder: &Folder) -> (PathBuf, Vec<u8>) {
    let (data, socket) = places(folder);
    let serving = Serving::start(&["--data", &data, "--listen", &socket]);
    let client = Client::connect(&socket).unwrap();
    client.write("a", "small").unwrap();
    client.write("b", [b'b'; 50_000]).unwrap();
    client.write("c", [b'c'; 50_000]).unwrap();
    serving.stop(Signal::TERM);
    let path = PathBuf::from(data).join("telefile.redb");
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

/// The database damaged in all ways that prevent a start, and the messages.
fn damaged(whole: &[u8]) -> [(Vec<u8>, &'static str); 4] {
    let mut random = Random(1);
    let mut overwritten = |from: usize| {
        let mut bytes = whole.to_vec();
        bytes[from..].fill_with(|| random.next() as u8);
        bytes
    };
    // The first of the pages that hold small files. The pages after it may hold only large
    // contents, and damage to those does not prevent a start.
    let small = whole.windows(5).position(|bytes| bytes == b"small").unwrap();
    [
        (vec![0; whole.len()], "is not a telefile store"),
        (whole[..whole.len() / 2].to_vec(), "damaged: "),
        (overwritten(4096), "damaged: "),
        (overwritten(small - small % 4096), "damaged: "),
    ]
}

#[test]
fn a_damaged_database_is_reported_and_not_changed() {
    let folder = Folder::new();
    let (path, whole) = filled(&folder);
    let (data, socket) = places(&folder);
    for (bytes, what) in damaged(&whole) {
        fs::write(&path, &bytes).unwrap();
        let ended = run(telefile(&["serve", "--data", &data, "--listen", &socket]));
        let last = ended.stderr.lines().last().unwrap_or_default();
        let message = format!("telefile: {}: {what}", path.display());
        assert!(ended.status == 1 && last.starts_with(&message), "{ended:?}");
        // In the first page the database notes that it is in use.
        let now = fs::read(&path).unwrap();
        assert!(now.len() == bytes.len() && now[4096..] == bytes[4096..], "it was changed");
    }
    fs::write(&path, &whole).unwrap();
    let serving = Serving::start(&["--data", &data, "--listen", &socket]);
    assert_eq!(*Client::connect(&socket).unwrap().read("a").unwrap().contents, *b"small");
    serving.stop(Signal::TERM);
}

#[test]
fn a_damaged_database_is_reported_in_one_line() {
    let folder = Folder::new();
    let (path, whole) = filled(&folder);
    let (data, socket) = places(&folder);
    for (bytes, what) in damaged(&whole) {
        fs::write(&path, &bytes).unwrap();
        run(telefile(&["serve", "--data", &data, "--listen", &socket])).failed(1, &[what]);
    }
}

#[test]
fn damaged_contents_are_refused_and_other_files_are_served() {
    let folder = Folder::new();
    let (path, mut bytes) = filled(&folder);
    let at = bytes.windows(2000).position(|bytes| bytes == [b'b'; 2000]).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (data, socket) = places(&folder);
    let serving = Serving::start(&["--data", &data, "--listen", &socket]);
    let client = Client::connect(&socket).unwrap();
    let read = client.read("b");
    assert!(matches!(read, Err(Error::Refused { refusal: Refusal::Internal, .. })), "{read:?}");
    serving.logs(&["telefile.redb: damaged: contents have a wrong checksum"]);
    assert_eq!(*client.read("a").unwrap().contents, *b"small");
    assert_eq!(*client.read("c").unwrap().contents, [b'c'; 50_000]);
    // Clients that have them open keep damaged contents.
    let open = client.open("b", None).unwrap();
    client.delete("b", None).unwrap();
    assert!(open.read().is_err());
    client.write("d", "goes on").unwrap();
    let log = serving.stop(Signal::TERM);
    assert!(!log.contains("panic"), "{log}");
}
