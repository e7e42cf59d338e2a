//! One of several candidates is the leader, and everybody knows which.

use super::deadline::Deadline;
use super::lock::Guard;
use super::token::FencingToken;
use super::waiters::Waiters;
use crate::client::{Client, Error, Snapshot};
use crate::contents::Contents;
use crate::refusal::Refusal;
use crate::version::Version;
use std::time::Duration;

/// An election: candidates queue, and the first of them leads until it leaves or its connection
/// ends.
///
/// Each candidate makes an ephemeral file, `create NAME/ n -1`, whose contents say who it is. The
/// one with the smallest number is the leader, and the number is its token. The successor is known
/// before the leader leaves, so no vote is needed.
///
/// - **Lost connection**: the next candidate succeeds when the server sees the end of the leader's
///   connection: at once if the process ended, after about a minute if the network was cut.
/// - **Paused leader**: it leads as long as its connection lasts; a
///   [`LeasedElection`](super::LeasedElection) replaces it. One whose connection was cut during the
///   pause does not know that it no longer leads: its commands have to carry the
///   [token](Guard::token).
/// - **Restarted server**: nobody leads until there are candidates again.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
/// # let address = server.addresses()[0].clone();
/// use telefile::{Client, client::recipes::Election};
///
/// let client = Client::connect_to(&address)?;
/// let election = Election::new(&client, "leader/web");
/// assert!(election.leader()?.is_none());
///
/// let leadership = election.campaign("10.0.0.5:80")?;
/// let leader = election.leader()?.expect("somebody leads");
/// assert_eq!((&*leader.contents, leader.token), (&b"10.0.0.5:80"[..], leadership.token()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Election(Waiters);

/// The current leader.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Leader {
    /// What the leader wrote about itself in its candidacy.
    pub contents: Contents,
    /// The leader's token: each later leader's is greater.
    pub token: FencingToken,
}

impl Leader {
    /// Returns the leader whose file this is, if the file exists.
    pub(super) fn read(client: &Client, name: &str) -> Result<Option<Self>, Error> {
        match client.read(name) {
            Ok(Snapshot { contents, version, .. }) => {
                Ok(Some(Leader { contents, token: FencingToken(version) }))
            }
            Err(Error::Refused { refusal: Refusal::NotFound, .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl Election {
    /// Returns the election of this name. Sends nothing yet.
    pub fn new(client: &Client, name: &str) -> Self {
        Election(Waiters::new(client, name))
    }

    /// Becomes a candidate, and waits until it leads, for as long as necessary.
    ///
    /// # Errors
    /// See [`Error`]; it is no longer a candidate then.
    pub fn campaign(&self, candidate: impl AsRef<[u8]>) -> Result<Guard, Error> {
        let place = self.0.join(candidate.as_ref())?;
        while !self.0.wait(&place, 1, Deadline::never())? {}
        Ok(place)
    }

    /// Becomes a candidate for at most this time, which is rounded up to seconds; returns `None` if
    /// it did not become the leader.
    ///
    /// # Errors
    /// As for [`campaign`](Election::campaign).
    pub fn campaign_for(
        &self,
        candidate: impl AsRef<[u8]>,
        time: Duration,
    ) -> Result<Option<Guard>, Error> {
        let place = self.0.join(candidate.as_ref())?;
        Ok(self.0.wait(&place, 1, Deadline::after(time))?.then_some(place))
    }

    /// Returns the current leader.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn leader(&self) -> Result<Option<Leader>, Error> {
        Ok(self.look()?.0.map(|(_, leader)| leader))
    }

    /// Waits until the leader is not the one with token `known`, where `None` is nobody. Returns the
    /// leader; the same as before if the time, which is rounded up to seconds, is over.
    ///
    /// It looks at who leads, not at what happened: a leader that has left before this looks is
    /// skipped.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn next_leader(
        &self,
        known: Option<FencingToken>,
        time: Duration,
    ) -> Result<Option<Leader>, Error> {
        let deadline = Deadline::after(time);
        let client = &self.0.client;
        loop {
            let (leader, mut as_of) = self.look()?;
            let waited = match leader {
                // New candidates do not change the leader.
                Some((ref name, Leader { token, .. })) if Some(token) == known => {
                    deadline.wait(client, name, token.0)?
                }
                Some(_) => false,
                None if known.is_some() => false,
                None => deadline.watch(client, &self.0.prefix, &mut as_of)?.is_some(),
            };
            if !waited {
                return Ok(leader.map(|(_, leader)| leader));
            }
        }
    }

    /// Returns the leader, with the name of its file, and the version as of which this is true.
    fn look(&self) -> Result<(Option<(String, Leader)>, Version), Error> {
        loop {
            let (mut places, as_of) = self.0.places()?;
            if places.is_empty() {
                return Ok((None, as_of));
            }
            let name = places.swap_remove(0).name;
            // Otherwise it has left meanwhile.
            if let Some(leader) = Leader::read(&self.0.client, &name)? {
                return Ok((Some((name, leader)), as_of));
            }
        }
    }
}
