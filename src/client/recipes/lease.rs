//! A lease: a lock that its holder has to renew, and that outlives a lost connection.

use super::lock::acquire_logged;
use super::wait::Until;
use crate::client::{Client, Error};
use crate::exptime::{Exptime, whole_seconds};
use crate::refusal::Refusal::{NotFound, Version};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A lock that is free when its holder has not renewed it for a time.
///
/// It is a file that expires: `cas NAME 0 n TTL` makes it or fails, `touch NAME TOKEN TTL` renews
/// it, `delete` gives it back.
///
/// - **Lost connection**: the lease goes on. [`renew`](LeaseGuard::renew) makes a new connection,
///   if the server still has the same table.
/// - **Paused holder**: when it goes on, [`is_valid`](LeaseGuard::is_valid) tells by this machine's
///   clock that the time is over; but it may be paused just after it has asked. So give the
///   [token](LeaseGuard::token) along with everything that the lease protects.
/// - **Restarted server**: all leases are free. A valid lease stays valid here until `renew` has
///   failed or its time is over, though somebody else may have it on the new server. With `--data`
///   it goes on as after a lost connection: its time stood still while no server ran.
///
/// The server counts from when it has read the request, the holder from before it has sent it; so
/// as long as both clocks run at the same speed the holder's time is over first. A clock that
/// stands still while a machine is suspended does not.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?;
/// # let (address, handle) = (server.addresses()[0].clone(), server.handle());
/// # let running = std::thread::spawn(|| server.run());
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
/// # handle.stop();
/// # running.join().unwrap()?;
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
    /// Replaced when it is lost. Held while the server is asked.
    client: Mutex<Client>,
    state: Mutex<State>,
    /// The keeper shall end.
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    valid_until: Instant,
    ended: bool,
}

impl Lease {
    /// The lease of this name, for `ttl` at a time, which is rounded up to seconds. Nothing is
    /// asked yet.
    pub fn new(client: &Client, name: &str, ttl: Duration) -> Self {
        let ttl = Duration::from_secs(whole_seconds(ttl).clamp(1, Exptime::MAX_SECONDS));
        Lease { client: client.clone(), name: name.to_string(), ttl, holder: String::new() }
    }

    /// What stands in the lease's file while it is held from here, for people who look.
    #[must_use]
    pub fn holder(mut self, holder: &str) -> Self {
        self.holder = holder.to_string();
        self
    }

    /// Takes the lease, however long that takes.
    ///
    /// # Errors
    /// See [`Error`]. After [`Error::Lost`] it may be taken, and is free when its time is over.
    pub fn acquire(&self) -> Result<LeaseGuard, Error> {
        loop {
            if let Some(guard) = self.acquire_until(Until::ever())? {
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

    /// Takes the lease if it is free within this time, which is rounded up to seconds.
    ///
    /// # Errors
    /// As for [`acquire`](Lease::acquire).
    pub fn try_acquire_for(&self, time: Duration) -> Result<Option<LeaseGuard>, Error> {
        self.acquire_until(Until::after(time))
    }

    fn acquire_until(&self, until: Until) -> Result<Option<LeaseGuard>, Error> {
        let Lease { client, name, ttl, holder } = self;
        let exptime = Exptime::Seconds(ttl.as_secs());
        client.keep_alive()?;
        let made = acquire_logged(client, name, holder, exptime, until)?;
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
    /// The fencing token: the version that taking it took. Every later holder's is greater.
    pub fn token(&self) -> u64 {
        self.held.token
    }

    /// Whether the lease still is this program's, by its own clock and for all that
    /// [`renew`](LeaseGuard::renew) has been told. Nothing is asked.
    pub fn is_valid(&self) -> bool {
        self.held.is_valid()
    }

    /// Begins the lease's time anew.
    ///
    /// # Errors
    /// [`Refusal::NotFound`](crate::Refusal::NotFound) or
    /// [`Refusal::Version`](crate::Refusal::Version) if it was lost, and [`Error::OtherTable`] if
    /// the server was started again: it is over then. With any other, [`Error::Lost`] and
    /// [`Error::Connect`] for instance, it is valid for the rest of its time, and this can be tried
    /// again.
    pub fn renew(&self) -> Result<(), Error> {
        self.held.renew()
    }

    /// Has the lease renewed from now on, by a thread with a connection of its own, whenever a
    /// third of its time has passed. It does that as long as the process runs, also if the work
    /// hangs; who does not want that calls [`renew`](LeaseGuard::renew) as the work goes on.
    ///
    /// # Errors
    /// Those of [`Client::reconnect`], and [`Error::Thread`]; the lease is given back then.
    pub fn kept(mut self) -> Result<Self, Error> {
        let mut client = lock(&self.held.client);
        // It has to give up early enough to be asked again.
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
            // The first one was done, for nobody else can have had it yet.
            Err(Error::Refused { refusal: NotFound, .. }) if self.is_valid() => Ok(()),
            done => done,
        }
    }

    /// Renews it until it is over.
    fn keep(&self) {
        let mut pause = self.ttl / 3;
        loop {
            let state = self.ended.wait_timeout_while(self.state(), pause, |state| !state.ended);
            if state.unwrap_or_else(PoisonError::into_inner).0.ended {
                return;
            }
            match self.renew() {
                Ok(()) => pause = self.ttl / 3,
                // Whatever it was, it may pass: a full server lets one in a little later.
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
