//! What is read and sent: files in motion, uploads that break, and entries that nobody of us wrote.

use super::planted;
use super::world::{World, open};
use crate::client::Client;
use crate::sync::disk::root::Root;
use crate::sync::disk::unchanged::read_unchanged;
use crate::sync::error::Error;
use crate::sync::hash::Hash;
use crate::sync::path::RelPath;
use crate::sync::report::Event;
use crate::sync::server::entry::{Body, ChunkRef, Content, Entry};
use std::cell::Cell;
use std::fs;
use std::io::Read;
use std::rc::Rc;

#[test]
fn a_file_that_changes_before_or_while_it_is_read_is_busy() {
    let world = World::new();
    let file = world.path("f");
    let root = Root::open(&world.home).unwrap();
    let path = RelPath::new(b"f").unwrap();
    let stat = || root.stat(&path).unwrap().unwrap();
    let read = |stat, action: &dyn Fn()| {
        let mut action = Some(action);
        let read = read_unchanged(&root, &path, &stat, |file| {
            let mut byte = [0];
            // It changes after its first byte was read.
            file.read_exact(&mut byte)?;
            action.take().into_iter().for_each(|action| action());
            let mut rest = Vec::new();
            file.read_to_end(&mut rest)
        });
        read.unwrap().is_ok()
    };
    fs::write(&file, "as it was").unwrap();
    assert!(read(stat(), &|| {}));
    let before = stat();
    assert!(!read(before, &|| fs::write(&file, "as it now").unwrap()), "in place, as long");
    assert!(!read(before, &|| {}), "it had changed before");
    assert!(!read(stat(), &|| {
        let append = fs::OpenOptions::new().append(true).open(&file).unwrap();
        std::io::Write::write_all(&mut &append, b"more").unwrap();
    }));
    // Another file is at the path by now: what was read is whole all the same.
    assert!(read(stat(), &|| {
        fs::write(world.path("g"), "another").unwrap();
        fs::rename(world.path("g"), world.path("h")).unwrap();
    }));
    fs::remove_file(&file).unwrap();
    assert!(!read(before, &|| {}), "it is gone");
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_sent_whole_in_the_next_round() {
    let mut world = World::new();
    world.sync("a");
    // Longer than what is read ahead of the first chunk.
    world.write("a/f", "x".repeat(24 << 20));
    let path = world.path("a/f");
    let written = Rc::new(Cell::new(0));
    let count = written.clone();
    planted::plan(
        None,
        Some(Box::new(move |moment| {
            if moment == "a chunk is stored" && count.get() < 1 {
                count.set(count.get() + 1);
                fs::write(&path, "y".repeat(100)).unwrap();
            }
            true
        })),
    );
    let summary = world.try_sync("a").unwrap();
    planted::plan(None, None);
    assert_eq!((written.get(), summary.pushed), (1, 1), "{summary:?}");
    world.sync("b");
    assert_eq!(world.read("b/f"), "y".repeat(100));
}

#[test]
fn an_upload_that_broke_sends_the_rest_alone() {
    let mut world = World::new();
    world.sync("a");
    let bytes: Vec<u8> =
        (0..1_500_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    world.write("a/large", &bytes);
    let stored = Rc::new(Cell::new(0));
    let sync = |world: &mut World, stop_at: usize| {
        let (count, mut here) = (stored.clone(), 0);
        planted::plan(
            None,
            Some(Box::new(move |moment| {
                here += usize::from(moment == "a chunk is stored");
                count.set(here);
                here < stop_at
            })),
        );
        let done = world.try_sync("a");
        planted::plan(None, None);
        done
    };
    let chunks = |world: &World| {
        let settings = world.settings("a");
        let mut quiet = |_: Event<'_>| {};
        let folder = open(&settings, &mut quiet).unwrap();
        folder.remote().unwrap().list("c/").unwrap().versions.len()
    };
    assert!(matches!(sync(&mut world, 6), Err(Error::Stopped)));
    let first = chunks(&world);
    assert!(first >= 6, "{first}");
    sync(&mut world, usize::MAX).unwrap();
    assert_eq!(stored.get(), chunks(&world) - first);
    world.sync("b");
    assert!(fs::read(world.path("b/large")).unwrap() == bytes);
}

/// Writes an entry as any client with the id could.
fn plant(client: &Client, world: &World, key: &str, text: &[u8]) {
    client.write(&format!("s/{}/e/{key}", world.id.as_ref().unwrap()), text).unwrap();
}

#[test]
fn entries_that_nobody_of_us_wrote_leave_the_folder_alone() {
    let mut world = World::new();
    world.write("a/f", "one");
    world.settle(&["a", "b"]);
    let settings = world.settings("b");
    let client = settings.builder().connect(&settings.address).unwrap();
    let hash = Hash::of(b"never stored");
    let head = |path: &str| format!("path {path}\nfrom c\n\n");
    let inline = |path: &str| format!("file 644 0 1 {} inline\n{}x", Hash::of(b"x"), head(path));
    for (key, text) in [
        ("up", inline("../up")),
        ("absolute", inline("/tmp/absolute")),
        ("marker", inline(".telefile-sync/id")),
        ("other", inline("f")),
        ("~0000", inline("f")),
        ("a/../../up", inline("a/../../up")),
        ("wrong", format!("file 644 0 1 {hash} inline\n{}x", head("wrong"))),
        ("huge", format!("file 644 0 9223372036854775807 {hash} inline\n{}x", head("huge"))),
        ("nothing", String::new()),
    ] {
        plant(&client, &world, key, text.as_bytes());
    }
    // Chunks that are not there, or not what they are called.
    let chunks = |path: &str| {
        let body = Body::Chunks(vec![ChunkRef { hash, length: 12 }]);
        let path = RelPath::new(path.as_bytes()).unwrap();
        let content = Content::File { hash, size: 12, body };
        Entry { path, mode: 0o644, mtime: 0, content, from: "c".to_string() }.to_bytes()
    };
    plant(&client, &world, "missing", &chunks("missing"));
    world.sync("b");
    let name = format!("s/{}/c/{hash}", world.id.as_ref().unwrap());
    client.write(&name, b"other bytes!").unwrap();
    for _ in 0..2 {
        world.sync("b");
    }
    assert_eq!(world.names("b"), ["f"]);
    assert_eq!(world.read("b/f"), "one");
    assert!(!world.path("up").exists());
    // What is right is still brought.
    world.write("a/g", "two");
    world.sync("a");
    world.sync("b");
    assert_eq!(world.names("b"), ["f", "g"]);
}
