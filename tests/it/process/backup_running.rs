//! `telefile backup --addr`: a backup of a running server.
#![cfg(feature = "durable")]

use super::{Program, Serving, run, telefile};
use crate::server::{Client, Folder, eventually};
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use telefile::{Exptime, Version};

/// Larger than the buffers of a Unix socket and a pipe together.
const LARGE: usize = 4 << 20;

fn path(folder: &Folder, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

/// Starts a server with its files below the folder, on a Unix socket and on a TCP port.
fn serve(folder: &Folder, args: &[&str]) -> Serving {
    let (data, socket) = (path(folder, "data"), format!("unix:{}", path(folder, "socket")));
    let addresses = ["--data", &data, "--listen", &socket, "--listen", "127.0.0.1:0"];
    Serving::start(&[&addresses[..], args].concat())
}

fn connect(serving: &Serving) -> telefile::Client {
    telefile::Client::connect_to(&serving.addresses[0]).unwrap()
}

#[track_caller]
fn back_up(serving: &Serving, file: &str) {
    let ended = run(telefile(&["backup", "--addr", &serving.addresses[0].to_string(), file]));
    assert_eq!((ended.status, &ended.stdout[..], &ended.stderr[..]), (0, "", ""));
}

/// Restores a backup, and serves what it has.
#[track_caller]
fn restored(folder: &Folder, file: &str, name: &str) -> Serving {
    let new = path(folder, name);
    assert_eq!(run(telefile(&["restore", file, &new])).status, 0);
    Serving::local(&["--data", &new])
}

/// Writers make numbered files, each one after the other, small ones and ones that the store keeps
/// on disk alone. No version is taken by anything else, so a state of the past has all versions up
/// to its own.
#[test]
fn a_backup_is_a_state_of_the_past_while_writes_go_on() {
    const WRITERS: usize = 3;
    let folder = Folder::new();
    let serving = serve(&folder, &[]);
    let is_over = AtomicBool::new(false);
    let written: [AtomicU64; WRITERS] = Default::default();
    let mut backups = Vec::new();
    thread::scope(|scope| {
        for (writer, written) in written.iter().enumerate() {
            let (client, is_over) = (connect(&serving), &is_over);
            scope.spawn(move || {
                for i in 0.. {
                    if is_over.load(SeqCst) {
                        break;
                    }
                    let contents = vec![i as u8; if i % 3 == 0 { 5000 + i } else { i % 50 }];
                    client.write(&format!("{writer}/{i}")[..], contents).unwrap();
                    written.store(i as u64 + 1, SeqCst);
                }
            });
        }
        for n in 0..3 {
            let before: Vec<_> = written.iter().map(|written| written.load(SeqCst)).collect();
            eventually("more is written", || {
                written
                    .iter()
                    .zip(&before)
                    .all(|(written, before)| written.load(SeqCst) > before + 20)
            });
            let known: Vec<_> = written.iter().map(|written| written.load(SeqCst)).collect();
            let file = path(&folder, &format!("b{n}"));
            back_up(&serving, &file);
            backups.push((file, known));
        }
        is_over.store(true, SeqCst);
    });
    for (n, (file, known)) in backups.iter().enumerate() {
        let serving = restored(&folder, file, &format!("new{n}"));
        let client = connect(&serving);
        let files: Vec<_> = client.list("").unwrap().map(Result::unwrap).collect();
        let mut versions: Vec<_> = files.iter().map(|file| file.version.0).collect();
        versions.sort_unstable();
        assert!(versions.iter().copied().eq(1..=client.latest_version().unwrap().0));
        for (writer, known) in known.iter().enumerate() {
            let prefix = format!("{writer}/");
            let count = files.iter().filter(|file| file.name.starts_with(&prefix)).count();
            assert!(count as u64 >= *known, "an acknowledged write is missing");
            for i in 0..count {
                let read = client.read(&format!("{prefix}{i}")[..]).unwrap();
                let length = if i % 3 == 0 { 5000 + i } else { i % 50 };
                assert!(*read.contents == vec![i as u8; length], "{prefix}{i}");
            }
        }
    }
}

#[test]
fn a_restored_backup_has_everything_but_what_ends_with_the_server() {
    let folder = Folder::new();
    let serving = serve(&folder, &[]);
    let client = connect(&serving);
    client.write("small", "abc").unwrap();
    client.write("large", vec![b'x'; 300_000]).unwrap();
    client.write_expiring("leased", "abc", Exptime::Seconds(1000)).unwrap();
    client.write_expiring("ephemeral", "abc", Exptime::Connection).unwrap();
    let _open = client.open("code", None).unwrap();
    client.write("deleted", "abc").unwrap();
    client.delete("deleted", None).unwrap();
    let secret = format!("s/{}/e", "0123456789abcdef".repeat(2));
    client.write(&secret[..], "secret").unwrap();
    let latest = client.latest_version().unwrap();
    let file = path(&folder, "b");
    back_up(&serving, &file);
    // The client is served again after its backup, and the old form has the same files.
    client.write("later", "abc").unwrap();
    assert_eq!(fs::metadata(&file).unwrap().len(), {
        let mut backup = client.backup().unwrap();
        std::io::copy(&mut backup, &mut std::io::sink()).unwrap() - (1 + 8 + 8 + 5 + 1 + 8 + 3)
    });
    let epoch = client.epoch();

    let serving = restored(&folder, &file, "new");
    let client = connect(&serving);
    assert_ne!(client.epoch(), epoch);
    let mut files = Vec::new();
    for file in client.list("").unwrap().map(Result::unwrap) {
        files.push((file.name, file.version, file.numbytes));
    }
    let expected = [("large", 2, 300_000), ("leased", 3, 3), ("small", 1, 3)];
    let expected = expected.map(|(name, version, n)| (name.to_string(), Version(version), n));
    assert_eq!(files, expected);
    assert_eq!(&*client.read(&secret[..]).unwrap().contents, b"secret");
    let Exptime::Seconds(left) = client.stat("leased").unwrap().exptime else { panic!() };
    assert!((1..=1000).contains(&left), "{left}");
    assert_eq!(client.latest_version().unwrap(), latest);
    let changes = client.watch("", Version(3), Duration::ZERO).unwrap().changes;
    let changes: Vec<_> = changes.iter().map(|c| (&c.name[..], c.numbytes)).collect();
    assert_eq!(changes, [("deleted", None)], "the secret name is not shown");
    assert_eq!(client.write("next", "").unwrap(), Version(latest.0 + 1));
}

#[test]
fn a_backup_needs_data_and_over_tcp_permission() {
    let folder = Folder::new();
    let file = path(&folder, "b");
    let denied = ["does not permit that (ERR_DENIED)", "--data", "--allow-backup"];
    let from = |address: String| run(telefile(&["backup", "--addr", &address, &file]));
    let serving = serve(&folder, &[]);
    connect(&serving).write("f", "abc").unwrap();
    from(serving.addresses[1].to_string()).failed(1, &denied);
    assert!(!fs::exists(&file).unwrap());
    drop(serving);
    let serving = serve(&folder, &["--allow-backup"]);
    let silent = from(serving.addresses[1].to_string());
    assert_eq!((silent.status, &silent.stderr[..]), (0, ""));
    // It never replaces a file, and `-` is stdout.
    let before = fs::read(&file).unwrap();
    from(serving.addresses[0].to_string()).failed(1, &[&file, "already exists"]);
    let address = serving.addresses[0].to_string();
    let out = telefile(&["backup", "--addr", &address, "-"]).output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty());
    assert!(out.stdout == before && fs::read(&file).unwrap() == before);
    drop(serving);

    let memory = Folder::new();
    let socket = format!("unix:{}", path(&memory, "socket"));
    let serving = Serving::start(&["--listen", &socket, "--allow-backup"]);
    fs::remove_file(&file).unwrap();
    from(serving.addresses[0].to_string()).failed(1, &denied);
    assert!(!fs::exists(&file).unwrap());
}

