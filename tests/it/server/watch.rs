//! Watches that wait: what wakes them and what ends them, one by one and in crowds.

use super::{Client, PATIENCE, Running, STOP_TIME, cost, eventually, turns};
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};
use telefile::Server;

/// A line of `CHANGES`: the version, whether it is a `put`, the name.
pub(super) type Change = (u64, bool, String);

impl Client {
    /// The rest of an answer to `watch`: its rev, and what has changed.
    #[track_caller]
    pub(super) fn changes(&mut self) -> (u64, Vec<Change>) {
        let head = self.line();
        let (rev, count) = head
            .strip_prefix("CHANGES ")
            .and_then(|fields| fields.split_once(' '))
            .unwrap_or_else(|| panic!("{head}"));
        let change = |line: String| {
            let fields: Vec<_> = line.split(' ').collect();
            match fields[..] {
                ["put", version, _, name] => (version.parse().unwrap(), true, name.to_string()),
                ["del", version, "0", name] => (version.parse().unwrap(), false, name.to_string()),
                _ => panic!("{line}"),
            }
        };
        let count = count.parse::<usize>().unwrap();
        (rev.parse().unwrap(), (0..count).map(|_| change(self.line())).collect())
    }

    #[track_caller]
    pub(super) fn watch(&mut self, prefix: &str, rev: u64, seconds: u64) -> (u64, Vec<Change>) {
        self.send(format!("watch {prefix} {rev} {seconds}\r\n"));
        self.changes()
    }
}

/// Waits until this many watches wait.
#[track_caller]
pub(super) fn wait_for(asker: &mut Client, watches: u64) {
    eventually(&format!("{watches} watches wait"), || asker.stat("watches") == watches);
}

#[test]
fn more_than_10_000_changes_come_in_parts() {
    let server = Running::start(Server::builder());
    let mut client = server.client();
    client.make((0..10_000).map(|i| format!("p/{i}")).chain(["q".to_string()]));
    // Exactly as many as one reply has: these are all, up to the current version.
    let (rev, changes) = client.watch("p/", 0, 60);
    assert_eq!((rev, changes.len()), (10_001, 10_000));
    // There are more: `rev` is the last one in the reply.
    let (rev, changes) = client.watch("*", 0, 60);
    assert_eq!((rev, changes.len()), (10_000, 10_000));
    assert_eq!(client.watch("*", rev, 60), (10_001, vec![(10_001, true, "q".to_string())]));

    client.make((0..12_000).map(|i| format!("r/{i}")));
    client.ask_all((0..5000).map(|i| format!("delete p/{}\r\n", i * 2)));
    let (mut from, mut all) = (0, Vec::new());
    let parts: Vec<_> = std::iter::from_fn(|| {
        let (rev, changes) = client.watch("*", from, 0);
        let last = changes.last()?.0;
        assert!(rev >= last && (changes.len() < 10_000) | (rev == last), "{rev} after {last}");
        from = rev;
        all.extend(changes);
        Some(all.len())
    })
    .collect();
    assert_eq!(parts, [10_000, 20_000, 22_001]);
    assert_eq!(from, 10_001 + 12_000 + 5000);
    let versions = (1..=10_000).filter(|v| v % 2 == 0).chain(10_001..=27_001);
    assert!(all.iter().map(|(version, ..)| *version).eq(versions), "in order, each name once");
    assert!(all.iter().all(|(version, put, _)| *put == (*version <= 22_001)));
}

#[test]
fn a_watch_lasts_its_seconds_and_does_not_count_as_silence() {
    let idle = Duration::from_secs(1);
    let server = Running::start(Server::builder().idle_timeout(Some(idle)));
    let mut clients = server.addresses().map(Client::connect);
    let mut writer = server.client();
    let since = Instant::now();
    for client in &clients {
        client.send("read f\r\nwatch a 0 2\r\nread f\r\n");
    }
    for (rev, client) in (1..).zip(&mut clients) {
        assert_eq!(client.line(), "ERR_FILE_NOT_FOUND");
        assert_eq!(writer.ask("write b 0\r\n"), format!("OK {rev}"));
    }
    let written_in_time = since.elapsed() < Duration::from_secs(2);
    for client in &mut clients {
        let (rev, changes) = client.changes();
        let waited = since.elapsed();
        assert_eq!(changes, []);
        // That of the answer, so that the next watch looks at less.
        assert!(rev == 2 || !written_in_time, "{rev}");
        assert!(waited >= Duration::from_secs(2) && waited < PATIENCE / 2, "{waited:?}");
        assert_eq!(client.read_to_end(), "ERR_FILE_NOT_FOUND\r\n", "idle from now on");
    }
}

