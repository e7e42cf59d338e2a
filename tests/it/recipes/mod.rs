//! The recipes' promises: each by itself, and while holders are killed and paused.

mod barrier;
pub(crate) mod compacted;
mod election;
mod fence;
mod holder;
mod kills;
mod lease;
mod lease_events;
mod leased_election;
mod line;
mod lock;
pub(crate) mod proxy;
mod queue;

use crate::server::{PATIENCE, Running, eventually};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use telefile::client::Error;
use telefile::{Client, Refusal, Server};

fn running() -> Running {
    Running::start(Server::builder())
}

/// A client that gives up rather than hang a test.
#[track_caller]
fn connect(server: &Running) -> Client {
    let builder = Client::builder().timeout(Some(PATIENCE));
    builder.connect_to(server.addresses()[0]).unwrap()
}

/// A task that has to end by itself; `join` waits no longer than any test may take.
struct Task<T>(JoinHandle<T>);

fn spawn<T: Send + 'static>(task: impl FnOnce() -> T + Send + 'static) -> Task<T> {
    Task(thread::spawn(task))
}

impl<T> Task<T> {
    #[track_caller]
    fn join(self) -> T {
        eventually("the thread ends", || self.0.is_finished());
        self.0.join().expect("no panic")
    }
}

/// A value of `stats`.
#[track_caller]
fn stat(client: &Client, name: &str) -> u64 {
    let stats = client.stats().unwrap();
    let found = stats.iter().find(|(n, _)| n == name);
    found.unwrap_or_else(|| panic!("no {name} in {stats:?}")).1.parse().unwrap()
}

/// Waits until `count` clients wait for a change.
#[track_caller]
fn waiting(client: &Client, count: u64) {
    eventually(&format!("{count} wait"), || stat(client, "watches") == count);
}

/// The names that begin with `prefix`.
#[track_caller]
fn names(client: &Client, prefix: &str) -> Vec<String> {
    client
        .list_page(prefix, 10_000, None)
        .unwrap()
        .files
        .into_iter()
        .map(|file| file.name)
        .collect()
}

#[track_caller]
fn refused<T>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused { refusal, .. }) => refusal,
        Err(e) => panic!("{e:?}"),
        Ok(_) => panic!("it is not refused"),
    }
}

#[track_caller]
fn lost<T>(result: Result<T, Error>) {
    let error = result.err().expect("an error");
    assert!(matches!(error, Error::Lost(_)), "{error:?}");
}

/// A short time to wait in vain. It is rounded up to seconds.
const SHORT: Duration = Duration::from_millis(1);
