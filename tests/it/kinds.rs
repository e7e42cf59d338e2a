//! The built-in types through a server, with many clients and with other programs on the disk.

use crate::server::{Client, Folder, Running};
use std::fs;
use std::thread;
use telefile::Server;

/// A server whose text files are in the folder.
fn serving(folder: &Folder) -> Running {
    Running::start(Server::builder().root(folder.path().join("files")))
}

/// Sends a line and contents; the first line of the reply.
#[track_caller]
fn put(client: &mut Client, line: &str, contents: &str) -> String {
    client.ask(&format!("{line} {}\r\n{contents}", contents.len()))
}

/// Reads a file; the first line of the reply and the contents.
#[track_caller]
fn read(client: &mut Client, name: &str) -> (String, Vec<u8>) {
    let head = client.ask(&format!("read {name}"));
    let numbytes = head.split(' ').nth(2).unwrap_or_else(|| panic!("{head}")).parse().unwrap();
    let contents = client.contents(numbytes);
    (head, contents)
}

#[test]
fn a_counter_counts_what_many_clients_add() {
    let folder = Folder::new();
    let server = serving(&folder);
    let mut first = server.client();
    assert_eq!(first.ask("open hits Counter"), "FD 0 1 Counter");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = server.client();
                for _ in 0..200 {
                    assert!(put(&mut client, "write hits", "3").starts_with("OK "));
                    assert!(put(&mut client, "write hits", "-1").starts_with("OK "));
                }
            });
        }
    });
    assert_eq!(read(&mut first, "hits"), ("CONTENTS 3201 5 0".to_string(), b"3200\n".to_vec()));
}

#[test]
fn lines_that_many_clients_log_stay_whole_and_in_order() {
    let folder = Folder::new();
    let server = serving(&folder);
    let mut first = server.client();
    assert_eq!(first.ask("open log LogFile"), "FD 0 1 LogFile");
    thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.client();
                for i in 0..200 {
                    assert!(
                        put(&mut client, "write log", &format!("{name} {i}")).starts_with("OK ")
                    );
                }
            });
        }
    });
    let text = String::from_utf8(read(&mut first, "log").1).unwrap();
    assert_eq!(text.lines().count(), 800);
    for name in ["a", "b", "c", "d"] {
        let numbers = text.lines().filter_map(|line| line.strip_prefix(name));
        assert!(numbers.map(|n| n.trim().parse::<u32>().unwrap()).eq(0..200), "{name}");
    }
}

#[test]
fn what_another_program_writes_takes_a_version_and_fails_a_cas_of_the_old_one() {
    let folder = Folder::new();
    let server = serving(&folder);
    let path = folder.path().join("files/f");
    let mut client = server.client();
    assert_eq!(client.ask("open f TextFile"), "FD 0 1 TextFile");
    assert_eq!(put(&mut client, "write f", "ours"), "OK 2");
    assert_eq!(fs::read(&path).unwrap(), b"ours");

    fs::write(&path, "theirs").unwrap();
    assert_eq!(put(&mut client, "cas f 2", "late"), "ERR_VERSION 3");
    assert_eq!(read(&mut client, "f"), ("CONTENTS 3 6 0".to_string(), b"theirs".to_vec()));
    assert_eq!(client.ask("stat f"), "STAT 3 6 0 TextFile 1");
    assert_eq!(put(&mut client, "cas f 3", "ours again"), "OK 4");
    assert_eq!(fs::read(&path).unwrap(), b"ours again");

    // Also when it is gone, and back with the same bytes.
    fs::remove_file(&path).unwrap();
    assert_eq!(read(&mut client, "f"), ("CONTENTS 5 0 0".to_string(), vec![]));
    fs::write(&path, "ours again").unwrap();
    assert_eq!(put(&mut client, "write f", "x"), "OK 7");
    assert_eq!(read(&mut client, "f"), ("CONTENTS 7 1 0".to_string(), b"x".to_vec()));
}

#[test]
fn a_refused_write_changes_neither_version_nor_disk() {
    let folder = Folder::new();
    let server = serving(&folder);
    let mut client = server.client();
    assert_eq!(client.ask("open f TextFile"), "FD 0 1 TextFile");
    fs::create_dir_all(folder.path().join("files/f")).unwrap();
    // That something else is there now is a change; that it cannot be written is none.
    assert_eq!(put(&mut client, "write f", "x"), "ERR_DENIED");
    assert_eq!(put(&mut client, "cas f 2", "x"), "ERR_DENIED");
    assert_eq!(client.ask("read f"), "ERR_DENIED");
    assert_eq!(client.ask("stat f"), "STAT 2 0 0 TextFile 1");
    fs::remove_dir(folder.path().join("files/f")).unwrap();
    assert_eq!(put(&mut client, "write f", "x"), "OK 4");
}

#[test]
fn a_file_that_grew_over_the_limit_is_refused_until_it_is_written() {
    let folder = Folder::new();
    let root = folder.path().join("files");
    let server = Running::start(Server::builder().root(root.clone()).max_contents(10));
    let mut client = server.client();
    assert_eq!(client.ask("open f TextFile"), "FD 0 1 TextFile");
    assert_eq!(put(&mut client, "write f", "0123456789"), "OK 2");
    fs::write(root.join("f"), "0123456789a").unwrap();
    assert_eq!(client.ask("read f"), "ERR_LIMIT contents 10");
    assert_eq!(client.ask("stat f"), "STAT 3 11 0 TextFile 1");
    assert_eq!(put(&mut client, "write f", "short"), "OK 4");
    assert_eq!(read(&mut client, "f").1, b"short");
}

/// Two values, in turn, and readers on both sides: through the server and on the disk.
#[test]
fn nobody_ever_reads_half_a_write() {
    const BYTES: usize = 300_000;
    let folder = Folder::new();
    let server = serving(&folder);
    let path = folder.path().join("files/a/f");
    let mut writer = server.client();
    assert_eq!(writer.ask("open a/f TextFile"), "FD 0 1 TextFile");
    let values = ["a", "b"].map(|letter| letter.repeat(BYTES));
    put(&mut writer, "write a/f", &values[0]);
    let whole = |bytes: &[u8]| values.iter().any(|value| value.as_bytes() == bytes);
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for i in 1..60 {
                assert!(put(&mut writer, "write a/f", &values[i % 2]).starts_with("OK "));
            }
        });
        let mut reader = server.client();
        while !writing.is_finished() {
            assert!(whole(&read(&mut reader, "a/f").1));
            assert!(whole(&fs::read(&path).unwrap()));
        }
    });
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}
