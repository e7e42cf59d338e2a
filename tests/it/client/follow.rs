//! `Client::follow`: the events add up to what the table has, whatever happens in between.

use super::{connect, fill, running};
use crate::random::Random;
use crate::recipes::compacted::forget;
use crate::recipes::proxy::Proxy;
use crate::server::{Folder, Running, eventually};
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;
use telefile::client::{Error, Event, Follow};
use telefile::net::Address;
use telefile::{Client, Server, Version};

/// The longest pause between attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Takes the events up to the next `Current`, each as a short text.
#[track_caller]
fn group(follow: &mut Follow) -> Vec<String> {
    let mut group = Vec::new();
    loop {
        group.push(match follow.next().expect("it goes on").unwrap() {
            Event::Put { name, version, .. } => format!("put {name} {version}"),
            Event::Deleted { name, version } => format!("del {name} {version}"),
            Event::Compacted => "compacted".to_string(),
            Event::OtherTable(epoch) => {
                assert_eq!(epoch, follow.client().epoch());
                "other table".to_string()
            }
            Event::Interrupted(e) => {
                assert!(e.is_retryable() || matches!(e, Error::Lost(_)), "{e:?}");
                "interrupted".to_string()
            }
            Event::Current(version) => {
                group.push(format!("current {version}"));
                return group;
            }
            event => panic!("{event:?}"),
        });
    }
}

/// The same, without the attempts that have failed.
#[track_caller]
fn group_at_last(follow: &mut Follow) -> Vec<String> {
    let mut group = group(follow);
    group.retain(|event| event != "interrupted");
    group
}

/// The same, where there has to be such an attempt.
#[track_caller]
fn group_after_interruptions(follow: &mut Follow) -> Vec<String> {
    assert!(matches!(follow.next(), Some(Ok(Event::Interrupted(Error::Lost(_))))));
    group_at_last(follow)
}

fn names(follow: &Follow) -> Vec<&str> {
    follow.files().map(|(name, _)| name).collect()
}

#[test]
fn the_present_state_comes_first_and_then_each_change() {
    let server = running();
    let client = connect(server.addresses()[0]);
    client.write("f/a", "1").unwrap();
    client.write("f/b", "22").unwrap();
    client.write("g", "").unwrap();
    let mut follow = client.follow("f/").unwrap();
    assert_eq!(group(&mut follow), ["put f/a 1", "put f/b 2", "current 3"]);
    assert_eq!(names(&follow), ["f/a", "f/b"]);

    client.write("f/a", "again").unwrap();
    client.delete("f/b", None).unwrap();
    client.write("g", "not followed").unwrap();
    assert_eq!(group(&mut follow), ["put f/a 4", "del f/b 5", "current 6"]);
    assert_eq!(follow.files().collect::<Vec<_>>(), [("f/a", Version(4))]);

    // States, not steps.
    client.write("f/a", "5").unwrap();
    client.write("f/c", "made").unwrap();
    client.delete("f/c", None).unwrap();
    client.delete("f/a", None).unwrap();
    client.write("f/a", "and made again").unwrap();
    assert_eq!(group(&mut follow), ["put f/a 11", "current 11"]);
    assert!(follow.next_within(Duration::ZERO).unwrap().is_none());
}

#[test]
fn nothing_is_missed_between_the_list_and_the_watch() {
    let server = running();
    let client = connect(server.addresses()[0]);
    for name in ["a", "b", "c"] {
        client.write(name, "").unwrap();
    }
    let mut follow = client.follow("").unwrap();
    // The list has been answered, and nothing is watched yet.
    assert!(matches!(follow.next(), Some(Ok(Event::Put { name, .. })) if name == "a"));
    client.delete("a", None).unwrap();
    client.write("b", "new").unwrap();
    client.write("d", "").unwrap();
    assert_eq!(group(&mut follow), ["put b 2", "put c 3", "current 3"]);
    assert_eq!(group(&mut follow), ["del a 4", "put b 5", "put d 6", "current 6"]);
}

