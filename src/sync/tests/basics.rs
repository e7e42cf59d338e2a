//! Two folders and one server: what is made, changed, moved and deleted on one side is on the other.

use super::world::World;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

fn pair() -> World {
    let mut world = World::new();
    world.write("a/notes.txt", "one");
    world.write("a/d/e/deep.txt", "deep");
    fs::create_dir_all(world.path("a/empty/er")).unwrap();
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    world
}

#[test]
fn files_that_were_there_before_the_first_start_are_pushed_and_pulled() {
    let world = pair();
    assert_eq!(world.names("b"), ["d", "d/e", "d/e/deep.txt", "empty", "empty/er", "notes.txt"]);
}

#[test]
fn a_modified_file_is_sent_and_the_old_one_is_in_the_trash() {
    let mut world = pair();
    world.write("a/notes.txt", "two");
    assert_eq!(world.sync("a").pushed, 1);
    assert_eq!(world.sync("b").pulled, 1);
    assert_eq!(world.read("b/notes.txt"), "two");
    let trash = fs::read_dir(world.path("b/.telefile-sync/trash")).unwrap().next().unwrap();
    assert_eq!(fs::read_to_string(trash.unwrap().path().join("notes.txt")).unwrap(), "one");
    assert!(world.sync("a").is_quiet() && world.sync("b").is_quiet());
}

#[test]
fn deleted_and_moved_files_and_folders_follow() {
    let mut world = pair();
    world.remove("a/empty");
    fs::rename(world.path("a/d"), world.path("a/moved")).unwrap();
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    assert_eq!(world.names("b"), ["moved", "moved/e", "moved/e/deep.txt", "notes.txt"]);
}

#[test]
fn modes_follow_but_no_setuid_bit() {
    let mut world = pair();
    let set = |path: &str, mode| {
        fs::set_permissions(world.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("a/notes.txt", 0o4711);
    set("a/d", 0o700);
    world.settle(&["a", "b"]);
    let tree = world.tree("b");
    assert_eq!((tree["notes.txt"].1, tree["d"].1), (0o711, 0o700));
}

#[test]
fn a_large_file_goes_in_chunks_and_a_change_sends_few() {
    let mut world = pair();
    let bytes: Vec<u8> =
        (0..500_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    world.write("a/large", &bytes);
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    world.write("a/large", [&b"x"[..], &bytes].concat());
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    fs::rename(world.path("b/large"), world.path("b/renamed")).unwrap();
    world.settle(&["b", "a"]);
    world.assert_equal("a", "b");
}

#[test]
fn kinds_change_both_ways() {
    let mut world = pair();
    world.remove("a/notes.txt");
    world.write("a/notes.txt/inside", "a folder now");
    world.remove("a/d");
    world.write("a/d", "a file now");
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    assert_eq!(world.read("b/d"), "a file now");
    assert_eq!(world.read("b/notes.txt/inside"), "a folder now");
}

#[test]
fn any_bytes_are_a_name() {
    let mut world = pair();
    let long = "n".repeat(250);
    for name in
        [&b"a\nb"[..], b"a, b", b"'\"", b"-rf", b"\xff\xfe", b"~", b"a%20b", b"*", long.as_bytes()]
    {
        let path = world.path("a").join(std::ffi::OsStr::from_bytes(name));
        fs::write(path, name).unwrap();
        fs::create_dir_all(world.path("a").join("deep").join(std::ffi::OsStr::from_bytes(name)))
            .unwrap();
    }
    let deep = format!("a/{long}x/{long}/{long}");
    world.write(&deep, "a long path");
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    world.write(&deep, "and changed");
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
    world.remove(&format!("a/{long}x"));
    world.settle(&["a", "b"]);
    world.assert_equal("a", "b");
}

#[test]
fn several_sessions_are_on_one_server() {
    let mut world = pair();
    let first = world.id.take();
    world.write("x/other.txt", "other");
    world.settle(&["x", "y"]);
    world.assert_equal("x", "y");
    assert_ne!(world.id, first);
    world.id = first;
    world.settle(&["a", "b"]);
    assert!(!world.path("b/other.txt").exists());
}
