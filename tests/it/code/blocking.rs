//! A type whose code does not return for long holds up the clients of its file, and nobody else.

use super::puppet::{Act, Hold, Op, Strings};
use super::{nothing_is_open, read, server, start};
use crate::server::{Client, Running, STOP_TIME, eventually};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use telefile::{Clock, Refusal};

/// So long nothing comes to who waits. Only a server that is wrong is judged by it.
const MOMENT: Duration = Duration::from_millis(60);

/// Clients that have sent a request and are not answered.
struct Waiting(Vec<Client>);

impl Waiting {
    #[track_caller]
    fn with(server: &Running, requests: &[String]) -> Waiting {
        let clients: Vec<_> = requests.iter().map(|_| server.client()).collect();
        for (client, request) in clients.iter().zip(requests) {
            client.send(format!("{request}\r\n"));
        }
        let mut waiting = Waiting(clients);
        waiting.wait();
        waiting
    }

    #[track_caller]
    fn wait(&mut self) {
        std::thread::sleep(MOMENT);
        for client in &mut self.0 {
            client.socket().set_nonblocking(true).unwrap();
            let seen = client.socket().peek(&mut [std::mem::MaybeUninit::uninit()]);
            assert_eq!(seen.expect_err("no reply").kind(), ErrorKind::WouldBlock);
            client.socket().set_nonblocking(false).unwrap();
        }
    }

    /// The replies. Nobody leaves before all have one.
    fn lines(mut self) -> Vec<String> {
        self.0.iter_mut().map(Client::line).collect()
    }
}

/// A file that two clients have open, and one of them is stuck in an operation.
fn stuck(server: &Running, op: Op, request: &str) -> (Arc<Strings>, Client, Client, Hold) {
    let p = Strings::new();
    let (mut a, mut b) = (server.client(), server.client());
    assert!(a.ask(&p.open()).starts_with("FD 0 "));
    assert!(b.ask(&p.open()).starts_with("FD 0 "));
    let hold = p.hold(op);
    a.send(format!("{request}\r\n"));
    hold.begun();
    (p, a, b, hold)
}

const STUCK: [(Op, &str, &str); 4] = [
    (Op::Read, "read @0", "CONTENTS 1 0 0"),
    (Op::Write, "write @0 0\r\n", "OK "),
    (Op::Close, "close @0", "OK"),
    (Op::Open, "open {}", "FD 0 1 Puppet"),
];

#[test]
fn stat_delete_and_everything_about_other_files_go_on() {
    for (op, request, reply) in STUCK {
        let (server, other) = (start(), Strings::new());
        let p = Strings::new();
        let (mut a, mut b) = (server.client(), server.client());
        a.ask(&p.open());
        b.ask(&p.open());
        let hold = p.hold(op);
        a.send(request.replace("{}", p.name()) + "\r\n");
        hold.begun();
        let opens = if op == Op::Open { 3 } else { 2 };
        assert_eq!(b.ask(&p.to("stat")), format!("STAT 1 0 0 Puppet {opens}"), "{op:?}");
        assert_eq!(b.ask(&other.open()), "FD 1 2 Puppet");
        assert_eq!(b.write("@1", b"abc"), "OK 3");
        assert_eq!(read(&mut b, other.name()), "CONTENTS 3 3 0: abc");
        assert_eq!(b.ask("close @1"), "OK");
        assert_eq!(b.write("plain", b"x"), "OK 5");
        assert_eq!(b.stat("descriptors"), 1);
        assert_eq!(b.ask(&p.to("delete")), "OK", "{op:?}");
        assert_eq!(b.ask(&p.open()), "FD 1 7 Puppet", "a new file of the name: {op:?}");
        drop(hold);
        assert!(a.line().starts_with(reply), "{op:?}");
    }
}

#[test]
fn a_deadline_is_met_by_the_sweeper_and_by_clients() {
    let clock = Clock::manual();
    let server = Running::start(server().clock(clock.clone()));
    for met_by_client in [true, false] {
        let (p, mut a, mut b) = (Strings::new(), server.client(), server.client());
        a.ask(&p.open());
        a.send(p.to("write") + " 0 5\r\n\r\n");
        assert!(a.line().starts_with("OK "));
        let hold = p.hold(Op::Read);
        a.send("read @0\r\n");
        hold.begun();
        clock.advance(Duration::from_secs(5));
        if met_by_client {
            assert_eq!(b.ask(&p.to("stat")), "ERR_FILE_NOT_FOUND");
        } else {
            eventually("the sweeper comes by", || b.stat("files") == 0);
        }
        drop(hold);
        assert!(a.line().starts_with("CONTENTS "));
        a.contents(0);
        assert_eq!(a.ask("close @0"), "OK");
        p.is_over(1, 1);
        drop(a);
        nothing_is_open(&mut b);
    }
}

