//! A lock: one file, held by the client that made it.

use super::deadline::Deadline;
use super::token::FencingToken;
use crate::client::{Client, Error};
use crate::exptime::Exptime;
use crate::refusal::Refusal;
use crate::version::Version;
use std::time::{Duration, Instant};

/// How long to wait before noticing a holder.
const MOMENT: Duration = Duration::from_secs(1);

/// How long to wait before noticing the same holder again.
const REMINDER: Duration = Duration::from_secs(30);

/// What one notices while waiting.
#[derive(Clone, Copy)]
pub(crate) enum Notice {
    /// The file exists, and still does after a while.
    Held,
    /// It does not end by itself, so waiting may never end.
    NotALock,
}

/// A lock that is free again as soon as its holder's connection ends.
///
/// It is an ephemeral file: `cas NAME 0` makes it or fails, its version is the token, `delete`
/// releases the lock, and waiters learn of that by `wait`. Any of them may be the next holder; a
/// [`FairLock`](super::FairLock) keeps the order.
///
/// - **Lost connection**: the server frees the lock when it sees the end of the connection: at once
///   if the process ended, after about a minute if the network was cut. [`Guard::check`] fails from
///   then on.
/// - **Paused holder**: a suspended holder keeps the lock, because its connection stays open. If
///   the connection was cut meanwhile, the holder does not know that it has lost the lock: send the
///   [token](Guard::token) along with every access to what the lock protects.
/// - **Restarted server**: all locks are free, even with `--data`. Every guard's `check` fails.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
/// # let address = server.addresses()[0].clone();
/// use std::time::{Duration, Instant};
/// use telefile::{Client, client::recipes::Lock};
///
/// let (ann, bob) = (Client::connect_to(&address)?, Client::connect_to(&address)?);
/// let held = Lock::new(&ann, "lock/db").lock()?;
/// assert!(Lock::new(&bob, "lock/db").try_lock()?.is_none());
/// // ... write to the database, with held.token() ...
/// let first = held.token();
/// held.unlock()?;
///
/// let held = Lock::new(&bob, "lock/db").try_lock_for(Duration::from_secs(5))?.expect("it is free");
/// assert!(held.token() > first);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lock {
    client: Client,
    name: String,
    holder: Vec<u8>,
}

/// A file that this program made to hold something. It is deleted when the guard is dropped.
///
/// Dropping waits for the server's reply, and for the connection, if another thread uses it. It
/// ignores errors; [`unlock`](Guard::unlock) returns them.
#[derive(Debug)]
#[must_use = "what it holds is released when this is dropped"]
pub struct Guard {
    client: Client,
    name: String,
    token: FencingToken,
    released: bool,
}

impl Lock {
    /// Returns the lock of this name. Sends nothing yet.
    pub fn new(client: &Client, name: &str) -> Self {
        Lock { client: client.clone(), name: name.to_string(), holder: Vec::new() }
    }

    /// Sets the contents of the lock's file while this client holds it, for people to read.
    #[must_use]
    pub fn holder(mut self, holder: impl AsRef<[u8]>) -> Self {
        self.holder = holder.as_ref().to_vec();
        self
    }

    /// Acquires the lock. Waits for as long as necessary.
    ///
    /// # Errors
    /// See [`Error`]; the lock is not acquired then.
    pub fn lock(&self) -> Result<Guard, Error> {
        loop {
            if let Some(guard) = self.lock_by(Deadline::never())? {
                return Ok(guard);
            }
        }
    }

    /// Acquires the lock if it is free.
    ///
    /// # Errors
    /// As for [`lock`](Lock::lock).
    pub fn try_lock(&self) -> Result<Option<Guard>, Error> {
        self.try_lock_for(Duration::ZERO)
    }

    /// Acquires the lock if it becomes free within this time, which is rounded up to seconds.
    ///
    /// # Errors
    /// As for [`lock`](Lock::lock).
    pub fn try_lock_for(&self, time: Duration) -> Result<Option<Guard>, Error> {
        self.lock_by(Deadline::after(time))
    }