#[test]
fn nothing_is_missed_between_the_pages_of_a_list() {
    const FILES: usize = 10_010;
    let server = running();
    let client = connect(server.addresses()[0]);
    fill(&client, (0..FILES).map(|i| format!("{i:05}")));

    let mut follow = client.follow("").unwrap();
    assert!(matches!(follow.next(), Some(Ok(Event::Put { .. }))), "of the first page");
    client.delete("00000", None).unwrap(); // of the first page
    client.write("000000", "").unwrap(); // sorts into it
    client.write("10005", "").unwrap(); // of the second
    client.delete("10006", None).unwrap();
    let first = group(&mut follow);
    assert_eq!(first.len(), 9_999 + 9 + 2 + 1, "the pages, what has changed since, and the end");
    assert!(first.contains(&format!("put 10005 {}", FILES + 3)), "once");
    let end = [
        format!("del 00000 {}", FILES + 1),
        format!("put 000000 {}", FILES + 2),
        format!("current {}", FILES + 4),
    ];
    assert_eq!(first[first.len() - 3..], end);
    assert_eq!(follow.files().count(), FILES - 1);
    assert!(follow.next_within(Duration::ZERO).unwrap().is_none());
}

#[test]
fn a_change_ends_the_wait() {
    let server = running();
    let client = connect(server.addresses()[0]);
    let mut follow = client.follow("f").unwrap();
    assert_eq!(group(&mut follow), ["current 0"]);
    let waiting = thread::spawn(move || group(&mut follow));
    let waits = |(name, value): &(String, String)| name == "watches" && value == "1";
    eventually("it waits", || client.stats().unwrap().iter().any(waits));
    client.write("f", "").unwrap();
    assert_eq!(waiting.join().unwrap(), ["put f 1", "current 1"]);
}

#[test]
fn more_changes_than_one_answer_has_are_one_group() {
    let server = running();
    let client = connect(server.addresses()[0]);
    let mut follow = client.follow("").unwrap();
    assert_eq!(group(&mut follow), ["current 0"]);
    fill(&client, (0..10_064).map(|i| format!("{i:05}")));
    let group = group(&mut follow);
    assert_eq!((group.len(), group.last().unwrap().as_str()), (10_065, "current 10064"));
}

/// At each `Current` the events add up to the table at that version, while a writer goes on.
#[test]
fn the_events_add_up_to_the_table_at_each_current_version() {
    const CHANGES: usize = 3000;
    let server = running();
    let (client, writer) = (connect(server.addresses()[0]), connect(server.addresses()[1]));
    let mut follow = client.follow("").unwrap();
    // What each version did: the name, and whether it has a file.
    let writing = thread::spawn(move || {
        let (mut random, mut log) = (Random::new(), vec![(String::new(), false)]);
        let mut exists = [false; 100];
        for _ in 0..CHANGES {
            let i = random.below(100) as usize;
            exists[i] = !exists[i] || random.below(2) == 0;
            let name = format!("{i:02}");
            match exists[i] {
                true => drop(writer.write(&name, "").unwrap()),
                false => writer.delete(&name, None).unwrap(),
            }
            log.push((name, exists[i]));
        }
        log
    });
    let (mut state, mut found) = (BTreeMap::new(), Vec::new());
    while found.last().is_none_or(|(version, _)| *version < CHANGES) {
        match follow.next().unwrap().unwrap() {
            Event::Put { name, version, .. } => drop(state.insert(name, version)),
            Event::Deleted { name, .. } => assert!(state.remove(&name).is_some(), "{name}"),
            Event::Current(version) => {
                let all = follow.files().map(|(name, version)| (name.to_string(), version));
                assert!(all.eq(state.clone()));
                found.push((version.0 as usize, state.clone()));
            }
            event => panic!("{event:?}"),
        }
    }
    let (log, mut table, mut at) = (writing.join().unwrap(), BTreeMap::new(), 0);
    for (version, state) in found {
        for (number, (name, exists)) in log.iter().enumerate().take(version + 1).skip(at + 1) {
            match exists {
                true => drop(table.insert(name.clone(), Version(number as u64))),
                false => drop(table.remove(name)),
            }
        }
        at = version;
        assert!(table == state, "at {version}");
    }
}

