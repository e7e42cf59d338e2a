//! Watches and ephemeral files from outside: descriptors, and clients that are killed.

use super::verbs::{at, start};
use super::{Program, Serving, telefile};
use crate::server::{Client, Folder, eventually};
use rustix::process::Signal;
use std::io::Write;
use std::path::PathBuf;

impl Program {
    /// Returns the number of its sockets and of what it waits with. Others come and go: a copy of
    /// stdout is closed after the line that it wrote has arrived.
    fn descriptors(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let links = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        let is_counted = |link: &PathBuf| {
            let link = link.to_string_lossy();
            link.starts_with("socket:") || link.starts_with("anon_inode:")
        };
        links.filter(is_counted).count()
    }
}

#[test]
fn the_ephemeral_files_of_a_killed_client_are_deleted() {
    let serving = Serving::local(&[]);
    let mut asker = serving.client();
    for signal in [Signal::KILL, Signal::TERM] {
        let (typed, mut typing) = std::io::pipe().unwrap();
        // Nobody reads its replies after the first.
        let mut command = at(&serving, &["connect"]);
        typing.write_all(b"write lock/db 2 -1\nme\nread lock/db\nwatch x 0 60\n").unwrap();
        let (mut child, line, stdout) = start(command.stdin(typed));
        let version: u64 = line.trim_end()[3..].parse().unwrap();
        eventually("it watches", || asker.stat("watches") == 1);
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).unwrap();
        asker.send(format!("watch lock/db {version} 600\r\n"));
        assert_eq!(asker.line(), format!("CHANGES {} 1", version + 1));
        assert_eq!(asker.line(), format!("del {} 0 lock/db", version + 1));
        child.wait().unwrap();
        drop((typing, stdout));
        asker.alone();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ended_watches_leave_no_descriptor() {
    let serving = Serving::local(&[]);
    let mut asker = serving.client();
    assert_eq!(asker.stat("watches"), 0);
    let before = serving.program.descriptors();
    for round in 0..5 {
        let clients: Vec<_> = (0..50).map(|_| serving.client()).collect();
        for (i, client) in clients.iter().enumerate() {
            let rev = 10 * round;
            client.send(format!("watch r{round}/{} {rev} 600\r\n", i % 25));
        }
        eventually("all watch", || asker.stat("watches") == 50);
        // One for each connection, and one for each prefix.
        let during = serving.program.descriptors();
        assert!(during >= before + 50 && during <= before + 75, "{during}, {before} before");
        for i in 0..10 {
            assert!(asker.ask(&format!("write r{round}/{i} 0\r\n")).starts_with("OK "));
        }
        for (i, client) in clients.into_iter().enumerate() {
            if i % 2 == 0 { client.reset() } else { drop::<Client>(client) }
        }
        eventually("none watches", || asker.stat("watches") == 0);
        asker.alone();
        eventually("all is closed", || serving.program.descriptors() == before);
    }
    serving.stop(Signal::TERM);
}

/// The server needs a descriptor for each watched prefix.
#[test]
fn the_log_shows_8_digits_of_a_secret() {
    let folder = Folder::new();
    let root = folder.path().to_str().unwrap();
    let mut command = telefile(&["serve", "--listen", "127.0.0.1:0", "--root", root]);
    command.env("RUST_LOG", "debug");
    let serving = Serving::from(command);
    let mut client = serving.client();
    let id = "0123456789abcdef0123456789abcdef";
    for request in ["list s/ID/", "list s/ID/ 1 s/ID/x", "watch s/ID/m 0 0", "list * 1 s/ID/"] {
        let request = request.replace("ID", id);
        assert!(["LIST 0 0 0", "CHANGES 0 0"].contains(&&client.ask(&request)[..]), "{request}");
    }
    assert!(client.ask(&format!("create s/{id}/q 0 -1\r\n")).starts_with("OK 1 s/"));
    assert_eq!(client.ask(&format!("touch s/{id}/q 1 1")), "ERR_FILE_NOT_FOUND");
    std::fs::write(folder.path().join("s"), "a file, not a folder").unwrap();
    assert_eq!(client.ask(&format!("open s/{id}/q TextFile")), "ERR_DENIED");
    serving.logs(&["Not a directory"]);
    for word in ["list s/01234567...", "watch s/01234567...", "create s/01234567...", "touch s/"] {
        serving.logs(&[word]);
    }
    let log = serving.stop(Signal::TERM);
    assert!(!log.contains("012345678"), "{log}");
}
