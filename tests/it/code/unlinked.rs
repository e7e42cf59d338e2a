//! A code file whose name was deleted lives on by its descriptor.

use super::puppet::{Op, Strings};
use super::{nothing_is_open, read, server, start};
use crate::server::Running;
use std::time::Duration;
use telefile::Clock;

#[test]
fn a_deleted_file_stays_open_and_a_new_one_takes_the_name() {
    let (server, p) = (start(), Strings::new());
    let (mut a, mut b) = (server.client(), server.client());
    a.ask(&p.open());
    assert_eq!(a.write("@0", b"old"), "OK 2");
    assert_eq!(b.ask(&p.to("delete")), "OK");
    assert_eq!(b.ask(&p.to("read")), "ERR_FILE_NOT_FOUND");
    assert_eq!(b.ask(&p.open()), "FD 1 4 Puppet");
    assert_eq!(b.write("@1", b"new"), "OK 5");
    assert_eq!(read(&mut a, "@0"), "CONTENTS 2 3 0: old");
    assert_eq!(a.write("@0", b"older"), "OK 6");
    a.send("cas @0 0 1\r\nx\r\ncas @0 6 1 5\r\ny\r\n");
    assert_eq!([a.line(), a.line()], ["ERR_VERSION 6", "OK 7"]);
    assert_eq!(a.ask("stat @0"), "STAT 7 1 0 Puppet 1");
    assert_eq!(a.ask("delete @0"), "ERR_FILE_NOT_FOUND");
    assert_eq!(read(&mut a, p.name()), "CONTENTS 5 3 0: new");
    assert_eq!(a.ask("close @0"), "OK");
    assert_eq!(p.count("drop"), 1);
    assert_eq!(a.ask("read @0"), "ERR_BAD_FD");
    assert_eq!(read(&mut b, "@1"), "CONTENTS 5 3 0: new");
    assert_eq!(a.stat("version"), 7, "the end of a file without a name is no change");
    drop(b);
    p.is_over(2, 2);
    nothing_is_open(&mut a);
}

#[test]
fn a_file_deleted_while_its_type_writes_keeps_what_was_written() {
    let (server, p) = (start(), Strings::new());
    let (mut a, mut b) = (server.client(), server.client());
    a.ask(&p.open());
    let hold = p.hold(Op::Write);
    a.send(p.to("write") + " 3 100\r\nabc\r\n");
    hold.begun();
    assert_eq!(b.ask(&p.to("delete")), "OK");
    drop(hold);
    assert_eq!(a.line(), "OK 3");
    assert_eq!(read(&mut a, "@0"), "CONTENTS 3 3 0: abc");
    assert_eq!(b.ask(&p.to("stat")), "ERR_FILE_NOT_FOUND");
}

/// Otherwise two clients could hold one lock: the one that renews it, and the one that took it
/// meanwhile.
#[test]
fn a_cas_whose_name_is_lost_while_its_type_writes_is_refused() {
    let (server, p) = (start(), Strings::new());
    let (mut a, mut b) = (server.client(), server.client());
    a.ask(&p.open());
    let hold = p.hold(Op::Write);
    a.send(p.to("cas") + " 1 3\r\nabc\r\n");
    hold.begun();
    assert_eq!(b.ask(&p.to("delete")), "OK");
    assert_eq!(b.write(p.name(), b"new"), "OK 3");
    drop(hold);
    assert_eq!(a.line(), "ERR_VERSION 3");
    assert_eq!(read(&mut b, p.name()), "CONTENTS 3 3 0: new");
    assert_eq!(read(&mut a, "@0"), "CONTENTS 4 3 0: abc");
}

#[test]
fn a_read_during_which_the_name_expires_shows_what_was_left() {
    let clock = Clock::manual();
    let (server, p) = (Running::start(server().clock(clock.clone())), Strings::new());
    let mut a = server.client();
    a.ask(&p.open());
    a.send(p.to("write") + " 1 5\r\nx\r\n");
    assert_eq!(a.line(), "OK 2");
    let hold = p.hold(Op::Read);
    a.send(p.to("read") + "\r\n");
    hold.begun();
    clock.advance(Duration::from_secs(5));
    drop(hold);
    assert_eq!(a.line(), "CONTENTS 2 1 5");
    assert_eq!(a.contents(1), b"x");
    assert_eq!(a.ask(&p.to("stat")), "ERR_FILE_NOT_FOUND");
}
