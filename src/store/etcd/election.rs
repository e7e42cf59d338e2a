//! Who is active: the key `leader`, which its server created on a lease.

use super::boottime;
use super::cluster::Cluster;
use super::gateway::{Gateway, Range, Refused, Trouble, Txn};
use super::keys::Keys;
use super::leader::{Candidate, Leader};
use super::options::Options;
use super::outage::Outage;
use super::term::{LEASE, Term};
use crate::waker::Waker;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

/// How long to try until etcd counts as out of reach.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a standby tries before it looks whether its server ends.
const LOOK_PATIENCE: Duration = Duration::from_secs(1);

/// How often a standby looks whether there is another active server. All members of etcd together need
/// 1.3 ms of a processor for each look. A watch would save that, but a stream that says nothing may be cut:
/// the standby would have to look as well.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// How long to try to end a lease. It ends by itself, later.
const REVOKE_PATIENCE: Duration = Duration::from_secs(2);

/// What has to be changed before another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The URLs, or the certificates.
    Options,
    /// The user, the password, or what the user may do.
    Access,
}

/// A table in an etcd cluster. Clones are the same table.
#[derive(Clone, Debug)]
pub struct Etcd {
    pub(super) cluster: Arc<Cluster>,
}

impl Etcd {
    /// Returns the table of these options. Connects to nobody yet.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for options that contradict each other, for URLs and
    /// prefixes that cannot be any, for https without the feature `etcd-tls`, and for files without
    /// what they should have; errors of the files.
    pub fn new(options: Options) -> io::Result<Etcd> {
        let gateway = Gateway::new(&options)?;
        let keys = Keys::new(&options.prefix);
        Ok(Etcd { cluster: Arc::new(Cluster::new(gateway, keys, options.max_data)) })
    }

    /// Returns whether an error is not of etcd's being out of reach for a while: trying again does not
    /// help, and the server must end.
    pub(crate) fn is_fatal(error: &io::Error) -> bool {
        matches!(
            error.kind(),
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::PermissionDenied
        )
    }

    /// Returns whether the cause of an error is something that whoever runs the program has to change.
    pub(crate) fn fault(error: &io::Error) -> Option<Fault> {
        match error.get_ref()?.downcast_ref::<Trouble>()? {
            Trouble::Astray(_) => Some(Fault::Options),
            Trouble::Refused(Refused::Denied, _) => Some(Fault::Access),
            _ => None,
        }
    }

    /// Returns the active server, if there is one.
    ///
    /// # Errors
    /// No member of etcd answers for 10 s; it refuses the user; it is not the cluster that answered
    /// before, or an earlier state of it; the key `leader` was not put by a telefile.
    pub(crate) fn leader(&self) -> io::Result<Option<Leader>> {
        self.look(PATIENCE)
    }

    pub(super) fn look(&self, patience: Duration) -> io::Result<Option<Leader>> {
        let key = self.cluster.keys.leader();
        let found = self.cluster.gateway.range(&Range::one(&key), patience)?.one(&key)?;
        found.map(Leader::decode).transpose()
    }

    /// Blocks until the active server is another than `seen`, or until `ending` wakes; then it returns
    /// the one that was seen. While etcd is out of reach, it waits on.
    ///
    /// # Errors
    /// Those of [`leader`](Etcd::leader) that are [fatal](Etcd::is_fatal).
    pub(crate) fn wait(&self, seen: Option<&Leader>, ending: &Waker) -> io::Result<Option<Leader>> {
        let mut outage = Outage::default();
        loop {
            match self.look(LOOK_PATIENCE) {
                Err(e) if Etcd::is_fatal(&e) => return Err(e),
                Err(e) => outage.goes_on(&e),
                Ok(leader) => {
                    outage.ends();
                    if leader.as_ref() != seen {
                        return Ok(leader);
                    }
                }
            }
            let mut polled = [PollFd::new(ending, PollFlags::IN)];
            match poll(&mut polled, Some(&LOOK_EVERY)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(seen.cloned()),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Becomes the active server; `None` if another one is.
    ///
    /// # Errors
    /// Those of [`leader`](Etcd::leader), and of a thread that cannot be started.
    pub(crate) fn campaign(&self, me: &Candidate) -> io::Result<Option<Arc<Term>>> {
        self.cluster.end_leases(PATIENCE)?;
        if self.leader()?.is_some() {
            return Ok(None);
        }
        let gateway = &self.cluster.gateway;
        let mut leader = Leader::new(me)?;
        let sent = boottime::now();
        let lease = gateway.grant(LEASE, PATIENCE)?;
        let begun = match self.take(&leader, lease) {
            Ok(Some(revision)) => {
                leader.revision = revision;
                Term::start(self.cluster.clone(), leader, lease, sent).map(Some)
            }
            Ok(None) => Ok(None),
            Err(e) => Err(e.into()),
        };
        if !matches!(begun, Ok(Some(_))) {
            // What was sent and not answered cannot be done any more, either.
            let _ = self.cluster.end_lease(lease, REVOKE_PATIENCE);
        }
        begun
    }

    /// Creates the key `leader`, unless it exists. Returns the revision at which it was created.
    fn take(&self, leader: &Leader, lease: i64) -> Result<Option<i64>, Trouble> {
        let key = self.cluster.keys.leader();
        let mut txn = Txn::default().if_created(&key, 0).otherwise_get(&key);
        txn.put_on(&key, &leader.encode(), lease);
        let reply = self.cluster.gateway.transact_again(txn, PATIENCE)?;
        if reply.has_succeeded()? {
            return reply.revision().map(Some);
        }
        // Perhaps an earlier attempt did it, whose reply was lost.
        let [found] = reply.found([&key])?;
        Ok(found.filter(|found| found.value == leader.encode()).map(|found| found.created))
    }
}