/// Asks for a backup and reads only its first line.
fn half(serving: &Serving) -> Client {
    let mut client = Client::connect(&serving.addresses[0]);
    let line = client.ask("backup");
    assert!(line.starts_with("BACKUP 1 4194"), "{line}");
    client
}

#[test]
fn there_is_one_backup_at_a_time() {
    let folder = Folder::new();
    let serving = serve(&folder, &[]);
    connect(&serving).write("f", vec![1; LARGE]).unwrap();
    let first = half(&serving);
    let file = path(&folder, "b");
    let address = serving.addresses[0].to_string();
    run(telefile(&["backup", "--addr", &address, &file]))
        .failed(9, &["at most 1 backup at a time (ERR_LIMIT backups 1)"]);
    let mut other = Client::connect(&serving.addresses[0]);
    let stats = ["backups", "backups_max", "backups_refused"].map(|name| other.stat(name));
    assert_eq!(stats, [1, 1, 1]);
    // The requests of others are answered meanwhile.
    assert!(other.write("g", b"abc").starts_with("OK "));
    drop(first);
    eventually("the backup has ended", || other.stat("backups") == 0);
    back_up(&serving, &file);
}

#[test]
fn a_client_that_does_not_read_its_backup_is_disconnected() {
    let folder = Folder::new();
    let serving = serve(&folder, &["--write-timeout", "0.1"]);
    connect(&serving).write("f", vec![1; LARGE]).unwrap();
    let _slow = half(&serving);
    serving.logs(&["WARN", "a backup ended after", "reads too slowly"]);
    let mut other = Client::connect(&serving.addresses[0]);
    eventually("the backup has ended", || other.stat("backups") == 0);
}

