//! A lease: a lock that its holder has to renew, and that survives a lost connection.

use super::deadline::Deadline;
use super::lock::acquire_logged;
use crate::client::{Client, Error};
use crate::exptime::{Exptime, whole_seconds};
use crate::refusal::Refusal::{NotFound, Version};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A lock that becomes free if its holder does not renew it in time.
///
/// It is a file that expires: `cas NAME 0 n TTL` makes it or fails, `touch NAME TOKEN TTL` renews
/// it, `delete` gives it back.
///
/// - **Lost connection**: the lease remains. [`renew`](LeaseGuard::renew) makes a new connection,
///   if the server still has the same table.
/// - **Paused holder**: after the pause, [`is_valid`](LeaseGuard::is_valid) reports by this
///   machine's clock that the time is over; but the pause may come just after that call. So send
///   the [token](LeaseGuard::token) along with every access to what the lease protects.
/// - **Restarted server**: all leases are free. A valid lease stays valid here until `renew` fails
///   or its time is over, though somebody else may hold it on the new server. With `--data` it goes
///   on as after a lost connection: its time stood still while no server ran.
///
/// The server counts from when it has read the request, the holder from before sending it; so if
/// both clocks run at the same speed, the holder's time is over first. A clock that stands still
/// while a machine is suspended breaks this.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
/// # let address = server.addresses()[0].clone();
/// use std::time::Duration;
/// use telefile::{Client, client::recipes::Lease};
///
/// let client = Client::connect_to(&address)?;
/// let lease = Lease::new(&client, "lease/backup", Duration::from_secs(30)).acquire()?.kept()?;
/// for _step in 0..3 {
///     assert!(lease.is_valid());
///     // ... a part of the work, with lease.token() ...
/// }
/// lease.release()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lease {
    client: Client,
    name: String,
    ttl: Duration,
    holder: String,
}

