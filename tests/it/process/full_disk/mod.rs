//! A server whose disk is filled by others: it refuses what needs room, loses nothing, and goes on.
#![cfg(feature = "durable")]

mod disk;

use super::Serving;
use crate::random::Random;
use crate::server::{PATIENCE, eventually};
use disk::{Disk, EXT4, LARGE_EXT4, LARGE_TMPFS, MAX_DISK_BYTES, TMPFS};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use telefile::client::Error;
use telefile::{Client, Exptime, Limit, Refusal};

/// The acknowledged contents by name.
type Kept = BTreeMap<String, Vec<u8>>;

fn contents(i: u64, length: usize) -> Vec<u8> {
    let mut random = Random(i);
    (0..length).map(|_| random.next() as u8).collect()
}

#[track_caller]
fn write(client: &Client, kept: &mut Kept, name: &str, bytes: Vec<u8>) {
    client.write(name, &bytes).unwrap();
    kept.insert(name.to_string(), bytes);
}

#[track_caller]
fn check(client: &Client, kept: &Kept) {
    let listed = client.list_page("", 10_000, None).unwrap().files;
    assert!(listed.iter().map(|file| &file.name).eq(kept.keys()), "{listed:?}");
    for (name, bytes) in kept {
        assert!(*client.read(&name[..]).unwrap().contents == **bytes, "{name}");
    }
}

/// Returns whether a request was refused for lack of room.
#[track_caller]
fn is_full<T>(result: &Result<T, Error>) -> bool {
    match result {
        Ok(_) => false,
        Err(Error::Refused { refusal: Refusal::Limit(Limit::Data, n), .. }) => {
            assert!((1 << 16..=MAX_DISK_BYTES).contains(n), "the store may have {n} bytes");
            true
        }
        Err(e) => panic!("{e}"),
    }
}

#[track_caller]
fn refuses_to_write(client: &Client) {
    let bytes = contents(0, 3 << 20);
    assert!(is_full(&client.write("new", &bytes)));
    assert!(is_full(&client.write_expiring("new", &bytes, Exptime::Seconds(100))));
    assert!(is_full(&client.write("large/0", &bytes)));
    assert!(is_full(&client.create("new/", &bytes, Exptime::Never)));
    let version = client.stat("large/0").unwrap().version;
    assert!(is_full(&client.cas("large/0", version, &bytes)));
}

/// Writes small files until the disk is full.
fn cram(client: &Client, kept: &mut Kept, prefix: &str) {
    for i in 0.. {
        let (name, bytes) = (format!("{prefix}/{i}"), contents(i, 3000));
        let written = client.write(&name[..], &bytes);
        if is_full(&written) {
            return;
        }
        kept.insert(name, bytes);
    }
}

/// While others leave this much room, removals succeed.
const FOR_REMOVALS: u64 = 6 << 20;

/// Starts a server with some files, and a client that has an ephemeral file.
fn start(disk: &Disk) -> (Serving, Client, Client, Kept) {
    let serving = disk.serve();
    let (client, passing, mut kept) = (disk.client(), disk.client(), Kept::new());
    for i in 0..10 {
        write(&client, &mut kept, &format!("large/{i}"), contents(i, 100_000));
        write(&client, &mut kept, &format!("small/{i}"), contents(i, 10));
    }
    passing.write_expiring("passing", "", Exptime::Connection).unwrap();
    (serving, client, passing, kept)
}

/// Kills a server and starts another one.
fn restart(disk: &Disk, serving: Serving, client: &Client) -> (Serving, Client) {
    serving.program.signal(Signal::KILL);
    assert!(client.wait_lost(PATIENCE).unwrap());
    drop(serving);
    (disk.serve(), disk.client())
}

fn delete_all(client: &Client, kept: &mut Kept, prefix: &str) {
    for name in kept.extract_if(prefix.to_string().., |name, _| name.starts_with(prefix)) {
        client.delete(&name.0[..], None).unwrap_or_else(|e| panic!("delete {}: {e}", name.0));
    }
}

