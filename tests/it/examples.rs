//! The examples, run as programs: what they print, and what is left when they are killed.

use crate::programs::program;
use crate::server::{Folder, PATIENCE, Running, eventually};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use telefile::client::recipes::Lock;
use telefile::framework::{self, ClientError, Message};
use telefile::net::Address;
use telefile::{Client, Refusal, Server};

/// A running example. Killed when dropped.
struct Example {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// Returns the path of an example: `cargo test` builds it beside the folder of this program.
pub(crate) fn built(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().with_file_name("examples").join(name);
    assert!(path.exists(), "{path:?} is missing: `cargo build --examples` makes it");
    path
}

impl Example {
    fn start(name: &str, args: &[&str]) -> Example {
        let mut command = program(built(name));
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        Example { input: child.stdin.take(), child, lines }
    }

    /// Starts an example that serves. Returns it with its address.
    fn serve(name: &str) -> (Example, String) {
        let server = Example::start(name, &["127.0.0.1:0"]);
        let line = server.line();
        let address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}"));
        (server, address.to_string())
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }

    #[track_caller]
    fn type_line(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    /// Ends its stdin. Returns what it printed until it ended, and its exit status.
    #[track_caller]
    fn end(mut self) -> (Vec<String>, ExitStatus) {
        self.input = None;
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {lines:?}"),
            }
        }
        (lines, self.child.wait().unwrap())
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until no other client is connected.
#[track_caller]
fn alone(client: &Client) {
    eventually("the others are disconnected", || {
        let stats = client.stats().unwrap();
        stats.iter().any(|(name, value)| name == "connections" && value == "1")
    });
}

#[test]
fn all_clients_see_the_dictionary_and_a_close_removes_its_entry() {
    let (_server, address) = Example::serve("myserver");
    for _ in 0..2 {
        let (lines, status) = Example::start("myclient", &[&address]).end();
        let expected = [
            r#"{"make_up_name": "Hello!"}"#,
            r#"{"make_up_name": "Hello!"}"#,
            r#"{"different_name": "World!", "make_up_name": "Hello!"}"#,
            r#"{"make_up_name": "Hello!"}"#,
        ];
        assert_eq!(lines, expected);
        assert!(status.success(), "{status}");
    }
    let client = Client::connect(&address).unwrap();
    alone(&client);
    let file = client.open("only_me", Some("MyFile")).unwrap();
    assert_eq!(&file.read().unwrap().contents[..], br#"{"only_me": ""}"#);
}

#[test]
fn a_killed_user_is_not_online() {
    let (_server, address) = Example::serve("presence");
    let mut ann = Example::start("presence", &[&address, "ann"]);
    assert_eq!(ann.line(), "online: ann");
    let mut windows = ["bob", "bob", "eve"].map(|name| {
        let example = Example::start("presence", &[&address, name]);
        assert!(example.line().starts_with("online: ann bob"));
        example
    });
    ann.type_line("");
    assert_eq!(ann.line(), "online: ann bob eve");
    let counter = Client::connect(&address).unwrap();
    let mut kill = |window: &mut Example, left: &str| {
        window.child.kill().unwrap();
        window.child.wait().unwrap();
        eventually(left, || {
            ann.type_line("");
            ann.line() == left
        });
    };
    let [bob, bob_too, eve] = &mut windows;
    kill(eve, "online: ann bob");
    kill(bob, "online: ann bob");
    eventually("one window of bob's is closed", || counter.stat("bob").unwrap().opens == 1);
    kill(bob_too, "online: ann");
    assert!(counter.stat("bob").is_err() && counter.stat("eve").is_err());
    let (_, status) = ann.end();
    assert!(status.success(), "{status}");
    alone(&counter);
    assert!(counter.stat("ann").is_err());
}

#[test]
fn the_board_has_all_strokes_until_the_last_user_leaves() {
    let (_server, address) = Example::serve("whiteboard");
    let board = |example: &Example| -> Vec<String> { (0..4).map(|_| example.line()).collect() };
    let mut ann = Example::start("whiteboard", &[&address, "plan"]);
    let mut bob = Example::start("whiteboard", &[&address, "plan"]);
    let empty = "................";
    ann.type_line("0 0 A");
    assert_eq!(board(&ann), ["A...............", empty, empty, empty]);
    bob.type_line("15 3 é");
    assert_eq!(board(&bob), ["A...............", empty, empty, "...............é"]);
    ann.type_line("2 1 C");
    assert_eq!(board(&ann), ["A...............", "..C.............", empty, "...............é"]);
    let viewer = Client::connect(&address).unwrap();
    assert!(ann.end().1.success());
    assert_eq!(viewer.stat("plan").unwrap().opens, 1, "closed before it ended");
    drop(bob); // with kill -9
    alone(&viewer);
    let plan = viewer.open("plan", Some("Board")).unwrap();
    assert_eq!(&plan.read().unwrap().contents[..], [empty, "\n"].concat().repeat(4).as_bytes());
    for bad in ["16 0 x", "0 4 x", "x", "0 0 xy", "-1 0 x", ""] {
        assert!(plan.write(bad).is_err(), "{bad:?}");
    }
    assert_eq!(plan.stat().unwrap().version, plan.version());
}

#[test]
fn the_registry_lists_services_and_forgets_killed_ones() {
    let server = Running::start(Server::builder());
    let address = server.addresses()[0].to_string();
    let watcher = Example::start("registry", &[&address, "web"]);
    assert_eq!(watcher.line(), "svc/web/ ");
    let mut one = Example::start("registry", &[&address, "web", "10.0.0.1:80"]);
    assert_eq!(watcher.line(), "svc/web/ 10.0.0.1:80");
    let other = Example::start("registry", &[&address, "web", "10.0.0.2:80"]);
    assert_eq!(watcher.line(), "svc/web/ 10.0.0.1:80 10.0.0.2:80");
    let _mail = Example::start("registry", &[&address, "mail", "10.0.0.3:25"]);
    one.child.kill().unwrap();
    assert_eq!(watcher.line(), "svc/web/ 10.0.0.2:80");
    let (lines, status) = other.end();
    assert_eq!((&lines[..], status.success()), (&["registered".to_string()][..], true));
    assert_eq!(watcher.line(), "svc/web/ ");
}

/// A server that another one may follow at the same address.
fn serve_at(address: &Address) -> telefile::server::Running {
    Server::builder().listen(address.clone()).bind().unwrap().spawn().unwrap()
}

#[test]
fn the_configuration_is_reloaded_also_after_a_restart_of_the_server() {
    let folder = Folder::new();
    let address = Address::Unix(folder.path().join("socket"));
    let server = serve_at(&address);
    let client = Client::connect_to(&address).unwrap();
    let program = Example::start("config_reload", &[&address.to_string(), "app/config"]);
    assert_eq!(program.line(), "configured: as by default");
    client.write("app/config", "port = 80").unwrap();
    assert_eq!(program.line(), "configured: port = 80");
    client.write("app/config2", "of another program").unwrap();
    client.write("app/config", "port = 8080").unwrap();
    assert_eq!(program.line(), "configured: port = 8080");
    client.delete("app/config", None).unwrap();
    assert_eq!(program.line(), "configured: as by default");
    client.write("app/config", "port = 80").unwrap();
    assert_eq!(program.line(), "configured: port = 80");
    server.stop().unwrap();

    // The new table is at the version that was known of the old one.
    let server = serve_at(&address);
    assert_eq!(program.line(), "configured: as by default");
    let client = Client::connect_to(&address).unwrap();
    (0..5).for_each(|_| assert!(client.write("other", "").is_ok()));
    client.write("app/config", "port = 443").unwrap();
    assert_eq!(program.line(), "configured: port = 443");
    server.stop().unwrap();
}

#[test]
fn an_error_is_one_readable_line() {
    let folder = Folder::new();
    let nobody = format!("unix:{}", folder.path().join("nobody").display());
    let no_folder = format!("unix:{}", folder.path().join("no/folder").display());
    let missing = "No such file or directory";
    for (name, args, words) in [
        ("chat", &[][..], "usage: chat ADDRESS [ROOM NICK]"),
        ("chat", &["8080", "garden", "ann"], "8080: an address is HOST:PORT"),
        ("config_reload", &[], "usage: config_reload ADDRESS NAME"),
        ("config_reload", &[&nobody, "config"], missing),
        ("echo", &["8080"], "8080: an address is HOST:PORT"),
        ("fenced", &[&no_folder], missing),
        ("myclient", &[&nobody], missing),
        ("myserver", &[&no_folder], missing),
        ("presence", &[], "usage: presence ADDRESS [NAME]"),
        ("presence", &[&nobody, "ann"], missing),
        ("registry", &[], "usage: registry ADDRESS SERVICE [INSTANCE]"),
        ("registry", &[&nobody, "web"], missing),
        ("whiteboard", &[], "usage: whiteboard ADDRESS [NAME]"),
        ("whiteboard", &[&nobody, "plan"], missing),
    ] {
        let output = program(built(name)).args(args).stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with(&format!("{name}: ")) && stderr.contains(words), "{stderr}");
        assert!(stderr.lines().count() == 1 && !stderr.contains('{'), "{stderr}");
    }
    let mut by_variable = program(built("myclient"));
    let output = by_variable.env("TELEFILE_ADDR", &nobody).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains(&nobody));
}

