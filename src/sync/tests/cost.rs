//! What synchronisation costs, in things that can be counted: requests, bytes and opened files.

use super::planted::plan as set_plan;
use super::relay::Relay;
use super::world::{World, open};
use crate::sync::report::{Event, Stop};
use crate::sync::settings::Settings;
use notify::{EventKind, RecursiveMode, Watcher, event::AccessKind};
use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;

const MIB: u64 = 1 << 20;

/// Bytes of which no two chunks are the same.
fn bytes(count: u64) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// A server, and a client of it whose bytes are counted.
fn counted() -> (World, Relay, Settings) {
    let world = World::new();
    let relay = Relay::to(&world.address());
    let mut settings = world.settings("a");
    settings.address = relay.address();
    (world, relay, settings)
}

#[test]
fn a_byte_inserted_at_the_start_sends_a_few_chunks() {
    let (mut world, relay, settings) = counted();
    let contents = bytes(6 * MIB);
    world.write("a/large", &contents);
    world.try_sync_with(&settings).unwrap();
    let first = relay.sent_bytes();
    assert!(first > 6 * MIB, "{first}");
    world.write("a/large", [&b"x"[..], &contents].concat());
    assert_eq!(world.try_sync_with(&settings).unwrap().pushed, 1);
    let second = relay.sent_bytes() - first;
    assert!(second < 3 * MIB, "{second}");
}

#[test]
fn a_rename_sends_no_contents() {
    let (mut world, relay, settings) = counted();
    for n in 0..20 {
        world.write(&format!("a/{n}"), bytes(2000 + n));
    }
    world.try_sync_with(&settings).unwrap();
    let first = relay.sent_bytes();
    for n in 0..20 {
        fs::rename(world.path(&format!("a/{n}")), world.path(&format!("a/r{n}"))).unwrap();
    }
    let summary = world.try_sync_with(&settings).unwrap();
    assert_eq!((summary.pushed, summary.deleted_there), (20, 20));
    let second = relay.sent_bytes() - first;
    assert!(second < 20 * 1000, "{second}");
}

#[test]
fn a_file_that_was_only_touched_sends_nothing_of_it() {
    let (mut world, relay, settings) = counted();
    let contents = bytes(2 * MIB);
    world.write("a/large", &contents);
    world.try_sync_with(&settings).unwrap();
    let first = relay.sent_bytes();
    world.write("a/large", &contents);
    assert!(world.try_sync_with(&settings).unwrap().is_quiet());
    let second = relay.sent_bytes() - first;
    assert!(second < 2000, "{second}");
}

#[test]
fn a_broken_upload_goes_on_where_it_was() {
    let (mut world, relay, settings) = counted();
    world.write("a/large", bytes(12 * MIB));
    world.id = None;
    let mut observer = |_: Event<'_>| {};
    // It is cut off when the chunks of a first batch are stored.
    let batches = Rc::new(Cell::new(0));
    let plan = move |moment| {
        batches.set(batches.get() + i32::from(moment == "a batch of chunks is stored"));
        batches.get() < 2
    };
    let broken = open(&settings, &mut observer).and_then(|mut folder| {
        set_plan(None, Some(Box::new(plan)));
        folder.round(None)
    });
    set_plan(None, None);
    assert!(broken.is_err());
    let first = relay.sent_bytes();
    assert!((6 * MIB..10 * MIB).contains(&first), "{first}");
    assert_eq!(world.try_sync_with(&settings).unwrap().pushed, 1);
    let second = relay.sent_bytes() - first;
    assert!((3 * MIB..6 * MIB).contains(&second), "{second}");
}

