//! `telefile serve` under a service manager: readiness, sockets that are passed on, and a token
//! that is read again.

use super::{Program, Serving, telefile};
use crate::programs::{has, program};
use crate::server::{Client, Folder, PATIENCE};
use rustix::process::Signal;
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::Command;
use telefile::net::Address;

/// The socket of a service manager.
struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Manager {
        Manager::of(UnixDatagram::bind(path).unwrap())
    }

    fn of(socket: UnixDatagram) -> Manager {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager(socket)
    }

    /// Returns the next report.
    fn received(&self) -> String {
        let mut report = [0; 1000];
        let length = self.0.recv(&mut report).unwrap();
        String::from_utf8(report[..length].to_vec()).unwrap()
    }

    /// Checks what a server reports that starts with this variable, and stops.
    fn watches(&self, variable: &str) {
        let mut command = telefile(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("NOTIFY_SOCKET", variable);
        let serving = Serving::from(command);
        let ready = format!("READY=1\nSTATUS=Listening on {}", serving.addresses[0]);
        assert_eq!(self.received(), ready);
        let log = serving.stop(Signal::TERM);
        assert_eq!(self.received(), "STOPPING=1");
        assert!(!log.contains("NOTIFY_SOCKET"), "{log}");
    }
}

#[test]
fn a_service_manager_learns_when_the_server_is_ready_and_when_it_stops() {
    let folder = Folder::new();
    let path = folder.path().join("notify");
    Manager::at(&path).watches(path.to_str().unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn the_socket_of_a_service_manager_may_be_abstract() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    let name = format!("telefile-it-notify-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    Manager::of(UnixDatagram::bind_addr(&address).unwrap()).watches(&format!("@{name}"));
}

#[test]
fn a_service_manager_that_does_not_answer_is_no_failure() {
    let folder = Folder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    fs::write(at("file"), "").unwrap();
    drop(UnixDatagram::bind(at("dead")).unwrap());
    let _stream = UnixListener::bind(at("stream")).unwrap();
    // Nobody receives, and there is no room for another report.
    let full = UnixDatagram::bind(at("full")).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    let filled = (0..1_000_000).find(|_| sender.send_to(&[0; 1000], at("full")).is_err());
    assert!(filled.is_some());
    for variable in [
        at("missing"),
        at("file"),
        at("dead"),
        at("stream"),
        at("full"),
        "notify".to_string(),
        "@".to_string(),
        "vsock:2:1234".to_string(),
        format!("/{}", "x".repeat(500)),
        "@a\nb".to_string(),
    ] {
        let mut command = telefile(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("NOTIFY_SOCKET", &variable);
        let serving = Serving::from(command);
        assert_eq!(serving.client().ask("stat f"), "ERR_FILE_NOT_FOUND");
        serving.logs(&[&variable.replace('\n', "\\n"), "READY=1 is not reported"]);
        serving.stop(Signal::TERM);
    }
    drop(full);
}

/// Returns the command of a server that inherits this socket, with these further arguments.
/// `variables` may use `$$`, its process.
fn inheriting(socket: impl Into<OwnedFd>, variables: &str, args: &[&str]) -> Program {
    let script = format!("exec 3<&0 </dev/null; export {variables}; exec \"$@\"");
    let serve = telefile(&["serve"]);
    let mut command = program("sh");
    command.args(["-c", &script, "sh"]).arg(serve.get_program()).args(serve.get_args()).args(args);
    command.stdin(socket.into());
    Program::start_with_stdin(command)
}

const ONE: &str = "LISTEN_PID=$$ LISTEN_FDS=1";

fn local() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    (listener, address)
}

#[test]
fn a_socket_that_is_passed_on_replaces_the_default_address() {
    let (listener, address) = local();
    let mut early = Client::connect(&address); // waits in the queue
    early.send("write f 6\r\nabcdef\r\n");
    let serving = Serving::of(inheriting(listener.try_clone().unwrap(), ONE, &[]));
    assert_eq!(serving.addresses, std::slice::from_ref(&address));
    assert_eq!(early.line(), "OK 1");
    assert_eq!(serving.client().ask("read f"), "CONTENTS 1 6 0");
    serving.stop(Signal::TERM);

    // The service manager goes on to listen: nobody is refused while the server restarts.
    let mut waiting = Client::connect(&address);
    waiting.send("read f\r\n");
    let serving = Serving::of(inheriting(listener.try_clone().unwrap(), ONE, &[]));
    assert_eq!(waiting.line(), "ERR_FILE_NOT_FOUND");
    drop(serving); // killed
    let client = Client::connect(&address);
    listener.set_nonblocking(false).unwrap();
    drop(listener.accept().unwrap());
    drop(client);
}

#[test]
fn addresses_are_added_to_a_socket_that_is_passed_on() {
    let folder = Folder::new();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let args = ["--listen", "127.0.0.1:0"];
    let serving = Serving::of(inheriting(listener.try_clone().unwrap(), ONE, &args));
    let [Address::Unix(passed), tcp] = &serving.addresses[..] else { panic!("two addresses") };
    assert_eq!(passed, &path);
    assert_eq!(Client::connect(&serving.addresses[0]).write("f", b"x"), "OK 1");
    assert_eq!(Client::connect(tcp).ask("stat f"), "STAT 1 1 0 MemoryFile 0");
    let mut idle = Client::connect(&serving.addresses[0]);
    assert_eq!(idle.ask("stat f"), "STAT 1 1 0 MemoryFile 0"); // it is accepted
    serving.stop(Signal::TERM);
    assert!(path.exists(), "it belongs to the service manager");
    drop(idle);
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().map(drop).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(Client::connect(&Address::Unix(path)));
    assert!(listener.accept().is_ok());
}

#[test]
fn a_socket_for_other_machines_needs_a_token_too() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let mut refused = inheriting(listener.try_clone().unwrap(), ONE, &[]);
    assert_eq!(refused.wait(), 2);
    let why = refused.stderr.whole();
    assert!(why.contains("0.0.0.0:") && why.contains("--token-file"), "{why}");
    drop(Serving::of(inheriting(listener, ONE, &["--insecure"])));
}

#[test]
fn what_is_promised_and_not_there_is_reported() {
    let folder = Folder::new();
    let fresh = || OwnedFd::from(local().0);
    let (listener, address) = local();
    let Address::Tcp(tcp) = address else { unreachable!() };
    let connected = TcpStream::connect(tcp).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let file = fs::File::create(folder.path().join("file")).unwrap();
    let datagram = UnixDatagram::bind(folder.path().join("datagram")).unwrap();
    for (socket, variables, words) in [
        (fresh(), "LISTEN_PID=$$ LISTEN_FDS=999999", &["LISTEN_FDS=999999", "at most 1000"][..]),
        (fresh(), "LISTEN_PID=$$ LISTEN_FDS=99999999999999999999", &["LISTEN_FDS=9999"]),
        (fresh(), "LISTEN_PID=$$ LISTEN_FDS=-1", &["LISTEN_FDS=-1"]),
        (fresh(), "LISTEN_PID=$$ LISTEN_FDS=x", &["LISTEN_FDS=x"]),
        (fresh(), "LISTEN_PID=$$", &["LISTEN_FDS="]),
        (fresh(), "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDS_FIRST_FD=2147483647", &["FIRST_FD"]),
        (fresh(), "LISTEN_PID=$$ LISTEN_FDS=2", &["descriptor 4: neither"]),
        (fresh(), "LISTEN_PID=$$ LISTEN_FDS=1000", &["descriptor 4: neither"]),
        (udp.into(), ONE, &["descriptor 3: neither a TCP nor a Unix"]),
        (file.into(), ONE, &["descriptor 3: neither"]),
        (datagram.into(), ONE, &["descriptor 3: neither"]),
        (connected.into(), ONE, &["descriptor 3: the socket does not listen"]),
    ] {
        let mut refused = inheriting(socket, variables, &["--listen", "127.0.0.1:0"]);
        assert_eq!(refused.wait(), 1, "{variables}");
        let why = refused.stderr.whole();
        assert!(words.iter().all(|word| why.contains(word)), "no {words:?} in {why}");
        assert_eq!(why.lines().count(), 1, "{why}");
    }
    drop(listener);
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_socket_is_refused() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    let name = format!("telefile-it-listen-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let mut refused = inheriting(UnixListener::bind_addr(&address).unwrap(), ONE, &[]);
    assert_eq!(refused.wait(), 1);
    assert!(refused.stderr.whole().contains("a Unix socket without a path"));
}

#[test]
fn sockets_for_another_process_are_not_used() {
    for variables in ["LISTEN_PID=1 LISTEN_FDS=1", "LISTEN_FDS=1", "LISTEN_PID= LISTEN_FDS=1"] {
        let (listener, passed) = local();
        let args = ["--listen", "127.0.0.1:0"];
        let serving = Serving::of(inheriting(listener, variables, &args));
        assert!(serving.addresses.len() == 1 && serving.addresses[0] != passed, "{variables}");
    }
}

/// As systemd does it, with several sockets.
#[test]
fn systemd_passes_sockets_on() {
    if !has("systemd-socket-activate") {
        return;
    }
    let folder = Folder::new();
    let path = folder.path().join("socket");
    let mut command = program("systemd-socket-activate");
    let other = folder.path().join("other"); // no TCP socket: it takes no port 0
    command.args(["-l", path.to_str().unwrap(), "-l", other.to_str().unwrap()]);
    let serve = telefile(&["serve"]);
    command.arg(serve.get_program()).args(serve.get_args());
    let starting = Program::start(command);
    let address = Address::Unix(path.clone());
    let mut first = None; // starts the server
    crate::server::eventually("systemd listens", || {
        first = Client::try_connect(&address).ok();
        first.is_some()
    });
    let mut first = first.unwrap();
    first.send("write f 1\r\nx\r\n");
    let serving = Serving::of(starting);
    assert_eq!(serving.addresses, [address, Address::Unix(other)]);
    assert_eq!(first.line(), "OK 1");
    assert_eq!(Client::connect(&serving.addresses[1]).ask("stat f"), "STAT 1 1 0 MemoryFile 0");
    serving.stop(Signal::TERM);
}

/// Returns `telefile serve` without a terminal; `None` where that is not possible.
fn without_terminal(args: &[&str]) -> Option<Command> {
    if !has("setsid") {
        return None;
    }
    let serve = telefile(&["serve", "--listen", "127.0.0.1:0"]);
    let mut command = program("setsid");
    command.arg(serve.get_program()).args(serve.get_args()).args(args);
    Some(command)
}

#[test]
fn the_token_is_read_again() {
    let folder = Folder::new();
    let path = folder.path().join("token");
    fs::write(&path, "first\n").unwrap();
    let Some(serve) = without_terminal(&["--token-file", path.to_str().unwrap()]) else { return };
    let serving = Serving::from(serve);
    let hello = |token: &str| serving.client().ask(&format!("hello {token}"));
    let mut early = serving.client();
    assert!(early.ask("hello first").starts_with("HELLO 1 "));
    let mut late = serving.client(); // connected, and not admitted

    fs::write(&path, "second\n").unwrap();
    assert!(hello("first").starts_with("HELLO 1 "), "not before the signal");
    serving.program.signal(Signal::HUP);
    serving.logs(&["SIGHUP", path.to_str().unwrap(), "the token is read again"]);
    assert_eq!(hello("first"), "ERR_DENIED");
    assert!(hello("second").starts_with("HELLO 1 "));
    assert_eq!(early.ask("stat f"), "ERR_FILE_NOT_FOUND", "it stays");
    assert_eq!(late.ask("hello first"), "ERR_DENIED");

    // What is no token leaves the old one.
    fs::write(&path, "").unwrap();
    serving.program.signal(Signal::HUP);
    serving.logs(&["ERROR", "the token is empty", "the token stays as it was"]);
    fs::remove_file(&path).unwrap();
    serving.program.signal(Signal::HUP);
    serving.logs(&["No such file", "the token stays as it was"]);
    assert!(program("mkfifo").arg(&path).status().unwrap().success());
    serving.program.signal(Signal::HUP);
    serving.logs(&["no regular file", "the token stays as it was"]);
    assert_eq!(hello("first"), "ERR_DENIED");
    assert!(hello("second").starts_with("HELLO 1 "));

    fs::remove_file(&path).unwrap();
    fs::write(&path, "third").unwrap();
    serving.program.signal(Signal::HUP);
    crate::server::eventually("it is read", || hello("third").starts_with("HELLO 1 "));
    assert_eq!(hello("second"), "ERR_DENIED");
    let log = serving.stop(Signal::TERM);
    assert!(!["first", "second", "third"].iter().any(|token| log.contains(token)), "{log}");
}

#[test]
fn without_a_token_file_there_is_nothing_to_read_again() {
    let Some(serve) = without_terminal(&[]) else { return };
    let serving = Serving::from(serve);
    serving.program.signal(Signal::HUP);
    serving.logs(&["SIGHUP", "nothing to read again"]);
    assert_eq!(serving.client().ask("stat f"), "ERR_FILE_NOT_FOUND");
    serving.stop(Signal::TERM);
}

/// As systemd stops a unit with SendSIGHUP=yes.
#[test]
fn a_stop_is_not_hurried_by_a_signal_to_read_again() {
    let Some(serve) = without_terminal(&[]) else { return };
    let mut serving = Serving::from(serve);
    for signal in [Signal::STOP, Signal::TERM, Signal::HUP, Signal::CONT] {
        serving.program.signal(signal);
    }
    assert_eq!(serving.program.wait(), 0);
}

/// The kernel signals the end of a terminal to the leader of the session.
#[cfg(target_os = "linux")]
#[test]
fn the_end_of_the_terminal_stops_the_server() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let Some(serve) = without_terminal(&[]) else { return };
    let mut command = program("setsid");
    command.arg("--ctty").args(serve.get_args());
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    command.stdin(fs::File::options().read(true).write(true).open(name).unwrap());
    let mut serving = Serving::of(Program::start_with_stdin(command));
    drop(master);
    assert_eq!(serving.program.wait(), 0, "{}", serving.log());
    let log = serving.program.stderr.whole();
    assert!(log.contains("stopping"), "{log}");
}
