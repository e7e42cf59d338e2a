//! Open and close of files of a program's type, as clients and as the type see them.

use super::puppet::Strings;
use super::{nothing_is_open, read, server, start};
use crate::server::{Client, Running};
use std::time::Duration;
use telefile::Clock;

#[test]
fn all_clients_share_one_value_that_ends_with_the_last_close() {
    let (server, p) = (start(), Strings::new());
    let mut a = Client::connect(server.addresses()[0]);
    assert_eq!(a.ask(&p.open()), "FD 0 1 Puppet");
    let mut b = Client::connect(server.addresses()[1]);
    assert_eq!(b.ask(&p.to("open")), "FD 0 1 Puppet");
    assert_eq!(a.ask(&p.open()), "FD 0 1 Puppet");
    assert_eq!(a.write("@0", b"abc"), "OK 2");
    assert_eq!(read(&mut b, "@0"), "CONTENTS 2 3 0: abc");
    // By its name, clients that have not opened it read and write it too.
    let mut c = server.client();
    assert_eq!(c.write(p.name(), b"by name"), "OK 3");
    assert_eq!(read(&mut c, p.name()), "CONTENTS 3 7 0: by name");
    assert_eq!(c.ask("read @0"), "ERR_BAD_FD");
    assert_eq!(c.ask(&p.to("stat")), "STAT 3 7 0 Puppet 3");
    assert_eq!(a.ask("close @0"), "OK");
    assert_eq!(b.ask("close @0"), "OK");
    assert_eq!(c.ask(&p.to("stat")), "STAT 3 7 0 Puppet 1");
    assert_eq!(a.ask("close @0"), "OK");
    assert_eq!(c.ask(&p.to("stat")), "ERR_FILE_NOT_FOUND");
    assert_eq!(a.stat("version"), 4);
    let expected = "create, open #1, open #2, open #1, write, read, write, read, \
                    close #1, close #2, close #1, drop";
    assert_eq!(p.log().join(", "), expected);
    drop((a, b));
    nothing_is_open(&mut c);
}

#[test]
fn a_file_opened_again_is_a_new_value_at_a_new_version() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    assert_eq!(client.ask(&p.open()), "FD 0 1 Puppet");
    assert_eq!(client.write("@0", b"old"), "OK 2");
    assert_eq!(client.ask("close @0"), "OK");
    assert_eq!(client.ask(&p.open()), "FD 0 4 Puppet");
    assert_eq!(read(&mut client, "@0"), "CONTENTS 4 0 0: ");
    assert_eq!(p.count("create"), 2);
}

#[test]
fn write_to_a_name_that_nobody_has_open_makes_no_code_file() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    assert_eq!(client.write(p.name(), b"abc"), "OK 1");
    assert_eq!(client.ask(&p.open()), "ERR_TYPE MemoryFile");
    assert_eq!(client.ask(&p.to("open")), "FD 0 1 MemoryFile");
    assert_eq!(client.ask(&p.to("delete")), "OK");
    assert_eq!(client.ask(&p.open()), "FD 1 3 Puppet");
    assert_eq!(client.ask(&format!("{} MemoryFile", p.to("open"))), "ERR_TYPE Puppet");
    assert_eq!(client.ask(&format!("{} File", p.to("open"))), "ERR_TYPE Puppet");
    assert_eq!(p.log(), ["create", "open #1"]);
}

#[test]
fn stat_shows_the_last_reported_size_and_calls_no_code() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    client.ask(&p.open());
    assert_eq!(client.write("@0", b"abcdef"), "OK 2");
    assert_eq!(client.ask("stat @0"), "STAT 2 6 0 Puppet 1");
    assert_eq!(client.ask(&p.to("stat")), "STAT 2 6 0 Puppet 1");
    assert_eq!(p.log(), ["create", "open #1", "write"]);
}

#[test]
fn a_cas_that_fails_does_not_reach_the_type() {
    let (server, p) = (start(), Strings::new());
    let mut client = server.client();
    client.ask(&p.open());
    assert_eq!(client.write("@0", b"abc"), "OK 2");
    for file in [p.name(), "@0"] {
        for version in [0, 1, 3] {
            client.send(format!("cas {file} {version} 1\r\nx\r\n"));
            assert_eq!(client.line(), "ERR_VERSION 2");
        }
    }
    assert_eq!(p.count("write"), 1);
    client.send(format!("cas {} 2 1\r\nx\r\ncas @0 3 1\r\ny\r\n", p.name()));
    assert_eq!([client.line(), client.line()], ["OK 3", "OK 4"]);
    assert_eq!(p.count("write"), 3);
}

#[test]
fn a_deadline_ends_the_name_and_leaves_the_value_to_its_openers() {
    let clock = Clock::manual();
    let (server, p) = (Running::start(server().clock(clock.clone())), Strings::new());
    let mut client = server.client();
    client.ask(&p.open());
    client.send(p.to("write") + " 3 10\r\nabc\r\n");
    assert_eq!(client.line(), "OK 2");
    clock.advance(Duration::from_secs(4));
    assert_eq!(read(&mut client, p.name()), "CONTENTS 2 3 6: abc");
    // A failed cas keeps the deadline.
    client.send("cas @0 1 1\r\nx\r\n");
    assert_eq!(client.line(), "ERR_VERSION 2");
    assert_eq!(client.ask("stat @0"), "STAT 2 3 6 Puppet 1");
    clock.advance(Duration::from_secs(6));
    assert_eq!(client.ask(&p.to("read")), "ERR_FILE_NOT_FOUND");
    assert_eq!(read(&mut client, "@0"), "CONTENTS 2 3 0: abc");
    assert_eq!(client.stat("version"), 3);
    assert_eq!(p.count("drop"), 0);
    assert_eq!(client.ask("close @0"), "OK");
    assert_eq!(p.log(), ["create", "open #1", "write", "read", "read", "close #1", "drop"]);
    assert_eq!(client.stat("version"), 3, "it had no name to lose");
}

#[test]
fn what_something_else_has_changed_takes_a_version_before_the_command() {
    let clock = Clock::manual();
    let (server, p) = (Running::start(server().clock(clock.clone())), Strings::new());
    let mut client = server.client();
    client.ask(&p.open());
    client.send("write @0 3 10\r\nabc\r\n");
    assert_eq!(client.line(), "OK 2");
    p.change();
    assert_eq!(client.ask("stat @0"), "STAT 2 3 10 Puppet 1", "stat calls no code");
    client.send("cas @0 2 1\r\nx\r\n");
    assert_eq!(client.line(), "ERR_VERSION 3");
    p.change();
    assert_eq!(read(&mut client, p.name()), "CONTENTS 4 3 10: abc");
    p.change();
    assert_eq!(client.write("@0", b""), "OK 6");
    assert_eq!(p.count("write"), 2);
}
