//! `telefile lock` when the lock is lost, and when only the connection is.

use super::lock::Locked;
use super::verbs::at;
use super::{Serving, telefile};
use crate::pace::Pace;
use crate::server::{Folder, eventually};
use rustix::process::Signal;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Prints `ready` and waits. Reports a SIGTERM.
const REPORTS: &str = "trap 'echo term; exit 3' TERM; echo ready; read x; exit 0";

/// Waits for the end of a command whose lock is lost. Returns the reason.
#[track_caller]
fn lost(mut locked: Locked) -> String {
    let (status, stderr) = locked.ended();
    assert_eq!(status, 125, "{stderr}");
    assert_eq!(locked.program.stdout.whole(), "ready\nterm\n");
    let why = stderr.strip_prefix("telefile: lock db is lost: ").and_then(|w| w.strip_suffix('\n'));
    why.filter(|why| !why.contains('\n')).unwrap_or_else(|| panic!("{stderr:?}")).to_string()
}

#[test]
fn deleting_the_lock_ends_the_command() {
    let serving = Serving::local(&[]);
    for args in [&["--check", "1"][..], &["--check", "1", "--ttl", "99"]] {
        let locked = Locked::ready(&serving, args, REPORTS);
        let mut other = serving.client();
        assert_eq!(other.ask("delete db"), "OK");
        assert_eq!(lost(locked), "db does not exist");

        let locked = Locked::ready(&serving, args, REPORTS);
        assert_eq!(other.ask("delete db"), "OK");
        let version = other.write("db", b"mine");
        let why = lost(locked);
        let version = version.strip_prefix("OK ").unwrap();
        assert!(why.contains("does not exist") || why.ends_with(&format!("version {version}")));
        assert_eq!(other.ask("delete db"), "OK", "what is another's stays");
    }
}

#[test]
fn the_end_of_the_server_ends_the_command_at_once() {
    for signal in [Signal::TERM, Signal::KILL] {
        let serving = Serving::local(&[]);
        let locked = Locked::ready(&serving, &["--check", "60"], REPORTS);
        serving.program.signal(signal);
        assert!(lost(locked).contains("closed the connection"));
    }
}

#[test]
fn a_server_that_hangs_ends_the_command() {
    for (args, words) in [
        (&["--check", "0.2"][..], "no answer within 200ms"),
        (&["--ttl", "2"], "it was not renewed in time"),
    ] {
        let serving = Serving::local(&[]);
        let locked = Locked::ready(&serving, args, REPORTS);
        serving.program.signal(Signal::STOP);
        let why = lost(locked);
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn a_command_that_does_not_end_is_killed() {
    let serving = Serving::local(&[]);
    let script = "trap '' TERM; echo ready; exec cat";
    let args = ["--check", "60", "--kill-after", "0.1"];
    let mut locked = Locked::ready(&serving, &args, script);
    serving.program.signal(Signal::KILL);
    assert_eq!(locked.ended().0, 125);
    // Only the command still has this pipe, and it has ended too.
    assert_eq!(locked.program.stdout.whole(), "ready\n");
}

#[test]
fn a_lock_that_was_lost_unnoticed_is_no_success() {
    let serving = Serving::local(&[]);
    let mut other = serving.client();
    for args in [&["--check", "60"][..], &["--check", "60", "--ttl", "999"]] {
        for is_taken in [false, true] {
            let mut locked = Locked::ready(&serving, args, REPORTS);
            assert_eq!(other.ask("delete db"), "OK");
            let why = match is_taken {
                false => "does not exist".to_string(),
                true => other.write("db", b"").replace("OK", "is at version"),
            };
            locked.type_line("");
            let line = format!("telefile: lock db is lost: db {why}\n");
            assert_eq!(locked.ended(), (125, line));
            assert_eq!(locked.program.stdout.whole(), "ready\n", "it has ended by itself");
        }
        assert_eq!(other.ask("delete db"), "OK", "what is another's stays");
    }
}

#[test]
fn a_lease_is_renewed_while_the_command_runs() {
    let serving = Serving::local(&[]);
    let mut command = at(&serving, &["lock", "db", "--ttl", "2"]);
    command.args(["--", "sleep", "3"]);
    let mut locked = Locked::start(command);
    assert_eq!(locked.ended(), (0, String::new()));
}

#[test]
fn another_server_at_the_same_address_does_not_have_the_lock() {
    let folder = Folder::new();
    let unix = format!("unix:{}", folder.path().join("socket").display());
    let serving = Serving::start(&["--listen", &unix]);
    let locked = Locked::ready(&serving, &["--ttl", "99", "--check", "0.1"], REPORTS);
    serving.program.signal(Signal::KILL);
    drop(serving);
    let _another = Serving::start(&["--listen", &unix]);
    assert_eq!(lost(locked), "the server has another table now");
}

#[test]
fn a_lease_that_cannot_be_released_expires() {
    let serving = Serving::local(&[]);
    let mut locked = Locked::ready(&serving, &["--ttl", "99"], "echo ready; read x; exit 7");
    serving.stop(Signal::TERM);
    locked.type_line("");
    let (status, stderr) = locked.ended();
    assert_eq!(status, 7, "{stderr}");
    assert!(
        stderr.starts_with("telefile: cannot release lock db, which ends by itself: "),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

/// A proxy to the server whose connections can be cut.
struct Proxy {
    address: String,
    /// Both ends of all connections so far.
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    fn to(serving: &Serving) -> Proxy {
        let server = serving.addresses[0].to_string();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let streams: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let all = streams.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&server) else { return };
                for (mut from, mut to) in [(&client, &server), (&server, &client)]
                    .map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()))
                {
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
                all.lock().unwrap().extend([client, server]);
            }
        });
        Proxy { address, streams }
    }

    /// Returns the number of connections so far.
    fn count(&self) -> usize {
        self.streams.lock().unwrap().len() / 2
    }

    fn cut(&self) {
        for stream in self.streams.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn lock(&self, args: &[&str]) -> Locked {
        let to = ["lock", "db", "--addr", &self.address];
        let locked = Locked::start(telefile(&[&to, args, &["--", "sh", "-c", REPORTS]].concat()));
        locked.says("ready");
        locked
    }
}

