//! A type that refuses: the client gets the refusal, and nothing is left behind.

use super::puppet::{Act, Op, Strings};
use super::{nothing_is_open, read, server, start};
use crate::server::{Running, Tables, cost};
use telefile::{Clock, Limit, Name, NameRef, Refusal, Version};

fn name() -> Name {
    NameRef::new("x").unwrap().to_name()
}

#[test]
fn a_refused_create_or_first_open_leaves_no_file() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    for op in [Op::Create, Op::Open] {
        p.next(op, Act::Refuse(Refusal::Denied));
        assert_eq!(client.ask(&p.open()), "ERR_DENIED");
        assert_eq!(client.ask(&p.to("stat")), "ERR_FILE_NOT_FOUND");
        assert_eq!(client.ask("close @0"), "ERR_BAD_FD");
    }
    assert_eq!(p.log(), ["create", "create", "open #1", "drop"]);
    assert_eq!((client.stat("version"), client.stat("opens")), (0, 0));
    assert_eq!(client.ask(&p.open()), "FD 0 1 Puppet");
}

#[test]
fn a_refused_further_open_is_not_counted_and_not_closed() {
    let (server, p) = (start(), Strings::new());
    let (mut a, mut b) = (server.client(), server.client());
    a.ask(&p.open());
    p.next(Op::Open, Act::Refuse(Refusal::Limit(Limit::Descriptors, 1)));
    assert_eq!(b.ask(&p.open()), "ERR_LIMIT descriptors 1");
    assert_eq!(b.ask("close @0"), "ERR_BAD_FD");
    assert_eq!(a.ask("stat @0"), "STAT 1 0 0 Puppet 1");
    drop(b);
    a.alone();
    assert_eq!(p.count("close"), 0);
    assert_eq!(a.ask("close @0"), "OK");
    p.is_over(1, 1);
    nothing_is_open(&mut a);
}

#[test]
fn a_refused_write_changes_neither_version_nor_deadline() {
    let server = Running::start(server().clock(Clock::manual()));
    let (p, mut client) = (Strings::new(), server.client());
    client.ask(&p.open());
    client.send("write @0 1 100\r\nx\r\n");
    assert_eq!(client.line(), "OK 2");
    for sent in ["write @0 3\r\nabc\r\n", "cas @0 2 3 5\r\nabc\r\n"] {
        p.next(Op::Write, Act::Refuse(Refusal::Denied));
        client.send(sent);
        assert_eq!(client.line(), "ERR_DENIED");
    }
    assert_eq!(client.ask("stat @0"), "STAT 2 1 100 Puppet 1");
    assert_eq!(client.stat("version"), 2);
}

#[test]
fn a_refused_read_is_answered_and_the_file_goes_on() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    client.ask(&p.open());
    p.next(Op::Read, Act::Refuse(Refusal::NotFound));
    assert_eq!(client.ask("read @0"), "ERR_FILE_NOT_FOUND");
    assert_eq!(read(&mut client, "@0"), "CONTENTS 1 0 0: ");
}

#[test]
fn what_is_not_for_a_type_to_say_is_an_internal_error_and_keeps_the_connection() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    client.ask(&p.open());
    let allowed = [
        (Refusal::Denied, "ERR_DENIED"),
        (Refusal::NotFound, "ERR_FILE_NOT_FOUND"),
        (Refusal::Internal, "ERR_INTERNAL"),
        (Refusal::Limit(Limit::Contents, 7), "ERR_LIMIT contents 7"),
        (Refusal::Limit(Limit::Memory, 8), "ERR_LIMIT memory 8"),
    ];
    let not_allowed = [
        Refusal::Malformed,
        Refusal::OutOfStep,
        Refusal::WrongToken,
        Refusal::Version(Version(9)),
        Refusal::BadDescriptor,
        Refusal::WrongType(name()),
        Refusal::TypeNotFound,
        Refusal::Limit(Limit::Connections, 1),
    ];
    let not_allowed = not_allowed.map(|refusal| (refusal, "ERR_INTERNAL"));
    for (refusal, reply) in allowed.into_iter().chain(not_allowed) {
        for (op, request) in [(Op::Read, "read @0"), (Op::Write, "write @0 0\r\n")] {
            p.next(op, Act::Refuse(refusal.clone()));
            assert_eq!(client.ask(request), reply, "{op:?} {refusal:?}");
        }
        p.next(Op::Open, Act::Refuse(refusal.clone()));
        assert_eq!(client.ask(&p.open()), reply, "{refusal:?}");
        let q = Strings::new();
        q.next(Op::Create, Act::Refuse(refusal.clone()));
        assert_eq!(client.ask(&q.open()), reply, "{refusal:?}");
    }
    assert_eq!(client.ask("stat @0"), "STAT 1 0 0 Puppet 1");
}

#[test]
fn a_file_that_the_memory_has_no_room_for_is_closed_and_ended_again() {
    let p = Strings::new();
    // A code file, whose type has nothing to keep, and one open.
    let needed = cost::file(1) + cost::OPEN + cost::DESCRIPTOR + cost::CODE;
    let room = if Tables::asked() == Tables::Disk { needed * 6 / 5 + 1 } else { needed };
    let server = Running::start(server().max_memory(room));
    let mut client = server.client();
    assert_eq!(client.ask(&p.open()), format!("ERR_LIMIT memory {room}"));
    p.is_over(1, p.count("open"));
    assert_eq!(client.ask(&p.to("stat")), "ERR_FILE_NOT_FOUND");
    for kind in ["File", "MemoryFile"] {
        let open = format!("open {} {kind}", "x".repeat(400));
        assert_eq!(client.ask(&open), format!("ERR_LIMIT memory {room}"));
    }
    assert_eq!(client.ask("open a"), "FD 0 1 File");
    assert_eq!(client.ask("close @0"), "OK");
    nothing_is_open(&mut client);
}