#[test]
fn operations_of_one_file_do_not_overlap() {
    for (op, request, _) in STUCK.into_iter().take(3) {
        let server = start();
        let (p, _a, _b, hold) = stuck(&server, op, request);
        let before = p.log().len();
        let requests = ["read", "open"].map(|verb| p.to(verb));
        let requests = [&requests[..], &[p.to("write") + " 0\r\n"]].concat();
        let mut waiting = Waiting::with(&server, &requests);
        assert_eq!(p.log().len(), before, "{op:?}");
        waiting.wait();
        drop(hold);
        for line in waiting.lines() {
            assert!(["CONTENTS", "FD", "OK"].contains(&line.split(' ').next().unwrap()), "{line}");
        }
    }
}

#[test]
fn while_a_file_is_made_nobody_sees_it_and_who_wants_it_waits() {
    for op in [Op::Create, Op::Open] {
        let (server, p) = (start(), Strings::new());
        let (mut a, mut b) = (server.client(), server.client());
        let hold = p.hold(op);
        a.send(p.open() + "\r\n");
        hold.begun();
        assert_eq!(b.ask(&p.to("read")), "ERR_FILE_NOT_FOUND");
        assert_eq!(b.ask(&p.to("stat")), "ERR_FILE_NOT_FOUND");
        assert_eq!(b.ask(&p.to("delete")), "ERR_FILE_NOT_FOUND");
        assert_eq!((b.stat("version"), b.stat("files")), (0, 0));
        assert_eq!(b.write("plain", b"x"), "OK 1");
        let requests =
            [p.open(), p.to("open"), p.to("write") + " 3\r\nabc", p.to("cas") + " 0 0\r\n"];
        let waiting = Waiting::with(&server, &requests);
        drop(hold);
        assert_eq!(a.line(), "FD 0 2 Puppet");
        let lines = waiting.lines();
        assert!(lines[0].starts_with("FD 0 ") && lines[1].starts_with("FD 0 "), "{lines:?}");
        assert_eq!(lines[2], "OK 3");
        assert!(lines[3].starts_with("ERR_VERSION "), "{lines:?}");
        assert_eq!((p.count("create"), p.count("open")), (1, 3), "{:?}", p.log());
    }
}

#[test]
fn if_it_cannot_be_made_each_that_waits_tries_for_itself() {
    let failures = [(Act::Panic, "ERR_INTERNAL"), (Act::Refuse(Refusal::Denied), "ERR_DENIED")];
    for (act, reply) in failures {
        let (server, p) = (start(), Strings::new());
        let mut a = server.client();
        p.next(Op::Open, act);
        let hold = p.hold(Op::Create);
        a.send(p.open() + "\r\n");
        hold.begun();
        let waiting = Waiting::with(&server, &[p.open(), p.open(), p.open()]);
        drop(hold);
        assert_eq!(a.line(), reply);
        assert_eq!(waiting.lines(), ["FD 0 1 Puppet"; 3], "{:?}", p.log());
        assert_eq!((p.count("create"), p.count("open")), (2, 4), "{:?}", p.log());
    }
}

#[test]
fn a_write_that_waited_for_a_file_that_was_not_made_makes_a_memory_file() {
    let (server, p) = (start(), Strings::new());
    let mut a = server.client();
    p.next(Op::Open, Act::Refuse(Refusal::Denied));
    let hold = p.hold(Op::Create);
    a.send(p.open() + "\r\n");
    hold.begun();
    let waiting = Waiting::with(&server, &[p.to("cas") + " 0 3\r\nabc"]);
    drop(hold);
    assert_eq!(a.line(), "ERR_DENIED");
    assert_eq!(waiting.lines(), ["OK 1"]);
    assert_eq!(a.ask(&p.to("stat")), "STAT 1 3 0 MemoryFile 0");
}

#[test]
fn a_new_file_does_not_meet_the_end_of_the_old_one() {
    let (server, p) = (start(), Strings::new());
    let (mut a, mut b) = (server.client(), server.client());
    a.ask(&p.open());
    let hold = p.hold(Op::Drop);
    a.send("close @0\r\n");
    hold.begun();
    assert_eq!(b.ask(&p.to("read")), "ERR_FILE_NOT_FOUND");
    assert_eq!(b.ask("open another"), "FD 0 3 File", "the number is free");
    let waiting = Waiting::with(&server, &[p.open()]);
    assert_eq!(p.count("create"), 1);
    drop(hold);
    assert_eq!(a.line(), "OK");
    assert_eq!(waiting.lines(), ["FD 1 4 Puppet"]);
}

