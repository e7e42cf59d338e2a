//! Which threads call a worker's application: several, and never two at once.

use super::{Raw, Script, config, next, start, wire};
use crate::server::PATIENCE;
use std::collections::HashSet;
use std::error::Error;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use telefile::framework::{Connection, OwnedMessage, Server, ServerApp, ServerConfig};

#[test]
fn the_reader_of_a_single_message_calls_the_application() {
    let threads: Arc<Mutex<HashSet<_>>> = Arc::default();
    let noted = threads.clone();
    let script = Script {
        message: Arc::new(move |OwnedMessage { message, client }| {
            let thread = thread::current();
            noted.lock().unwrap().insert((thread.id(), thread.name().map(str::to_string)));
            client.send(message);
        }),
        ..Script::default()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    for id in 0..2000 {
        client.send(&wire(id, "x"));
        client.expect(&wire(id, "x"));
    }
    let threads = threads.lock().unwrap();
    let names: Vec<_> = threads.iter().map(|(_, name)| name.as_deref()).collect();
    assert_eq!(names, [Some("reader")], "no other thread calls the application");
}

/// Answers with the number of its value, and does not answer clients of other workers.
struct Numbered {
    number: u16,
    clients: HashSet<Connection>,
}

impl ServerApp for Numbered {
    type Context = Arc<AtomicUsize>;

    fn new(made: Self::Context) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Numbered { number: made.fetch_add(1, SeqCst) as u16, clients: HashSet::new() })
    }

    fn on_client_connect(&mut self, client: &Connection) -> bool {
        self.clients.insert(client.clone())
    }

    fn on_message(&mut self, OwnedMessage { message, client }: OwnedMessage) {
        if self.clients.contains(&client) {
            client.send(message.with_id(self.number));
        }
    }
}

#[test]
fn each_worker_has_its_own_value_and_clients() {
    const WORKERS: usize = 3;
    let made = Arc::new(AtomicUsize::new(0));
    let config = ServerConfig::<Numbered>::new(made.clone())
        .listen("127.0.0.1:0".parse().unwrap())
        .workers(WORKERS);
    let server = Server::spawn(config).unwrap();
    assert_eq!(made.load(SeqCst), WORKERS);
    let mut clients: Vec<_> = (0..4 * WORKERS)
        .map(|_| {
            let mut client = Raw::connect(&server);
            client.send(&wire(0, ""));
            let mut answer = [0; 6];
            std::io::Read::read_exact(&mut client.0, &mut answer).unwrap();
            (client, u16::from(answer[0]))
        })
        .collect();
    for worker in 0..WORKERS as u16 {
        assert_eq!(
            clients.iter().filter(|(_, of)| *of == worker).count(),
            4,
            "connections are spread over the workers"
        );
    }
    for round in 0..50 {
        clients.iter_mut().for_each(|(client, _)| client.send(&wire(round, "x")));
        clients.iter_mut().for_each(|(client, worker)| client.expect(&wire(*worker, "x")));
    }
}

/// Some callbacks are quick and some slow, so that readers and the worker's thread take turns.
#[test]
fn callbacks_of_a_worker_never_overlap_and_keep_their_order() {
    const CLIENTS: usize = 8;
    const MESSAGES: u16 = 2000;
    let (inside, overlaps) = (AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
    let threads: Arc<Mutex<HashSet<_>>> = Arc::default();
    let script = Script {
        message: {
            let (overlaps, threads) = (overlaps.clone(), threads.clone());
            Arc::new(move |OwnedMessage { message, client }| {
                overlaps.fetch_add(usize::from(inside.swap(true, SeqCst)), SeqCst);
                threads.lock().unwrap().insert(thread::current().id());
                if message.id() % 400 == 0 {
                    thread::sleep(Duration::from_millis(2));
                }
                client.send(message);
                inside.store(false, SeqCst);
            })
        },
        ..Script::default()
    };
    let server = start(script);
    thread::scope(|scope| {
        for deep in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                let mut client = Raw::connect(server);
                let all: Vec<_> = (0..MESSAGES).map(|id| wire(id, "x")).collect();
                for some in all.chunks(1 + 20 * deep) {
                    client.send(&some.concat());
                    client.expect(&some.concat());
                }
            });
        }
    });
    assert_eq!(overlaps.load(SeqCst), 0);
    let threads = threads.lock().unwrap().len();
    assert!(threads > 1, "only one thread has called the application");
    server.stop(Some(PATIENCE)).unwrap();
}

/// The reader of the slow client calls the application, so another thread has to deliver the rest.
#[test]
fn messages_that_arrive_during_a_slow_callback_are_delivered() {
    let (entered, entries) = channel();
    let (go, gate) = crossbeam_channel::bounded::<()>(0);
    let script = Script {
        message: Arc::new(move |OwnedMessage { message, client }| {
            if message.id() == 0 {
                entered.send(()).unwrap();
                gate.recv_timeout(PATIENCE).unwrap();
            }
            client.send(message);
        }),
        ..Script::default()
    };
    let server = start(script);
    let mut others: Vec<_> = (1..20).map(|id| (id, Raw::connect(&server))).collect();
    let mut slow = Raw::connect(&server);
    for _ in 0..3 {
        slow.send(&wire(0, "slow"));
        next(&entries);
        for (id, client) in &mut others {
            client.send(&wire(*id, "meanwhile").repeat(100));
        }
        go.send(()).unwrap();
        for (id, client) in &mut others {
            client.expect(&wire(*id, "meanwhile").repeat(100));
        }
        slow.expect(&wire(0, "slow"));
    }
}

#[test]
fn a_callback_has_the_default_or_the_configured_stack() {
    /// Uses about `kibibytes` of stack.
    fn dive(kibibytes: u16) -> usize {
        let here = black_box([kibibytes; 512]);
        match kibibytes {
            0 => here.len(),
            n => dive(n - 1) + usize::from(black_box(here)[1] / n),
        }
    }
    let diving = Script {
        message: Arc::new(|OwnedMessage { message, client }| {
            dive(message.id());
            client.send(message);
        }),
        ..Script::default()
    };
    for (stack_bytes, kibibytes) in [(None, 300), (Some(64 << 20), 8000)] {
        let config = match stack_bytes {
            None => config(diving.clone()),
            Some(bytes) => config(diving.clone()).stack_bytes(bytes),
        };
        let server = Server::spawn(config).unwrap();
        let mut client = Raw::connect(&server);
        client.send(&wire(kibibytes, "deep"));
        client.expect(&wire(kibibytes, "deep"));
    }
}
