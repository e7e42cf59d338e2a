//! The lock on the server: a file that only one client can create. Acquired, kept, released.

use crate::cli::failure::Failure;
use crate::cli::remote::Remote;
use crate::client::recipes::{Deadline, acquire, not_a_lock};
use crate::client::{Client, Error};
use crate::exptime::Exptime;
use crate::refusal::{Limit, Refusal};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait before connecting again.
const RETRY: Duration = Duration::from_millis(200);

/// The most that is fetched about the holder.
const MAX_HOLDER_BYTES: u64 = 1024;

/// What to lock, and how.
pub(super) struct Terms {
    pub(super) remote: Remote,
    pub(super) name: String,
    /// `None`: until the connection ends.
    pub(super) ttl: Option<Duration>,
    /// How often to check with the server that the lock still exists.
    pub(super) check: Duration,
}

/// Why a lock is no longer what it was.
pub(super) enum Trouble {
    /// Another client holds it, or nobody does.
    Lost(String),
    /// It may still exist, but the server cannot be reached.
    Unreachable(String),
}

/// An acquired lock.
pub(super) struct Lock {
    terms: Terms,
    token: u64,
    epoch: u64,
    /// When it was requested.
    since: Instant,
    /// The connection that the lock ends with; a lease ends with none.
    client: Option<Client>,
}

impl Lock {
    /// Waits for the lock, at most for `wait`. Returns the lock, or who holds it.
    ///
    /// With a `wait`, or once connected, it keeps trying when the server is gone: a server that is
    /// restarted in time is no failure for a waiting client.
    pub(super) fn acquire(
        mut terms: Terms,
        wait: Option<Duration>,
    ) -> Result<Result<Self, String>, Failure> {
        let deadline = wait.map_or(Deadline::never(), Deadline::after);
        terms.remote.timeout = terms.remote.timeout.min(terms.check);
        let builder = terms.remote.builder(Client::builder().max_contents(MAX_HOLDER_BYTES))?;
        let mut was_connected = deadline.left().is_some() && wait.is_some();
        let mut is_told = false;
        loop {
            let connected = builder.clone().connect(&terms.remote.address);
            if connected.is_ok() {
                (was_connected, is_told) = (true, false);
            }
            let error = match connected.and_then(|client| terms.take(client, deadline)) {
                Ok(Ok((client, token, since))) => return Ok(Ok(terms.held(client, token, since))),
                Ok(Err(holder)) => return Ok(Err(holder)),
                Err(e) => e,
            };
            let left = deadline.left().filter(|_| was_connected && is_temporary(&error));
            let Some(left) = left else { return Err(error.into()) };
            if !is_told {
                Failure::failed(format!("lock {}: {error}; trying again", terms.name)).report();
                is_told = true;
            }
            thread::sleep(left.min(RETRY));
        }
    }

    /// Returns the version of the lock's file: greater than that of any earlier holder.
    pub(super) fn token(&self) -> u64 {
        self.token
    }

