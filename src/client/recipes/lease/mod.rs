//! A lease: a lock that its holder has to renew, and that survives a lost connection.

mod event;
mod held;

pub use event::LeaseEvent;

use super::FencingToken;
use super::deadline::Deadline;
use super::lock::{Notice, acquire, log_notice};
use crate::client::{Client, Error};
use crate::exptime::{Exptime, whole_seconds};
use held::Held;
use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A lock that becomes free if its holder does not renew it in time.
///
/// It is a file that expires: `cas NAME 0 n TTL` makes it or fails, `touch NAME TOKEN TTL` renews
/// it, `delete` releases it.
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
    pub(super) client: Client,
    pub(super) name: String,
    ttl: Duration,
    renew_every: Duration,
    holder: Vec<u8>,
    observer: Observer,
}

/// What to call at each event.
#[derive(Clone)]
struct Observer(Arc<dyn Fn(LeaseEvent) + Send + Sync>);

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// A lease that is held. Dropping it releases the lease.
///
/// Dropping waits for the server's reply, and ignores errors; [`release`](LeaseGuard::release)
/// returns them.
#[derive(Debug)]
#[must_use = "the lease is released when this is dropped"]
pub struct LeaseGuard {
    held: Arc<Held>,
    observer: Observer,
    keeper: Option<JoinHandle<()>>,
}

impl Lease {
    /// Returns the lease of this name, for `ttl` at a time, which is rounded up to seconds. Sends
    /// nothing yet.
    pub fn new(client: &Client, name: &str, ttl: Duration) -> Self {
        let ttl = Duration::from_secs(whole_seconds(ttl).clamp(1, Exptime::MAX_SECONDS));
        let (client, name, renew_every) = (client.clone(), name.to_string(), ttl / 3);
        let subject = name.clone();
        let observer = Observer(Arc::new(move |event| {
            if let LeaseEvent::Lost(e) = event {
                log::warn!("the lease {subject} is lost: {e}");
            }
        }));
        Lease { client, name, ttl, renew_every, holder: Vec::new(), observer }
    }

    /// Sets how often a thread that [keeps](LeaseGuard::kept) the lease renews it: a third of its
    /// time by default, and at most that, so that two renewals may fail.
    #[must_use]
    pub fn renew_every(mut self, time: Duration) -> Self {
        self.renew_every = time.min(self.ttl / 3);
        self
    }

