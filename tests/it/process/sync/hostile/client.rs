//! A client that knows the id and writes what it likes.

use super::super::{User, start};
use super::{Honest, check, most_memory};
use crate::server::eventually;
use rustix::process::Signal;

/// The largest contents that a client takes are 64 MiB.
const OVER: usize = (64 << 20) + 1;

/// So many large ones do not fit into the memory that a client may take.
const LARGE: usize = 4;

fn write_lies(user: &User, honest: &Honest) -> Vec<(String, String, &'static str)> {
    let mut client = user.serving.client();
    let lies = honest.lies();
    for (key, entry, _) in &lies {
        let reply = client.write(&honest.name(key), entry.as_bytes());
        assert!(reply.starts_with("OK "), "{key}: {reply}");
    }
    lies
}

#[test]
fn entries_of_a_hostile_client_are_named_and_keep_nobody_from_the_others() {
    let user = User::new();
    let honest = Honest::of(&user);
    let lies = write_lies(&user, &honest);
    let ended = user.once("b", &[&honest.id]);
    assert_eq!(ended.status, 1, "{ended:?}");
    check(&user, &ended.stderr, &lies);

    // The first client goes on as well.
    user.write("a/ok", "more\n");
    let ended = user.once("a", &[]);
    assert_eq!(ended.status, 1, "{ended:?}");
    let ended = user.once("b", &[]);
    assert_eq!(ended.status, 1, "{ended:?}");
    check(&user, &ended.stderr, &lies);
}

#[test]
fn hostile_entries_take_little_memory_and_are_said_once() {
    let user = User::new();
    let honest = Honest::of(&user);
    let lies = write_lies(&user, &honest);
    let mut client = user.serving.client();
    let large = vec![b'x'; 30 << 20];
    for n in 0..LARGE {
        assert!(client.write(&honest.name(&format!("large-{n}")), &large).starts_with("OK "));
    }
    let mut running = start(user.sync("b", &[&honest.id]));
    // Two rounds: parts that are missing may just be on their way.
    let is_said = |key: &str| {
        let begin = format!("telefile: {}: left out: ", key.escape_debug());
        running.stderr.now().lines().filter(|line| line.starts_with(&begin)).count()
    };
    eventually("each is said", || lies.iter().all(|(key, ..)| is_said(key) > 0));
    check(&user, &running.stderr.now(), &lies);
    let most = most_memory(&running);
    assert!(most < 200, "{most} MB");
    // An honest change comes while all of that is there.
    user.write("a/later", "later\n");
    assert_eq!(user.once("a", &[]).status, 1);
    eventually("it comes", || user.path("b/later").exists());
    for (key, ..) in &lies {
        assert_eq!(is_said(key), 1, "{key}: {}", running.stderr.now());
    }
    running.signal(Signal::TERM);
    assert_eq!(running.wait(), 0);
}

#[test]
fn too_large_entries_and_chunks_keep_nobody_from_the_others() {
    let user = User::new();
    let honest = Honest::of(&user);
    let mut client = user.serving.client();
    let reply = client.write(&honest.name("0-first"), &vec![b'x'; OVER - 1]);
    assert!(reply.starts_with("OK "), "{reply}");
    let hash = honest.chunk.split_once(' ').unwrap().0;
    let chunk = format!("s/{}/c/{hash}", honest.id);
    assert!(client.write(&chunk, &vec![b'x'; 5 << 20]).starts_with("OK "));
    let ended = user.once("b", &[&honest.id]);
    assert_eq!(ended.status, 1, "{ended:?}");
    for words in
        ["0-first: left out: the server has something else", "large: left out: parts of it"]
    {
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
    assert_eq!(user.names("b"), ["ok"]);
    // An entry that fits is sent over the one of the liar, and the chunk is sent again.
    user.write("a/0-first", "honest\n");
    user.write("a/large", &user.read("a/large").replacen("0 ", "O ", 1));
    user.once("a", &[]);
    let ended = user.once("b", &[]);
    assert!(ended.stderr.contains("0-first") || user.path("b/large").exists(), "{ended:?}");
}
