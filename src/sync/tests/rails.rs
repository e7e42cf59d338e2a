//! The guard rails, and what else keeps a mistake from becoming a deletion.

use super::planted;
use super::world::{World, open};
use crate::sync::disk::trash::Look;
use crate::sync::error::Error;
use crate::sync::path::RelPath;
use crate::sync::report::Event;
use crate::sync::time::Utc;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::rc::Rc;

fn files(count: usize) -> World {
    let mut world = World::new();
    for n in 0..count {
        world.write(&format!("a/d/{n}"), format!("file {n}"));
    }
    world.settle(&["a", "b"]);
    world
}

#[test]
fn deletions_that_come_in_slices_are_counted_together() {
    let world = files(30);
    let settings = world.settings("a");
    let mut quiet = |_: Event<'_>| {};
    let mut folder = open(&settings, &mut quiet).unwrap();
    let mut slice = |numbers: std::ops::Range<usize>| {
        numbers.for_each(|n| world.remove(&format!("a/d/{n}")));
        folder.round(None)
    };
    assert_eq!(slice(0..12).unwrap().0.deleted_there, 12);
    let error = slice(12..24).unwrap_err();
    assert!(matches!(&error, Error::Guard(why) if why.starts_with("24 of 30 files")), "{error}");
}

#[test]
fn a_moved_folder_that_comes_in_two_rounds_is_no_deletion() {
    let mut world = files(40);
    fs::rename(world.path("a/d"), world.path("a/e")).unwrap();
    planted::plan(None, Some(Box::new(|moment| moment != "entries are about to be deleted")));
    assert!(matches!(world.try_sync("a"), Err(Error::Stopped)));
    planted::plan(None, None);
    assert_eq!(world.sync("b").pulled, 41);
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    assert_eq!(world.names("b").len(), 41);
}

#[test]
fn many_deletions_in_either_direction_need_force() {
    let mut world = files(84);
    for n in 0..21 {
        world.remove(&format!("a/d/{n}"));
    }
    assert_eq!(world.sync("a").deleted_there, 21, "a quarter is not too much");
    assert_eq!(world.sync("b").deleted_here, 21);
    for n in 21..42 {
        world.remove(&format!("a/d/{n}"));
    }
    let error = world.try_sync("a").unwrap_err();
    assert!(matches!(&error, Error::Guard(why) if why.contains("on the server")), "{error}");
    let mut settings = world.settings("a");
    settings.force = true;
    assert_eq!(world.try_sync_with(&settings).unwrap().deleted_there, 21);
    let error = world.try_sync("b").unwrap_err();
    assert!(matches!(&error, Error::Guard(why) if why.contains("in this folder")), "{error}");
    assert_eq!(world.names("b").len(), 64);
    let mut settings = world.settings("b");
    settings.force = true;
    assert_eq!(world.try_sync_with(&settings).unwrap().deleted_here, 21);
    world.assert_equal("a", "b");
}

#[test]
fn an_unmounted_folder_is_refused_at_every_start() {
    let mut world = files(3);
    fs::rename(world.path("a"), world.path("elsewhere")).unwrap();
    for _ in 0..3 {
        let error = world.try_sync("a").unwrap_err();
        assert!(matches!(&error, Error::Guard(why) if why.contains("mounted")), "{error}");
    }
    assert_eq!(world.names("b").len(), 4);
    // It is mounted again.
    world.remove("a");
    fs::rename(world.path("elsewhere"), world.path("a")).unwrap();
    assert!(world.sync("a").is_quiet());
}

#[test]
fn a_folder_that_is_ignored_from_now_on_is_no_deletion() {
    let mut world = World::new();
    fs::create_dir_all(world.path("a/build")).unwrap();
    world.write("a/f", "one");
    world.settle(&["a", "b"]);
    world.write("a/.telefile-ignore", "build/\n");
    world.sync("a");
    world.sync("b");
    assert_eq!(world.names("b"), [".telefile-ignore", "build", "f"]);
}