/// A client that takes a little of each part keeps to the time-out of a mebibyte, but is too slow.
#[test]
fn a_client_that_reads_its_backup_slowly_is_disconnected() {
    let folder = Folder::new();
    let serving = serve(&folder, &["--write-timeout", "0.5"]);
    connect(&serving).write("f", vec![1; LARGE]).unwrap();
    let mut slow = half(&serving);
    let mut bytes = [0; 16 << 10];
    let mut received = 0;
    // Until the connection ends. Otherwise it would get all.
    while let Ok(count @ 1..) = slow.read(&mut bytes) {
        received += count;
        thread::sleep(Duration::from_millis(50));
    }
    assert!(received < LARGE, "{received}");
    serving.logs(&["WARN", "a backup ended after", "reads too slowly"]);
}

/// A server that announces a backup of 1000 bytes, sends half of it, and leaves the rest to the caller.
fn half_a_server() -> (String, thread::JoinHandle<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = thread::spawn(move || {
        let mut input = BufReader::new(listener.accept().unwrap().0);
        for reply in ["HELLO 1 0123456789abcdef 7 0\r\n", "BACKUP 7 1000\r\n"] {
            input.read_line(&mut String::new()).unwrap();
            input.get_mut().write_all(reply.as_bytes()).unwrap();
        }
        input.get_mut().write_all(&[b'x'; 500]).unwrap();
        input.into_inner()
    });
    (address, serving)
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_shows_how_much_of_a_backup_is_received() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    let folder = Folder::new();
    let (address, serving) = half_a_server();
    let mut command = telefile(&["backup", "--addr", &address, &path(&folder, "b")]);
    command.env("TERM", "xterm").stdin(Stdio::null()).stderr(terminal);
    let mut child = command.spawn().unwrap();
    drop(command); // its terminal
    let _stream = serving.join().unwrap();
    let (mut screen, mut shown, mut bytes) = (File::from(master), String::new(), [0; 4096]);
    while !shown.contains("received 500 B/1000 B") {
        let count = screen.read(&mut bytes).unwrap();
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_client_that_is_killed_leaves_no_file() {
    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        let folder = Folder::new();
        let file = path(&folder, "b");
        let (address, serving) = half_a_server();
        let mut program = Program::start(telefile(&["backup", "--addr", &address, &file]));
        let _stream = serving.join().unwrap();
        let unfinished = format!("{file}.unfinished");
        eventually("it has begun", || fs::metadata(&unfinished).is_ok_and(|f| f.len() == 500));
        program.signal(signal);
        program.child.wait().unwrap();
        assert!(!fs::exists(&file).unwrap(), "{signal:?}");
        assert_eq!(fs::exists(&unfinished).unwrap(), signal == Signal::KILL, "{signal:?}");
        let serving = serve(&folder, &[]);
        back_up(&serving, &file);
        assert!(!fs::exists(&unfinished).unwrap(), "{signal:?}");
    }
}

#[test]
fn a_lost_server_leaves_no_file_and_is_reported() {
    let folder = Folder::new();
    let file = path(&folder, "b");
    for rest in [&b""[..], &[b'x'; 499], &[b'x'; 500], &[b'x'; 501]] {
        let (address, serving) = half_a_server();
        let program = telefile(&["backup", "--addr", &address, &file]);
        let ending = thread::spawn(move || {
            let mut stream = serving.join().unwrap();
            stream.write_all(rest).unwrap();
        });
        let words = match rest.len() {
            501 => ["not a telefile server's answer", "no backup was made"],
            _ => ["the connection is lost", "no backup was made"],
        };
        run(program).failed(3, &words);
        ending.join().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_server_that_is_killed_during_a_backup_is_reported() {
    let folder = Folder::new();
    let serving = serve(&folder, &[]);
    connect(&serving).write("f", vec![1; LARGE]).unwrap();
    let address = serving.addresses[0].to_string();
    let mut command = telefile(&["backup", "--addr", &address, "-"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 1000]).unwrap(); // it waits for the rest to be read
    drop(serving); // kills it
    let received = out.read_to_end(&mut Vec::new()).unwrap();
    assert!(received < LARGE);
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!((ended.status.code(), said.lines().count()), (Some(3), 1), "{said}");
    assert!(said.contains("the connection is lost: ") && said.contains("no backup was made"));
}

/// A stop ends a backup like any reply: it has a second.
#[test]
fn a_server_stops_during_a_backup() {
    let folder = Folder::new();
    let serving = serve(&folder, &[]);
    connect(&serving).write("f", vec![1; LARGE]).unwrap();
    let _half = half(&serving);
    serving.stop(Signal::TERM);
    drop(serve(&folder, &[]));
}

#[test]
fn a_wrong_command_line_is_reported() {
    for (args, words) in [
        (&["--addr", "unix:/nobody"][..], ["FILE", "backup"]),
        (&["--addr", "unix:/nobody", "dir", "file"], ["--addr", "DIR"]),
        (&["--addr", "8080", "file"], ["8080", "--addr"]),
    ] {
        run(telefile(&[&["backup"], args].concat())).failed(2, &words);
    }
}

#[test]
fn a_backup_that_is_not_read_to_its_end_ends_the_connection() {
    let folder = Folder::new();
    let serving = serve(&folder, &[]);
    let client = connect(&serving);
    client.write("f", vec![1; LARGE]).unwrap();
    let mut backup = client.backup().unwrap();
    backup.read_exact(&mut [0; 100]).unwrap();
    drop(backup);
    let error = client.read("f").unwrap_err();
    assert!(error.to_string().contains("was not read to its end"), "{error}");
    let client = client.reconnect().unwrap();
    eventually("the server has seen that", || client.backup().is_ok());
}
