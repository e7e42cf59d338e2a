//! A semaphore, and a lock that is a semaphore with one permit. Both are granted in the order of the
//! requests.

use super::deadline::Deadline;
use super::lock::Guard;
use super::waiters::Waiters;
use crate::client::{Client, Error};
use std::time::Duration;

/// A lock that is granted in the order of the requests.
///
/// Each client makes an ephemeral file, `create NAME/ 0 -1`. The client with the smallest number
/// holds the lock, and every other one waits for the file before its own to end. So a release wakes
/// one waiter, not all of them. The token is the number: it grows from holder to holder.
///
/// Lost connection, paused holder, restarted server: as with [`Lock`](super::Lock). A waiter that
/// loses its connection loses its place.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
/// # let address = server.addresses()[0].clone();
/// use telefile::{Client, client::recipes::FairLock};
///
/// let client = Client::connect_to(&address)?;
/// let printer = FairLock::new(&client, "printer");
/// let turn = printer.lock()?;
/// assert!(printer.try_lock()?.is_none());
/// turn.unlock()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FairLock(Semaphore);

/// A number of permits, granted in the order of the requests.
///
/// Each client makes an ephemeral file, `create NAME/ 0 -1`. The clients with the smallest numbers
/// hold the permits. All clients have to give the same number of permits.
///
/// Lost connection, paused holder, restarted server: as with [`Lock`](super::Lock). A waiter wakes
/// whenever somebody before it leaves.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
/// # let address = server.addresses()[0].clone();
/// use telefile::{Client, client::recipes::Semaphore};
///
/// let client = Client::connect_to(&address)?;
/// let downloads = Semaphore::new(&client, "downloads", 2);
/// let first = downloads.acquire()?;
/// let _second = downloads.acquire()?;
/// assert!(downloads.try_acquire()?.is_none());
/// drop(first);
/// assert!(downloads.try_acquire()?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Semaphore {
    waiters: Waiters,
    permits: usize,
}

impl Semaphore {
    /// Returns the semaphore of this name. Sends nothing yet.
    ///
    /// # Panics
    /// If `permits` is 0.
    pub fn new(client: &Client, name: &str, permits: usize) -> Self {
        assert!(permits > 0, "a semaphore without permits lets nobody in");
        Semaphore { waiters: Waiters::new(client, name), permits }
    }

    /// Acquires a permit. Waits for as long as necessary.
    ///
    /// # Errors
    /// See [`Error`]; no permit is acquired then.
    pub fn acquire(&self) -> Result<Guard, Error> {
        loop {
            if let Some(guard) = self.acquire_by(Deadline::never())? {
                return Ok(guard);
            }
        }
    }

    /// Acquires a permit if one is free and nobody waits for it.
    ///
    /// # Errors
    /// As for [`acquire`](Semaphore::acquire).
    pub fn try_acquire(&self) -> Result<Option<Guard>, Error> {
        self.try_acquire_for(Duration::ZERO)
    }

    /// Acquires a permit if its turn comes within this time, which is rounded up to seconds.
    ///
    /// # Errors
    /// As for [`acquire`](Semaphore::acquire).
    pub fn try_acquire_for(&self, time: Duration) -> Result<Option<Guard>, Error> {
        self.acquire_by(Deadline::after(time))
    }

    fn acquire_by(&self, deadline: Deadline) -> Result<Option<Guard>, Error> {
        let place = self.waiters.join(b"")?;
        Ok(self.waiters.wait(&place, self.permits, deadline)?.then_some(place))
    }
}

impl FairLock {
    /// Returns the lock of this name. Sends nothing yet.
    pub fn new(client: &Client, name: &str) -> Self {
        FairLock(Semaphore::new(client, name, 1))
    }

    /// Acquires the lock. Waits for as long as necessary.
    ///
    /// # Errors
    /// See [`Error`]; the lock is not acquired then.
    pub fn lock(&self) -> Result<Guard, Error> {
        self.0.acquire()
    }

    /// Acquires the lock if it is free and nobody waits for it.
    ///
    /// # Errors
    /// As for [`lock`](FairLock::lock).
    pub fn try_lock(&self) -> Result<Option<Guard>, Error> {
        self.0.try_acquire()
    }

    /// Acquires the lock if its turn comes within this time, which is rounded up to seconds.
    ///
    /// # Errors
    /// As for [`lock`](FairLock::lock).
    pub fn try_lock_for(&self, time: Duration) -> Result<Option<Guard>, Error> {
        self.0.try_acquire_for(time)
    }
}