    fn lock_by(&self, deadline: Deadline) -> Result<Option<Guard>, Error> {
        self.lock_noticing(deadline, |notice| log_notice(&self.name, notice))
    }

    /// Acquires the lock by the deadline.
    pub(crate) fn lock_noticing(
        &self,
        deadline: Deadline,
        notice: impl Fn(Notice),
    ) -> Result<Option<Guard>, Error> {
        let Lock { client, name, holder } = self;
        let made = acquire(client, name, holder, Exptime::Connection, deadline, notice)?;
        Ok(made.map(|(token, _)| Guard::new(client, name, token)))
    }
}

/// The warning about a file that is not a lock, so waiting for it may never end.
pub(crate) fn not_a_lock(name: &str) -> String {
    format!("{name} is not a lock but a file that stays: it is free when somebody deletes it")
}

/// Reports a notice of [`acquire`] in a library's way.
pub(super) fn log_notice(name: &str, notice: Notice) {
    if let Notice::NotALock = notice {
        log::warn!("{}", not_a_lock(name));
    }
}

/// Makes a file that does not exist; returns its version, and an instant before the server made it.
/// Waits until the file is deleted, if necessary, and reports through `notice` what it waits for: the
/// first time after a moment, and each time that another client has the file.
pub(super) fn acquire(
    client: &Client,
    name: &str,
    contents: &[u8],
    exptime: Exptime,
    deadline: Deadline,
    notice: impl Fn(Notice),
) -> Result<Option<(FencingToken, Instant)>, Error> {
    let mut noticed = Version::ABSENT;
    loop {
        let before = Instant::now();
        let held = match client.cas_expiring(name, Version::ABSENT, contents, exptime) {
            Err(Error::Refused { refusal: Refusal::Version(held), .. }) => held,
            made => return Ok(Some((FencingToken(made?), before))),
        };
        let time = if held == noticed { REMINDER } else { MOMENT };
        if deadline.within(time).wait(client, name, held)? {
            continue;
        }
        if deadline.left().is_none() {
            return Ok(None);
        }
        notice(Notice::Held);
        if held != noticed && stays(client, name, held)? {
            notice(Notice::NotALock);
        }
        noticed = held;
    }
}

/// Returns whether the file at this version ends neither with a time nor with a connection.
fn stays(client: &Client, name: &str, version: Version) -> Result<bool, Error> {
    match client.stat(name) {
        Ok(stat) => Ok(stat.version == version && stat.exptime == Exptime::Never),
        Err(Error::Refused { refusal: Refusal::NotFound, .. }) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Checks that the file is still at the version that its token is.
pub(crate) fn check(client: &Client, name: &str, token: FencingToken) -> Result<(), Error> {
    let stat = client.stat(name)?;
    if stat.version != token.0 {
        let (file, refusal) = (Some(name.to_string()), Refusal::Version(stat.version));
        return Err(Error::Refused { file, refusal });
    }
    Ok(())
}

impl Guard {
    pub(super) fn new(client: &Client, name: &str, token: FencingToken) -> Self {
        let (client, name) = (client.clone(), name.to_string());
        Guard { client, name, token, released: false }
    }

    /// Returns the fencing token: the version of the change that acquired it. Every later holder's is greater,
    /// so the protected resource can refuse a token smaller than the greatest so far.
    pub fn token(&self) -> FencingToken {
        self.token
    }

    /// Returns the name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the server whether this program still holds the lock.
    ///
    /// # Errors
    /// Any error means that it is lost, or may be. [`Error::Lost`] if the connection is lost.
    pub fn check(&self) -> Result<(), Error> {
        check(&self.client, &self.name, self.token)
    }

    /// Releases the lock.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] or [`Refusal::Version`] if it was lost before, so that somebody else
    /// may have held it too; after [`Error::Lost`], it is free or will be.
    pub fn unlock(mut self) -> Result<(), Error> {
        self.release_once()
    }

    fn release_once(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.released, true) {
            return Ok(());
        }
        self.client.delete(&self.name, Some(self.token.0))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.release_once();
    }
}
