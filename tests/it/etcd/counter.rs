//! A counter that only the holder of a lease changes, and that takes no change of an earlier holder,
//! while the active server ends again and again.

use super::{Cluster, Servers};
use crate::random::Random;
use crate::server::eventually;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use telefile::client::Error;
use telefile::client::recipes::{Lease, LeaseGuard};
use telefile::{Client, Refusal, Version};

/// Longer than a failover takes, so that a holder may outlive one.
const TTL: Duration = Duration::from_secs(40);

/// How often the active server ends.
const FAILOVERS: usize = 4;

/// An addition: the token of its holder, the version that it made, and the value.
type Addition = (u64, Version, u64);

/// What a client of the counter finds.
#[derive(Debug)]
enum Trouble {
    /// Somebody with a later token was there: the lease is over.
    Late,
    Server(Error),
}

impl From<Error> for Trouble {
    fn from(e: Error) -> Self {
        Trouble::Server(e)
    }
}

/// Reads the counter: its version, and the latest token and value.
fn look(client: &Client) -> Result<(Version, u64, u64), Error> {
    match client.read("counter") {
        Ok(file) => {
            let text = String::from_utf8(file.contents.to_vec()).unwrap();
            let (token, value) = text.split_once(' ').unwrap();
            Ok((file.version, token.parse().unwrap(), value.parse().unwrap()))
        }
        Err(Error::Refused { refusal: Refusal::NotFound, .. }) => Ok((Version::ABSENT, 0, 0)),
        Err(e) => Err(e),
    }
}

/// Adds one, as a holder of the lease: shows its token first, then reads, then writes.
fn add(client: &Client, token: u64) -> Result<Addition, Trouble> {
    let mut shown = look(client)?;
    if shown.1 > token {
        return Err(Trouble::Late);
    }
    if shown.1 < token {
        let version = changed(client.cas("counter", shown.0, format!("{token} {}", shown.2)))?;
        shown = (version, token, shown.2);
    }
    let value = shown.2 + 1;
    let version = changed(client.cas("counter", shown.0, format!("{token} {value}")))?;
    Ok((token, version, value))
}

/// Another holder was faster, if the change is refused.
fn changed(change: Result<Version, Error>) -> Result<Version, Trouble> {
    change.map_err(|e| match e {
        Error::Refused { refusal: Refusal::Version(_), .. } => Trouble::Late,
        e => Trouble::Server(e),
    })
}

/// Adds as often as it can, in turn with others, until `ended`. Returns what was acknowledged.
fn work(mut client: Client, ended: &AtomicBool, count: &AtomicUsize) -> Vec<Addition> {
    let mut additions = Vec::new();
    while !ended.load(SeqCst) {
        let done = turn(&client, &mut |addition| {
            additions.push(addition);
            count.fetch_add(1, SeqCst);
            !ended.load(SeqCst)
        });
        match done {
            Ok(()) | Err(Trouble::Late) => {}
            Err(Trouble::Server(e)) => {
                let passes = e.is_retryable() || matches!(e, Error::Lost(_));
                let is_over = matches!(
                    e,
                    Error::Refused { refusal: Refusal::NotFound | Refusal::Version(_), .. }
                );
                assert!(passes || is_over, "{e}");
                client = loop {
                    match client.reconnect() {
                        Ok(client) => break client,
                        Err(e) => assert!(e.is_retryable(), "{e}"),
                    }
                    thread::sleep(Duration::from_millis(20));
                };
            }
        }
    }
    additions
}

/// Takes the lease once, and adds a few times, also over connections that are lost meanwhile.
fn turn(client: &Client, added: &mut dyn FnMut(Addition) -> bool) -> Result<(), Trouble> {
    let lease = Lease::new(client, "lease/counter", TTL);
    let Some(lease) = lease.try_acquire_for(Duration::from_secs(1))? else { return Ok(()) };
    let lease: LeaseGuard = lease.kept()?;
    let mut client = client.clone();
    for _ in 0..20 {
        match add(&client, lease.token().0.0) {
            Ok(addition) if added(addition) => {}
            Ok(_) => break,
            // The lease outlives the connection, so its holder goes on at another server.
            Err(Trouble::Server(Error::Lost(_) | Error::Connect(_))) if lease.is_valid() => {
                thread::sleep(Duration::from_millis(20));
                client = match client.reconnect() {
                    Err(e) if e.is_retryable() => continue,
                    connected => connected?,
                };
            }
            Err(e) => return Err(e),
        }
    }
    Ok(lease.release()?)
}

#[test]
fn a_fenced_counter_is_right_after_every_failover() {
    let Some(cluster) = Cluster::start(1) else { return };
    let mut servers = Servers::start(&cluster, 3);
    let (ended, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let workers: Vec<_> = (0..4)
        .map(|n| {
            let (client, ended, count) = (servers.client(n), ended.clone(), count.clone());
            thread::spawn(move || work(client, &ended, &count))
        })
        .collect();
    let mut random = Random::new();
    let more = |added: usize| {
        let before = count.load(SeqCst);
        eventually("the counter goes on", || count.load(SeqCst) >= before + added);
    };
    for _ in 0..FAILOVERS {
        more(30);
        let active = servers.active(&cluster);
        if random.below(2) == 0 {
            servers.kill(active)
        } else {
            servers.stop(active)
        }
        servers.start_again(active);
    }
    more(30);
    ended.store(true, SeqCst);
    let mut additions: Vec<Addition> =
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect();
    additions.sort_unstable_by_key(|(_, version, _)| *version);
    for pair in additions.windows(2) {
        let ((token, _, value), (next_token, _, next_value)) = (pair[0], pair[1]);
        assert!(token <= next_token && value < next_value, "{pair:?}");
    }
    let (_, token, value) = look(&servers.client(0)).unwrap();
    let (last_token, _, last_value) = *additions.last().unwrap();
    assert!(
        token >= last_token && value >= last_value,
        "{token} {value}: {last_token} {last_value}"
    );
}
