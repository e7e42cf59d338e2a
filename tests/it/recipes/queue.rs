//! `Queue` and `Taken`.

use super::proxy::Proxy;
use super::{PATIENCE, SHORT, connect, lost, names, refused, running, spawn, waiting};
use crate::server::eventually;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use telefile::client::recipes::{Queue, Taken};
use telefile::{Client, Exptime, Refusal};

const AT_ONCE: Duration = Duration::ZERO;

#[track_caller]
fn popped(queue: &Queue) -> Option<String> {
    let contents = queue.pop(AT_ONCE).unwrap()?;
    Some(String::from_utf8(contents.to_vec()).unwrap())
}

#[track_caller]
fn taken(queue: &Queue) -> Option<(String, Taken)> {
    let taken = queue.take(AT_ONCE).unwrap()?;
    Some((String::from_utf8(taken.contents.to_vec()).unwrap(), taken))
}

/// Numbers from 0 on.
fn push_all(queue: &Queue, items: usize) {
    for i in 0..items {
        queue.push(i.to_string()).unwrap();
    }
}

#[test]
fn the_item_that_was_pushed_first_comes_first() {
    let server = running();
    let client = connect(&server);
    let queue = Queue::new(&client, "jobs");
    let numbers: Vec<_> = (0..200).map(|i| queue.push(i.to_string()).unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b));
    for i in (0..200).step_by(2) {
        assert_eq!(popped(&queue).unwrap(), i.to_string());
        let (contents, item) = taken(&queue).unwrap();
        assert_eq!(contents, (i + 1).to_string());
        item.done().unwrap();
    }
    assert!(popped(&queue).is_none() && taken(&queue).is_none());
    assert!(names(&client, "jobs").is_empty());
}

#[test]
fn contents_are_any_bytes_and_items_stay() {
    let server = running();
    let (client, other) = (connect(&server), connect(&server));
    let queue = Queue::new(&client, "jobs");
    for contents in [&b""[..], b"\r\n\0\xff", &[b'x'; 100_000]] {
        let number = queue.push(contents).unwrap();
        let name = format!("jobs/item/{number:020}");
        assert_eq!(client.stat(&name).unwrap().exptime, Exptime::Never);
        assert_eq!(&*queue.pop(AT_ONCE).unwrap().unwrap(), contents);
    }
    queue.push("stays").unwrap();
    drop((queue, client));
    eventually("who pushed is gone", || super::stat(&other, "connections") == 1);
    assert_eq!(popped(&Queue::new(&other, "jobs")).unwrap(), "stays");
}

#[test]
fn a_wait_for_an_item_times_out() {
    let server = running();
    let client = connect(&server);
    let queue = Queue::new(&client, "jobs");
    queue.push("taken").unwrap();
    let item = queue.take(AT_ONCE).unwrap().unwrap();
    let since = Instant::now();
    assert!(queue.pop(SHORT).unwrap().is_none());
    let took = since.elapsed();
    assert!(took >= Duration::from_secs(1) && took < PATIENCE, "{took:?}");
    assert!(queue.take(AT_ONCE).unwrap().is_none());
    drop(item);
}

#[test]
fn a_new_item_and_one_that_is_available_again_wake_a_waiter() {
    let server = running();
    let client = connect(&server);
    let queue = Queue::new(&client, "jobs");
    let waits = |pops: bool| {
        let client = connect(&server);
        let task = spawn(move || {
            let queue = Queue::new(&client, "jobs");
            match pops {
                true => queue.pop(3 * PATIENCE).unwrap().unwrap().to_vec(),
                false => {
                    let item = queue.take(3 * PATIENCE).unwrap().unwrap();
                    let contents = item.contents.to_vec();
                    item.done().unwrap();
                    contents
                }
            }
        });
        waiting(&connect(&server), 1);
        task
    };
    for pops in [true, false] {
        let task = waits(pops);
        queue.push("new").unwrap();
        assert_eq!(task.join(), b"new");

        queue.push("again").unwrap();
        let item = queue.take(AT_ONCE).unwrap().unwrap();
        let task = waits(pops);
        drop(item);
        assert_eq!(task.join(), b"again");
    }
}