#[test]
fn one_change_wakes_all_watches() {
    const CLIENTS: usize = 500;
    let server = Running::start(Server::builder());
    let mut asker = server.client();
    let mut clients: Vec<_> =
        (0..CLIENTS).map(|i| Client::connect(server.addresses()[i % 2])).collect();
    for round in 0..2 {
        for (i, client) in clients.iter().enumerate() {
            let prefix = ["*", "conf", "config/", "config/port"][i % 4];
            client.send(format!("watch {prefix} {round} 600\r\n"));
        }
        wait_for(&mut asker, CLIENTS as u64);
        let version = round + 1;
        assert_eq!(asker.write("config/port", b"80"), format!("OK {version}"));
        for client in &mut clients {
            let expected = (version, vec![(version, true, "config/port".to_string())]);
            assert_eq!(client.changes(), expected);
        }
        assert_eq!(asker.stat("watches"), 0);
    }
}

/// A change may come at any moment of a watch's beginning.
#[test]
fn no_change_is_missed_between_two_watches() {
    let rounds = turns(2000);
    let server = Running::start(Server::builder());
    thread::scope(|scope| {
        for (i, address) in server.addresses().into_iter().enumerate() {
            // Each waits for the other's ball.
            scope.spawn(move || {
                let (mut client, mut rev) = (Client::connect(address), 0);
                for _ in 0..rounds {
                    if i == 0 {
                        client.ask("write ball/0 0\r\n");
                    }
                    let (next, changes) = client.watch(&format!("ball/{}", 1 - i), rev, 60);
                    assert_eq!(changes.len(), 1, "count 0 is the end of the time");
                    rev = next;
                    if i == 1 {
                        client.ask("write ball/1 0\r\n");
                    }
                }
            });
        }
    });
}

#[test]
fn an_earlier_deadline_wakes_a_watch() {
    let server = Running::start(Server::builder());
    let (mut owner, mut watcher) = (server.client(), server.client());
    assert_eq!(owner.ask("write lease 0 600\r\n"), "OK 1");
    watcher.send("watch lease 1 600\r\n");
    wait_for(&mut owner, 1);
    let since = Instant::now();
    assert_eq!(owner.ask("touch lease 1 1"), "OK 1");
    assert_eq!(watcher.changes(), (2, vec![(2, false, "lease".to_string())]));
    let waited = since.elapsed();
    assert!(waited >= Duration::from_secs(1) && waited < PATIENCE / 2, "{waited:?}");
}

#[test]
fn a_client_that_vanishes_in_a_watch_ends_at_once() {
    let server = Running::start(Server::builder());
    let mut asker = server.client();
    for address in server.addresses() {
        let vanish: [fn(Client); 2] = [Client::reset, drop];
        for vanish in vanish {
            let clients: Vec<_> = (0..20).map(|_| Client::connect(address)).collect();
            for (i, client) in clients.iter().enumerate() {
                // Bytes behind the watch hide nothing.
                let behind = ["", "read f\r\n", "write g 5\r\nab"][i % 3];
                let request = format!("write e{i} 0 -1\r\n\r\nwatch nothing 0 86400\r\n{behind}");
                client.send(request);
            }
            wait_for(&mut asker, 20);
            clients.into_iter().for_each(vanish);
            asker.alone();
            assert_eq!((asker.stat("files"), asker.stat("watches")), (0, 0));
        }
    }
}

#[test]
fn a_stop_ends_each_wait_with_count_0() {
    let mut server = Running::start(Server::builder());
    let mut asker = server.client();
    assert_eq!(asker.write("f", b"x"), "OK 1");
    let mut clients: Vec<_> = (0..60).map(|i| Client::connect(server.addresses()[i % 2])).collect();
    for (i, client) in clients.iter().enumerate() {
        client.send(format!("stat f\r\nwatch w/{} 1 86400\r\nwrite late 1\r\nx\r\n", i % 5));
    }
    wait_for(&mut asker, 60);
    let took = server.stop();
    assert!(took < STOP_TIME, "{took:?}");
    for client in &mut clients {
        assert_eq!(client.line(), "STAT 1 1 0 MemoryFile 0");
        assert_eq!(client.changes(), (1, vec![]));
        assert_eq!(client.read_to_reset(), "", "what is behind it is not executed");
    }
}

/// Stops a server this long after its clients begin to watch.
fn stop_after(pause: Duration, watches: usize) {
    let mut server = Running::start(Server::builder());
    let mut clients = server.addresses().map(Client::connect);
    for client in &mut clients {
        assert_eq!(client.ask("stat f"), "ERR_FILE_NOT_FOUND");
    }
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                let _ = client.try_send("watch * 0 86400\r\n".repeat(watches));
                let came = client.read_to_reset();
                assert!(["", "CHANGES 0 0\r\n"].contains(&&came[..]), "{came}");
            });
        }
        thread::sleep(pause);
        server.stop();
    });
}

#[test]
fn a_stop_ends_a_watch_at_any_moment() {
    thread::scope(|scope| {
        for i in 0..8 {
            scope.spawn(move || {
                for round in 0..4 {
                    stop_after(Duration::from_micros(40) * (i + 8 * round), 1 + i as usize % 3);
                }
            });
        }
    });
}

