//! A type that panics: its client gets ERR_INTERNAL, no lock stays held, no descriptor is lost.

use super::puppet::{Act, Op, Strings};
use super::{nothing_is_open, read, start};
use crate::server::Client;

#[test]
fn a_panic_in_create_or_the_first_open_leaves_no_file() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    for op in [Op::Create, Op::Open] {
        p.next(op, Act::Panic);
        assert_eq!(client.ask(&p.open()), "ERR_INTERNAL");
        assert_eq!(client.ask(&p.to("stat")), "ERR_FILE_NOT_FOUND");
        assert_eq!((client.stat("version"), client.stat("opens")), (0, 0));
    }
    assert_eq!(p.log(), ["create", "create", "open #1", "drop"]);
    assert_eq!(client.ask(&p.open()), "FD 0 1 Puppet", "the name is not kept busy");
    assert_eq!(client.ask("close @0"), "OK");
    nothing_is_open(&mut client);
}

#[test]
fn a_panic_in_a_further_open_counts_no_open() {
    let (server, p) = (start(), Strings::new());
    let (mut a, mut b) = (server.client(), server.client());
    a.ask(&p.open());
    p.next(Op::Open, Act::Panic);
    assert_eq!(b.ask(&p.open()), "ERR_INTERNAL");
    assert_eq!(b.ask("read @0"), "ERR_BAD_FD");
    assert_eq!(a.ask("stat @0"), "STAT 1 0 0 Puppet 1");
    assert_eq!(b.ask(&p.open()), "FD 0 1 Puppet");
    drop(b);
    a.alone();
    assert_eq!(p.count("close"), 1);
    assert_eq!(a.ask("close @0"), "OK");
    p.is_over(1, 2);
    nothing_is_open(&mut a);
}

#[test]
fn a_read_that_panics_changes_nothing() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    client.ask(&p.open());
    assert_eq!(client.write("@0", b"abc"), "OK 2");
    for file in ["@0", p.name()] {
        p.next(Op::Read, Act::Panic);
        assert_eq!(client.ask(&format!("read {file}")), "ERR_INTERNAL");
        assert_eq!(read(&mut client, file), "CONTENTS 2 3 0: abc");
    }
    assert_eq!(client.stat("version"), 2);
}

#[test]
fn a_write_that_panics_takes_a_version() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    client.ask(&p.open());
    p.next(Op::Write, Act::Panic);
    assert_eq!(client.write("@0", b"half"), "ERR_INTERNAL");
    assert_eq!(client.ask("stat @0"), "STAT 2 4 0 Puppet 1");
    p.next(Op::Write, Act::Panic);
    client.send("cas @0 2 3\r\nabc\r\n");
    assert_eq!(client.line(), "ERR_INTERNAL");
    client.send("cas @0 2 3\r\nabc\r\n");
    assert_eq!(client.line(), "ERR_VERSION 3");
    assert_eq!(client.write("@0", b"whole"), "OK 4");
    assert_eq!(read(&mut client, "@0"), "CONTENTS 4 5 0: whole");
}

#[test]
fn a_panic_in_what_the_table_asks_is_no_answer() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    p.next(Op::Numbytes, Act::Panic);
    assert_eq!(client.ask(&p.open()), "FD 0 1 Puppet");
    for op in [Op::Numbytes, Op::Refresh] {
        p.next(op, Act::Panic);
        assert!(client.write("@0", b"abc").starts_with("OK "), "{op:?}");
        p.next(op, Act::Panic);
        assert!(read(&mut client, "@0").ends_with(": abc"), "{op:?}");
    }
    assert_eq!(client.ask("stat @0"), "STAT 3 3 0 Puppet 1");
}

#[test]
fn a_panic_in_close_counts_as_closed() {
    let (server, p) = (start(), Strings::new());
    let (mut a, mut b) = (server.client(), server.client());
    a.ask(&p.open());
    b.ask(&p.open());
    p.next(Op::Close, Act::Panic);
    assert_eq!(a.ask("close @0"), "OK");
    assert_eq!(a.ask("close @0"), "ERR_BAD_FD");
    assert_eq!(b.ask("stat @0"), "STAT 1 0 0 Puppet 1");
    p.next(Op::Close, Act::Panic);
    assert_eq!(b.ask("close @0"), "OK");
    p.is_over(1, 2);
    assert_eq!(b.ask(&p.open()), "FD 0 3 Puppet");
    drop(b);
    nothing_is_open(&mut a);
}

#[test]
fn a_panic_in_drop_frees_the_name_and_the_descriptor() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    for version in [1, 3] {
        assert_eq!(client.ask(&p.open()), format!("FD 0 {version} Puppet"));
        p.next(Op::Drop, Act::Panic);
        assert_eq!(client.ask("close @0"), "OK");
        assert_eq!(client.ask(&p.to("stat")), "ERR_FILE_NOT_FOUND");
    }
    // Where a file that was never shown ends, too.
    p.next(Op::Open, Act::Refuse(telefile::Refusal::Denied));
    p.next(Op::Drop, Act::Panic);
    assert_eq!(client.ask(&p.open()), "ERR_DENIED");
    assert_eq!(client.ask(&p.open()), "FD 0 5 Puppet");
    assert_eq!(client.ask(&p.to("delete")), "OK");
    p.next(Op::Drop, Act::Panic);
    assert_eq!(client.ask("close @0"), "OK");
    nothing_is_open(&mut client);
}

#[test]
fn panics_while_a_connection_ends_keep_nothing_open() {
    let server = start();
    let puppets: Vec<_> = (0..20).map(|_| Strings::new()).collect();
    let mut watcher = server.client();
    for address in server.addresses() {
        let mut client = Client::connect(address);
        for (i, p) in puppets.iter().enumerate() {
            assert!(client.ask(&p.open()).starts_with("FD "));
            assert!(client.ask(&p.open()).starts_with("FD "));
            for (op, bit) in [(Op::Close, 1), (Op::Drop, 2)] {
                if i & bit != 0 {
                    p.next(op, Act::Panic);
                }
            }
        }
        client.reset();
        nothing_is_open(&mut watcher);
    }
    puppets.iter().for_each(|p| p.is_over(2, 4));
}

#[test]
fn what_a_type_panics_with_may_panic_too_when_it_is_dropped() {
    let server = start();
    let mut client = server.client();
    for op in [Op::Create, Op::Open, Op::Read, Op::Write, Op::Close, Op::Drop] {
        let p = Strings::new();
        p.next(op, Act::PanicTwice);
        let opened = client.ask(&p.open());
        if [Op::Create, Op::Open].contains(&op) {
            assert_eq!(opened, "ERR_INTERNAL", "{op:?}");
            continue;
        }
        assert!(opened.starts_with("FD 0 "), "{op:?}: {opened}");
        let read = read(&mut client, "@0");
        assert_eq!(read == "ERR_INTERNAL", op == Op::Read, "{op:?}: {read}");
        let written = client.write("@0", b"");
        assert_eq!(written == "ERR_INTERNAL", op == Op::Write, "{op:?}: {written}");
        assert_eq!(client.ask("close @0"), "OK", "{op:?}");
    }
    nothing_is_open(&mut client);
}
