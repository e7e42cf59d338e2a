//! Each row of the table of what others learned.

use super::world::World;
use crate::sync::error::Error;
use std::fs;
use std::os::unix::fs::symlink;

pub(super) fn pair() -> World {
    let mut world = World::new();
    world.write("a/f", "one");
    world.settle(&["a", "b"]);
    world
}

#[test]
fn both_sides_changed() {
    let mut world = pair();
    world.write("a/f", "from a");
    world.write("b/f", "from b");
    world.sync("a");
    assert_eq!(world.sync("b").conflicts, 1);
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    assert_eq!(world.read("a/f"), "from a");
    let names = world.names("a");
    let copy = names.iter().find(|name| name.starts_with("f.conflict-")).unwrap();
    assert_eq!(world.read(&format!("a/{copy}")), "from b");
    // The copy in its turn: another copy of the original.
    let path = format!("a/{copy}");
    world.write(&path, "again a");
    world.write(&path.replace("a/", "b/"), "again b");
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    let names = world.names("a");
    assert_eq!(names.len(), 3);
    assert!(names.iter().all(|name| name.matches(".conflict-").count() <= 1), "{names:?}");
}

#[test]
fn the_same_change_on_both_sides_is_none() {
    let mut world = pair();
    world.write("a/f", "same");
    world.write("b/f", "same");
    world.settle(&["a", "b"]);
    assert_eq!(world.names("a"), ["f"]);
}

#[test]
fn a_second_session_on_a_folder_with_files_overwrites_nothing() {
    let mut world = pair();
    world.write("c/f", "mine");
    world.write("c/g", "only here");
    assert_eq!(world.sync("c").conflicts, 1);
    world.settle(&["a", "b", "c"]);
    world.assert_equal("a", "c");
    let contents: Vec<_> = world.tree("a").into_values().map(|(text, _)| text).collect();
    for text in ["one", "mine", "only here"] {
        assert!(contents.iter().any(|found| found == text), "{text}: {contents:?}");
    }
}

#[test]
fn an_edit_beats_a_deletion() {
    let mut world = pair();
    world.remove("a/f");
    world.write("b/f", "edited");
    world.settle(&["a", "b"]);
    assert_eq!(world.read("a/f"), "edited");
    world.write("a/f", "edited again");
    world.remove("b/f");
    world.settle(&["a", "b"]);
    assert_eq!(world.read("b/f"), "edited again");
}

#[test]
fn a_deletion_while_the_other_is_away_stays_one() {
    let mut world = pair();
    world.write("a/g", "two");
    world.settle(&["a", "b"]);
    world.remove("a/f");
    world.sync("a");
    world.write("b/h", "three");
    world.settle(&["b", "a"]);
    assert_eq!(world.names("a"), ["g", "h"]);
    world.assert_equal("a", "b");
}

#[test]
fn a_lost_index_merges_and_deletes_nothing() {
    let mut world = pair();
    world.write("a/g", "two");
    world.settle(&["a", "b"]);
    world.remove("b-state");
    world.remove("b/g");
    world.write("b/f", "edited");
    world.settle(&["b", "a"]);
    world.assert_equal("a", "b");
    let names = world.names("a");
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(world.read("a/g"), "two");
}

#[test]
fn a_server_that_lost_its_table_gets_everything_back() {
    let mut world = pair();
    world.write("b/g", "two");
    world.settle(&["b", "a"]);
    world.stop();
    world.remove("a/g");
    world.write("b/h", "made without a server");
    assert!(matches!(world.try_sync("b"), Err(Error::Server(_))));
    world.start();
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    assert_eq!(world.names("a"), ["f", "g", "h"]);
}

#[cfg(feature = "durable")]
#[test]
fn a_server_restart_changes_nothing() {
    let mut world = World::durable();
    world.write("a/f", "one");
    world.settle(&["a", "b"]);
    world.stop();
    world.remove("a/f");
    world.write("a/g", "two");
    world.start_durable();
    world.settle(&["a", "b"]);
    assert_eq!(world.names("b"), ["g"]);
}

#[test]
fn an_emptied_folder_is_no_deletion() {
    let mut world = World::new();
    for n in 0..30 {
        world.write(&format!("a/{n}"), format!("file {n}"));
    }
    world.settle(&["a", "b"]);
    for n in 0..21 {
        world.remove(&format!("a/{n}"));
    }
    let error = world.try_sync("a").unwrap_err();
    assert!(matches!(error, Error::Guard(_)), "{error}");
    assert_eq!(world.names("b").len(), 30);
    let mut settings = world.settings("a");
    settings.force = true;
    world.try_sync_with(&settings).unwrap();
    // In the other direction too.
    let error = world.try_sync("b").unwrap_err();
    assert!(matches!(error, Error::Guard(_)), "{error}");
    assert_eq!(world.names("b").len(), 30);
    let mut settings = world.settings("b");
    settings.force = true;
    world.try_sync_with(&settings).unwrap();
    world.assert_equal("a", "b");
}

#[test]
fn moved_files_are_no_deletions() {
    let mut world = World::new();
    for n in 0..40 {
        world.write(&format!("a/d/{n}"), format!("file {n}"));
    }
    world.settle(&["a", "b"]);
    fs::rename(world.path("a/d"), world.path("a/e")).unwrap();
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    assert_eq!(world.names("b").len(), 41);
}

#[test]
fn an_unmounted_folder_is_no_deletion() {
    let mut world = pair();
    fs::rename(world.path("a"), world.path("elsewhere")).unwrap();
    fs::create_dir(world.path("a")).unwrap();
    let error = world.try_sync("a").unwrap_err();
    assert!(matches!(&error, Error::Guard(why) if why.contains("mounted")), "{error}");
    let mut settings = world.settings("a");
    settings.new = true;
    world.try_sync_with(&settings).unwrap();
    world.assert_equal("a", "b");
}