#[test]
fn a_follower_that_is_too_slow_lists_again_and_says_so() {
    let server = running();
    let client = connect(server.addresses()[0]);
    for name in ["a", "b", "c"] {
        client.write(name, "").unwrap();
    }
    let mut follow = client.follow("").unwrap();
    assert_eq!(group(&mut follow), ["put a 1", "put b 2", "put c 3", "current 3"]);
    client.delete("a", None).unwrap();
    let b = client.write("b", "new").unwrap();
    forget(&server, 2);
    let d = client.write("d", "").unwrap();
    let expected =
        ["compacted", &format!("del a {d}"), &format!("put b {b}"), &format!("put d {d}")];
    let events = group(&mut follow);
    assert_eq!(events[..4], expected);
    assert_eq!((events.len(), names(&follow)), (5, vec!["b", "c", "d"]));
    let e = client.write("e", "").unwrap();
    assert_eq!(group(&mut follow), [format!("put e {e}"), format!("current {e}")]);
}

#[test]
fn a_lost_connection_is_replaced_where_the_caller_asks_for_it() {
    let server = running();
    let proxy = Proxy::new(server.addresses()[0]);
    let client = connect(server.addresses()[1]);
    client.write("a", "").unwrap();
    client.write("b", "").unwrap();
    let mut follow = proxy.client().follow("").unwrap().reconnect(PAUSE);
    assert_eq!(group(&mut follow), ["put a 1", "put b 2", "current 2"]);
    // What happens while it is disconnected is an event, also a deletion.
    proxy.cut();
    client.delete("a", None).unwrap();
    client.write("c", "").unwrap();
    assert_eq!(group_after_interruptions(&mut follow), ["del a 3", "put c 4", "current 4"]);
    // Also if nothing happened, it says that it is current again.
    proxy.cut();
    assert_eq!(group_after_interruptions(&mut follow), ["current 4"]);
    client.write("d", "").unwrap();
    assert_eq!(group(&mut follow), ["put d 5", "current 5"]);
}

#[test]
fn a_connection_that_is_lost_between_two_pages_changes_nothing() {
    let server = running();
    let proxy = Proxy::new(server.addresses()[0]);
    let client = connect(server.addresses()[1]);
    fill(&client, (0..10_005).map(|i| format!("{i:05}")));
    let mut follow = proxy.client().follow("").unwrap().reconnect(PAUSE);
    assert!(follow.next().unwrap().is_ok());
    proxy.cut();
    client.delete("00000", None).unwrap();
    let events = group_at_last(&mut follow);
    assert_eq!(events[events.len() - 2..], ["del 00000 10006", "current 10006"]);
    assert_eq!((events.len(), follow.files().count()), (10_004 + 2, 10_004));
}

#[test]
fn without_reconnect_the_error_is_the_last_item() {
    let mut server = running();
    let mut follow = connect(server.addresses()[0]).follow("").unwrap();
    assert_eq!(group(&mut follow), ["current 0"]);
    server.stop();
    assert!(matches!(follow.next(), Some(Err(Error::Lost(_)))));
    assert!(follow.next().is_none() && follow.next().is_none());
    assert!(matches!(follow.next_within(Duration::ZERO), Err(Error::Lost(_))));
}

/// Serves at an address where another server may have served before.
fn serve_at(address: &Address) -> telefile::server::Running {
    Server::builder().listen(address.clone()).bind().unwrap().spawn().unwrap()
}

#[test]
fn another_table_is_reported_and_listed_from_scratch() {
    let folder = Folder::new();
    let address = Address::Unix(folder.path().join("socket"));
    let server = serve_at(&address);
    let client = connect(&address);
    client.write("same", "").unwrap();
    client.write("gone", "").unwrap();
    // Made with `reconnect`, which compares the epoch: the follower does not insist on it.
    let mut follow = client.reconnect().unwrap().follow("").unwrap().reconnect(PAUSE);
    assert_eq!(group(&mut follow), ["put gone 2", "put same 1", "current 2"]);

    server.stop().unwrap();
    for _ in 0..3 {
        assert!(matches!(follow.next(), Some(Ok(Event::Interrupted(_)))), "nobody serves");
    }
    let server = serve_at(&address);
    let client = connect(&address);
    client.write("same", "by name and version").unwrap();
    client.write("new", "").unwrap();
    assert_eq!(
        group_at_last(&mut follow),
        ["other table", "del gone 2", "put new 2", "put same 1", "current 2"]
    );
    client.write("more", "").unwrap();
    assert_eq!(group(&mut follow), ["put more 3", "current 3"]);

    // An empty one.
    server.stop().unwrap();
    let _server = serve_at(&address);
    let gone = ["del more 0", "del new 0", "del same 0"];
    let events = group_at_last(&mut follow);
    assert_eq!(events[1..4], gone);
    assert_eq!((events.len(), follow.files().count()), (5, 0));
}