#[test]
fn a_folder_inside_that_is_synchronised_itself_is_left_alone_in_every_round() {
    let mut world = files(1);
    fs::create_dir_all(world.path("a/inner/.telefile-sync")).unwrap();
    world.write("a/inner/deep/g", "of another session");
    let settings = world.settings("a");
    let mut quiet = |_: Event<'_>| {};
    let mut folder = open(&settings, &mut quiet).unwrap();
    folder.round(None).unwrap();
    let scope = |path: &str| BTreeSet::from([RelPath::new(path.as_bytes()).unwrap()]);
    for path in ["inner/deep/g", "inner/deep", "inner"] {
        let (summary, _) = folder.round(Some(&scope(path))).unwrap();
        assert!(summary.is_quiet(), "{path}: {summary:?}");
    }
    drop(folder);
    world.sync("b");
    assert_eq!(world.names("b"), ["d", "d/0"]);
}

#[cfg(feature = "durable")]
fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir(to).unwrap();
    for found in fs::read_dir(from).unwrap() {
        let from = found.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        match from.is_dir() {
            true => copy(&from, &to),
            false => assert!(fs::copy(&from, &to).is_ok()),
        }
    }
}

/// Returns a world in which a backup of the server is put back: `a` has sent a new file and an edit
/// since, and `b` synchronises what it has written before `a` does.
#[cfg(feature = "durable")]
fn put_back(writes_of_b: &[(&str, &str)]) -> World {
    let mut world = World::durable();
    world.write("a/f", "one");
    world.settle(&["a", "b"]);
    world.stop();
    copy(&world.path("data"), &world.path("copy"));
    world.start_durable();
    world.write("a/new", "thesis");
    world.write("a/f", "two");
    world.settle(&["a"]);
    world.stop();
    world.remove("data");
    fs::rename(world.path("copy"), world.path("data")).unwrap();
    world.start_durable();
    for (path, contents) in writes_of_b {
        world.write(path, contents);
    }
    world.settle(&["b"]);
    world.settle(&["a", "b"]);
    world
}

#[cfg(feature = "durable")]
#[test]
fn a_server_that_was_put_back_and_has_gone_on_takes_nothing_away() {
    let names: Vec<_> = (0..12).map(|n| format!("b/{n}")).collect();
    let writes: Vec<_> = names.iter().map(|name| (&**name, "more")).collect();
    let world = put_back(&writes);
    world.assert_equal("a", "b");
    assert_eq!(world.read("a/new"), "thesis");
    let tree = world.tree("b");
    assert!(tree.values().any(|(text, _)| text == "two"), "{tree:?}");
}

#[cfg(feature = "durable")]
#[test]
fn versions_that_are_used_twice_do_not_pass_for_the_same_content() {
    for count in 1..8 {
        let names: Vec<_> = (1..count).map(|n| format!("b/{n}")).collect();
        let more = names.iter().map(|name| (&**name, "more"));
        let world = put_back(&more.chain([("b/f", "edit of b")]).collect::<Vec<_>>());
        world.assert_equal("a", "b");
        let tree = world.tree("a");
        for content in ["two", "edit of b", "thesis"] {
            assert!(tree.values().any(|(text, _)| text == content), "{content}: {tree:?}");
        }
    }
}

#[cfg(feature = "durable")]
#[test]
fn without_the_seal_a_server_that_was_put_back_takes_files_away() {
    planted::plan(Some(planted::Fault::NoSeal), None);
    let names: Vec<_> = (0..12).map(|n| format!("b/{n}")).collect();
    let writes: Vec<_> = names.iter().map(|name| (&**name, "more")).collect();
    let world = put_back(&writes);
    planted::plan(None, None);
    assert!(!world.path("a/new").exists());
}

#[cfg(feature = "durable")]
#[test]
fn a_server_with_an_older_table_overwrites_nothing() {
    let mut world = World::durable();
    world.write("a/f", "one");
    world.write("a/g", "deleted later");
    world.settle(&["a", "b"]);
    world.stop();
    copy(&world.path("data"), &world.path("copy"));
    world.start_durable();
    world.write("a/f", "two");
    world.remove("a/g");
    world.write("a/h", "new");
    world.settle(&["a", "b"]);
    world.stop();
    world.remove("data");
    fs::rename(world.path("copy"), world.path("data")).unwrap();
    world.start_durable();
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    let tree = world.tree("a");
    for content in ["one", "two", "new", "deleted later"] {
        assert!(tree.values().any(|(text, _)| text == content), "{content}: {tree:?}");
    }
}