#[test]
fn symlinks_and_devices_are_left_alone_and_counted() {
    let mut world = pair();
    world.write("outside/secret", "secret");
    symlink(world.path("outside"), world.path("a/link")).unwrap();
    symlink("nowhere", world.path("a/dangling")).unwrap();
    let summary = world.sync("a");
    assert_eq!(summary.left_out.len(), 2, "{summary:?}");
    world.settle(&["a", "b"]);
    assert_eq!(world.names("b"), ["f"]);
    // A file that is a symlink now is no deletion.
    world.remove("a/f");
    symlink(world.path("outside/secret"), world.path("a/f")).unwrap();
    world.settle(&["a", "b"]);
    assert_eq!(world.read("b/f"), "one");
    // Nor is anything written through one.
    world.write("b/f", "edited");
    world.write("b/link/x", "beyond");
    world.settle(&["b", "a"]);
    assert_eq!(world.read("outside/secret"), "secret");
    assert!(!world.path("outside/x").exists());
}

#[test]
fn ignored_paths_are_left_alone_on_both_sides() {
    let mut world = pair();
    world.write("a/.telefile-ignore", "*.o\n/build/\n");
    world.write("a/x.o", "object");
    world.write("a/build/out", "out");
    world.write("a/keep/build/out", "kept");
    world.settle(&["a", "b"]);
    assert_eq!(world.names("b"), [".telefile-ignore", "f", "keep", "keep/build", "keep/build/out"]);
    // What is ignored from now on is no deletion; what is no longer ignored is first contact.
    world.write("a/.telefile-ignore", "f\n");
    world.remove("b/x.o".replace("x.o", "keep").as_str());
    world.settle(&["a", "b"]);
    assert_eq!(world.read("b/f"), "one");
    assert!(world.path("b/x.o").exists() && world.path("b/build/out").exists());
}

#[test]
fn an_unknown_id_and_another_id_are_refused() {
    let mut world = pair();
    let mut settings = world.settings("c");
    settings.id = Some("0".repeat(32));
    let error = world.try_sync_with(&settings).unwrap_err();
    assert!(matches!(&error, Error::Refused(why) if why.contains("--new")), "{error}");
    let mut settings = world.settings("a");
    settings.id = Some("0".repeat(32));
    let error = world.try_sync_with(&settings).unwrap_err();
    assert!(matches!(&error, Error::Refused(why) if why.contains("--new")), "{error}");
    // The marker's own id goes without saying.
    let mut settings = world.settings("a");
    settings.id = None;
    assert!(world.try_sync_with(&settings).unwrap().is_quiet());
}

#[test]
fn two_clients_on_one_folder_and_nested_folders_are_refused() {
    let mut world = pair();
    let settings = world.settings("a");
    let mut quiet = |_: crate::sync::Event<'_>| {};
    let held = super::world::open(&settings, &mut quiet).unwrap();
    let error = world.try_sync("a").unwrap_err();
    assert!(matches!(&error, Error::Refused(why) if why.contains("another process")), "{error}");
    drop(held);
    world.sync("a");
    let error = world.try_sync("a/sub").unwrap_err();
    assert!(matches!(&error, Error::Refused(why) if why.contains("itself")), "{error}");
}

#[test]
fn a_removed_session_is_no_deletion() {
    let mut world = pair();
    let settings = world.settings("a");
    let id = world.id.clone().unwrap();
    assert_eq!(crate::sync::forget(&settings, &id).unwrap(), 1);
    let error = world.try_sync("a").unwrap_err();
    assert!(matches!(&error, Error::Refused(why) if why.contains("removed")), "{error}");
    assert_eq!(world.read("a/f"), "one");
    assert!(crate::sync::forget(&settings, &id).is_err());
}

#[test]
fn a_program_that_another_thread_starts_refuses_nobody() {
    let mut world = World::new();
    world.write("a/one", "1");
    world.sync("a");
    // Until it runs, a new process has every file open that this one has.
    let starts = std::thread::spawn(|| {
        (0..100).all(|_| std::process::Command::new("true").status().unwrap().success())
    });
    let mut rounds = 0;
    while !starts.is_finished() {
        world.sync("a");
        rounds += 1;
    }
    assert!(starts.join().unwrap() && rounds > 0);
}

#[test]
fn a_deleted_folder_with_ignored_files_in_it_stays_on_their_machine_alone() {
    let mut world = pair();
    world.write("a/.telefile-ignore", "*.o\n");
    world.write("a/d/e/f", "one");
    world.settle(&["a", "b"]);
    world.write("b/d/e/x.o", "object");
    world.remove("a/d");
    world.settle(&["a", "b"]);
    assert_eq!(world.names("a"), [".telefile-ignore", "f"]);
    assert_eq!(world.names("b"), [".telefile-ignore", "d", "d/e", "d/e/x.o", "f"]);
    // A file that is not ignored brings it back, and so does an empty folder beside the ignored file.
    fs::create_dir(world.path("b/d/empty")).unwrap();
    world.settle(&["b", "a"]);
    assert_eq!(world.names("a"), [".telefile-ignore", "d", "d/empty", "f"]);
    world.write("b/d/e/g", "two");
    world.settle(&["b", "a"]);
    let names = [".telefile-ignore", "d", "d/e", "d/e/g", "d/empty", "f"];
    assert_eq!(world.names("a"), names);
}
