//! An election whose leader has to renew its leadership, so that one that stops or hangs is replaced.

use super::deadline::Deadline;
use super::election::Leader;
use super::lease::{Lease, LeaseEvent, LeaseGuard};
use super::token::FencingToken;
use crate::client::{Client, Error};
use crate::version::Version;
use std::time::{Duration, Instant};

/// An election whose leader is replaced if it does not renew its leadership in time.
///
/// It is a [`Lease`] that the candidates compete for: the file `NAME`, which expires, with the
/// leader's value as its contents, so that everybody can read who leads. Candidates wait in no
/// order: any of them may be the next leader. An [`Election`](super::Election) keeps the order, but
/// its leader stays for as long as its connection is open, even if it hangs.
///
/// - **Lost connection**: the leader goes on. [Renewing](Leadership::renew) makes a new connection,
///   if the server still has the same table. A candidate that waits gets [`Error::Lost`], and is
///   no longer one.
/// - **Stopped leader**: if its process or its machine ends, another candidate leads when the time
///   is over; a leader that [resigns](Leadership::resign) is replaced at once.
/// - **Paused leader**: it is replaced when its time is over. After the pause,
///   [`is_leader`](Leadership::is_leader) says so by this machine's clock, and the thread of
///   [`kept`](Leadership::kept) reports [`LeaseEvent::Lost`]. The pause may come just after a look
///   at the clock, so commands have to carry the [token](Leadership::token).
/// - **Hanging leader**: the thread of [`kept`](Leadership::kept) renews as long as the process
///   runs. A leader whose work may hang calls [`renew`](Leadership::renew) as the work progresses
///   instead.
/// - **Restarted server**: nobody leads until there are candidates again. With `--data` the leader
///   goes on as after a lost connection.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
/// # let address = server.addresses()[0].clone();
/// use std::time::Duration;
/// use telefile::{Client, client::recipes::LeasedElection};
///
/// let client = Client::connect_to(&address)?;
/// let election = LeasedElection::new(&client, "leader/web", Duration::from_secs(10));
/// let leadership = election.campaign("10.0.0.5:80")?.kept()?;
///
/// // Another program reads the current leader, and waits for the next one.
/// let observer = Client::connect_to(&address)?;
/// let observer = LeasedElection::new(&observer, "leader/web", Duration::from_secs(10));
/// let leader = observer.leader()?.expect("somebody leads");
/// assert_eq!((&*leader.contents, leader.token), (&b"10.0.0.5:80"[..], leadership.token()));
///
/// for _step in 0..3 {
///     assert!(leadership.is_leader());
///     // ... a part of the work, with leadership.token() ...
/// }
/// leadership.resign()?;
/// assert!(observer.next_leader(Some(leader.token), Duration::from_secs(60))?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LeasedElection(Lease);

/// A leadership that lasts until its time is over, unless it is renewed. Dropping it resigns.
///
/// Dropping waits for the server's reply, and ignores errors; [`resign`](Leadership::resign) returns
/// them.
#[derive(Debug)]
#[must_use = "the leader resigns when this is dropped"]
pub struct Leadership(LeaseGuard);

impl LeasedElection {
    /// Returns the election of this name. A leader leads for `ttl` at a time, which is rounded up to
    /// seconds; observers may give any. Sends nothing yet.
    pub fn new(client: &Client, name: &str, ttl: Duration) -> Self {
        LeasedElection(Lease::new(client, name, ttl))
    }

    /// Sets how often a thread that [keeps](Leadership::kept) the leadership renews it: see
    /// [`Lease::renew_every`].
    #[must_use]
    pub fn renew_every(self, time: Duration) -> Self {
        LeasedElection(self.0.renew_every(time))
    }

    /// Sets what the thread that [keeps](Leadership::kept) the leadership calls at each event: see
    /// [`Lease::on_event`]. [`LeaseEvent::Lost`] is the end of the leadership.
    #[must_use]
    pub fn on_event(self, observer: impl Fn(LeaseEvent) + Send + Sync + 'static) -> Self {
        LeasedElection(self.0.on_event(observer))
    }

    /// Waits until it leads, for as long as necessary. `value` is what others read about the leader,
    /// such as its address.
    ///
    /// # Errors
    /// See [`Error`]. After [`Error::Lost`] it may lead; the next leader does when that time is over.
    pub fn campaign(&self, value: impl AsRef<[u8]>) -> Result<Leadership, Error> {
        self.lease(value).acquire().map(Leadership)
    }

    /// Waits until it leads for at most this time, which is rounded up to seconds; returns `None` if
    /// it did not become the leader.
    ///
    /// # Errors
    /// As for [`campaign`](LeasedElection::campaign).
    pub fn campaign_for(
        &self,
        value: impl AsRef<[u8]>,
        time: Duration,
    ) -> Result<Option<Leadership>, Error> {
        Ok(self.lease(value).try_acquire_for(time)?.map(Leadership))
    }

    /// Returns the current leader.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn leader(&self) -> Result<Option<Leader>, Error> {
        Leader::read(&self.0.client, &self.0.name)
    }

    /// Waits until the leader is not the one with token `known`, where `None` is nobody. Returns the
    /// leader; the same as before if the time, which is rounded up to seconds, is over.
    ///
    /// An observer that passes the token of the leader it knows gets each new one, even one that
    /// came between two calls, and a candidate that leads once more counts as new. A leader that has
    /// left before this looks is skipped.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn next_leader(
        &self,
        known: Option<FencingToken>,
        time: Duration,
    ) -> Result<Option<Leader>, Error> {
        let deadline = Deadline::after(time);
        loop {
            let leader = self.leader()?;
            let seen = leader.as_ref().map(|leader| leader.token);
            let version = known.map_or(Version::ABSENT, |token| token.0);
            if seen != known || !deadline.wait(&self.0.client, &self.0.name, version)? {
                return Ok(leader);
            }
        }
    }

    fn lease(&self, value: impl AsRef<[u8]>) -> Lease {
        self.0.clone().holder(value)
    }
}

impl Leadership {
    /// Returns the leader's token: each later leader's is greater.
    pub fn token(&self) -> FencingToken {
        self.0.token()
    }

    /// Returns whether this program still leads, by its own clock and the latest result of
    /// [`renew`](Leadership::renew). Sends nothing.
    pub fn is_leader(&self) -> bool {
        self.0.is_valid()
    }

    /// Returns when the leadership ends by this machine's clock, unless it is renewed.
    pub fn valid_until(&self) -> Instant {
        self.0.valid_until()
    }

    /// Restarts the leadership's time.
    ///
    /// # Errors
    /// As for [`LeaseGuard::renew`]: a refusal and [`Error::OtherTable`] are the end of the
    /// leadership, and after any other error the call can be repeated.
    pub fn renew(&self) -> Result<(), Error> {
        self.0.renew()
    }

    /// Starts a thread with its own connection that renews the leadership: see [`LeaseGuard::kept`].
    ///
    /// # Errors
    /// Those of [`Client::reconnect`], and [`Error::Thread`]; the leader has then resigned.
    pub fn kept(self) -> Result<Self, Error> {
        self.0.kept().map(Leadership)
    }

    /// Resigns: another candidate leads at once.
    ///
    /// # Errors
    /// A refusal if somebody else may have led since; that leader is left alone. Otherwise as for
    /// [`LeaseGuard::release`].
    pub fn resign(self) -> Result<(), Error> {
        self.0.release()
    }
}
