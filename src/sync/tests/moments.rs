//! Single moments of a round: what a user does in the middle of one, and a crash there.

use super::disk::Disk;
use super::planted;
use super::world::{World, open};
use crate::sync::error::Error;
use crate::sync::report::{Event, Summary};
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

/// Syncs a folder, and does something the first time that a moment comes.
pub(super) fn sync_and(
    world: &mut World,
    name: &str,
    moment: &'static str,
    action: impl FnOnce() + 'static,
) -> Result<Summary, Error> {
    let mut action = Some(action);
    let was_there = Rc::new(Cell::new(false));
    let came = was_there.clone();
    planted::plan(
        None,
        Some(Box::new(move |now| {
            if now == moment
                && let Some(action) = action.take()
            {
                came.set(true);
                action();
            }
            true
        })),
    );
    let done = world.try_sync(name);
    planted::plan(None, None);
    assert!(was_there.get(), "{moment}: never came");
    done
}

/// Two folders with `d/f`, which is changed in `a`, and sent.
pub(super) fn changed() -> World {
    let mut world = World::new();
    world.write("a/d/f", "one");
    world.settle(&["a", "b"]);
    world.write("a/d/f", "from a");
    world.sync("a");
    world
}

#[track_caller]
fn assert_has(world: &World, name: &str, content: &str) {
    let tree = world.tree(name);
    assert!(tree.values().any(|(text, _)| text == content), "no {content:?} in {tree:?}");
}

#[test]
fn a_file_that_is_written_while_another_version_comes_becomes_a_conflict_copy() {
    for moment in
        ["a new file is complete", "the new files are flushed", "the old file is looked at"]
    {
        let mut world = changed();
        let path = world.path("b/d/f");
        sync_and(&mut world, "b", moment, move || fs::write(path, "mine, meanwhile").unwrap())
            .unwrap();
        world.settle(&["a", "b"]);
        world.assert_equal("a", "b");
        assert_eq!(world.read("a/d/f"), "from a");
        assert_has(&world, "a", "mine, meanwhile");
    }
}

#[test]
fn a_file_that_is_written_while_it_is_deleted_stays() {
    for moment in ["the new files are flushed", "the old file is looked at", "the old file is out"]
    {
        let mut world = changed();
        world.settle(&["a", "b"]);
        world.remove("a/d/f");
        world.sync("a");
        let path = world.path("b/d/f");
        sync_and(&mut world, "b", moment, move || fs::write(path, "mine, meanwhile").unwrap())
            .unwrap();
        world.settle(&["a", "b"]);
        world.assert_equal("a", "b");
        assert_eq!(world.read("a/d/f"), "mine, meanwhile");
    }
}

#[test]
fn a_folder_or_a_symlink_that_takes_the_place_of_a_file_meanwhile_is_kept() {
    for is_folder in [true, false] {
        let mut world = changed();
        let path = world.path("b/d/f");
        sync_and(&mut world, "b", "the old file is looked at", move || {
            fs::remove_file(&path).unwrap();
            match is_folder {
                true => {
                    fs::create_dir(&path).unwrap();
                    fs::write(path.join("inside"), "in the folder").unwrap();
                }
                false => symlink("somewhere", &path).unwrap(),
            }
        })
        .unwrap();
        for _ in 0..3 {
            world.sync("b");
            world.sync("a");
        }
        assert_eq!(world.read("b/d/f"), "from a");
        assert_has(&world, "b", if is_folder { "in the folder" } else { "->" });
    }
}

#[test]
fn a_new_folder_that_becomes_a_file_meanwhile_is_that_file() {
    let mut world = changed();
    fs::create_dir(world.path("a/new")).unwrap();
    world.sync("a");
    let path = world.path("b/new");
    let settings = world.settings("b");
    let mut quiet = |_: Event<'_>| {};
    let mut folder = open(&settings, &mut quiet).unwrap();
    planted::plan(
        None,
        Some(Box::new(move |moment| {
            if moment == "a folder is made" {
                fs::remove_dir(&path).unwrap();
                fs::write(&path, "a file").unwrap();
            }
            true
        })),
    );
    folder.round(None).unwrap();
    planted::plan(None, None);
    let (summary, _) = folder.round(None).unwrap();
    assert!(!summary.is_quiet(), "the same process sees the file");
    drop(folder);
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    assert_has(&world, "a", "a file");
}

#[test]
fn a_copy_whose_folder_is_none_any_more_is_at_the_top() {
    let mut world = changed();
    let (file, folder) = (world.path("b/d/f"), world.path("b/d"));
    let aside = world.path("b/e");
    planted::plan(
        None,
        Some(Box::new(move |moment| {
            match moment {
                "the old file is looked at" => fs::write(&file, "mine, meanwhile").unwrap(),
                "the old file is out" => {
                    fs::rename(&folder, &aside).unwrap();
                    fs::write(&folder, "no folder any more").unwrap();
                }
                _ => {}
            }
            true
        })),
    );
    let synced = world.try_sync("b");
    planted::plan(None, None);
    synced.unwrap();
    assert_has(&world, "b", "mine, meanwhile");
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    for content in ["mine, meanwhile", "no folder any more", "from a"] {
        assert_has(&world, "a", content);
    }
}

#[test]
fn nothing_is_written_through_a_symlink_that_is_swapped_in() {
    for moment in ["an entry is read", "a new file is complete", "the old file is looked at"] {
        let mut world = changed();
        world.write("outside/f", "outside");
        let (folder, aside, outside) =
            (world.path("b/d"), world.path("b/e"), world.path("outside"));
        let _ = sync_and(&mut world, "b", moment, move || {
            fs::rename(&folder, aside).unwrap();
            symlink(outside, folder).unwrap();
        });
        let _ = world.try_sync("b");
        assert_eq!(world.read("outside/f"), "outside", "{moment}");
        assert_eq!(world.names("outside"), ["f"], "{moment}");
    }
}

