//! What a dry run prints, and that it does nothing.

use super::table::pair;
use super::world::World;
use crate::sync::{Event, Stop, run};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Returns the lines of a dry run.
fn plan(world: &World, name: &str) -> Vec<String> {
    let mut settings = world.settings(name);
    settings.dry_run = true;
    let mut lines = Vec::new();
    let mut observer = |event: Event<'_>| {
        if let Event::Plan(line) = event {
            lines.push(line.to_string());
        }
    };
    run(&settings, &mut observer, &Stop::new()).unwrap();
    lines
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut world = pair();
    world.write("a/g", "two");
    world.remove("a/f");
    let lines = plan(&world, "a");
    assert_eq!(lines, ["push g", "delete on the server f"]);
    assert!(world.sync("b").is_quiet());
}

#[test]
fn a_dry_run_shows_what_both_sides_changed() {
    let mut world = pair();
    for name in ["both", "same", "mode", "kind", "theirs"] {
        world.write(&format!("a/{name}"), "before");
    }
    world.settle(&["a", "b"]);
    for (name, a, b) in [("both", "from a", "from b"), ("same", "equal", "equal")] {
        world.write(&format!("a/{name}"), a);
        world.write(&format!("b/{name}"), b);
    }
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(world.path("b/mode"), mode).unwrap();
    world.remove("b/kind");
    world.write("b/kind", "a file still");
    world.remove("a/kind");
    fs::create_dir(world.path("a/kind")).unwrap();
    world.write("b/theirs", "from b");
    world.write("b/new", "from b");
    world.sync("b");
    let before = (world.tree("a"), world.tree("b"));
    let lines = plan(&world, "a");
    assert_eq!(
        lines,
        [
            "keep both versions of both",
            "keep both versions of kind",
            "set the mode of mode",
            "pull new",
            "pull theirs"
        ]
    );
    assert_eq!((world.tree("a"), world.tree("b")), before);
    assert_eq!(world.sync("a").conflicts, 2);
}