    /// Sets what the thread that [keeps](LeaseGuard::kept) the lease calls at each event, instead of
    /// logging that the lease is lost. No renewal takes place during the call, so it should be
    /// short.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// # let address = server.addresses()[0].clone();
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    /// use telefile::Client;
    /// use telefile::client::recipes::{Lease, LeaseEvent};
    ///
    /// let client = Client::connect_to(&address)?;
    /// let (lost, is_lost) = mpsc::channel();
    /// let lease = Lease::new(&client, "lease/backup", Duration::from_secs(30))
    ///     .renew_every(Duration::from_millis(10))
    ///     .on_event(move |event| {
    ///         if let LeaseEvent::Lost(why) = event {
    ///             let _ = lost.send(why);
    ///         }
    ///     });
    /// let held = lease.acquire()?.kept()?;
    ///
    /// client.delete("lease/backup", None)?; // as an operator might
    /// assert_eq!(is_lost.recv()?.to_string(), "lease/backup does not exist");
    /// # drop(held);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn on_event(mut self, observer: impl Fn(LeaseEvent) + Send + Sync + 'static) -> Self {
        self.observer = Observer(Arc::new(observer));
        self
    }

    /// Sets the contents of the lease's file while this client holds it, for people to read.
    #[must_use]
    pub fn holder(mut self, holder: impl AsRef<[u8]>) -> Self {
        self.holder = holder.as_ref().to_vec();
        self
    }

    /// Acquires the lease. Waits for as long as necessary.
    ///
    /// # Errors
    /// See [`Error`]. After [`Error::Lost`] it may be acquired; it is free when its time is over.
    pub fn acquire(&self) -> Result<LeaseGuard, Error> {
        loop {
            if let Some(guard) = self.acquire_by(Deadline::never())? {
                return Ok(guard);
            }
        }
    }

    /// Acquires the lease if it is free.
    ///
    /// # Errors
    /// As for [`acquire`](Lease::acquire).
    pub fn try_acquire(&self) -> Result<Option<LeaseGuard>, Error> {
        self.try_acquire_for(Duration::ZERO)
    }

    /// Acquires the lease if it becomes free within this time, which is rounded up to seconds.
    ///
    /// # Errors
    /// As for [`acquire`](Lease::acquire).
    pub fn try_acquire_for(&self, time: Duration) -> Result<Option<LeaseGuard>, Error> {
        self.acquire_by(Deadline::after(time))
    }

    fn acquire_by(&self, deadline: Deadline) -> Result<Option<LeaseGuard>, Error> {
        self.acquire_noticing(deadline, |notice| log_notice(&self.name, notice))
    }

    /// Acquires the lease by the deadline.
    pub(crate) fn acquire_noticing(
        &self,
        deadline: Deadline,
        notice: impl Fn(Notice),
    ) -> Result<Option<LeaseGuard>, Error> {
        let Lease { client, name, ttl, renew_every, holder, .. } = self;
        let exptime = Exptime::Seconds(ttl.as_secs());
        client.keep_alive()?;
        let made = acquire(client, name, holder, exptime, deadline, notice)?;
        let Some((token, before)) = made else { return Ok(None) };
        let held = Arc::new(Held::new(client, name, *ttl, *renew_every, token, before));
        Ok(Some(LeaseGuard { held, observer: self.observer.clone(), keeper: None }))
    }
}

impl LeaseGuard {
    /// Returns the fencing token: the version of the change that acquired it. Every later holder's is greater.
    pub fn token(&self) -> FencingToken {
        self.held.token()
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

    /// Returns when the lease ends by this machine's clock, unless it is renewed.
    pub fn valid_until(&self) -> Instant {
        self.held.valid_until()
    }

    /// Starts a thread with its own connection that renews the lease [regularly](Lease::renew_every)
    /// and reports to the lease's [observer](Lease::on_event). If the connection ends, the thread
    /// makes another one at once. It does so as long as the process runs, even if the work hangs; to
    /// avoid that, call [`renew`](LeaseGuard::renew) as the work progresses instead.
    ///
    /// # Errors
    /// Those of [`Client::reconnect`], and [`Error::Thread`]; the lease is then released.
    pub fn kept(mut self) -> Result<Self, Error> {
        self.held.reconnect()?;
        self.keep()?;
        Ok(self)
    }

    /// Starts the thread of [`kept`](LeaseGuard::kept) on the connection that acquired the lease.
    pub(crate) fn keep(&mut self) -> Result<(), Error> {
        let (held, observer) = (self.held.clone(), self.observer.clone());
        held.limit_timeout()?;
        let keeper = thread::Builder::new().name("lease".to_string());
        let keep = move || held.keep(&*observer.0);
        self.keeper = Some(keeper.spawn(keep).map_err(Error::Thread)?);
        Ok(())
    }

    /// Releases the lease.
    ///
    /// # Errors
    /// As for [`Guard::unlock`](super::Guard::unlock).
    pub fn release(mut self) -> Result<(), Error> {
        self.release_once()
    }

    fn release_once(&mut self) -> Result<(), Error> {
        if !self.held.end() {
            return Ok(());
        }
        let released = self.held.delete();
        if let Some(keeper) = self.keeper.take()
            // An observer may drop the guard.
            && keeper.thread().id() != thread::current().id()
        {
            self.held.disconnect();
            let _ = keeper.join();
        }
        released
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        let _ = self.release_once();
    }
}