#[test]
fn a_write_with_an_old_token_is_refused() {
    let (_server, address) = Example::serve("fenced");
    let late = Client::connect(&address).unwrap();
    let file = late.open("balance", Some("Fenced")).unwrap();
    let shows = |contents: &str| assert_eq!(&*file.read().unwrap().contents, contents.as_bytes());
    let lost = Lock::new(&late, "lock").lock().unwrap();
    file.write(format!("{} ten", lost.token())).unwrap();

    let next = Client::connect(&address).unwrap();
    next.delete("lock", None).unwrap(); // as when the connection was lost
    let guard = Lock::new(&next, "lock").try_lock().unwrap().expect("it is free");
    let theirs = next.open("balance", Some("Fenced")).unwrap();
    // Up to here nobody can know better.
    file.write(format!("{} eleven", lost.token())).unwrap();
    theirs.write(guard.token().to_string()).unwrap();
    shows(&format!("{} eleven", guard.token()));

    let denied = |contents: String| {
        let error = file.write(contents).unwrap_err();
        assert_eq!(error.refusal(), Some(&Refusal::Denied));
    };
    denied(format!("{} twelve", lost.token()));
    denied(lost.token().to_string());
    theirs.write(format!("{} twelve and a half", guard.token())).unwrap();
    shows(&format!("{} twelve and a half", guard.token()));
    for bad in ["", " ", "x", "x 7", "-1 x", "99999999999999999999 x"] {
        denied(bad.to_string());
    }

    // It is remembered longer than anybody has the file open.
    file.close().unwrap();
    theirs.close().unwrap();
    let file = late.open("balance", Some("Fenced")).unwrap();
    assert!(file.write(format!("{} ten", lost.token())).is_err());
    file.write(format!("{}\n", guard.token())).unwrap();
    let shown = format!("{} twelve and a half", guard.token());
    assert_eq!(&*file.read().unwrap().contents, shown.as_bytes());
}

