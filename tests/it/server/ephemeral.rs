//! Files with exptime -1: they go when their client does, however it goes.

use super::{Client, Running, cost, eventually, portions};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use telefile::Server;

/// They are removed in several turns, so that other clients are served between.
#[test]
fn thousands_of_ephemeral_files_end_with_one_client() {
    const FILES: u64 = 3000;
    let server = Running::start(Server::builder());
    let (mut owner, mut asker) = (server.client(), server.client());
    let before = asker.stat("memory");
    let requests = (0..FILES).map(|i| match i % 3 {
        0 => format!("write e/{i} 0 -1\r\n\r\n"),
        1 => format!("cas e/{i} 0 0 -1\r\n\r\n"),
        _ => "create e/q 0 -1\r\n\r\n".to_string(),
    });
    owner.ask_all(requests);
    assert_eq!(asker.write("stays", b"x"), format!("OK {}", FILES + 1));
    assert_eq!(asker.list("e/").files.len() as u64, FILES);
    owner.send("quit\r\n");
    assert_eq!(owner.read_to_end(), "");
    let (rev, changes) = asker.watch("*", FILES + 1, 0);
    assert_eq!(rev, 2 * FILES + 1);
    assert!(changes.iter().map(|change| change.0).eq(FILES + 2..=rev), "a version for each");
    let names: BTreeSet<_> = changes.iter().map(|change| &change.2).collect();
    assert_eq!(names.len() as u64, FILES);
    assert!(changes.iter().all(|change| !change.1));
    let expected = before + cost::file(5) + cost::contents(1) + cost::removals(&mut asker);
    assert_eq!((asker.stat("files"), asker.stat("memory")), (1, expected));
}