/// A lease that is held. It is given back when this is dropped.
#[derive(Debug)]
#[must_use = "the lease is given back when this is dropped"]
pub struct LeaseGuard {
    held: Arc<Held>,
    keeper: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Held {
    name: String,
    token: u64,
    ttl: Duration,
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

impl Lease {
    /// Returns the lease of this name, for `ttl` at a time, which is rounded up to seconds. Sends
    /// nothing yet.
    pub fn new(client: &Client, name: &str, ttl: Duration) -> Self {
        let ttl = Duration::from_secs(whole_seconds(ttl).clamp(1, Exptime::MAX_SECONDS));
        Lease { client: client.clone(), name: name.to_string(), ttl, holder: String::new() }
    }

    /// Sets the contents of the lease's file while this client holds it, for people to read.
    #[must_use]
    pub fn holder(mut self, holder: &str) -> Self {
        self.holder = holder.to_string();
        self
    }

    /// Takes the lease. Waits for as long as necessary.
    ///
    /// # Errors
    /// See [`Error`]. After [`Error::Lost`] it may be taken; it is free when its time is over.
    pub fn acquire(&self) -> Result<LeaseGuard, Error> {
        loop {
            if let Some(guard) = self.acquire_by(Deadline::never())? {
                return Ok(guard);
            }
        }
    }

    /// Takes the lease if it is free.
    ///
    /// # Errors
    /// As for [`acquire`](Lease::acquire).
    pub fn try_acquire(&self) -> Result<Option<LeaseGuard>, Error> {
        self.try_acquire_for(Duration::ZERO)
    }

    /// Takes the lease if it becomes free within this time, which is rounded up to seconds.
    ///
    /// # Errors
    /// As for [`acquire`](Lease::acquire).
    pub fn try_acquire_for(&self, time: Duration) -> Result<Option<LeaseGuard>, Error> {
        self.acquire_by(Deadline::after(time))
    }

    fn acquire_by(&self, deadline: Deadline) -> Result<Option<LeaseGuard>, Error> {
        let Lease { client, name, ttl, holder } = self;
        let exptime = Exptime::Seconds(ttl.as_secs());
        client.keep_alive()?;
        let made = acquire_logged(client, name, holder, exptime, deadline)?;
        let Some((token, before)) = made else { return Ok(None) };
        let held = Held {
            name: name.clone(),
            token,
            ttl: *ttl,
            client: Mutex::new(client.clone()),
            state: Mutex::new(State { valid_until: before + *ttl, ended: false }),
            ended: Condvar::new(),
        };
        Ok(Some(LeaseGuard { held: Arc::new(held), keeper: None }))
    }
}

impl LeaseGuard {
    /// Returns the fencing token: the version that taking it took. Every later holder's is greater.
    pub fn token(&self) -> u64 {
        self.held.token
    }

    /// Returns whether this program still holds the lease, by its own clock and the latest result
    /// of [`renew`](LeaseGuard::renew). Sends nothing.
    pub fn is_valid(&self) -> bool {
        self.held.is_valid()
    }

    /// Restarts the lease's time.
    ///
    /// # Errors
    /// [`Refusal::NotFound`](crate::Refusal::NotFound) or
    /// [`Refusal::Version`](crate::Refusal::Version) if the lease was lost, and
    /// [`Error::OtherTable`] if the restarted server has another table: the lease is over then.
    /// After any other error, such as [`Error::Lost`] or [`Error::Connect`], the lease is valid for
    /// the rest of its time, and the call can be repeated.
    pub fn renew(&self) -> Result<(), Error> {
        self.held.renew()
    }

    /// Starts a thread with its own connection that renews the lease whenever a third of its time
    /// has passed. It does so as long as the process runs, even if the work hangs; to avoid that,
    /// call [`renew`](LeaseGuard::renew) as the work progresses instead.
    ///
    /// # Errors
    /// Those of [`Client::reconnect`], and [`Error::Thread`]; the lease is then given back.
    pub fn kept(mut self) -> Result<Self, Error> {
        let mut client = lock(&self.held.client);
        // A request has to fail early enough to be repeated in time.
        *client = client.reconnect_within(self.held.ttl / 3)?;
        client.keep_alive()?;
        drop(client);
        let held = self.held.clone();
        let keeper = thread::Builder::new().name("lease".to_string());
        self.keeper = Some(keeper.spawn(move || held.keep()).map_err(Error::Thread)?);
        Ok(self)
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// As for [`Guard::unlock`](super::Guard::unlock).
    pub fn release(mut self) -> Result<(), Error> {
        self.give_back()
    }

    fn give_back(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.held.state().ended, true) {
            return Ok(());
        }
        self.held.ended.notify_all();
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
        self.held.delete()
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        let _ = self.give_back();
    }
}

impl Held {
    fn renew(&self) -> Result<(), Error> {
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
        client.touch(&self.name, self.token, Exptime::Seconds(self.ttl.as_secs()))?;
        self.state().valid_until = before + self.ttl;
        Ok(())
    }

    fn delete(&self) -> Result<(), Error> {
        let mut client = lock(&self.client);
        match client.delete(&self.name, Some(self.token)) {
            Err(Error::Lost(_)) => {}
            done => return done,
        }
        *client = client.reconnect()?;
        match client.delete(&self.name, Some(self.token)) {
            // The first delete was executed: nobody else can have held the lease yet.
            Err(Error::Refused { refusal: NotFound, .. }) if self.is_valid() => Ok(()),
            done => done,
        }
    }

    /// Renews the lease until it is over.
    fn keep(&self) {
        let mut pause = self.ttl / 3;
        loop {
            let state = self.ended.wait_timeout_while(self.state(), pause, |state| !state.ended);
            if state.unwrap_or_else(PoisonError::into_inner).0.ended {
                return;
            }
            match self.renew() {
                Ok(()) => pause = self.ttl / 3,
                // Any error may pass: a full server accepts a connection a little later.
                Err(_) if self.is_valid() => pause = self.ttl / 20,
                Err(e) => {
                    log::warn!("the lease {} is lost: {e}", self.name);
                    return;
                }
            }
        }
    }

    fn is_valid(&self) -> bool {
        Instant::now() < self.state().valid_until
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
