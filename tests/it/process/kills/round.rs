//! A folder, the servers that use it in turn, and the expected state of their table.

use super::book::Book;
use super::mirror::Mirror;
use super::owned::Snapshots;
use super::uptime::Uptime;
use super::writer::Writer;
use super::{Places, Program, Serving, telefile};
use crate::random::Random;
use crate::server::eventually;
use rustix::process::Signal;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use telefile::client::Page;
use telefile::net::Address;
use telefile::store::MAX_GONE;
use telefile::{Client, Epoch, Version};

const WRITERS: u64 = 8;

pub(super) struct Round<'a> {
    args: [&'a str; 4],
    address: Address,
    pub(super) kills: u64,
    uptime: Uptime,
    book: Mutex<Book>,
    writers: Vec<Writer>,
    mirror: Mirror,
    epoch: Option<Epoch>,
}

impl<'a> Round<'a> {
    pub(super) fn new(places: &'a Places, random: &mut Random) -> Round<'a> {
        Round {
            args: places.args(),
            address: places.socket.parse().unwrap(),
            kills: 0,
            uptime: Uptime::stopped(),
            book: Mutex::default(),
            writers: (1..=WRITERS).map(|id| Writer::new(id, Random(random.next()))).collect(),
            mirror: Mirror::default(),
            epoch: None,
        }
    }

    /// Starts the server, compares, and ends it under load after a while.
    pub(super) fn go(&mut self, signal: Signal, random: &mut Random) {
        if signal == Signal::KILL && random.below(4) == 0 {
            self.kill_a_start(Duration::from_millis(random.below(40)));
        }
        self.uptime.start();
        let mut serving = Serving::start(&self.args);
        let client = Client::connect_to(&self.address).unwrap();
        self.check(&client, &serving);
        let load = (Duration::from_micros(random.below(200_000)), random.below(40));
        self.load(client, load, || serving.program.signal(signal));
        if signal != Signal::KILL {
            assert_eq!(serving.program.wait(), 0);
        }
        self.kills += 1;
        self.uptime.stop();
        check_log(&serving.log());
    }

    /// Compares for the last time. Returns the number of acknowledged changes.
    pub(super) fn end(mut self) -> u64 {
        self.uptime.start();
        let serving = Serving::start(&self.args);
        self.check(&Client::connect_to(&self.address).unwrap(), &serving);
        serving.stop(Signal::TERM);
        self.acknowledged()
    }

    fn acknowledged(&self) -> u64 {
        self.book.lock().unwrap().acknowledged
    }

    fn kill_a_start(&mut self, after: Duration) {
        self.uptime.start();
        let program = Program::start(telefile(&[&["serve"], &self.args[..]].concat()));
        thread::sleep(after);
        program.signal(Signal::KILL);
        check_log(&program.stderr.whole());
        drop(program);
        self.uptime.stop();
        self.kills += 1;
    }

    /// Runs all writers until the server is killed, after this time and this many changes. Returns
    /// when all have noticed.
    fn load(&mut self, watching: Client, (time, changes): (Duration, u64), end: impl FnOnce()) {
        let wanted = self.acknowledged() + changes;
        let (address, uptime, book) = (&self.address, self.uptime, &self.book);
        let (writers, mirror) = (&mut self.writers, &mut self.mirror);
        thread::scope(|scope| {
            for writer in writers {
                scope.spawn(move || writer.go(address, uptime, book));
            }
            scope.spawn(move || mirror.go(&watching));
            thread::sleep(time);
            // On a busy machine no writer may have run in this time.
            eventually("changes are made", || book.lock().unwrap().acknowledged >= wanted);
            end();
        });
    }

    /// Compares the table with the expected state.
    fn check(&mut self, client: &Client, serving: &Serving) {
        let book = &mut *self.book.lock().unwrap();
        let epoch = *self.epoch.get_or_insert(client.epoch());
        let list = client.list_page("", 10_000, None).unwrap();
        assert!(!list.more);
        let hello = format!("HELLO 1 {epoch} {} 0", list.version);
        assert_eq!(serving.client().ask("hello"), hello, "the epoch stays");
        assert!(
            book.rev() <= list.version,
            "the version was {}, and now is {}",
            book.rev(),
            list.version
        );
        let there = read(client, &list);
        for writer in &mut self.writers {
            let own = pick(&there, |name| writer.owns(name));
            writer.owned.check(&own, self.uptime.now(), book);
        }
        book.check_shared(&pick(&there, |name| name.starts_with("shared/")));
        for name in there.keys().filter(|name| !name.starts_with("shared/")) {
            assert!(self.writers.iter().any(|writer| writer.owns(name)), "{name} is there");
        }
        for (name, version) in self.writers.iter_mut().flat_map(|w| w.passing.drain(..)) {
            check_gone(client, &name, version);
        }
        self.mirror.catch_up(client, &list);
        self.mirror.check(book);
        if list.version < Version(MAX_GONE as u64) {
            Mirror::default().catch_up(client, &list); // before the server forgets any removal
        }
    }
}

fn read(client: &Client, list: &Page) -> Snapshots {
    let mut there = Snapshots::new();
    for file in &list.files {
        let snapshot = client.read(&file.name[..]).unwrap();
        let (version, numbytes) = (snapshot.version, snapshot.contents.len() as u64);
        assert_eq!((version, numbytes), (file.version, file.numbytes), "{}", file.name);
        there.insert(file.name.clone(), snapshot);
    }
    there
}

fn pick(there: &Snapshots, is_one: impl Fn(&str) -> bool) -> Snapshots {
    let picked = there.iter().filter(|(name, _)| is_one(name));
    picked.map(|(name, snapshot)| (name.clone(), snapshot.clone())).collect()
}

/// Its end is a change like others.
fn check_gone(client: &Client, name: &str, version: Version) {
    let news = client.watch(name, version, Duration::ZERO).unwrap().changes;
    let ends: Vec<_> = news.iter().filter(|change| change.name == name).collect();
    assert!(matches!(&ends[..], [end] if end.numbytes.is_none()), "{name} at {version}: {ends:?}");
}

fn check_log(log: &str) {
    assert!(!log.contains("panic") && !log.contains("ERROR"), "{log}");
}