#[test]
fn echo_answers_and_leaves_no_process_when_killed() {
    let (server, address) = Example::serve("echo");
    let client = framework::Client::connect(&address).unwrap();
    for id in [0, 7, u16::MAX] {
        client.send(Message::new(id).append("echo")).unwrap();
        assert_eq!(client.recv(Some(PATIENCE)), Ok(Message::new(id).append("echo")));
    }
    drop(server); // with kill -9
    let ended = client.recv(Some(PATIENCE)).unwrap_err();
    assert!(matches!(ended, ClientError::ConnectionReset(_)), "{ended:?}");
    let again = Example::start("echo", &[&address]);
    assert_eq!(again.line(), format!("listening on {address}"));
}

#[test]
fn a_room_gets_its_own_messages_and_no_others() {
    let (_server, address) = Example::serve("chat");
    let mut ann = Example::start("chat", &[&address, "garden", "ann"]);
    assert_eq!(ann.line(), "ann is here");
    let mut eve = Example::start("chat", &[&address, "cellar", "eve"]);
    assert_eq!(eve.line(), "eve is here");
    let mut bob = Example::start("chat", &[&address, "garden", "bob"]);
    assert_eq!([ann.line(), bob.line()], ["bob is here"; 2]);
    bob.type_line("good morning");
    assert_eq!([ann.line(), bob.line()], ["bob: good morning"; 2]);
    eve.type_line("is anybody here?");
    assert_eq!(eve.line(), "eve: is anybody here?");
    let (refused, _) = Example::start("chat", &[&address, "garden", "eve"]).end();
    assert_eq!(refused, ["eve cannot enter"]);
    bob.child.kill().unwrap();
    assert_eq!(ann.line(), "bob has left");
    ann.type_line("bye");
    let (lines, status) = ann.end();
    assert_eq!(lines, ["ann: bye"]);
    assert!(status.success(), "{status}");
}

#[test]
fn a_slow_reader_does_not_delay_the_room() {
    let (_server, address) = Example::serve("chat");
    let said = |client: &framework::Client| {
        let message = client.recv(Some(PATIENCE)).unwrap();
        String::from_utf8_lossy(message.payload()).chars().take(20).collect::<String>()
    };
    let enter = |nick: &str| {
        let client = framework::Client::connect(&address).unwrap();
        client.send(Message::new(1).append(format!("room {nick}"))).unwrap();
        while said(&client) != format!("{nick} is here") {}
        client
    };
    let (ann, bob) = (enter("ann"), enter("bob"));
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(b"\x01\x00\x09\x00\x00\x00room slow").unwrap();
    while said(&ann) != "slow is here" {}
    while said(&bob) != "slow is here" {}
    // More than may wait for one client, 60 kB at a time; `slow` never reads, and is thrown out.
    let mut thrown_out = false;
    for i in 0..600 {
        ann.send(Message::new(2).append(format!("{i:<60000}"))).unwrap();
        for client in [&ann, &bob] {
            let mut line = said(client);
            if line == "slow has left" {
                thrown_out = true;
                line = said(client);
            }
            assert_eq!(line.trim_end(), format!("ann: {i}"));
        }
    }
    assert!(thrown_out);
}
