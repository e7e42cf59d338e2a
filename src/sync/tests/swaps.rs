//! A folder that becomes a symlink to another one at any step of a round, and becomes itself again.

use super::disk::Disk;
use super::planted;
use super::world::World;
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;

/// For how many steps the symlink stays: one number after another.
const LENGTHS: [usize; 3] = [1, 4, usize::MAX];

/// What is in both folders in the end.
const WANTED: [&str; 7] = [
    "from a",
    "both, from a",
    "both, from b",
    "new, from a",
    "from b",
    "new, from b",
    "a file now",
];

/// Puts a symlink in the place of `b/d`.
fn swap_in(home: &Path) {
    let folder = home.join("b/d");
    // The round may have made a folder of this name, or taken it away.
    if fs::rename(&folder, home.join("parked")).is_ok() {
        symlink(home.join("outside"), folder).unwrap();
    }
}

/// Puts the folder back.
fn swap_out(home: &Path) {
    let (folder, parked) = (home.join("b/d"), home.join("parked"));
    if parked.exists() {
        // A conflict copy may have been made of the symlink.
        let _ = fs::remove_file(&folder);
        fs::rename(parked, folder).unwrap();
    }
}

/// Everything that a round does in a folder, from both sides.
fn changed() -> World {
    let mut world = World::new();
    for name in ["changed", "deleted", "mode", "mine-changed", "mine-deleted", "kind/f", "both"] {
        world.write(&format!("a/d/{name}"), name);
    }
    world.settle(&["a", "b"]);
    world.write("a/d/changed", "from a");
    world.write("a/d/both", "both, from a");
    world.write("a/d/new/f", "new, from a");
    world.remove("a/d/deleted");
    world.remove("a/d/kind");
    world.write("a/d/kind", "a file now");
    fs::set_permissions(world.path("a/d/mode"), fs::Permissions::from_mode(0o700)).unwrap();
    world.sync("a");
    world.write("b/d/mine-changed", "from b");
    world.write("b/d/both", "both, from b");
    world.write("b/d/mine-new/f", "new, from b");
    world.remove("b/d/mine-deleted");
    for name in ["changed", "deleted", "mode", "mine-changed", "mine-new", "kind", "secret"] {
        world.write(&format!("outside/{name}"), "OUTSIDE");
    }
    world
}

/// Swaps at each step, one after another, for `length` steps.
fn swap_everywhere(length: usize, exchanges: bool) {
    for first in 0.. {
        let case = format!("{length} steps from {first}, {exchanges}");
        let mut world = changed();
        let outside = world.tree("outside");
        let mut disk = Disk::new(world.path("graves"));
        disk.exchanges = exchanges;
        planted::put_on(Some(Arc::new(Mutex::new(disk))));
        let (home, steps) = (world.home.clone(), Rc::new(Cell::new(0_usize)));
        let counter = steps.clone();
        let at_step = move |_| {
            match counter.replace(counter.get() + 1).checked_sub(first) {
                Some(0) => swap_in(&home),
                Some(since) if since == length => swap_out(&home),
                _ => {}
            }
            true
        };
        planted::plan(None, Some(Box::new(at_step)));
        let synced = world.try_sync("b");
        planted::plan(None, None);
        planted::put_on(None);
        // What the symlink is in the way of waits, and stops nothing else.
        synced.unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!(world.tree("outside"), outside, "{case}");
        swap_out(&world.home);
        world.settle(&["b", "a"]);
        world.assert_equal("a", "b");
        let tree = world.tree("a");
        for text in WANTED {
            assert!(tree.values().any(|(found, _)| found == text), "{case}: {text}: {tree:?}");
        }
        assert!(tree.values().all(|(text, _)| text != "OUTSIDE"), "{case}: {tree:?}");
        if steps.get() <= first {
            assert!(first > 20, "{case}");
            break;
        }
    }
}

#[test]
fn a_folder_that_becomes_a_symlink_at_any_step_leads_nowhere() {
    thread::scope(|scope| {
        for exchanges in [true, false] {
            for length in LENGTHS {
                scope.spawn(move || swap_everywhere(length, exchanges));
            }
        }
    });
}