#[test]
fn the_flag_of_a_collector_says_whose_it_is() {
    let mut world = World::new();
    world.write("a/one", "1");
    world.sync("a");
    let settings = world.settings("a");
    let mut quiet = |_: Event<'_>| {};
    let folder = open(&settings, &mut quiet).unwrap();
    let client = settings.builder().connect(&settings.address).unwrap();
    let flag = format!("s/{}/gc", world.id.as_ref().unwrap());
    let read = Rc::new(Cell::new(None));
    let seen = read.clone();
    let look = move |moment| {
        if moment == "the collector is announced" {
            seen.set(Some(client.read(&flag[..]).unwrap().contents.to_vec()));
        }
        true
    };
    planted::plan(None, Some(Box::new(look)));
    folder.collect().unwrap();
    planted::plan(None, None);
    assert_eq!(read.take().unwrap(), folder.client.as_bytes());
    let remote = folder.remote().unwrap();
    assert_eq!(remote.small(crate::sync::server::gc::FLAG).unwrap(), None);
}

#[test]
fn a_collector_leaves_everything_while_it_does_not_understand_an_entry() {
    let mut world = World::new();
    world.write("a/large", "l".repeat(100));
    world.sync("a");
    world.remove("a/large");
    world.sync("a");
    let settings = world.settings("a");
    let mut quiet = |_: Event<'_>| {};
    let folder = open(&settings, &mut quiet).unwrap();
    let remote = folder.remote().unwrap();
    let client = settings.builder().connect(&settings.address).unwrap();
    let name = format!("s/{}/e/later", world.id.as_ref().unwrap());
    client.write(&name, b"file2 of a later release").unwrap();
    assert_eq!(folder.collect().unwrap().unknown.as_deref(), Some("later"));
    assert_eq!(remote.list("c/").unwrap().versions.len(), 1);
    client.delete(&name, None).unwrap();
    assert_eq!(folder.collect().unwrap().deleted, 1);
}

/// As on a machine whose clock was wrong when the file went there.
#[test]
fn a_trash_folder_with_an_old_time_in_its_name_stays_until_it_was_seen_for_seven_days() {
    let mut world = World::new();
    world.write("a/f", "precious");
    world.settle(&["a", "b"]);
    world.remove("a/f");
    world.settle(&["a", "b"]);
    let trash = world.path("b/.telefile-sync/trash");
    let stamp = fs::read_dir(&trash).unwrap().next().unwrap().unwrap().path();
    fs::rename(stamp, trash.join("20000101T000000Z")).unwrap();
    world.sync("b");
    assert_eq!(world.read("b/.telefile-sync/trash/20000101T000000Z/f"), "precious");

    let settings = world.settings("b");
    let mut quiet = |_: Event<'_>| {};
    let folder = open(&settings, &mut quiet).unwrap();
    let start = Look::now();
    for hour in 1..=7 * 24 {
        assert!(trash.join("20000101T000000Z/f").exists(), "{hour}");
        folder
            .marker
            .empty_old_trash(Look { up: start.up + hour * 3600, ..start.clone() })
            .unwrap();
    }
    assert_eq!(fs::read_dir(&trash).unwrap().count(), 0);
}

#[test]
fn an_entry_that_the_collector_does_not_understand_is_named_once() {
    let mut world = World::new();
    world.write("a/large", "l".repeat(100));
    world.sync("a");
    let settings = world.settings("a");
    let client = settings.builder().connect(&settings.address).unwrap();
    let name = format!("s/{}/e/later", world.id.as_ref().unwrap());
    client.write(&name, b"file2 of a later release").unwrap();
    let mut notices = Vec::new();
    let mut observer = |event: Event<'_>| {
        if let Event::Notice(text) = event {
            notices.push(text.to_string());
        }
    };
    let mut folder = open(&settings, &mut observer).unwrap();
    for _ in 0..3 {
        folder.collected = Utc::parse("19700101T000000Z");
        folder.collect_if_due().unwrap();
    }
    drop(folder);
    let named: Vec<_> = notices.iter().filter(|text| text.contains("the entry later: ")).collect();
    assert_eq!(named.len(), 1, "{notices:?}");
    assert!(!named[0].contains(world.id.as_ref().unwrap()), "{named:?}");
}
