//! A semaphore, and a lock that is one with a single permit: both are given in the order in which
//! they were asked for.

use super::lock::Guard;
use super::place::Line;
use super::wait::Until;
use crate::client::{Client, Error};
use std::time::Duration;

/// A lock whose waiters take their turns.
///
/// Each makes an ephemeral file, `create NAME/ 0 -1`; the one with the smallest number holds the
/// lock, and each of the others waits for the end of the one before. So a lock that is given back wakes one
/// waiter and not all of them. The token is the number: it grows from holder to holder.
///
/// Lost connection, paused holder, restarted server: as with [`Lock`](super::Lock). Who waits
/// loses its turn with its connection.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?;
/// # let (address, handle) = (server.addresses()[0].clone(), server.handle());
/// # let running = std::thread::spawn(|| server.run());
/// use telefile::{Client, client::recipes::FairLock};
///
/// let client = Client::connect_to(&address)?;
/// let printer = FairLock::new(&client, "printer");
/// let turn = printer.lock()?;
/// assert!(printer.try_lock()?.is_none());
/// turn.unlock()?;
/// # handle.stop();
/// # running.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FairLock(Semaphore);

/// A number of permits, given in the order in which they were asked for.
///
/// Each who wants one makes an ephemeral file, `create NAME/ 0 -1`; those with the smallest numbers
/// have a permit, as many as there are permits. Everybody has to name the same number of them.
///
/// Lost connection, paused holder, restarted server: as with [`Lock`](super::Lock). Who waits
/// wakes whenever somebody before it leaves.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?;
/// # let (address, handle) = (server.addresses()[0].clone(), server.handle());
/// # let running = std::thread::spawn(|| server.run());
/// use telefile::{Client, client::recipes::Semaphore};
///
/// let client = Client::connect_to(&address)?;
/// let downloads = Semaphore::new(&client, "downloads", 2);
/// let first = downloads.acquire()?;
/// let _second = downloads.acquire()?;
/// assert!(downloads.try_acquire()?.is_none());
/// drop(first);
/// assert!(downloads.try_acquire()?.is_some());
/// # handle.stop();
/// # running.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Semaphore {
    line: Line,
    permits: usize,
}

impl Semaphore {
    /// The semaphore of this name. Nothing is asked yet.
    ///
    /// # Panics
    /// If there are no permits at all.
    pub fn new(client: &Client, name: &str, permits: usize) -> Self {
        assert!(permits > 0, "a semaphore without permits lets nobody in, ever");
        Semaphore { line: Line::new(client, name), permits }
    }

    /// Takes a permit, however long that takes.
    ///
    /// # Errors
    /// See [`Error`]; then none is taken.
    pub fn acquire(&self) -> Result<Guard, Error> {
        loop {
            if let Some(guard) = self.acquire_until(Until::ever())? {
                return Ok(guard);
            }
        }
    }

    /// Takes a permit if one is free and nobody waits for it.
    ///
    /// # Errors
    /// As for [`acquire`](Semaphore::acquire).
    pub fn try_acquire(&self) -> Result<Option<Guard>, Error> {
        self.try_acquire_for(Duration::ZERO)
    }

    /// Takes a permit if it is one's turn within this time, which is rounded up to seconds.
    ///
    /// # Errors
    /// As for [`acquire`](Semaphore::acquire).
    pub fn try_acquire_for(&self, time: Duration) -> Result<Option<Guard>, Error> {
        self.acquire_until(Until::after(time))
    }

    fn acquire_until(&self, until: Until) -> Result<Option<Guard>, Error> {
        let place = self.line.join(b"")?;
        Ok(self.line.wait(&place, self.permits, until)?.then_some(place))
    }
}

impl FairLock {
    /// The lock of this name. Nothing is asked yet.
    pub fn new(client: &Client, name: &str) -> Self {
        FairLock(Semaphore::new(client, name, 1))
    }

    /// Takes the lock, however long that takes.
    ///
    /// # Errors
    /// See [`Error`]; then it is not taken.
    pub fn lock(&self) -> Result<Guard, Error> {
        self.0.acquire()
    }

    /// Takes the lock if it is free and nobody waits for it.
    ///
    /// # Errors
    /// As for [`lock`](FairLock::lock).
    pub fn try_lock(&self) -> Result<Option<Guard>, Error> {
        self.0.try_acquire()
    }

    /// Takes the lock if it is one's turn within this time, which is rounded up to seconds.
    ///
    /// # Errors
    /// As for [`lock`](FairLock::lock).
    pub fn try_lock_for(&self, time: Duration) -> Result<Option<Guard>, Error> {
        self.0.try_acquire_for(time)
    }
}
