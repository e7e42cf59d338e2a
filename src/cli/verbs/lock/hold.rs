//! The lock on the server: a file that only one client can create. Acquired, kept, released.

use crate::cli::failure::Failure;
use crate::cli::job::{self, LATE, News, Report};
use crate::cli::remote::{PAUSE, Remote};
use crate::client::recipes::{
    self, Deadline, FencingToken, Guard, Lease, LeaseEvent, LeaseGuard, Notice, not_a_lock,
};
use crate::client::{Client, Error};
use crate::exptime::Exptime;
use crate::refusal::{Limit, Refusal};
use crate::version::Epoch;
use std::io;
use std::mem;
use std::thread;
use std::time::{Duration, Instant};

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
    /// Whether to say who holds the lock, and how long this has waited.
    pub(super) verbose: bool,
}

/// Why a lock could not be released.
pub(super) enum Trouble {
    /// Another client holds it, or nobody does.
    Lost(String),
    /// It may still exist, but the server cannot be reached.
    Unreachable(String),
}

/// An acquired lock.
pub(super) struct Lock {
    name: String,
    check: Duration,
    epoch: Epoch,
    held: Held,
    report: Report,
}

enum Held {
    /// A lock that ends with the client's connection.
    Guard(Guard, Client),
    Lease(LeaseGuard),
}

impl Lock {
    /// Waits for the lock, at most for `wait`. Returns the lock, or who holds it.
    ///
    /// With a `wait`, or once connected, it keeps trying without a server: one that is restarted in
    /// time is not a failure for a waiting client.
    pub(super) fn acquire(
        mut terms: Terms,
        wait: Option<Duration>,
        report: Report,
    ) -> Result<Result<Self, String>, Failure> {
        let (since, deadline) = (Instant::now(), wait.map_or(Deadline::never(), Deadline::after));
        terms.remote.patience.timeout = terms.remote.patience.timeout.min(terms.check);
        let builder = terms.remote.builder(Client::builder().max_contents(MAX_HOLDER_BYTES))?;
        let mut was_connected = deadline.left().is_some() && wait.is_some();
        let retry_until = terms.remote.patience.retry_until();
        let mut is_reported = false;
        loop {
            let connected = builder.clone().connect(&terms.remote.place.address);
            if connected.is_ok() {
                (was_connected, is_reported) = (true, false);
            }
            let acquired = connected.and_then(|client| {
                let held = terms.acquire(&client, since, deadline, &report)?;
                Ok(held
                    .map(|held| (client.epoch(), held))
                    .ok_or_else(|| holder(&client, &terms.name)))
            });
            let error = match acquired {
                Ok(Ok((epoch, held))) => {
                    let Terms { name, check, verbose, .. } = terms;
                    let lock = Lock { name, check, epoch, held, report };
                    if verbose {
                        let (name, token, waited) = (&lock.name, lock.token(), seconds(since));
                        let text = format!("lock {name} is acquired after {waited}, token {token}");
                        Failure::failed(text).report();
                    }
                    return Ok(Ok(lock));
                }
                Ok(Err(holder)) => {
                    let has_waited = terms.verbose && wait.is_some_and(|wait| !wait.is_zero());
                    return Ok(Err(match has_waited {
                        true => format!("{holder}; gave up after {}", seconds(since)),
                        false => holder,
                    }));
                }
                Err(e) => e,
            };
            let retries = was_connected || retry_until.is_some_and(|until| Instant::now() < until);
            let left = deadline.left().filter(|_| retries && is_temporary(&error));
            let Some(left) = left else { return Err(error.into()) };
            if !is_reported {
                Failure::failed(format!("lock {}: {error}; trying again", terms.name)).report();
                is_reported = true;
            }
            thread::sleep(left.min(PAUSE));
        }
    }

    /// Returns the version of the lock's file: greater than that of any earlier holder.
    pub(super) fn token(&self) -> FencingToken {
        match &self.held {
            Held::Guard(guard, _) => guard.token(),
            Held::Lease(lease) => lease.token(),
        }
    }

