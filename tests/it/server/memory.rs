//! What counts as memory, and when it is released.

use super::{Client, Running, Tables, cost, eventually, in_memory, kept, portions};
use std::time::{Duration, Instant};
use telefile::Server;

const MIB: usize = 1 << 20;

#[test]
fn announced_contents_take_no_memory() {
    let server = Running::start(Server::builder().max_memory(1 << 40));
    let mut boaster = server.client();
    let before = boaster.stat("memory");
    let max = Tables::asked().max_contents();
    assert_eq!(boaster.ask("write f 5368709120"), format!("ERR_LIMIT contents {max}"));
    let mut announcers: Vec<_> = (0..200).map(|_| server.client()).collect();
    for announcer in &mut announcers {
        // The first is answered when nothing is left to do but to wait for the contents.
        let announcement = format!("stat f\r\nwrite f {}", max - 1);
        assert_eq!(announcer.ask(&announcement), "ERR_FILE_NOT_FOUND");
    }
    let mut asker = server.client();
    let memory = asker.stat("memory") - before;
    assert!(memory <= 200 * (65 << 10), "{memory} bytes for {} announcements", announcers.len());
    drop(announcers);
    eventually("the memory comes back", || asker.stat("memory") == before);
}

#[test]
fn the_memory_of_partial_contents_is_released_with_their_client() {
    let server = Running::start(Server::builder());
    let mut asker = server.client();
    let before = asker.stat("memory");
    let (whole, _) = portions(10 * MIB);
    let part = whole / 2;
    for address in server.addresses() {
        let sender = Client::connect(address);
        sender.send(format!("write f {whole}\r\n"));
        sender.send(vec![b'x'; part]);
        eventually("what was sent counts", || asker.stat("memory") - before >= part as u64);
        assert!(asker.stat("memory") - before <= (part + 2 * MIB) as u64);
        drop(sender);
        eventually("the memory of what was sent is released", || asker.stat("memory") == before);
    }
    assert_eq!((asker.stat("files"), asker.stat("version")), (0, 0));
}

#[test]
fn contents_count_until_their_last_reader_has_them() {
    let server = Running::start(Server::builder());
    // A Unix socket holds less than the contents, however large they may be.
    let (mut writer, mut reader) = (server.client(), Client::connect(server.addresses()[1]));
    let (numbytes, _) = portions(32 * MIB);
    let before = writer.stat("memory");
    assert_eq!(writer.write("f", &vec![b'x'; numbytes]), "OK 1");
    assert_eq!(reader.ask("read f"), format!("CONTENTS 1 {numbytes} 0"));
    assert_eq!(writer.ask("delete f"), "OK");
    assert_eq!((writer.stat("files"), writer.stat("bytes")), (0, 0));
    assert!(writer.stat("memory") - before >= numbytes as u64);
    assert_eq!(reader.contents(numbytes), vec![b'x'; numbytes]);
    let after = before + cost::removal(1);
    eventually("the memory of the contents is released", || writer.stat("memory") == after);
}

#[test]
fn expiry_releases_memory_by_itself() {
    let server = Running::start(Server::builder());
    let mut client = server.client();
    let (since, before) = (Instant::now(), client.stat("memory"));
    assert_eq!(client.ask("write f 6 1\r\nabcdef"), "OK 1");
    assert_eq!(client.ask("write g 6 600\r\nabcdef"), "OK 2");
    assert_eq!(client.stat("files"), 2);
    eventually("the file is deleted", || client.stat("files") == 1);
    assert!(since.elapsed() >= Duration::from_secs(1), "after {:?}", since.elapsed());
    let expected = cost::file(1) + cost::contents(6) + cost::DEADLINE + cost::removal(1);
    assert_eq!((client.stat("memory") - before, client.stat("version")), (expected, 3));
}

#[test]
fn over_max_memory_nothing_is_evicted_and_a_delete_makes_room() {
    const MAX: usize = MIB / 2;
    let server = Running::start(Server::builder().max_memory(MAX as u64));
    let mut client = server.client();
    let before = client.stat("memory");
    // Contents of a kept table count as long as they are on their way to the store.
    let contents = vec![b'x'; if kept() { MAX - before as usize - 1000 } else { 300_000 }];
    assert_eq!(client.write("a", &contents), "OK 1");
    let larger = vec![b'x'; if kept() { MAX + 1 } else { 300_000 }];
    assert_eq!(client.write("b", &larger), "ERR_LIMIT memory 524288");
    assert_eq!(client.write("a", &larger), "ERR_LIMIT memory 524288");
    assert_eq!(client.ask("read a"), format!("CONTENTS 1 {} 0", contents.len()));
    assert_eq!(client.contents(contents.len()), contents);
    assert_eq!(client.stat("memory") - before, in_memory(contents.len()) + cost::file(1));
    assert_eq!((client.stat("files"), client.stat("memory_refused")), (1, 2));
    assert_eq!(client.ask("delete a"), "OK");
    assert_eq!(client.write("b", &contents), "OK 3");
}

#[test]
fn names_and_entries_count_too() {
    let server = Running::start(Server::builder().max_memory(8000));
    let mut client = server.client();
    let before = client.stat("memory");
    let each = cost::file(2) + cost::contents(0);
    let fit = (8000 - before) / each;
    let replies: Vec<_> = (10..90).map(|i| client.ask(&format!("write {i} 0\r\n"))).collect();
    let refused = replies.iter().filter(|r| *r == "ERR_LIMIT memory 8000").count() as u64;
    assert_eq!(refused, 80 - fit, "{replies:?}");
    assert_eq!((client.stat("files"), client.stat("memory") - before), (fit, fit * each));
}
