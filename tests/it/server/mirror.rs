//! Followers that list once and then watch, while others write, create, delete, touch, open, vanish
//! and let files expire: at the end a follower has the files of the server.

use super::{Client, Running, eventually};
use crate::random::Random;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use telefile::{Clock, Server};

const WRITERS: u64 = 4;
const NAMES: u64 = 30;

/// Changes files of `m/`, and some others, in every way there is.
fn disturb(server: &Running, seed: u64) {
    let mut random = Random(seed);
    let connect = |random: &mut Random| Client::connect(server.addresses()[random.below(2)]);
    let mut client = connect(&mut random);
    for _ in 0..500 {
        let folder = if random.below(8) == 0 { "o" } else { "m" };
        let name = format!("{folder}/{}", random.below(NAMES));
        let exptime = ["0", "1", "2", "-1", "-1"][random.below(5)];
        let numbytes = random.below(4);
        let contents = &"xxx"[..numbytes];
        let version = |client: &mut Client| {
            let stat = client.ask(&format!("stat {name}"));
            stat.split(' ').nth(1).unwrap_or("0").to_string()
        };
        match random.below(20) {
            0..6 => drop(client.ask(&format!("write {name} {numbytes} {exptime}\r\n{contents}"))),
            6..8 => {
                let version = version(&mut client);
                client.ask(&format!("cas {name} {version} {numbytes} {exptime}\r\n{contents}"));
            }
            8..12 => drop(client.ask(&format!("delete {name}"))),
            12..14 => drop(client.ask(&format!("create m/q {numbytes} {exptime}\r\n{contents}"))),
            14..16 => {
                let version = version(&mut client);
                client.ask(&format!("touch {name} {version} {exptime}"));
            }
            16..18 => drop(client.ask(&format!("open {name} Counter"))),
            18 => {
                let old = std::mem::replace(&mut client, connect(&mut random));
                match random.below(3) {
                    0 => old.reset(),
                    1 => old.half_close(),
                    _ => drop(old),
                }
            }
            _ => {
                let version = version(&mut client);
                client.ask(&format!("delete {name} {version}"));
            }
        }
    }
}

/// Version and bytes of each file.
type Files = BTreeMap<String, (u64, u64)>;

/// A page of the files of `m/` behind `after`: its rev, and the last name if there are more.
fn page(client: &mut Client, limit: u64, after: &str, files: &mut Files) -> (u64, Option<String>) {
    let head = client.ask(&format!("list m/ {limit} {after}"));
    let fields: Vec<u64> = head[5..].split(' ').map(|field| field.parse().unwrap()).collect();
    let mut last = None;
    for _ in 0..fields[1] {
        let line = client.line();
        let fields: Vec<_> = line.split(' ').collect();
        files.insert(
            fields[3].to_string(),
            (fields[0].parse().unwrap(), fields[1].parse().unwrap()),
        );
        last = Some(fields[3].to_string());
    }
    (fields[0], last.filter(|_| fields[2] == 1))
}

/// Takes what has changed since `rev`; the next one.
fn take_changes(client: &mut Client, rev: u64, files: &mut Files) -> u64 {
    let head = client.ask(&format!("watch m/ {rev} 60"));
    let (next, count) = head.strip_prefix("CHANGES ").unwrap().split_once(' ').unwrap();
    let (next, count): (u64, u64) = (next.parse().unwrap(), count.parse().unwrap());
    assert!(count > 0, "the time is not over");
    let (mut last, mut names) = (rev, Vec::new());
    for _ in 0..count {
        let line = client.line();
        let fields: Vec<_> = line.split(' ').collect();
        let (version, numbytes) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
        assert!(last < version && version <= next, "{line} between {last} and {next}");
        last = version;
        names.push(fields[3].to_string());
        match fields[0] {
            "put" => drop(files.insert(fields[3].to_string(), (version, numbytes))),
            _ => drop(files.remove(fields[3])),
        }
    }
    names.sort();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "each name once: {names:?}");
    next
}

/// Follows the files until `m/end` exists, and returns them. Lists first, in pages of this length,
/// or follows the changes alone.
fn follow(mut client: Client, page_limit: Option<u64>) -> Files {
    let (mut files, mut rev) = (Files::new(), 0);
    if let Some(limit) = page_limit {
        let (first, mut more) = page(&mut client, limit, "", &mut files);
        while let Some(after) = more {
            (_, more) = page(&mut client, limit, &after, &mut files);
        }
        rev = first;
    }
    while !files.contains_key("m/end") {
        rev = take_changes(&mut client, rev, &mut files);
    }
    files
}

fn mirrors_are_true(seed: u64) {
    println!("seed {seed}");
    let clock = Clock::manual();
    let server = Running::start(Server::builder().clock(clock.clone()));
    let mut asker = server.client();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(SeqCst) {
                clock.advance(Duration::from_millis(50));
                thread::sleep(Duration::from_millis(1));
            }
        });
        let (server, mut random) = (&server, Random(seed));
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| random.next())
            .map(|s| scope.spawn(move || disturb(server, s)))
            .collect();
        let followers: Vec<_> = [None, Some(10_000), Some(3), Some(1)]
            .into_iter()
            .map(|limit| {
                let client = server.client();
                scope.spawn(move || follow(client, limit))
            })
            .collect();
        let ended: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, SeqCst);
        assert!(ended.iter().all(Result::is_ok));
        eventually("the writers are disconnected", || asker.stat("connections") == 5);
        asker.list("*"); // what has expired by now goes before the last one comes
        asker.ask("write m/end 0\r\n");
        let mut expected = Files::new();
        page(&mut asker, 10_000, "", &mut expected);
        assert!(expected.len() > 5, "{expected:?}");
        for follower in followers {
            assert_eq!(follower.join().unwrap(), expected);
        }
    });
}

#[test]
fn a_list_and_watches_lead_to_the_state_of_the_table() {
    let seed = std::env::var("TELEFILE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(()));
    for i in 0..4 {
        mirrors_are_true(seed.wrapping_add(i));
    }
}
