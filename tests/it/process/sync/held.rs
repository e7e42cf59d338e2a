//! A collector that does not end, such as that of a suspended client.

use super::{User, id_of, start};
use crate::process::run;
use crate::server::eventually;
use rustix::process::Signal;
use std::fs;

/// More than an entry holds.
const LARGE: usize = 200_000;

#[test]
fn a_collector_that_does_not_end_is_said_once_and_holds_back_large_files_alone() {
    let user = User::new();
    user.write("a/one", "1");
    let id = user.does("a", &[], "1 sent");
    // It holds its flag as long as its connection lasts.
    let mut collector = user.serving.client();
    let flag = format!("cas s/{id}/gc 0 11 -1\r\nlaptop-0a1b");
    assert!(collector.ask(&flag).starts_with("OK "));

    let mut running = start(user.sync("a", &[]));
    let has = |name: &str| {
        let stat = user.serving.client().ask(&format!("stat s/{id}/e/{name}"));
        stat.starts_with("STAT ")
    };
    user.write("a/large", &"x".repeat(LARGE));
    user.write("a/small", "2");
    let words =
        "files above 64 KiB wait for the collector of laptop-0a1b, which has not ended in 5 s";
    eventually("the small file comes", || has("small"));
    eventually("it is said", || running.stderr.now().contains(words));
    let status = || run(user.command(&["--status"])).stdout;
    let waits = "\n  large files wait for the collector of laptop-0a1b since 20";
    eventually("the status says it", || status().contains(waits));
    // Nobody waits for it any more.
    for n in 0..3 {
        let name = format!("small-{n}");
        user.write(&format!("a/{name}"), "3");
        eventually(&name, || has(&name));
    }
    assert!(!has("large"));

    // Nothing waits.
    fs::remove_file(user.path("a/large")).unwrap();
    eventually("the status says no more", || !status().contains("large files wait"));
    user.write("a/large", &"x".repeat(LARGE));
    eventually("the status says it", || status().contains(waits));

    drop(collector);
    eventually("the large file comes", || has("large"));
    eventually("the status says no more", || !status().contains("large files wait"));
    running.signal(Signal::TERM);
    assert_eq!(running.wait(), 0);
    let said = running.stderr.whole();
    assert_eq!(said.matches("collector").count(), 2, "{said}");
    assert_eq!(id_of(&running.stdout.whole()), id);
    let again = user.does("b", &[&id], "6 received");
    assert_eq!((again, fs::metadata(user.path("b/large")).unwrap().len()), (id, LARGE as u64));
}
