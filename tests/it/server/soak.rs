//! Random bytes from several clients: nothing of it may break the server.

use super::{Client, Running, cost, eventually};
use crate::random::Random;
use std::net::Shutdown;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use telefile::Server;

/// What a field, a separator or a piece of contents may look like.
const PIECES: [&[u8]; 36] = [
    b"read",
    b"write",
    b"cas",
    b"delete",
    b"stat",
    b"hello",
    b"types",
    b"stats",
    b"help",
    b"quit",
    b"create",
    b"open",
    b"a",
    b"b",
    b"@0",
    b"@",
    b"*",
    b"0",
    b"1",
    b"6",
    b"-1",
    b"007",
    b"70000",
    b"9223372036854775807",
    b"9223372036854775808",
    b" ",
    b"  ",
    b"\t",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff\xfe",
    "\u{202e}".as_bytes(),
    b"abcdef",
    &[b'x'; 300],
];

/// Mostly requests and what is nearly one, sometimes noise.
fn sentence(random: &mut Random) -> Vec<u8> {
    let mut sent = Vec::new();
    for _ in 0..random.below(60) {
        match random.below(12) {
            0 => sent.push(random.next() as u8),
            1 => sent.extend(b"write a 6 100\r\nabcdef\r\n"),
            2 => sent.extend(b"\r\nread a\r\n"),
            3..6 => sent.extend(b"\r\n"),
            6..8 => sent.push(b' '),
            _ => sent.extend_from_slice(PIECES[random.below(PIECES.len())]),
        }
    }
    sent
}

/// Says random things until `deadline`; how often it came.
fn babble(server: &Running, seed: u64, deadline: Instant) -> u32 {
    let (mut random, mut came) = (Random(seed), 0);
    while Instant::now() < deadline {
        let mut client = Client::connect(server.addresses()[random.below(2)]);
        came += 1;
        for _ in 0..random.below(10) {
            if client.try_send(sentence(&mut random)).is_err() {
                break;
            }
            if random.below(4) == 0 {
                let _ = client.socket().set_read_timeout(Some(Duration::from_millis(1)));
                let _ = client.read(&mut [0; 4096]);
            }
        }
        match random.below(3) {
            0 => client.reset(),
            1 => drop(client.socket().shutdown(Shutdown::Write)),
            _ => {}
        }
    }
    came
}

/// Counts the panics of the servers' threads in this process, which a session hides well.
fn session_panics() -> usize {
    static HOOKED: Once = Once::new();
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    HOOKED.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if matches!(thread::current().name(), Some("session" | "refusal")) {
                SEEN.fetch_add(1, SeqCst);
            }
            earlier(info);
        }));
    });
    SEEN.load(SeqCst)
}

#[test]
fn a_server_survives_random_bytes() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let chosen = std::env::var("TELEFILE_TEST_SEED").ok().and_then(|s| s.parse().ok());
    let seed = chosen.unwrap_or(now.as_nanos() as u64);
    println!("TELEFILE_TEST_SEED={seed}");
    let panics_before = session_panics();
    let server = Running::start(Server::builder().max_contents(65_536).max_memory(1 << 20));
    let deadline = Instant::now() + Duration::from_millis(1500);
    let came: u32 = thread::scope(|scope| {
        let server = &server;
        let threads = (0..6).map(|i| scope.spawn(move || babble(server, seed ^ i << 40, deadline)));
        threads.collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).sum()
    });
    println!("{came} connections");
    let mut client = server.client();
    client.alone();
    eventually("the memory of partial contents is released", || {
        // At most a few dozen names can come of the pieces, and they come and go.
        let rest = 64 << 10;
        let database = cost::database(&mut client);
        client.stat("memory") <= database + client.stat("bytes") + rest
    });
    assert_eq!(client.stat("connections_refused"), 0);
    assert!(client.stat("contents") <= 65_536 && client.stat("memory") <= (1 << 20) + (64 << 10));
    let version = client.stat("version");
    assert!(version > 0, "something of it was a request");
    assert_eq!(client.ask("write after/all 6\r\nabcdef"), format!("OK {}", version + 1));
    assert_eq!(client.ask("read after/all"), format!("CONTENTS {} 6 0", version + 1));
    assert_eq!(client.contents(6), b"abcdef");
    assert_eq!(session_panics(), panics_before);
}
