//! Many clients that come, do something and vanish, all at random. After it nothing is left.

use super::nothing_is_open;
use crate::random::Random;
use crate::server::{Client, Running};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use telefile::{ClientId, Contents, File, Name, Refusal, Server, file_types};

const CLIENTS: usize = 200;
const NAMES: usize = 12;

/// Files that were made and have not ended.
static LIVING: AtomicI64 = AtomicI64::new(0);
static OPENS: AtomicUsize = AtomicUsize::new(0);
/// A close without an open, or an end with an open that was not closed.
static WRONG: AtomicUsize = AtomicUsize::new(0);

/// Keeps the books of its opens. After a write of `fuse` the next open, read or close panics.
struct Books {
    opens: HashMap<ClientId, u32>,
    fuse: bool,
    contents: Contents,
}

impl Books {
    fn burn(&mut self) {
        if std::mem::take(&mut self.fuse) {
            // Like `panic!`, past the hooks: another test counts the panics that they see.
            std::panic::resume_unwind(Box::new("the fuse"));
        }
    }
}

impl File for Books {
    fn create(name: &Name, _: &()) -> Result<Self, Refusal> {
        if name.as_str().ends_with('0') && OPENS.load(SeqCst).is_multiple_of(3) {
            return Err(Refusal::Denied);
        }
        LIVING.fetch_add(1, SeqCst);
        Ok(Books { opens: HashMap::new(), fuse: false, contents: Contents::from("") })
    }

    fn open(&mut self, by: ClientId) -> Result<(), Refusal> {
        self.burn();
        *self.opens.entry(by).or_default() += 1;
        OPENS.fetch_add(1, SeqCst);
        Ok(())
    }

    fn read(&mut self) -> Result<Contents, Refusal> {
        self.burn();
        Ok(self.contents.clone())
    }

    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        self.fuse = &contents[..] == b"fuse";
        self.contents = contents;
        Ok(())
    }

    fn close(&mut self, by: ClientId) {
        match self.opens.get_mut(&by) {
            Some(1) => drop(self.opens.remove(&by)),
            Some(opens) => *opens -= 1,
            None => drop(WRONG.fetch_add(1, SeqCst)),
        }
        self.burn();
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, SeqCst);
        WRONG.fetch_add(self.opens.len(), SeqCst);
    }
}

fn request(random: &mut Random) -> String {
    let (name, fd) = (format!("crowd/{}", random.below(NAMES)), random.below(NAMES));
    match random.below(16) {
        0..5 => format!("open {name} Books\r\n"),
        5 => format!("open {name}\r\n"),
        6 => format!("close @{fd}\r\n"),
        7 => format!("write @{fd} 4\r\nfuse\r\n"),
        8 => format!("write @{fd} 3 1\r\nabc\r\n"),
        9 => format!("cas {name} {fd} 5\r\nabcde\r\n"),
        10 => format!("read @{fd}\r\n"),
        11 => format!("read {name}\r\n"),
        12 => format!("delete {name}\r\n"),
        13 => format!("delete @{fd}\r\n"),
        14 => format!("write {name} 2\r\nab\r\n"),
        _ => format!("stat @{fd}\r\n"),
    }
}

fn live(server: &Running, random: &mut Random) {
    let mut client = Client::connect(server.addresses()[random.below(2)]);
    for _ in 0..random.below(8) {
        let batch: String = (0..1 + random.below(12)).map(|_| request(random)).collect();
        if client.try_send(batch).is_err() {
            break;
        }
        if random.below(2) == 0 {
            let _ = client.read(&mut [0; 4096]);
        }
    }
    match random.below(5) {
        0 => client.reset(),
        1 => client.half_close(),
        2 => drop(client.try_send("quit\r\n")),
        3 => drop(client.try_send("write crowd/1 100\r\nabc")),
        _ => {}
    }
}

#[test]
fn two_hundred_clients_that_come_and_vanish_leave_nothing_open() {
    let seed = Random::new().0;
    let server = Running::start(Server::builder().types(file_types![Books]));
    thread::scope(|scope| {
        for i in 0..CLIENTS as u64 {
            let (server, mut random) = (&server, Random(seed ^ (i << 40)));
            scope.spawn(move || (0..3).for_each(|_| live(server, &mut random)));
        }
    });
    let mut client = server.client();
    client.alone();
    assert_eq!((LIVING.load(SeqCst), WRONG.load(SeqCst)), (0, 0), "seed {seed}");
    assert_eq!((client.stat("opens"), client.stat("descriptors")), (0, 0), "seed {seed}");
    for i in 0..NAMES {
        let stat = client.ask(&format!("stat crowd/{i}"));
        let kind = stat.split(' ').nth(4);
        assert!(kind.is_none_or(|kind| kind == "MemoryFile"), "{stat}, seed {seed}");
        client.ask(&format!("delete crowd/{i}"));
    }
    nothing_is_open(&mut client);
    assert!(OPENS.load(SeqCst) > CLIENTS, "something of it was an open");
    assert_eq!(
        client.ask("open crowd/1 Books").split(' ').take(2).collect::<Vec<_>>(),
        ["FD", "0"]
    );
}
