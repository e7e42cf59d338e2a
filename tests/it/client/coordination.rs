//! The requests for coordination: touch, create, list, watch, and files that end with a connection.

use super::{connect, running};
use crate::server::{PATIENCE, Running, eventually};
use std::thread;
use std::time::{Duration, Instant};
use telefile::client::{Changes, Error, Page};
use telefile::{Client, Exptime, Limit, Refusal, Server, Version};

pub(super) const NOW: Duration = Duration::ZERO;

/// Each file's name, version, size and exptime.
pub(super) fn files(listing: &Page) -> Vec<(&str, u64, u64, Exptime)> {
    listing
        .files
        .iter()
        .map(|file| (&*file.name, file.version.0, file.numbytes, file.exptime))
        .collect()
}

/// Each change's name, version and size.
pub(super) fn changed(changes: &Changes) -> Vec<(&str, u64, Option<u64>)> {
    changes
        .changes
        .iter()
        .map(|change| (&*change.name, change.version.0, change.numbytes))
        .collect()
}

#[test]
fn each_method_does_what_it_says_on_both_kinds_of_sockets() {
    for which in [0, 1] {
        let server = running();
        let client = connect(server.addresses()[which]);
        let first = client.create("q/", "one", Exptime::Never).unwrap();
        assert_eq!(first, (Version(1), "q/00000000000000000001".to_string()));
        let (second, name) = client.create("q/", "", Exptime::Connection).unwrap();
        assert_eq!(client.touch(&first.1, Version(1), Exptime::Seconds(50)).unwrap(), Version(1));
        let listing = client.list_page("q/", 10, None).unwrap();
        assert_eq!((listing.version, listing.more), (Version(2), false));
        let expected =
            [(&*first.1, 1, 3, Exptime::Seconds(50)), (&*name, 2, 0, Exptime::Connection)];
        assert_eq!(files(&listing), expected);
        let page = client.list_page("", 1, None).unwrap();
        assert_eq!((files(&page), page.more), (expected[..1].to_vec(), true));
        let page = client.list_page("q/", 1, Some(&first.1)).unwrap();
        assert_eq!((files(&page), page.more), (expected[1..].to_vec(), false));
        assert_eq!(client.list_page("q/", u64::MAX >> 1, Some("")).unwrap().files.len(), 2);
        assert_eq!(client.list_page("r", 1, None).unwrap().files, []);

        client.delete(&name, Some(second)).unwrap();
        let changes = client.watch("", Version(1), NOW).unwrap();
        assert_eq!((changes.version, changed(&changes)), (Version(3), vec![(&*name, 3, None)]));
        let changes = client.watch("q/", Version(0), PATIENCE).unwrap();
        assert_eq!(changed(&changes), [(&*first.1, 1, Some(3)), (&*name, 3, None)]);
        let changes = client.watch("r", Version(0), NOW).unwrap();
        assert_eq!((changes.version, changed(&changes)), (Version(3), vec![]));

        let note = client.open("note", Some("Note")).unwrap();
        assert_eq!(client.touch(&note, note.version(), Exptime::Connection).unwrap(), Version(4));
        assert_eq!(note.stat().unwrap().exptime, Exptime::Connection);
        let changes = client.watch("note", Version(3), NOW).unwrap();
        assert_eq!(changed(&changes), [("note", 4, Some(0))]);
    }
}

#[test]
fn refusals_are_typed_and_name_the_file() {
    let server = Running::start(Server::builder().max_memory(500));
    let client = connect(server.addresses()[0]);
    client.write("f", "").unwrap();
    let long = "x".repeat(300);
    for (error, refusal, text) in [
        (
            client.touch("f", Version(7), Exptime::Never).unwrap_err(),
            Refusal::Version(Version(1)),
            "f is at version 1",
        ),
        (
            client.touch("g", Version(7), Exptime::Never).unwrap_err(),
            Refusal::NotFound,
            "g does not exist",
        ),
        (
            client.watch("f", Version(2), PATIENCE).unwrap_err(),
            Refusal::Compacted(Version(1)),
            "f: the changes since that version are not known, or it is of another table; the \
             version is 1 now, list again",
        ),
        (
            client.create("q/", &long, Exptime::Never).unwrap_err(),
            Refusal::Limit(Limit::Memory, 500),
            "q/: the server's 500 bytes of memory for that are in use",
        ),
    ] {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.refusal(), Some(&refusal), "{error:?}");
    }
    assert_eq!(
        client.list_page("", 9, None).unwrap().version,
        Version(1),
        "nothing was changed, and it is in step"
    );
}