/// Pipelined writes and removals share a commit, and the removals do not fail with the writes.
fn removes_among_refused_writes(client: &Client, kept: &mut Kept) {
    let names: Vec<_> = (0..10).map(|i| format!("small/{i}")).collect();
    let (bytes, mut refused) = (contents(0, 30_000), 0);
    let new: Vec<_> = (0..100).map(|i| format!("among/{i}")).collect();
    let mut pipeline = client.pipeline();
    for (name, new) in names.iter().zip(new.chunks(10)) {
        pipeline.delete(&name[..], None).unwrap();
        for new in new {
            pipeline.write(&new[..], &bytes).unwrap();
        }
    }
    let mut answers = pipeline.send();
    for (name, new) in names.iter().zip(new.chunks(10)) {
        assert!(!is_full(&answers.next().unwrap()) && kept.remove(name).is_some());
        for new in new {
            match is_full(&answers.next().unwrap()) {
                false => drop(kept.insert(new.clone(), bytes.clone())),
                true => refused += 1,
            }
        }
    }
    assert!(refused > 0);
}

#[track_caller]
fn goes_on(disk: &Disk, serving: Serving, client: &Client, mut kept: Kept) {
    disk.make_room();
    let bytes = contents(7, 5 << 20);
    eventually("there is room", || !is_full(&client.write("new", &bytes)));
    kept.insert("new".to_string(), bytes);
    check(client, &kept);
    serving.end(Signal::TERM);
}

fn without_room_for_writes(kind: &str) {
    let Some(disk) = Disk::new(kind) else { return };
    let (serving, client, passing, mut kept) = start(&disk);
    disk.fill(FOR_REMOVALS);
    refuses_to_write(&client);
    cram(&client, &mut kept, "crammed");
    drop(passing);
    eventually("it goes with its connection", || client.stat("passing").is_err());
    check(&client, &kept);
    removes_among_refused_writes(&client, &mut kept);
    delete_all(&client, &mut kept, "crammed/1");
    let (serving, client) = restart(&disk, serving, &client);
    check(&client, &kept);
    refuses_to_write(&client);
    cram(&client, &mut kept, "again");
    delete_all(&client, &mut kept, "");
    goes_on(&disk, serving, &client, kept);
}

fn without_any_room(kind: &str) {
    let Some(disk) = Disk::new(kind) else { return };
    let (serving, client, passing, mut kept) = start(&disk);
    drop(passing);
    eventually("it goes with its connection", || client.stat("passing").is_err());
    disk.fill(0);
    refuses_to_write(&client);
    cram(&client, &mut kept, "crammed");
    delete_all(&client, &mut kept, "small");
    check(&client, &kept);
    let (serving, client) = restart(&disk, serving, &client);
    refuses_to_write(&client);
    check(&client, &kept);
    delete_all(&client, &mut kept, "");
    goes_on(&disk, serving, &client, kept);
}

#[test]
fn without_room_for_writes_a_server_reads_and_removes_on_ext4() {
    without_room_for_writes(EXT4);
}

#[test]
fn without_room_for_writes_a_server_reads_and_removes_on_tmpfs() {
    without_room_for_writes(TMPFS);
}

#[test]
fn without_any_room_a_server_loses_nothing_on_ext4() {
    without_any_room(EXT4);
}

#[test]
fn without_any_room_a_server_loses_nothing_on_tmpfs() {
    without_any_room(TMPFS);
}

