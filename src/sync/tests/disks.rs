//! Disks that are full, take two names for one, cannot exchange files or have lost a part.

use super::disk::Disk;
use super::planted;
use super::world::{World, open};
use crate::sync::error::Error;
use crate::sync::report::{Event, Summary};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::{Arc, Mutex};

fn on_disk(world: &mut World, name: &str, disk: &Arc<Mutex<Disk>>) -> Result<Summary, Error> {
    planted::put_on(Some(disk.clone()));
    let done = world.try_sync(name);
    planted::put_on(None);
    done
}

fn new_disk(world: &World) -> Arc<Mutex<Disk>> {
    Arc::new(Mutex::new(Disk::new(world.path("graves"))))
}

#[test]
fn a_full_disk_takes_nothing_and_its_changes_are_sent_all_the_same() {
    let mut world = World::new();
    world.write("a/f", "one");
    world.settle(&["a", "b"]);
    world.write("a/f", "two");
    world.write("a/g", "2".repeat(100));
    world.write("b/h", "from b");
    world.sync("a");
    let disk = new_disk(&world);
    let full = disk.clone();
    planted::plan(
        None,
        Some(Box::new(move |moment| {
            if moment == "an entry is read" {
                full.lock().unwrap().is_full = true;
            }
            true
        })),
    );
    let summary = on_disk(&mut world, "b", &disk).unwrap();
    planted::plan(None, None);
    assert_eq!((summary.pushed, summary.pulled), (1, 0), "{summary:?}");
    assert!(summary.left_out.iter().any(|(_, why)| why.contains("space")), "{summary:?}");
    assert_eq!(world.read("b/f"), "one");
    let error = on_disk(&mut world, "b", &disk).unwrap_err();
    assert!(error.may_pass(), "{error}");
    disk.lock().unwrap().is_full = false;
    on_disk(&mut world, "b", &disk).unwrap();
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    assert_eq!(world.names("a"), ["f", "g", "h"]);
    assert!(fs::read_dir(world.path("b/.telefile-sync/tmp")).unwrap().next().is_none());
}

#[test]
fn of_two_names_that_are_one_on_a_disk_the_second_stays_on_the_server() {
    let mut world = World::new();
    world.write("a/D/x", "upper x");
    world.write("a/D/only", "upper only");
    world.write("a/d/x", "lower x");
    world.write("a/F", "upper f");
    world.write("a/f", "lower f");
    fs::create_dir(world.path("a/E")).unwrap();
    fs::create_dir(world.path("a/e")).unwrap();
    world.sync("a");
    let wanted = world.tree("a");
    let disk = new_disk(&world);
    disk.lock().unwrap().folds = true;
    for round in 0..3 {
        let summary = on_disk(&mut world, "b", &disk).unwrap();
        assert_eq!(summary.is_quiet(), round > 0, "{summary:?}");
        let mut left_out: Vec<_> = summary.left_out.iter().map(|(path, _)| &**path).collect();
        left_out.sort_unstable();
        assert_eq!(left_out, ["d", "d/x", "e", "f"], "{summary:?}");
        assert!(world.sync("a").is_quiet());
    }
    assert_eq!(world.names("b"), ["D", "D/only", "D/x", "E", "F"]);
    assert_eq!(world.read("b/D/x"), "upper x");
    // Once there is room for it, it comes.
    world.remove("a/F");
    world.sync("a");
    for _ in 0..2 {
        on_disk(&mut world, "b", &disk).unwrap();
    }
    assert_eq!(world.read("b/f"), "lower f");
    let mut wanted = wanted;
    wanted.remove("F");
    assert_eq!(world.tree("a"), wanted);
}

/// What is left in a batch for later stays there when another path of it fails.
#[test]
fn one_path_that_fails_takes_no_other_along() {
    let mut world = World::new();
    world.write("a/x", "one");
    world.write("a/z/f", "in a folder");
    world.settle(&["a", "b"]);
    world.write("a/X", "another name");
    world.remove("a/z");
    world.write("a/z", "a file");
    world.sync("a");
    let disk = new_disk(&world);
    disk.lock().unwrap().folds = true;
    let summary = on_disk(&mut world, "b", &disk).unwrap();
    let left_out: Vec<_> = summary.left_out.iter().map(|(path, _)| &**path).collect();
    assert_eq!(left_out, ["X"], "{summary:?}");
    assert_eq!(world.read("b/z"), "a file");
}

#[test]
fn without_exchanges_files_are_replaced_and_what_is_written_meanwhile_is_kept() {
    for moment in ["the old file is looked at", "the old file is out"] {
        let mut world = World::new();
        world.write("a/f", "one");
        world.settle(&["a", "b"]);
        world.write("a/f", "two");
        world.sync("a");
        let disk = new_disk(&world);
        disk.lock().unwrap().exchanges = false;
        let path = world.path("b/f");
        planted::plan(
            None,
            Some(Box::new(move |now| {
                if now == moment {
                    fs::write(&path, "mine, meanwhile").unwrap();
                }
                true
            })),
        );
        on_disk(&mut world, "b", &disk).unwrap();
        planted::plan(None, None);
        world.settle(&["a", "b"]);
        world.assert_equal("a", "b");
        assert_eq!(world.read("a/f"), "two");
        let tree = world.tree("a");
        assert!(tree.values().any(|(text, _)| text == "mine, meanwhile"), "{tree:?}");
    }
}

#[test]
fn the_marker_is_written_once_and_nothing_of_it_through_a_symlink() {
    let mut world = World::new();
    world.write("a/f", "one");
    world.settle(&["a", "b"]);
    let inode = |world: &World| fs::metadata(world.path("a/.telefile-sync/id")).unwrap().ino();
    let before = inode(&world);
    world.sync("a");
    assert_eq!(inode(&world), before);
    world.write("outside", "outside");
    symlink(world.path("outside"), world.path("a/.telefile-sync/probe")).unwrap();
    let settings = world.settings("a");
    let mut quiet = |_: Event<'_>| {};
    let folder = open(&settings, &mut quiet).unwrap();
    assert!(folder.marker.open_probe("probe").is_err());
    drop(folder);
    assert_eq!(world.read("outside"), "outside");
}

#[test]
fn an_index_that_could_not_be_written_is_written_later() {
    use crate::sync::state::index::Index;
    use crate::version::Epoch;
    let world = World::new();
    let mut index = Index::open(&world.home).unwrap();
    index.set_epoch(Epoch(7));
    index.commit().unwrap();
    index.forget_all();
    index.set_epoch(Epoch(8));
    let disk = new_disk(&world);
    disk.lock().unwrap().index_is_full = true;
    planted::put_on(Some(disk));
    let error = index.commit().unwrap_err();
    planted::put_on(None);
    assert!(matches!(&error, Error::System(_, e) if e.kind() == ErrorKind::StorageFull), "{error}");
    assert_eq!(Index::open(&world.home).unwrap().epoch(), Some(Epoch(7)));
    index.commit().unwrap();
    assert_eq!(Index::open(&world.home).unwrap().epoch(), Some(Epoch(8)));
}