#[test]
fn a_folder_that_is_swapped_in_between_scan_and_change_is_left_alone() {
    let mut world = changed();
    let (folder, aside) = (world.path("b"), world.path("elsewhere"));
    let _ = sync_and(&mut world, "b", "an entry is read", move || {
        fs::rename(&folder, aside).unwrap();
        fs::create_dir(&folder).unwrap();
    });
    assert!(fs::read_dir(world.path("b")).unwrap().next().is_none());
    for _ in 0..2 {
        let error = world.try_sync("b").unwrap_err();
        assert!(matches!(error, Error::Guard(_)), "{error}");
    }
    assert_eq!(world.sync("a"), Summary::default());
    assert_eq!(world.read("a/d/f"), "from a");
}

/// Of many new files only the first are flushed one by one; one that waits until a folder is empty comes
/// in a small batch of its own.
#[test]
fn a_file_that_waited_for_a_folder_is_flushed() {
    let mut world = World::new();
    world.write("a/z/f", "one");
    world.settle(&["a", "b"]);
    (0..8).for_each(|n| world.write(&format!("a/{n}"), format!("file {n}")));
    world.remove("a/z");
    world.write("a/z", "a file");
    world.sync("a");
    let disk = Arc::new(Mutex::new(Disk::new(world.path("graves"))));
    planted::put_on(Some(disk.clone()));
    let mut batches = 0;
    planted::plan(
        None,
        Some(Box::new(move |moment| {
            batches += usize::from(moment == "the rows are written");
            batches < 3
        })),
    );
    assert!(matches!(world.try_sync("b"), Err(Error::Stopped)));
    planted::plan(None, None);
    disk.lock().unwrap().lose_power(usize::MAX, || true);
    planted::put_on(None);
    world.settle(&["b", "a"]);
    assert_eq!(world.read("a/z"), "a file");
    world.assert_equal("a", "b");
}

/// Syncs a folder, and does something the first time that a moment comes, which ends the round.
fn crash_and(world: &mut World, name: &str, moment: &'static str, action: impl FnOnce() + 'static) {
    let mut action = Some(action);
    planted::plan(
        None,
        Some(Box::new(move |now| {
            let is_it = now == moment;
            action.take_if(|_| is_it).into_iter().for_each(|action| action());
            !is_it
        })),
    );
    assert!(matches!(world.try_sync(name), Err(Error::Stopped)), "{moment}: never came");
    planted::plan(None, None);
}

#[test]
fn a_file_that_is_moved_back_while_its_old_name_is_deleted_stays() {
    let mut world = World::new();
    world.write("a/f", "one");
    world.settle(&["a", "b"]);
    fs::rename(world.path("a/f"), world.path("a/g")).unwrap();
    let (from, to) = (world.path("a/g"), world.path("a/f"));
    crash_and(&mut world, "a", "an entry is deleted", move || fs::rename(from, to).unwrap());
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    assert_eq!(world.names("b"), ["f"]);
    assert_eq!(world.read("b/f"), "one");
}

#[test]
fn a_change_that_is_undone_while_it_is_sent_is_kept_undone_as_well() {
    let mut world = World::new();
    world.write("a/f", "one");
    world.settle(&["a", "b"]);
    world.write("a/f", "two");
    let path = world.path("a/f");
    crash_and(&mut world, "a", "an entry is set", move || fs::write(path, "one").unwrap());
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    assert_has(&world, "a", "one");
}

#[test]
fn a_change_that_is_undone_before_its_row_is_written_is_kept_undone_as_well() {
    for deletes in [false, true] {
        let mut world = World::new();
        world.write("a/f", "one");
        world.settle(&["a", "b"]);
        if deletes {
            world.remove("a/f")
        } else {
            world.write("a/f", "two")
        }
        world.sync("a");
        let path = world.path("b/f");
        crash_and(&mut world, "b", "a file is in place", move || fs::write(path, "one").unwrap());
        world.settle(&["b", "a"]);
        world.assert_equal("a", "b");
        assert_has(&world, "a", "one");
    }
}

/// The second round finds the file in place, and only makes its row.
#[test]
fn a_file_that_a_killed_round_has_put_in_place_is_flushed_by_the_next_one() {
    let mut world = World::new();
    world.write("a/f", "one");
    world.sync("a");
    let disk = Arc::new(Mutex::new(Disk::new(world.path("graves"))));
    planted::put_on(Some(disk.clone()));
    crash_and(&mut world, "b", "a file is in place", || {});
    world.sync("b");
    disk.lock().unwrap().lose_power(usize::MAX, || true);
    planted::put_on(None);
    world.settle(&["b", "a"]);
    world.assert_equal("a", "b");
    assert_eq!(world.read("a/f"), "one");
}

#[test]
fn a_mode_that_is_set_while_another_one_or_a_file_comes_is_seen_by_the_next_round() {
    use std::os::unix::fs::PermissionsExt;
    for (what, moment) in [("mode", "a mode is set"), ("file", "the old file is out")] {
        let mut world = World::new();
        world.write("a/f", "one");
        world.settle(&["a", "b"]);
        let set = |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        match what {
            "mode" => set(world.path("a/f"), 0o755),
            _ => world.write("a/f", "two"),
        }
        world.sync("a");
        let path = world.path("b/f");
        sync_and(&mut world, "b", moment, move || set(path, 0o600)).unwrap();
        world.settle(&["b", "a"]);
        world.assert_equal("a", "b");
    }
}