    /// Returns the epoch of the table that the [token](Lock::token) is a version in.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn name(&self) -> &str {
        &self.terms.name
    }

    /// Returns when the lock was requested.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Returns when the lock expires by itself if nothing requested after `sent` was granted.
    pub(super) fn end(&self, sent: Instant) -> Option<Instant> {
        self.terms.ttl.map(|ttl| sent + ttl)
    }

    /// Keeps the lock until it is lost; returns why. `renewed` gets each renewal's request time.
    pub(super) fn keep(&self, renewed: impl Fn(Instant)) -> String {
        match &self.client {
            Some(client) => self.look_after(client),
            None => self.renew(renewed),
        }
    }

    fn look_after(&self, client: &Client) -> String {
        loop {
            // If that means the end, the next request shows it.
            let _ = client.wait_lost(self.terms.pause());
            match client.stat(&self.terms.name) {
                Ok(stat) if stat.version == self.token => {}
                Ok(stat) => return format!("it is at version {}", stat.version),
                Err(e) => return e.to_string(),
            }
        }
    }

    fn renew(&self, renewed: impl Fn(Instant)) -> String {
        let (mut client, mut pause) = (None::<Client>, self.terms.pause());
        loop {
            match &client {
                Some(client) => drop(client.wait_lost(pause)),
                None => thread::sleep(pause),
            }
            let sent = Instant::now();
            pause = match self.touch(&mut client) {
                Ok(()) => {
                    renewed(sent);
                    self.terms.pause()
                }
                Err(Trouble::Lost(why)) => return why,
                Err(Trouble::Unreachable(_)) => {
                    client = None;
                    RETRY
                }
            };
        }
    }

    fn touch(&self, client: &mut Option<Client>) -> Result<(), Trouble> {
        let client = match client {
            Some(client) => client,
            None => client.insert(self.reach()?),
        };
        let touched = client.touch(&self.terms.name, self.token, self.terms.exptime());
        touched.map(drop).map_err(trouble)
    }

    /// Opens a new connection to the table that holds the lock.
    fn reach(&self) -> Result<Client, Trouble> {
        let client = self.terms.remote.connect(Client::builder());
        let client = client.map_err(|failure| Trouble::Unreachable(failure.message))?;
        match client.epoch() == self.epoch {
            true => client.keep_alive().map(|()| client).map_err(trouble),
            false => Err(Trouble::Lost("the server has begun anew".to_string())),
        }
    }

    /// Releases the lock; an error says that it may have been lost before.
    pub(super) fn release(&self) -> Result<(), Trouble> {
        let delete = |client: &Client| client.delete(&self.terms.name, Some(self.token));
        match &self.client {
            Some(client) => delete(client).map_err(|e| Trouble::Lost(e.to_string())),
            None => delete(&self.reach()?).map_err(trouble),
        }
    }
}

impl Terms {
    /// Takes the lock once it is free: its token, and when it was requested. Or who holds it.
    fn take(
        &self,
        client: Client,
        deadline: Deadline,
    ) -> Result<Result<(Client, u64, Instant), String>, Error> {
        let (name, host) = (&self.name, rustix::system::uname());
        let own = format!("{}:{}\n", host.nodename().to_string_lossy(), process::id());
        let notice = |text: &str| Failure::failed(text).report();
        match acquire(&client, name, &own, self.exptime(), deadline, notice)? {
            Some((token, since)) => Ok(Ok((client, token, since))),
            None => Ok(Err(holder(&client, name))),
        }
    }

    fn held(mut self, client: Client, token: u64, since: Instant) -> Lock {
        let epoch = client.epoch();
        self.remote.timeout = self.remote.timeout.min(self.pause());
        let client = self.ttl.is_none().then_some(client);
        Lock { terms: self, token, epoch, since, client }
    }

    fn exptime(&self) -> Exptime {
        self.ttl.map_or(Exptime::Connection, |ttl| Exptime::from_seconds(ttl.as_secs()))
    }

    /// The pause between two signs of life. Two renewals of a lease may fail.
    fn pause(&self) -> Duration {
        self.ttl.map_or(self.check, |ttl| self.check.min(ttl / 3))
    }
}

/// Returns who holds a lock, in words.
fn holder(client: &Client, name: &str) -> String {
    match client.read(name) {
        Ok(file) if file.exptime == Exptime::Never => not_a_lock(name),
        Ok(file) => {
            let holder = String::from_utf8_lossy(file.contents.trim_ascii()).into_owned();
            format!("lock {name} is held by {holder}")
        }
        Err(_) => format!("lock {name} is held"),
    }
}

/// Returns whether the error may be gone a moment later.
fn is_temporary(e: &Error) -> bool {
    let is_full = matches!(e.refusal(), Some(Refusal::Limit(Limit::Connections, _)));
    is_full || matches!(e, Error::Connect(_) | Error::Lost(_))
}

fn trouble(e: Error) -> Trouble {
    match e.refusal() {
        Some(_) => Trouble::Lost(e.to_string()),
        None => Trouble::Unreachable(e.to_string()),
    }
}
