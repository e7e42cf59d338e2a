//! A server that has no room for a large file.

use super::planted;
use super::world::{World, open};
use crate::sync::report::{Event, Summary};
use std::cell::Cell;
use std::rc::Rc;

/// Returns bytes that share no chunk with those of another seed.
fn bytes(seed: u32, count: u32) -> Vec<u8> {
    (0..count / 4)
        .flat_map(|n| (n + (seed << 28)).wrapping_mul(2_654_435_761).to_le_bytes())
        .collect()
}

/// Returns a world whose server has room for 2 MB.
fn small() -> World {
    let mut world = World::new();
    world.stop();
    world.start_small(2_000_000);
    world
}

#[track_caller]
fn assert_left_out(summary: &Summary, path: &str) {
    let [(left_out, why)] = &summary.left_out[..] else { panic!("{summary:?}") };
    assert_eq!(left_out, path);
    assert!(why.starts_with("the server's 2000000 bytes of memory"), "{why}");
}

#[test]
fn a_file_without_room_on_the_server_keeps_no_other_out() {
    let mut world = small();
    world.write("a/0-large", bytes(0, 8_000_000));
    world.write("a/1-chunks", "1".repeat(100));
    world.write("a/2-inline", "2");
    world.write("a/3-chunks", bytes(1, 300_000));
    let settings = world.settings("a");
    let mut id = None;
    let mut observer = |event: Event<'_>| {
        if let Event::Id(new) = event {
            id = Some(new.to_string());
        }
    };
    let stored = Rc::new(Cell::new(0));
    let count = stored.clone();
    planted::plan(
        None,
        Some(Box::new(move |moment| {
            count.set(count.get() + usize::from(moment == "a chunk is stored"));
            true
        })),
    );
    let mut folder = open(&settings, &mut observer).unwrap();
    let summary = folder.round(None).unwrap().0;
    assert_eq!(summary.pushed, 3, "{summary:?}");
    assert_left_out(&summary, "0-large");
    // It is not sent again, and what was sent of it takes no room.
    folder.collect_if_due().unwrap();
    let before = stored.get();
    world.write("a/4-chunks", bytes(2, 1_000_000));
    let summary = folder.round(None).unwrap().0;
    assert_eq!(summary.pushed, 1, "{summary:?}");
    assert_left_out(&summary, "0-large");
    assert!((1..10).contains(&(stored.get() - before)), "{}", stored.get() - before);
    // When it has become smaller it is.
    world.write("a/0-large", "small");
    let summary = folder.round(None).unwrap().0;
    assert_eq!((summary.pushed, summary.left_out.len()), (1, 0), "{summary:?}");
    planted::plan(None, None);
    drop(folder);
    world.id = id;
    world.sync("b");
    world.assert_equal("a", "b");
}

/// Nothing is lost by it, and the process goes on.
#[test]
fn a_server_without_any_room_ends_no_round() {
    let mut world = small();
    let settings = world.settings("a");
    let mut id = None;
    let mut observer = |event: Event<'_>| {
        if let Event::Id(new) = event {
            id = Some(new.to_string());
        }
    };
    let mut folder = open(&settings, &mut observer).unwrap();
    let client = settings.builder().connect(&settings.address).unwrap();
    let mut count = 0;
    for size in [100_000, 1000, 10, 0] {
        while client.write(&format!("full/{size}/{count}"), vec![0; size]).is_ok() {
            count += 1;
        }
    }
    world.write("a/large", "1".repeat(100));
    world.write("a/small", "2");
    let (summary, _) = folder.round(None).unwrap();
    let left_out: Vec<_> = summary.left_out.iter().map(|(path, _)| &**path).collect();
    assert_eq!(left_out, ["large", "small"], "{summary:?}");
    folder.collect_if_due().unwrap();
    for file in client.list("full/").unwrap() {
        client.delete(&file.unwrap().name, None).unwrap();
    }
    let (summary, _) = folder.round(None).unwrap();
    assert_eq!(summary.left_out.len(), 0, "{summary:?}");
    drop(folder);
    world.id = id;
    world.sync("b");
    world.assert_equal("a", "b");
}