/// Many files of other names are removed within a moment. A watch that was waiting before still gets
/// its change.
#[test]
fn removals_compact_an_old_rev_but_no_waiting_watch() {
    const REMEMBERED: usize = 100_000;
    let server = Running::start(Server::builder());
    let (mut owner, mut asker) = (server.client(), server.client());
    assert_eq!(asker.write("a/live", b"x"), "OK 1");
    assert_eq!(asker.ask("write b 0\r\n"), "OK 2");
    assert_eq!(asker.ask("delete b"), "OK");
    let ends = |i| format!("write e/{i} 0 -1\r\n\r\n");
    assert_eq!(owner.ask_all((1..REMEMBERED).map(ends)).len(), REMEMBERED - 1);
    let made = 3 + REMEMBERED as u64 - 1;
    let watchers: Vec<_> = ["e/", "*", "b", "a/"]
        .into_iter()
        .map(|prefix| {
            let watcher = server.client();
            watcher.send(format!("watch {prefix} {made} 600\r\n"));
            watcher
        })
        .collect();
    let [mut ends, mut all, mut b, mut live] =
        <[Client; 4]>::try_from(watchers).unwrap_or_else(|_| unreachable!());
    wait_for(&mut asker, 4);
    owner.half_close();
    assert_eq!(owner.read_to_end(), "");
    for watcher in [&mut ends, &mut all] {
        let (rev, changes) = watcher.changes();
        assert_eq!((changes[0].0, changes[0].1), (made + 1, false), "the first of them");
        assert!(rev >= changes[changes.len() - 1].0);
    }
    // All ends are remembered, that of `b` too.
    let (mut rev, mut gone) = (0, BTreeSet::new());
    while rev < made + REMEMBERED as u64 - 1 {
        let (next, changes) = asker.watch("*", rev, 0);
        gone.extend(changes.into_iter().filter(|change| !change.1).map(|change| change.2));
        rev = next;
    }
    assert_eq!(gone.len(), REMEMBERED);
    // One more, and that of `b` is not; what is newer than it is.
    assert_eq!(asker.ask("delete a/live"), "OK");
    let now = made + REMEMBERED as u64;
    assert_eq!(live.changes(), (now, vec![(now, false, "a/live".to_string())]));
    for prefix in ["*", "b", "nothing"] {
        for seconds in [0, 60] {
            let reply = asker.ask(&format!("watch {prefix} 2 {seconds}"));
            assert_eq!(reply, format!("ERR_COMPACTED {now}"));
        }
    }
    assert_eq!(asker.watch("b", 3, 0), (now, vec![]));
    assert_eq!(asker.watch("a/", 3, 0).1.len(), 1);
    // A watch that began long ago still waits, and gets the next change.
    assert_eq!(asker.write("b", b"x"), format!("OK {}", now + 1));
    assert_eq!(b.changes(), (now + 1, vec![(now + 1, true, "b".to_string())]));
}

#[test]
fn ended_watches_leave_nothing_behind() {
    let server = Running::start(Server::builder());
    let mut asker = server.client();
    let memory = asker.stat("memory");
    for round in 0..5 {
        let rev = asker.stat("version");
        let clients: Vec<_> = (0..60).map(|i| Client::connect(server.addresses()[i % 2])).collect();
        for (i, client) in clients.iter().enumerate() {
            client.send(format!("watch r{round}/{} {rev} 600\r\n", i % 20));
        }
        wait_for(&mut asker, 60);
        for (i, client) in clients.into_iter().enumerate() {
            match i % 3 {
                0 => client.reset(),
                1 => drop(client),
                _ => {
                    asker.ask(&format!("write r{round}/{} 0\r\n", i % 20));
                    drop(client);
                }
            }
        }
        wait_for(&mut asker, 0);
        asker.alone();
    }
    let files = asker.list("*").files;
    asker.ask_all(files.iter().map(|(_, name)| format!("delete {name}\r\n")));
    let removals = cost::removals(&mut asker);
    assert_eq!(asker.stat("memory"), memory + removals);
}

/// The end of its stream is behind more than the sockets hold, so only reading finds it.
#[test]
fn a_client_that_vanishes_behind_a_megabyte_ends_at_once() {
    let server = Running::start(Server::builder());
    let mut asker = server.client();
    for address in server.addresses() {
        let client = Client::connect(address);
        client.send("cas lock 0 1 -1\r\nx\r\nwatch nosuch 0 86400\r\n");
        wait_for(&mut asker, 1);
        let contents = vec![b'x'; 1_000_000];
        client.send([&b"write big 1000000\r\n"[..], &contents, b"\r\n"].concat());
        drop(client);
        eventually("the lock is free", || asker.ask("stat lock") == "ERR_FILE_NOT_FOUND");
        wait_for(&mut asker, 0);
    }
}
