//! A crash and a power loss at each step of a round, for each kind of change.

use super::disk::Disk;
use super::planted::{self, Fault};
use super::world::{World, open};
use crate::sync::report::Event;
use std::cell::Cell;
use std::fs;
use std::sync::{Arc, Mutex};

/// A change in `a` that `b` is going to pull, and what has to be in both in the end.
type Change = (&'static str, fn(&World), &'static [&'static str]);

const CHANGES: [Change; 7] = [
    ("a file is replaced", |world| world.write("a/d/f", "two"), &["two"]),
    ("a large file is replaced", |world| world.write("a/d/f", "2".repeat(100)), &[]),
    ("a file is deleted", |world| world.remove("a/d/f"), &[]),
    (
        "a folder and a file are made",
        |world| {
            fs::create_dir(world.path("a/empty")).unwrap();
            world.write("a/new/g", "new");
        },
        &["one", "new", "/"],
    ),
    (
        "modes change",
        |world| {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::Permissions::from_mode(0o700);
            fs::set_permissions(world.path("a/d/f"), mode.clone()).unwrap();
            fs::set_permissions(world.path("a/d"), mode).unwrap();
        },
        &["one"],
    ),
    (
        "a file becomes a folder",
        |world| {
            world.remove("a/d/f");
            world.write("a/d/f/inside", "inside");
        },
        &["inside"],
    ),
    (
        "a folder becomes a file",
        |world| {
            world.remove("a/d");
            world.write("a/d", "a file");
        },
        &["a file"],
    ),
];

/// Crashes at each step in turn, and takes back what was not flushed.
fn crash_everywhere(exchanges: bool, loses_power: bool) {
    for (what, change, contents) in CHANGES {
        for crash in 0.. {
            let case = format!("{what}, step {crash}, {exchanges}, {loses_power}");
            let mut world = World::new();
            world.write("a/d/f", "one");
            world.settle(&["a", "b"]);
            change(&world);
            world.sync("a");
            let wanted = world.tree("a");
            let mut disk = Disk::new(world.path("graves"));
            disk.exchanges = exchanges;
            let disk = Arc::new(Mutex::new(disk));
            planted::put_on(Some(disk.clone()));
            let left = Cell::new(crash);
            planted::plan(None, Some(Box::new(move |_| left.replace(left.get() - 1) > 0)));
            let ended = world.try_sync("b").is_ok();
            planted::plan(None, None);
            if loses_power {
                disk.lock().unwrap().lose_power(usize::MAX, || true);
            }
            world.try_sync("b").unwrap_or_else(|e| panic!("{case}: {e}"));
            planted::put_on(None);
            world.settle(&["b", "a"]);
            assert_eq!(world.tree("a"), wanted, "{case}");
            assert_eq!(world.tree("b"), wanted, "{case}");
            for content in contents {
                assert!(wanted.values().any(|(text, _)| text == content), "{case}: {content}");
            }
            if ended {
                assert!(crash > 3, "{case}");
                break;
            }
        }
    }
}

#[test]
fn a_crash_at_any_step_changes_nothing_in_the_end() {
    crash_everywhere(true, false);
}

#[test]
fn a_power_loss_at_any_step_changes_nothing_in_the_end() {
    crash_everywhere(true, true);
}

#[test]
fn without_exchanges_neither_changes_anything_in_the_end() {
    crash_everywhere(false, false);
    crash_everywhere(false, true);
}

/// What a user writes in `a` without a flush, and whether a power loss takes the file or its contents.
const WRITES: [(&str, &str, usize); 3] = [
    ("a new file is gone", "new", usize::MAX),
    ("a new file is empty", "new", 0),
    ("a file written over is empty", "f", 0),
];

/// Crashes a running client at each step of a push, and loses power. Returns where the server had a
/// content that is nowhere in the end.
fn lose_power_in_a_push(fault: Option<Fault>) -> Vec<String> {
    let mut lost = Vec::new();
    for (what, name, take_back) in WRITES {
        for crash in 0.. {
            let mut world = World::new();
            world.write("a/f", "one");
            world.settle(&["a", "b"]);
            let disk = Arc::new(Mutex::new(Disk::new(world.path("graves"))));
            planted::put_on(Some(disk.clone()));
            let settings = world.settings("a");
            let mut quiet = |_: Event<'_>| {};
            let mut folder = open(&settings, &mut quiet).unwrap();
            disk.lock().unwrap().write_unflushed(&world.path("a").join(name), "precious");
            let left = Cell::new(crash);
            planted::plan(fault, Some(Box::new(move |_| left.replace(left.get() - 1) > 0)));
            let ended = folder.round(None).is_ok();
            planted::plan(None, None);
            drop(folder);
            disk.lock().unwrap().lose_power(take_back, || true);
            planted::put_on(None);
            let has = |world: &World, name: &str| {
                world.tree(name).values().any(|(text, _)| text == "precious")
            };
            world.sync("check");
            let was_there = has(&world, "check");
            world.settle(&["a", "b"]);
            world.assert_equal("a", "b");
            if was_there && !has(&world, "b") {
                lost.push(format!("{what}, step {crash}"));
            }
            if ended {
                assert!(was_there && crash > 3, "{what}, {crash}");
                break;
            }
        }
    }
    lost
}

#[test]
fn what_a_power_loss_takes_after_a_push_comes_back_from_the_server() {
    assert_eq!(lose_power_in_a_push(None), [""; 0]);
}

#[test]
fn with_rows_of_a_push_before_the_flush_something_is_lost() {
    let lost = lose_power_in_a_push(Some(Fault::PushedUnflushed));
    assert!(WRITES.iter().all(|(what, ..)| lost.iter().any(|l| l.starts_with(what))), "{lost:?}");
}

/// Changes of kind in `a` that `b` needs no conflict copy for.
const KINDS: [Change; 4] = [
    (
        "a folder becomes a file",
        |world| {
            world.remove("a/d");
            world.write("a/d", "a file");
        },
        &["a file"],
    ),
    (
        "a folder becomes the large file in it",
        |world| {
            fs::rename(world.path("a/d/e/large"), world.path("a/aside")).unwrap();
            world.remove("a/d");
            fs::rename(world.path("a/aside"), world.path("a/d")).unwrap();
        },
        &[],
    ),
    (
        "a folder is moved and a file takes its name",
        |world| {
            fs::rename(world.path("a/d"), world.path("a/c")).unwrap();
            world.write("a/d", "a file");
        },
        &["a file", "one"],
    ),
    (
        "a file becomes a folder",
        |world| {
            world.remove("a/d/f");
            world.write("a/d/f/deep/inside", "inside");
            world.write("a/d/f/large", "l".repeat(100));
        },
        &["inside"],
    ),
];

/// The other client looks at the server before the one that crashed goes on.
#[test]
fn a_change_of_kind_makes_no_conflict_copy_wherever_it_is_interrupted() {
    for (what, change, contents) in KINDS {
        for crash in 0.. {
            let mut world = World::new();
            world.write("a/d/f", "one");
            world.write("a/d/e/large", "2".repeat(100));
            world.settle(&["a", "b"]);
            change(&world);
            let wanted = world.tree("a");
            let left = Cell::new(crash);
            planted::plan(None, Some(Box::new(move |_| left.replace(left.get() - 1) > 0)));
            let ended = world.try_sync("a").is_ok();
            planted::plan(None, None);
            let summary = world.sync("b");
            assert_eq!(summary.conflicts, 0, "{what}, step {crash}: {summary:?}");
            world.settle(&["a", "b"]);
            assert_eq!(world.tree("a"), wanted, "{what}, step {crash}");
            assert_eq!(world.tree("b"), wanted, "{what}, step {crash}");
            for content in contents {
                assert!(wanted.values().any(|(text, _)| text == content), "{what}: {content}");
            }
            if ended {
                assert!(crash > 3, "{what}");
                break;
            }
        }
    }
}