    /// Returns the epoch of the table that the [token](Lock::token) is a version in.
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns when the lock ends by itself, unless it is renewed.
    pub(super) fn end(&self) -> Option<Instant> {
        match &self.held {
            Held::Guard(..) => None,
            Held::Lease(lease) => Some(lease.valid_until()),
        }
    }

    /// Starts a thread that keeps the lock and reports what happens to it.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        let (guard, client) = match &mut self.held {
            Held::Lease(lease) => return lease.keep().map_err(io::Error::other),
            Held::Guard(guard, client) => (guard, client.clone()),
        };
        let (name, token) = (guard.name().to_string(), guard.token());
        let (check, report) = (self.check, self.report.clone());
        let thread = thread::Builder::new().name("keep".to_string());
        let keeper = thread.spawn(move || {
            loop {
                // If that means the end, the next request shows it.
                let _ = client.wait_lost(check);
                if let Err(e) = recipes::check(&client, &name, token) {
                    return report(News::Lost(e.to_string()));
                }
            }
        });
        keeper.map(drop)
    }

    /// Releases the lock; an error says that it may have been lost before.
    pub(super) fn release(self) -> Result<(), Trouble> {
        match self.held {
            Held::Guard(guard, _) => guard.unlock().map_err(|e| Trouble::Lost(e.to_string())),
            Held::Lease(lease) => lease.release().map_err(|e| match why_lost(&e) {
                Some(why) => Trouble::Lost(why),
                None => Trouble::Unreachable(e.to_string()),
            }),
        }
    }

    /// Leaves a lost lock alone: the process ends without asking the server.
    pub(super) fn abandon(self) {
        mem::forget(self);
    }
}

impl Terms {
    /// Acquires the lock once it is free; `None` if it is not by the deadline.
    fn acquire(
        &self,
        client: &Client,
        since: Instant,
        deadline: Deadline,
        report: &Report,
    ) -> Result<Option<Held>, Error> {
        let holder = job::holder();
        let notice = |notice| match notice {
            Notice::NotALock => Failure::failed(not_a_lock(&self.name)).report(),
            Notice::Held if self.verbose => {
                let holder = self::holder(client, &self.name);
                // That has a notice of its own.
                if holder != not_a_lock(&self.name) {
                    Failure::failed(format!("{holder}; waited {}", seconds(since))).report();
                }
            }
            Notice::Held => {}
        };
        let Some(ttl) = self.ttl else {
            let lock = recipes::Lock::new(client, &self.name).holder(&holder);
            let guard = lock.lock_noticing(deadline, notice)?;
            return Ok(guard.map(|guard| Held::Guard(guard, client.clone())));
        };
        let report = report.clone();
        let lease = Lease::new(client, &self.name, ttl).holder(&holder).renew_every(self.check);
        let lease = lease.on_event(move |event| match event {
            LeaseEvent::Renewed { valid_until } => report(News::Renewed(valid_until)),
            LeaseEvent::Retrying(_) => {}
            LeaseEvent::Lost(e) => {
                report(News::Lost(why_lost(&e).unwrap_or_else(|| LATE.to_string())));
            }
        });
        Ok(lease.acquire_noticing(deadline, notice)?.map(Held::Lease))
    }
}

fn seconds(since: Instant) -> String {
    format!("{} s", since.elapsed().as_secs())
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

/// Returns whether the cause of the error may pass.
fn is_temporary(e: &Error) -> bool {
    let is_full = matches!(e.refusal(), Some(Refusal::Limit(Limit::Connections, _)));
    is_full || matches!(e, Error::Connect(_) | Error::Lost(_))
}

/// Returns why a lease is lost, if the error says that it is.
fn why_lost(e: &Error) -> Option<String> {
    match e {
        Error::OtherTable => Some("the server has another table now".to_string()),
        Error::Refused { refusal: Refusal::NotFound | Refusal::Version(_), .. } => {
            Some(e.to_string())
        }
        _ => None,
    }
}