#[test]
fn without_a_ttl_a_cut_connection_is_a_lost_lock() {
    let serving = Serving::local(&[]);
    let proxy = Proxy::to(&serving);
    let locked = proxy.lock(&[]);
    let pace = Pace::start();
    proxy.cut();
    assert!(lost(locked).contains("closed the connection"));
    assert!(pace.took() < Duration::from_secs(9), "before it looks");
}

#[test]
fn with_a_ttl_a_cut_connection_is_replaced() {
    let serving = Serving::local(&[]);
    let proxy = Proxy::to(&serving);
    let mut locked = proxy.lock(&["--ttl", "99", "--check", "0.1"]);
    let mut client = serving.client();
    for connections in 1..4 {
        eventually("it has a connection again", || proxy.count() == connections);
        assert_eq!(client.ask("touch db 1 50"), "OK 1");
        eventually("it is renewed", || {
            assert_eq!(client.ask("list db"), "LIST 1 1 0");
            client.line().ends_with(" 99 db")
        });
        proxy.cut();
    }
    locked.type_line("");
    assert_eq!(locked.ended(), (0, String::new()));
    assert_eq!(client.ask("stat db"), "ERR_FILE_NOT_FOUND");
}

/// Each is silent for longer than the idle time-out.
#[test]
fn a_held_lock_outlives_the_idle_timeout() {
    let serving = Serving::local(&["--idle-timeout", "2"]);
    let script = "echo ready; read x; exit 7";
    let mut locks = [("a", &[][..]), ("b", &["--ttl", "99"])].map(|(name, args)| {
        let args = [&["lock", name], args, &["--check", "60", "--", "sh", "-c", script]].concat();
        let locked = Locked::start(at(&serving, &args));
        locked.says("ready");
        locked
    });
    let mut open = Locked::start(at(&serving, &["open", "opened"]));
    open.says("FD 0 3 File");
    let mut session = Locked::start(at(&serving, &["connect"]));
    session.type_line("write typed 9 -1");
    session.type_line("123456789");
    session.says("OK 4");
    // This client is in the middle of contents, where no empty line may be sent.
    let mut half = Locked::start(at(&serving, &["connect"]));
    half.type_line("open half");
    half.says("FD 1 5 File");
    half.type_line("write half 3");
    for _ in 0..2 {
        // A silent client is disconnected, after the idle time-out.
        assert_eq!(serving.client().read_to_end(), "");
    }
    assert_eq!(half.ended().0, 3);
    for locked in &mut locks {
        locked.type_line("");
        assert_eq!(locked.ended(), (7, String::new()));
    }
    session.type_line("read typed");
    session.says("CONTENTS 4 9 -1");
    session.says("123456789");
    assert_eq!(serving.client().ask("stat opened"), "STAT 3 0 0 File 1");
    drop(open.typed.take());
    assert_eq!(open.ended(), (0, String::new()));
}

/// The reply to the hello on stdin shows the idle time-out; the program's own hello was denied.
#[test]
fn a_session_with_a_typed_token_outlives_the_idle_timeout() {
    let folder = Folder::new();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret").unwrap();
    let token = token.to_str().unwrap();
    let serving = Serving::local(&["--idle-timeout", "2", "--token-file", token]);
    let mut session = Locked::start(at(&serving, &["connect"]));
    session.type_line("hello s3cret");
    let stdout = &session.program.stdout;
    eventually("hello is answered", || stdout.now().starts_with("HELLO 1 "));
    session.type_line("write typed 1 -1");
    session.type_line("x");
    session.says("OK 1");
    for _ in 0..2 {
        let mut silent = serving.client();
        assert!(silent.ask("hello s3cret").starts_with("HELLO 1 "));
        assert_eq!(silent.read_to_end(), "", "a silent one is ended");
    }
    session.type_line("read typed");
    session.says("CONTENTS 1 1 -1");
    session.says("x");
}