#[test]
fn an_invalid_prefix_is_never_sent() {
    let server = running();
    let client = connect(server.addresses()[0]);
    let long = "n".repeat(600);
    for bad in ["a b", "a\r\nwrite b 0\r\n", "a\n", " "] {
        let error = client.list_page("a", 1, Some(bad)).unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{bad:?}: {error:?}");
    }
    for bad in ["a b", "a\r\nwrite b 0\r\n", "a\n", " ", &long] {
        for error in [
            client.list_page(bad, 1, None).unwrap_err(),
            client.watch(bad, Version(0), NOW).unwrap_err(),
            client.create(bad, "", Exptime::Never).unwrap_err(),
            client.touch(bad, Version(0), Exptime::Never).unwrap_err(),
        ] {
            assert!(matches!(error, Error::Invalid(_)), "{bad:?}: {error:?}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
    for bad in ["", "@", "@7", "a\0", &"x".repeat(411)] {
        let error = client.create(bad, "", Exptime::Never).unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{bad:?}: {error:?}");
    }
    assert!(matches!(client.list_page("a", 0, None).unwrap_err(), Error::Invalid(_)));
    let (_, name) = client.create(&"x".repeat(410), "", Exptime::Never).unwrap();
    assert_eq!((name.len(), client.write("f", "").unwrap()), (430, Version(2)));
    assert_eq!(client.list_page("x", 1, None).unwrap().files[0].name, name);
}

#[test]
fn a_watch_waits_for_the_first_change() {
    let server = running();
    let (client, other) = (connect(server.addresses()[0]), connect(server.addresses()[1]));
    let waiting =
        thread::spawn(move || client.watch("config/", Version(0), Duration::from_secs(60)));
    eventually("it waits", || {
        other.stats().unwrap().contains(&("watches".to_string(), "1".to_string()))
    });
    other.write("other", "").unwrap();
    let version = other.write("config/port", "80").unwrap();
    let changes = waiting.join().unwrap().unwrap();
    assert_eq!(changes.version, version);
    assert_eq!(changed(&changes), [("config/port", version.0, Some(2))]);
}

/// The time-out begins when the watch is over.
#[test]
fn a_watch_may_be_longer_than_the_time_out() {
    let server = running();
    let client = Client::builder().timeout(Some(Duration::from_millis(700)));
    let client = client.connect_to(server.addresses()[0]).unwrap();
    let since = Instant::now();
    let changes = client.watch("f", Version(0), Duration::from_millis(1200)).unwrap();
    assert_eq!((changes.version, changed(&changes)), (Version(0), vec![]));
    assert!(since.elapsed() >= Duration::from_secs(2), "rounded up: {:?}", since.elapsed());
    client.write("f", "").unwrap();
}

#[test]
fn any_number_but_0_is_a_limit() {
    let server = running();
    let client = connect(server.addresses()[0]);
    client.write("f", "").unwrap();
    for limit in [1, 10_000, 10_001, 1 << 62, 1 << 63, u64::MAX] {
        assert_eq!(client.list_page("", limit, None).unwrap().files.len(), 1, "{limit}");
    }
}

#[test]
fn any_duration_is_a_time_to_wait() {
    let server = running();
    let client = connect(server.addresses()[0]);
    client.write("f", "").unwrap();
    for time in [NOW, Duration::from_nanos(1), Duration::from_secs(u64::MAX), Duration::MAX] {
        assert_eq!(client.watch("f", Version(0), time).unwrap().changes.len(), 1, "{time:?}");
    }
    let forever = Client::builder().timeout(None).connect_to(server.addresses()[1]).unwrap();
    assert_eq!(forever.watch("f", Version(0), Duration::MAX).unwrap().changes.len(), 1);
}

#[test]
fn an_ephemeral_file_ends_when_the_client_is_dropped() {
    let server = running();
    let (owner, other) = (connect(server.addresses()[0]), connect(server.addresses()[1]));
    let version = owner.write_expiring("lock/db", "me", Exptime::Connection).unwrap();
    assert_eq!(other.read("lock/db").unwrap().exptime, Exptime::Connection);
    let error =
        other.cas_expiring("lock/db", Version(0), "me too", Exptime::Connection).unwrap_err();
    assert_eq!(error.refusal(), Some(&Refusal::Version(version)));
    drop(owner);
    let changes = other.watch("lock/db", version, PATIENCE).unwrap();
    assert_eq!(changed(&changes), [("lock/db", version.0 + 1, None)]);
    other.cas_expiring("lock/db", Version(0), "me too", Exptime::Connection).unwrap();
}

#[test]
fn a_stop_of_the_server_ends_a_watch_and_the_connection() {
    let mut server = running();
    let (client, other) = (connect(server.addresses()[0]), connect(server.addresses()[1]));
    let waiting = thread::spawn(move || {
        let changes = client.watch("f", Version(0), Duration::from_secs(60));
        (changes, client.read("f"))
    });
    eventually("it waits", || {
        other.stats().unwrap().contains(&("watches".to_string(), "1".to_string()))
    });
    server.stop();
    let (changes, read) = waiting.join().unwrap();
    assert_eq!(changes.unwrap().changes, []);
    assert!(matches!(read.unwrap_err(), Error::Lost(_)));
}

/// The line of an `open` holds longer names than a line of a list, or a `list` with `after`.
#[test]
fn the_longest_names_are_listed_and_do_not_end_a_list() {
    let server = running();
    let client = connect(server.addresses()[0]);
    let names: Vec<_> = (0..5).map(|i| format!("{}{i}", "n".repeat(493))).collect();
    let _open: Vec<_> = names.iter().map(|name| client.open(name, None).unwrap()).collect();
    client.write("z", "").unwrap();
    let mut found = Vec::new();
    loop {
        let after = found.last().cloned();
        let page = client.list_page("", 2, after.as_deref()).unwrap();
        found.extend(page.files.into_iter().map(|file| file.name));
        if !page.more {
            break;
        }
    }
    assert_eq!(found, [&names[..], &["z".to_string()]].concat());
    let changes = client.watch("", Version(0), Duration::ZERO).unwrap().changes;
    assert_eq!(changes[0].name, names[0]);
}