/// What is in the log alone is neither lost nor in the way of a start.
fn with_a_full_log(kind: &str) {
    let Some(disk) = Disk::new(kind) else { return };
    let (serving, client, _passing, mut kept) = start(&disk);
    for i in 0..300 {
        write(&client, &mut kept, &format!("log/{i}"), contents(i, 20_000));
    }
    disk.fill(0);
    let (serving, client) = restart(&disk, serving, &client);
    check(&client, &kept);
    refuses_to_write(&client);
    delete_all(&client, &mut kept, "log");
    let (serving, client) = restart(&disk, serving, &client);
    check(&client, &kept);
    delete_all(&client, &mut kept, "");
    goes_on(&disk, serving, &client, kept);
}

#[test]
fn a_killed_server_with_a_log_starts_on_a_full_disk_on_ext4() {
    with_a_full_log(LARGE_EXT4);
}

#[test]
fn a_killed_server_with_a_log_starts_on_a_full_disk_on_tmpfs() {
    with_a_full_log(LARGE_TMPFS);
}

#[test]
fn ephemeral_files_are_deleted_after_a_restart_when_there_is_room() {
    let Some(disk) = Disk::new(EXT4) else { return };
    let (serving, client, _passing, mut kept) = start(&disk);
    disk.fill(0);
    // Until there is no room for these either.
    while let Some((name, bytes)) = kept.pop_last() {
        if is_full(&client.delete(&name[..], None)) {
            kept.insert(name, bytes);
            break;
        }
    }
    let (serving, client) = restart(&disk, serving, &client);
    disk.make_room();
    eventually("it goes", || client.stat("passing").is_err());
    check(&client, &kept);
    serving.end(Signal::TERM);
}

/// What a writer has done so far, for those that wait for it.
#[derive(Default)]
struct Progress {
    /// The writes that were answered.
    answered: AtomicU64,
    /// Those of them that were acknowledged.
    done: AtomicU64,
}

impl Progress {
    /// Waits for a few more writes, whatever is answered.
    #[track_caller]
    fn wait_answered(&self) {
        let before = self.answered.load(SeqCst);
        eventually("writes are answered", || self.answered.load(SeqCst) > before + 3);
    }

    /// Waits until a few more writes are acknowledged.
    #[track_caller]
    fn wait_done(&self) {
        let before = self.done.load(SeqCst);
        eventually("writes are acknowledged", || self.done.load(SeqCst) > before + 3);
    }
}

type Doubt = (String, Vec<u8>);

/// Writes until the server has ended. Returns the last write, which may have been made too.
fn write_until_gone(
    client: &Client,
    kept: &mut Kept,
    random: &mut Random,
    progress: &Progress,
) -> Doubt {
    loop {
        let (name, i) = (format!("f{}", random.below(8)), random.next());
        let length = if random.below(2) == 0 { 100 } else { 200_000 };
        let bytes = contents(i, length);
        let result = client.write(&name[..], &bytes);
        if let Err(Error::Lost(_)) = result {
            return (name, bytes);
        }
        if !is_full(&result) {
            kept.insert(name, bytes);
            progress.done.fetch_add(1, SeqCst);
        }
        progress.answered.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_server_that_is_killed_while_its_disk_fills_loses_nothing() {
    let Some(disk) = Disk::new(EXT4) else { return };
    let (mut kept, mut random, progress) = (Kept::new(), Random::new(), Progress::default());
    for _ in 0..6 {
        let serving = disk.serve();
        let client = disk.client();
        let random = &mut random;
        let doubt = thread::scope(|scope| {
            let writer = scope.spawn(|| write_until_gone(&client, &mut kept, random, &progress));
            progress.wait_done();
            disk.fill(0);
            progress.wait_answered();
            disk.make_room();
            progress.wait_done();
            disk.fill(0);
            serving.program.signal(Signal::KILL);
            writer.join().unwrap()
        });
        drop(serving);
        let serving = disk.serve();
        let there = disk.client().read(&doubt.0[..]);
        if there.is_ok_and(|there| *there.contents == *doubt.1) {
            kept.insert(doubt.0, doubt.1);
        }
        check(&disk.client(), &kept);
        disk.make_room();
        serving.end(Signal::TERM);
    }
}