/// What is sent last, and how the connection ends then.
type Way = (&'static str, fn(Client));

const WAYS: [Way; 10] = [
    ("", drop),
    ("", Client::reset),
    ("", until_the_end),
    ("quit\r\n", until_the_end),
    ("nonsense\r\n", until_the_end),
    ("write f 6\r\nabcdefg\r\n", until_the_end),
    ("write f 100\r\nabc", drop),
    ("rea", until_the_end),
    ("watch f 0 600\r\n", Client::reset),
    ("read e\r\nread e\r\nread e\r\n", drop),
];

fn until_the_end(mut client: Client) {
    client.half_close();
    client.read_to_reset();
}

#[test]
fn ephemeral_files_are_deleted_however_their_connection_ends() {
    let server = Running::start(Server::builder());
    let mut asker = server.client();
    let before = asker.stat("memory");
    for address in server.addresses() {
        for (i, (last, end)) in WAYS.into_iter().enumerate() {
            let mut client = Client::connect(address);
            let version = client.ask("write e 0 -1\r\n")[3..].parse().unwrap();
            client.send(last);
            end(client);
            let (_, changes) = asker.watch("e", version, 60);
            assert_eq!(changes.len(), 1, "way {i}: {changes:?}");
            assert_eq!((changes[0].1, &changes[0].2[..]), (false, "e"), "way {i}");
        }
    }
    asker.alone();
    let expected = before + cost::removals(&mut asker);
    assert_eq!((asker.stat("files"), asker.stat("memory")), (0, expected));
}

#[test]
fn ephemeral_files_are_deleted_with_a_client_that_is_cut_off() {
    // Much longer than the pauses of a busy machine: the others must not be cut off.
    let time = Duration::from_secs(2);
    let builder = Server::builder().idle_timeout(Some(time)).write_timeout(time);
    let server = Running::start(builder);
    let asker = || server.client();
    let mut silent = server.client();
    assert_eq!(silent.ask("write silent 0 -1\r\n"), "OK 1");
    assert_eq!(asker().watch("silent", 1, 60), (2, vec![(2, false, "silent".to_string())]));
    let (large, times) = portions(32 << 20);
    assert_eq!(asker().write("large", &vec![b'x'; large]), "OK 3");
    let deaf = server.client();
    deaf.send(format!("write deaf 0 -1\r\n\r\n{}", "read large\r\n".repeat(times)));
    let (rev, changes) = asker().watch("deaf", 3, 60);
    assert_eq!((rev, changes.len()), (if changes[0].1 { 4 } else { 5 }, 1));
    assert_eq!(asker().watch("deaf", 4, 60), (5, vec![(5, false, "deaf".to_string())]));
    drop((silent, deaf));
}

#[test]
fn all_requests_are_executed_before_ephemeral_files_are_deleted() {
    let server = Running::start(Server::builder());
    for (i, address) in server.addresses().into_iter().enumerate() {
        let mut client = Client::connect(address);
        let name = format!("e{i}");
        let before = client.stat("version");
        let others = (0..2000).map(|n| format!("write n{n} 0\r\n\r\n"));
        let all = [format!("write {name} 0 -1\r\n\r\n")].into_iter().chain(others);
        let sender = client.sender();
        let sent = all.collect::<String>();
        thread::scope(|scope| {
            scope.spawn(|| {
                sender.send(sent);
                sender.half_close();
            });
            assert_eq!(client.read_to_end().lines().count(), 2001);
        });
        let (_, changes) = server.client().watch(&name, before, 60);
        assert_eq!(changes, [(before + 2002, false, name)]);
    }
}

/// Somebody takes over the file of a client that is just going.
#[test]
fn an_ephemeral_file_ends_with_its_old_owner_or_the_new_one() {
    let server = Running::start(Server::builder());
    let mut asker = server.client();
    let (mut lost, mut taken) = (0, 0);
    for round in 0..60 {
        let (mut old, mut new) = (server.client(), server.client());
        let version: u64 = old.ask("write e 0 -1\r\n")[3..].parse().unwrap();
        let mut touch = || new.ask(&format!("touch e {version} -1"));
        // Sometimes before, sometimes after.
        let reply = match round % 3 {
            0 => thread::scope(|scope| {
                scope.spawn(|| drop(old));
                touch()
            }),
            1 => {
                drop(old);
                touch()
            }
            _ => {
                let reply = touch();
                drop(old);
                reply
            }
        };
        if reply == "ERR_FILE_NOT_FOUND" {
            lost += 1;
        } else {
            assert_eq!(reply, format!("OK {version}"));
            eventually("the old one is disconnected", || asker.stat("connections") == 2);
            assert_eq!(asker.ask("stat e"), format!("STAT {version} 0 -1 MemoryFile 0"));
            taken += 1;
        }
        drop(new);
        asker.alone();
        assert_eq!(asker.ask("stat e"), "ERR_FILE_NOT_FOUND");
    }
    assert!(taken >= 20, "{taken} taken, {lost} lost");
}

/// Clients vanish while they hold a lock. Nobody else ever holds it with them, and it always becomes
/// free. It guards the number of its holders.
#[test]
fn a_lock_has_one_holder_and_ends_with_it() {
    const ROUNDS: u64 = 60;
    let server = Running::start(Server::builder());
    let (inside, highest) = (AtomicBool::new(false), AtomicU64::new(0));
    let compete = |who: usize| {
        for round in 0..ROUNDS {
            let mut client = Client::connect(server.addresses()[who % 2]);
            let token: u64 = loop {
                let reply = client.ask("cas lock/db 0 1 -1\r\nx");
                match reply.split_once(' ').unwrap() {
                    ("OK", token) => break token.parse().unwrap(),
                    ("ERR_VERSION", held) => {
                        let (_, changes) = client.watch("lock/db", held.parse().unwrap(), 60);
                        assert!(!changes.is_empty(), "the lock is never free");
                    }
                    _ => panic!("{reply}"),
                }
            };
            assert!(!inside.swap(true, SeqCst), "two inside");
            assert!(highest.fetch_max(token, SeqCst) < token, "tokens only grow");
            inside.store(false, SeqCst);
            match round % 4 {
                0 => drop(client),
                1 => client.reset(),
                2 => client.send("quit\r\n"),
                _ => assert_eq!(client.ask(&format!("delete lock/db {token}")), "OK"),
            }
        }
    };
    thread::scope(|scope| {
        for who in 0..4 {
            let compete = &compete;
            scope.spawn(move || compete(who));
        }
    });
    let mut asker = server.client();
    asker.alone();
    assert_eq!(asker.ask("stat lock/db"), "ERR_FILE_NOT_FOUND");
    assert_eq!(asker.stat("version"), 2 * 4 * ROUNDS, "each was one put and one del");
}

#[test]
fn a_stop_does_not_wait_for_ephemeral_files() {
    let mut server = Running::start(Server::builder());
    let mut owner = server.client();
    owner.ask_all((0..2000).map(|i| format!("write e/{i} 0 -1\r\n\r\n")));
    let took = server.stop();
    assert!(took < super::STOP_TIME, "{took:?}");
    assert_eq!(owner.read_to_reset(), "");
}