#[test]
fn a_round_with_nothing_to_do_opens_no_file_and_asks_as_little_for_many_files() {
    let requests = |files: usize| {
        let (mut world, relay, settings) = counted();
        for n in 0..files {
            world.write(&format!("a/d{}/{n}", n % 7), format!("{n} and more than is in an entry"));
        }
        world.try_sync_with(&settings).unwrap();
        let (send, events) = channel();
        let mut watcher = notify::recommended_watcher(send).unwrap();
        for n in 0..7 {
            let folder = world.path(&format!("a/d{n}"));
            watcher.watch(&folder, RecursiveMode::NonRecursive).unwrap();
        }
        let before = relay.sent_lines();
        assert!(world.try_sync_with(&settings).unwrap().is_quiet());
        let asked = relay.sent_lines() - before;
        // Events come in order, so behind this one there is none of the round.
        world.write("a/d0/last", "");
        for event in events {
            let event = event.unwrap();
            let is_file = event.paths.iter().any(|path| path.is_file());
            if is_file && event.paths[0].ends_with("last") {
                break;
            }
            let is_open = matches!(event.kind, EventKind::Access(AccessKind::Open(_)));
            assert!(!(is_file && is_open), "{event:?}");
        }
        asked
    };
    let (few, many) = (requests(10), requests(400));
    assert_eq!(few, many);
    assert!(few < 16, "{few}");
}

#[test]
fn a_long_write_is_sent_once_and_not_for_each_event() {
    const PARTS: u64 = 300;
    let (world, relay, mut settings) = counted();
    world.write("a/first", "");
    settings.interval = std::time::Duration::from_secs(3600);
    let stop = Stop::new();
    let part = bytes(20_000);
    let writer = |path: std::path::PathBuf| {
        let mut file = fs::File::create(path.join("large")).unwrap();
        (0..PARTS).for_each(|n| {
            file.write_all(&n.to_le_bytes()).unwrap();
            file.write_all(&part).unwrap();
            file.sync_data().unwrap();
        });
        drop(file);
        fs::write(path.join("last"), "last").unwrap();
    };
    let mut finished = Vec::new();
    thread::scope(|scope| {
        let mut observer = |event: Event<'_>| match event {
            // The first round has ended, and the watcher watches.
            Event::Round(_) if finished.is_empty() => {
                finished.push(String::new());
                let path = world.path("a");
                scope.spawn(move || writer(path));
            }
            Event::Finished(path) if !finished.is_empty() => {
                finished.push(path.to_string());
                let came = |name: &str| finished.iter().any(|path| path == name);
                if came("large") && came("last") {
                    stop.stop();
                }
            }
            _ => {}
        };
        crate::sync::run(&settings, &mut observer, &stop).unwrap();
    });
    let bytes = PARTS * 20_008;
    assert!(relay.sent_bytes() < 3 * bytes, "{} of {bytes}: {finished:?}", relay.sent_bytes());
}

#[test]
fn large_entries_are_asked_for_few_times() {
    const ENTRIES: u64 = 40;
    let (mut world, relay, settings) = counted();
    world.try_sync_with(&settings).unwrap();
    let client = settings.builder().connect(&settings.address).unwrap();
    let large = vec![b'x'; 3 << 19];
    for n in 0..ENTRIES {
        client.write(&format!("s/{}/e/{n}", world.id.as_ref().unwrap()), &large).unwrap();
    }
    let before = relay.sent_lines();
    let summary = world.try_sync_with(&settings).unwrap();
    assert_eq!(summary.left_out.len() as u64, ENTRIES);
    let asked = relay.sent_lines() - before;
    assert!(asked < 4 * ENTRIES, "{asked}");
}

#[test]
fn what_is_no_entry_is_read_once_and_said_in_each_round() {
    let (mut world, relay, settings) = counted();
    world.try_sync_with(&settings).unwrap();
    let client = settings.builder().connect(&settings.address).unwrap();
    let name = |n: i32| format!("s/{}/e/{n}", world.id.as_ref().unwrap());
    let write = |n: i32| client.write(&name(n), b"no entry").unwrap();
    for n in 0..50 {
        write(n);
    }
    let mut observer = |_: Event<'_>| {};
    let mut folder = open(&settings, &mut observer).unwrap();
    let mut round = || {
        let before = relay.sent_lines();
        let (summary, again) = folder.round(None).unwrap();
        assert!(again.is_empty());
        assert_eq!(summary.left_out.len(), 50, "{summary:?}");
        relay.sent_lines() - before
    };
    let (first, second) = (round(), round());
    assert!(first > 50 && second < 10, "{first} {second}");
    // Another version may be one: the change is seen, and the entry is read.
    write(7);
    assert_eq!(round(), second + 2);
}