#[test]
fn a_client_that_requires_its_table_follows_no_other() {
    let folder = Folder::new();
    let address = Address::Unix(folder.path().join("socket"));
    let server = serve_at(&address);
    let client = Client::builder().epoch(connect(&address).epoch()).connect_to(&address).unwrap();
    let mut follow = client.follow("").unwrap().reconnect(PAUSE);
    assert_eq!(group(&mut follow), ["current 0"]);
    server.stop().unwrap();
    let _server = serve_at(&address);
    let last = follow.find(|event| !matches!(event, Ok(Event::Interrupted(_))));
    assert!(matches!(last, Some(Err(Error::OtherTable))), "{last:?}");
    assert!(follow.next().is_none());
}

#[test]
#[cfg(feature = "durable")]
fn a_table_on_disk_is_followed_over_a_restart() {
    let folder = Folder::new();
    let address = Address::Unix(folder.path().join("socket"));
    let serve = || {
        let builder = Server::builder().listen(address.clone()).data(folder.path().join("data"));
        builder.bind().unwrap().spawn().unwrap()
    };
    let server = serve();
    let client = connect(&address);
    client.write("a", "").unwrap();
    client.write("b", "").unwrap();
    let mut follow = client.follow("").unwrap().reconnect(PAUSE);
    assert_eq!(group(&mut follow), ["put a 1", "put b 2", "current 2"]);
    server.stop().unwrap();

    let _server = serve();
    let client = connect(&address);
    client.delete("a", None).unwrap();
    client.write("c", "").unwrap();
    assert_eq!(group_after_interruptions(&mut follow), ["del a 3", "put c 4", "current 4"]);
}

#[test]
fn a_follower_outlives_the_idle_time_out_between_two_calls() {
    // Much longer than the pauses of a busy machine.
    let idle = Duration::from_secs(2);
    let server = Running::start(Server::builder().idle_timeout(Some(idle)));
    let mut follow = connect(server.addresses()[0]).follow("").unwrap();
    assert_eq!(group(&mut follow), ["current 0"]);
    for _ in 0..2 {
        let silent = connect(server.addresses()[0]);
        assert!(silent.wait_lost(crate::server::PATIENCE).unwrap(), "it is disconnected");
    }
    connect(server.addresses()[0]).write("f", "").unwrap();
    assert_eq!(group(&mut follow), ["put f 1", "current 1"]);
}

#[test]
fn a_server_without_room_is_an_interruption() {
    let server = Running::start(Server::builder().connections(2));
    let address = server.addresses()[1];
    let proxy = Proxy::new(server.addresses()[0]);
    let client = proxy.client();
    let mut follow = client.follow("").unwrap().reconnect(PAUSE);
    drop(client);
    assert_eq!(group(&mut follow), ["current 0"]);
    // Others take both places.
    proxy.cut();
    let mut others = Vec::new();
    eventually("both are taken", || {
        others.extend(Client::connect_to(address).ok());
        others.len() == 2
    });
    let interrupted = |event| match event {
        Some(Ok(Event::Interrupted(e))) => e,
        event => panic!("{event:?}"),
    };
    assert!(matches!(interrupted(follow.next()), Error::Lost(_)));
    assert!(interrupted(follow.next()).refusal().is_some(), "it is full");
    others.remove(0).write("f", "").unwrap();
    assert_eq!(group_at_last(&mut follow), ["put f 1", "current 1"]);
}
