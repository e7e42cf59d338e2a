//! A lease while it is held: how it is renewed, kept and released, over one connection after another.

use super::event::LeaseEvent;
use crate::client::recipes::token::FencingToken;
use crate::client::{Client, Error};
use crate::exptime::Exptime;
use crate::refusal::Refusal::{NotFound, Version};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest pause after a renewal that failed.
const MAX_RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Held {
    name: String,
    token: FencingToken,
    ttl: Duration,
    renew_every: Duration,
    /// Replaced when the connection is lost. Locked during a request.
    client: Mutex<Client>,
    state: Mutex<State>,
    /// Signals that the keeper has to end.
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    valid_until: Instant,
    ended: bool,
}

impl Held {
    /// `since` is an instant before the server made the lease.
    pub(super) fn new(
        client: &Client,
        name: &str,
        ttl: Duration,
        renew_every: Duration,
        token: FencingToken,
        since: Instant,
    ) -> Self {
        Held {
            name: name.to_string(),
            token,
            ttl,
            renew_every,
            client: Mutex::new(client.clone()),
            state: Mutex::new(State { valid_until: since + ttl, ended: false }),
            ended: Condvar::new(),
        }
    }

    pub(super) fn token(&self) -> FencingToken {
        self.token
    }

    pub(super) fn valid_until(&self) -> Instant {
        self.state().valid_until
    }

    pub(super) fn is_valid(&self) -> bool {
        Instant::now() < self.valid_until()
    }

    /// Takes a connection of its own for the lease.
    pub(super) fn reconnect(&self) -> Result<(), Error> {
        let mut client = lock(&self.client);
        *client = client.reconnect_within(self.ttl / 3)?;
        client.keep_alive()
    }

    /// Makes a request fail early enough to be repeated in time.
    pub(super) fn limit_timeout(&self) -> Result<(), Error> {
        lock(&self.client).limit_timeout(self.ttl / 3)
    }

    /// Ends the lease's connection, and with it the keeper's wait.
    pub(super) fn disconnect(&self) {
        lock(&self.client).disconnect();
    }

    /// Marks the lease as released, and ends the keeper's pause. Returns false if it was before.
    pub(super) fn end(&self) -> bool {
        let first = !std::mem::replace(&mut self.state().ended, true);
        self.ended.notify_all();
        first
    }

    pub(super) fn renew(&self) -> Result<(), Error> {
        let mut client = lock(&self.client);
        let renewed = match self.touch(&client) {
            Err(Error::Lost(_)) => client.reconnect().and_then(|connected| {
                *client = connected;
                client.keep_alive()?;
                self.touch(&client)
            }),
            done => done,
        };
        if let Err(Error::OtherTable | Error::Refused { refusal: NotFound | Version(_), .. }) =
            renewed
        {
            self.state().valid_until = Instant::now();
        }
        renewed
    }

    fn touch(&self, client: &Client) -> Result<(), Error> {
        let before = Instant::now();
        client.touch(&self.name, self.token.0, Exptime::Seconds(self.ttl.as_secs()))?;
        self.state().valid_until = before + self.ttl;
        Ok(())
    }

    pub(super) fn delete(&self) -> Result<(), Error> {
        let mut client = lock(&self.client);
        match client.delete(&self.name, Some(self.token.0)) {
            Err(Error::Lost(_)) => {}
            done => return done,
        }
        *client = client.reconnect()?;
        match client.delete(&self.name, Some(self.token.0)) {
            // The first delete was executed: nobody else can have held the lease yet.
            Err(Error::Refused { refusal: NotFound, .. }) if self.is_valid() => Ok(()),
            done => done,
        }
    }

    /// Renews the lease until it is over or released.
    pub(super) fn keep(&self, observe: &dyn Fn(LeaseEvent)) {
        let retry = (self.ttl / 20).min(MAX_RETRY);
        let mut pause = self.renew_every;
        // An observer may have released it.
        while !self.has_ended_after(Duration::ZERO) {
            // Not under the lock: the lease can be released meanwhile.
            let client = lock(&self.client).clone();
            // A lost connection is replaced early. The pause bounds how often.
            let is_lost = client.wait_lost(pause).unwrap_or(true);
            drop(client);
            if self.has_ended_after(if is_lost { retry } else { Duration::ZERO }) {
                return;
            }
            let renewed = self.renew();
            // A renewal that the end of the lease interrupted is no event.
            if self.has_ended_after(Duration::ZERO) {
                return;
            }
            pause = if renewed.is_ok() { self.renew_every } else { retry };
            match renewed {
                Ok(()) => observe(LeaseEvent::Renewed { valid_until: self.valid_until() }),
                // Any error may pass: a full server accepts a connection a little later.
                Err(e) if self.is_valid() => observe(LeaseEvent::Retrying(e)),
                Err(e) => return observe(LeaseEvent::Lost(e)),
            }
        }
    }

    /// Waits until the lease is released, but no longer than `pause`; returns whether it is.
    fn has_ended_after(&self, pause: Duration) -> bool {
        let state = self.ended.wait_timeout_while(self.state(), pause, |state| !state.ended);
        state.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
