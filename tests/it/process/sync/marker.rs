//! What users do to the marker folder while a client runs.

use super::{User, start};
use crate::server::eventually;
use rustix::process::Signal;
use std::fs;

#[test]
fn folders_of_the_marker_that_are_removed_are_made_again() {
    let user = User::new();
    let large = |byte: &str| byte.repeat(200_000);
    user.write("a/old", "1");
    user.write("a/large", &large("x"));
    user.write("a/gone", "3");
    let id = user.does("a", &[], "3 sent");
    let mut running = start(user.sync("b", &[&id]));
    fs::remove_dir_all(user.path("b/.telefile-sync/tmp")).unwrap();
    user.write("a/old", "more");
    user.write("a/large", &large("y"));
    user.write("a/new", "new");
    user.does("a", &[], "3 sent");
    let has = |name: &str| {
        fs::read(user.path(&format!("b/{name}"))).ok()
            == fs::read(user.path(&format!("a/{name}"))).ok()
    };
    eventually("the changes come", || ["old", "large", "new"].iter().all(|name| has(name)));
    // When the next round has brought this, the earlier ones have put what they replaced into the trash.
    user.write("a/last", "last");
    user.does("a", &[], "1 sent");
    eventually("the last one comes", || has("last"));
    fs::remove_dir_all(user.path("b/.telefile-sync/tmp")).unwrap();
    fs::remove_dir_all(user.path("b/.telefile-sync/trash")).unwrap();
    fs::remove_file(user.path("a/gone")).unwrap();
    user.does("a", &[], "1 deleted on the server");
    eventually("the deletion comes", || has("gone"));
    let thrown = || {
        let folder = fs::read_dir(user.path("b/.telefile-sync/trash")).ok()?.next()?.ok()?;
        fs::read(folder.path().join("gone")).ok()
    };
    eventually("it is in the trash", || thrown().is_some_and(|content| content == b"3"));
    running.signal(Signal::TERM);
    assert_eq!(running.wait(), 0);
    let said = running.stderr.whole();
    let times = |name: &str| {
        said.matches(&format!(".telefile-sync/{name} was removed, so it was made again")).count()
    };
    assert_eq!((times("tmp"), times("trash")), (2, 1), "{said}");
    assert!(!said.contains("left out"), "{said}");
}

#[test]
fn another_marker_stops_a_client() {
    let user = User::new();
    user.write("a/one", "1");
    user.does("a", &[], "1 sent");
    let mut running = start(user.sync("a", &[]));
    let marker = user.path("a/.telefile-sync");
    let copy = user.path("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(marker.join("id"), copy.join("id")).unwrap();
    fs::rename(&marker, user.path("aside")).unwrap();
    // Between the two renames it is gone, which stops the client as well.
    fs::rename(&copy, &marker).unwrap();
    assert_eq!(running.wait(), 5);
    let words = ".telefile-sync is gone or another one";
    let said = running.stderr.whole();
    assert!(said.contains(words), "{said}");
    assert_eq!(user.read("a/one"), "1");
}

#[test]
fn a_damaged_id_says_how_to_go_on() {
    let user = User::new();
    user.write("a/one", "1");
    let id = user.does("a", &[], "1 sent");
    fs::write(user.path("a/.telefile-sync/id"), "749d\n").unwrap();
    let ended = user.once("a", &[]);
    ended
        .failed(1, &[".telefile-sync/id is damaged: remove that file, and give the id with --new"]);
    fs::remove_file(user.path("a/.telefile-sync/id")).unwrap();
    assert_eq!(user.does("a", &[&id, "--new"], "nothing to do"), id);
}