#[test]
fn a_taken_item_is_not_available_until_it_is_dropped() {
    let server = running();
    let clients = [connect(&server), connect(&server)];
    let [ann, bob] = clients.each_ref().map(|client| Queue::new(client, "jobs"));
    ann.push("one").unwrap();
    ann.push("two").unwrap();
    let (one, item) = taken(&ann).unwrap();
    let (two, second) = taken(&bob).unwrap();
    assert_eq!((&one[..], &two[..]), ("one", "two"));
    assert!(taken(&ann).is_none() && taken(&bob).is_none());
    assert!(popped(&ann).is_none() && popped(&bob).is_none());
    let token = item.token();
    drop(item);
    let (one, item) = taken(&bob).unwrap();
    assert!(one == "one" && item.token() > token);
    item.done().unwrap();
    second.done().unwrap();
    assert!(names(&clients[0], "jobs").is_empty());
}

#[test]
fn the_item_of_a_dead_taker_is_available_again_and_its_token_grows() {
    let server = running();
    let (proxy, client) = (Proxy::new(server.addresses()[0]), connect(&server));
    let queue = Queue::new(&client, "jobs");
    queue.push("work").unwrap();
    let mut last = None;
    for _ in 0..3 {
        let dying = Queue::new(&proxy.client(), "jobs").take(AT_ONCE).unwrap().unwrap();
        assert!(Some(dying.token()) > last);
        last = Some(dying.token());
        assert!(queue.take(AT_ONCE).unwrap().is_none());
        proxy.cut();
        let item = queue.take(3 * PATIENCE).unwrap().unwrap();
        assert!(&*item.contents == b"work" && Some(item.token()) > last);
        lost(dying.done());
        drop(item);
    }
    taken(&queue).unwrap().1.done().unwrap();
    assert!(queue.take(AT_ONCE).unwrap().is_none());
}

#[test]
fn a_taker_that_has_lost_its_claim_learns_that_another_has_done_the_item() {
    let server = running();
    let clients = [connect(&server), connect(&server)];
    let [ann, bob] = clients.each_ref().map(|client| Queue::new(client, "jobs"));
    ann.push("work").unwrap();
    let (_, late) = taken(&ann).unwrap();
    let claims = names(&clients[1], "jobs/claim/");
    clients[1].delete(&claims[0], None).unwrap();
    taken(&bob).unwrap().1.done().unwrap();
    assert_eq!(refused(late.done()), Refusal::NotFound);
}

#[test]
fn a_foreign_file_in_the_folders_is_not_an_item() {
    let server = running();
    let client = connect(&server);
    let queue = Queue::new(&client, "jobs");
    for i in 0..150 {
        // More than a page, and the empty page in front is not the end.
        client.write(&format!("jobs/item/!{i}"), "foreign").unwrap();
    }
    for foreign in ["jobs/item/1", "jobs/item/0000000000000000000x", "jobs/claim/x", "jobs/x"] {
        client.write(foreign, "foreign").unwrap();
    }
    assert!(popped(&queue).is_none() && taken(&queue).is_none());
    queue.push("item").unwrap();
    assert_eq!(taken(&queue).unwrap().0, "item");
    assert_eq!(popped(&queue).unwrap(), "item");
}

#[test]
fn the_first_free_item_is_found_behind_many_taken_ones() {
    const MANY: usize = 130; // two pages of the list, and a bit
    let server = running();
    let client = connect(&server);
    let queue = Queue::new(&client, "jobs");
    push_all(&queue, MANY);
    let mut items: Vec<_> = (0..MANY)
        .map(|i| {
            let (contents, item) = taken(&queue).unwrap();
            assert_eq!(contents, i.to_string());
            item
        })
        .collect();
    assert!(taken(&queue).is_none());
    queue.push("last").unwrap();
    assert_eq!(popped(&queue).unwrap(), "last");
    drop(items.remove(70));
    assert_eq!(popped(&queue).unwrap(), "70");
    drop(items.remove(1));
    assert_eq!(taken(&queue).unwrap().0, "1");
}