#[test]
fn an_open_that_waits_for_the_close_of_the_last_keeps_the_file() {
    let (server, p) = (start(), Strings::new());
    let mut a = server.client();
    a.ask(&p.open());
    let hold = p.hold(Op::Close);
    a.send("close @0\r\n");
    hold.begun();
    let waiting = Waiting::with(&server, &[p.open()]);
    drop(hold);
    assert_eq!(a.line(), "OK");
    let mut b = { waiting }.0.remove(0);
    assert_eq!(b.line(), "FD 0 1 Puppet");
    assert_eq!(p.log(), ["create", "open #1", "close #1", "open #2"]);
    assert_eq!(read(&mut b, "@0"), "CONTENTS 1 0 0: ");
}

#[test]
fn shutdown_does_not_wait_for_a_type() {
    let stop = |op: Op| {
        let (mut server, p) = (start(), Strings::new());
        let a = server.client();
        let hold = p.hold(op);
        a.send(p.open() + "\r\nread @0\r\nwrite @0 0\r\n\r\nclose @0\r\n");
        hold.begun();
        let _waiting = Waiting::with(&server, &[p.open()]);
        let took = server.stop();
        assert!(took < STOP_TIME, "{op:?}: {took:?}");
    };
    std::thread::scope(|scope| {
        for op in [Op::Create, Op::Open, Op::Read, Op::Write, Op::Close, Op::Drop] {
            scope.spawn(move || stop(op));
        }
    });
}

#[test]
#[cfg(feature = "durable")]
fn a_stopped_server_leaves_its_data_to_the_next_one_while_a_type_is_still_at_work() {
    let (folder, p) = (crate::server::Folder::new(), Strings::new());
    let data = || folder.path().join("data");
    let bind = || server().data(data()).listen("127.0.0.1:0".parse().unwrap()).bind().unwrap();
    let first = bind().spawn().unwrap();
    let mut a = Client::connect(&first.addresses()[0]);
    a.ask(&p.open());
    let hold = p.hold(Op::Read);
    a.send("read @0\r\n");
    hold.begun();
    first.stop().unwrap();
    drop(bind()); // the folder is free, though the read still has the table
    drop(hold);
}

#[test]
fn a_client_that_vanishes_in_the_middle_of_an_operation_is_closed_behind_it() {
    for (op, request) in
        [(Op::Read, "read @0"), (Op::Write, "write @0 0\r\n"), (Op::Open, "open {}")]
    {
        let (server, p) = (start(), Strings::new());
        let mut a = server.client();
        a.ask(&p.open());
        let hold = p.hold(op);
        a.send(request.replace("{}", p.name()) + "\r\n");
        hold.begun();
        a.reset();
        drop(hold);
        p.is_over(1, p.count("open"));
        nothing_is_open(&mut server.client());
    }
    for op in [Op::Create, Op::Open] {
        let (server, p) = (start(), Strings::new());
        let a = server.client();
        let hold = p.hold(op);
        a.send(p.open() + "\r\n");
        hold.begun();
        a.reset();
        drop(hold);
        p.is_over(1, 1);
        nothing_is_open(&mut server.client());
    }
}

#[test]
fn who_waits_for_a_file_by_a_name_that_is_deleted_does_not_get_that_file() {
    for (request, reply) in [("read {}", "ERR_FILE_NOT_FOUND"), ("write {} 3\r\nabc", "OK 3")] {
        let (server, p) = (start(), Strings::new());
        let (mut a, mut b) = (server.client(), server.client());
        a.ask(&p.open());
        let hold = p.hold(Op::Read);
        a.send("read @0\r\n");
        hold.begun();
        let waiting = Waiting::with(&server, &[request.replace("{}", p.name())]);
        assert_eq!(b.ask(&p.to("delete")), "OK");
        drop(hold);
        assert_eq!(a.line(), "CONTENTS 1 0 0");
        a.contents(0);
        assert_eq!(waiting.lines(), [reply]);
        assert_eq!(a.ask("stat @0"), "STAT 1 0 0 Puppet 1");
        if request.starts_with("write") {
            assert_eq!(a.ask(&p.to("stat")), "STAT 3 3 0 MemoryFile 0");
        }
    }
}
