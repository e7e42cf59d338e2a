//! What users do to the marker's folders in the middle of a round.

use super::moments::{changed, sync_and};
use super::planted;
use super::world::{World, open};
use crate::sync::report::Event;
use std::cell::Cell;
use std::fs;
use std::rc::Rc;

#[test]
fn folders_of_the_marker_that_are_removed_in_a_round_lose_nothing() {
    let moments = [
        "an entry is read",
        "a new file is complete",
        "the new files are flushed",
        "the old file is looked at",
        "the rows are written",
    ];
    for (moment, part) in moments.iter().flat_map(|m| [(*m, "tmp"), (*m, "trash")]) {
        let mut world = changed();
        world.write("a/new", "new");
        world.sync("a");
        let settings = world.settings("b");
        let mut quiet = |_: Event<'_>| {};
        let mut folder = open(&settings, &mut quiet).unwrap();
        let path = world.path("b/.telefile-sync").join(part);
        let was_there = Rc::new(Cell::new(false));
        let came = was_there.clone();
        let remove = move |now| {
            if now == moment && !came.replace(true) {
                fs::remove_dir_all(&path).unwrap();
            }
            true
        };
        planted::plan(None, Some(Box::new(remove)));
        let first = folder.round(None);
        planted::plan(None, None);
        assert!(was_there.get(), "{moment}: never came");
        if let Err(e) = first {
            assert!(e.may_pass() || folder.marker.is_damaged(), "{moment}, {part}: {e}");
        }
        for _ in 0..2 {
            folder.round(None).unwrap_or_else(|e| panic!("{moment}, {part}: {e}"));
        }
        drop(folder);
        world.assert_equal("a", "b");
        assert_eq!(world.names("b"), ["d", "d/f", "new"], "{moment}, {part}");
    }
}

#[test]
fn a_trash_that_is_just_being_removed_is_no_reason_to_end() {
    let mut world = World::new();
    ["one", "two"].iter().for_each(|name| world.write(&format!("a/{name}"), "old"));
    world.settle(&["a", "b"]);
    ["one", "two"].iter().for_each(|name| world.write(&format!("a/{name}"), "new"));
    world.sync("a");
    let trash = world.path("b/.telefile-sync/trash");
    // All that is in it is gone, and the trash itself will be.
    let remove = move || {
        for folder in fs::read_dir(trash).unwrap() {
            fs::remove_dir_all(folder.unwrap().path()).unwrap();
        }
    };
    let e = sync_and(&mut world, "b", "an old file is in the trash", remove).unwrap_err();
    assert!(e.may_pass(), "{e}");
    assert!(e.to_string().starts_with(".telefile-sync/trash: "), "{e}");
    world.settle(&["b", "a"]);
    world.assert_equal("a", "b");
    assert_eq!(world.read("a/two"), "new");
}