/// Lets eight clients work until all items are done. Returns how often each item was done.
fn eight_work(
    items: usize,
    work: impl Fn(&Client, &Queue) -> Option<Vec<u8>> + Sync,
) -> Vec<usize> {
    let server = running();
    let client = connect(&server);
    let (seen, count) = (Mutex::new(BTreeMap::new()), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let client = connect(&server);
                let queue = Queue::new(&client, "jobs");
                let since = Instant::now();
                while count.load(SeqCst) < items && since.elapsed() < 3 * PATIENCE {
                    let Some(contents) = work(&client, &queue) else { continue };
                    *seen.lock().unwrap().entry(contents).or_insert(0) += 1;
                    count.fetch_add(1, SeqCst);
                }
            });
        }
        push_all(&Queue::new(&client, "jobs"), items);
    });
    assert!(names(&client, "jobs").is_empty());
    let seen = seen.into_inner().unwrap();
    (0..items).map(|i| seen.get(i.to_string().as_bytes()).copied().unwrap_or(0)).collect()
}

fn pop(queue: &Queue) -> Option<Vec<u8>> {
    queue.pop(AT_ONCE).unwrap().map(|contents| contents.to_vec())
}

fn take(queue: &Queue) -> Option<Vec<u8>> {
    let item = queue.take(AT_ONCE).unwrap()?;
    let contents = item.contents.to_vec();
    item.done().unwrap();
    Some(contents)
}

#[test]
fn eight_poppers_get_each_item_exactly_once() {
    assert_eq!(eight_work(200, |_, queue| pop(queue)), [1; 200]);
}

#[test]
fn eight_takers_get_each_item_exactly_once() {
    assert_eq!(eight_work(200, |_, queue| take(queue)), [1; 200]);
}

/// A popper respects the claim of a taker even if both look at the same moment.
#[test]
fn poppers_and_takers_get_each_item_exactly_once() {
    let turn = AtomicUsize::new(0);
    let each = eight_work(200, |_, queue| match turn.fetch_add(1, SeqCst) % 2 {
        0 => pop(queue),
        _ => take(queue),
    });
    assert_eq!(each, [1; 200]);
}

#[test]
fn no_item_is_lost_when_takers_lose_their_connections() {
    const ITEMS: usize = 60;
    let server = running();
    let (proxy, client) = (Proxy::new(server.addresses()[0]), connect(&server));
    let queue = Queue::new(&client, "jobs");
    push_all(&queue, ITEMS);
    let (sender, worked) = mpsc::channel();
    let ended = AtomicBool::new(false);
    let (mut seen, mut cuts) = (BTreeMap::new(), 0);
    thread::scope(|scope| {
        for _ in 0..4 {
            let (proxy, ended, sender) = (&proxy, &ended, sender.clone());
            scope.spawn(move || {
                while !ended.load(SeqCst) {
                    // After a lost connection it makes another one.
                    let Ok(client) = proxy.try_client() else { continue };
                    let queue = Queue::new(&client, "jobs");
                    while let Ok(Some(item)) = queue.take(AT_ONCE) {
                        sender.send(item.contents.to_vec()).unwrap();
                        let _ = item.done();
                    }
                }
            });
        }
        let since = Instant::now();
        while !names(&client, "jobs/item/").is_empty() && since.elapsed() < 3 * PATIENCE {
            for contents in worked.recv_timeout(SHORT).into_iter().chain(worked.try_iter()) {
                *seen.entry(contents).or_insert(0) += 1;
            }
            if cuts < 3 * seen.len() {
                proxy.cut();
                cuts += 1;
            }
        }
        ended.store(true, SeqCst);
    });
    worked.try_iter().for_each(|contents| *seen.entry(contents).or_insert(0) += 1);
    println!("{cuts} cuts, {} times worked", seen.values().sum::<usize>());
    assert_eq!(seen.len(), ITEMS, "each item was worked on");
    assert!(names(&client, "jobs/item/").is_empty());
    eventually("all claims are gone", || names(&client, "jobs").is_empty());
}
