//! The time during which this process is the active server: as long as its lease is renewed.

use super::boottime;
use super::cluster::Cluster;
use super::gateway::{KeyValue, Range, Trouble};
use super::leader::Leader;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long the lease lasts after it was renewed.
pub(super) const LEASE: Duration = Duration::from_secs(10);

/// How long after the last acknowledged renewal was sent the server may answer. The rest of the lease
/// is for the time between a look at the clock and the end of what follows it.
const MAY_ANSWER: Duration = Duration::from_secs(8);

const RENEW_EVERY: Duration = Duration::from_secs(2);

/// How long a member may take for a renewal, before the next one is asked.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(2);

/// How long a member may take for what else is asked between two renewals.
const LOOK_PATIENCE: Duration = Duration::from_millis(500);

/// The pause after a renewal that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// How long to try to end the lease.
const RESIGN_PATIENCE: Duration = Duration::from_secs(2);

/// This process is the active server. A thread renews the lease.
pub(crate) struct Term {
    pub(super) cluster: Arc<Cluster>,
    leader: Leader,
    lease: i64,
    /// When the last acknowledged renewal was sent, in nanoseconds of [`boottime`].
    renewed: AtomicU64,
    is_over: AtomicBool,
    ending: Mutex<Ending>,
    /// The term is over.
    ended: Condvar,
    pub(super) last_commit_nanos: AtomicU64,
    database_bytes: AtomicU64,
}

/// Called when the term is over.
type OnOver = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Ending {
    is_over: bool,
    on_over: Vec<OnOver>,
}

impl Term {
    /// Begins the term of a server that has created the key `leader`, on a lease that it asked for at
    /// `sent`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(
        cluster: Arc<Cluster>,
        leader: Leader,
        lease: i64,
        sent: Duration,
    ) -> io::Result<Arc<Self>> {
        let term = Arc::new(Term {
            cluster,
            leader,
            lease,
            renewed: AtomicU64::new(nanos(sent)),
            is_over: AtomicBool::new(false),
            ending: Mutex::default(),
            ended: Condvar::new(),
            last_commit_nanos: AtomicU64::new(0),
            database_bytes: AtomicU64::new(0),
        });
        let renewing = term.clone();
        thread::Builder::new().name("lease".to_string()).spawn(move || renewing.renew())?;
        Ok(term)
    }

    /// Returns whether the server may answer now: no other one can be active. To be asked after a
    /// request was received, and again before its reply is written.
    pub(crate) fn may_answer(&self) -> bool {
        !self.is_over() && !self.left().is_zero()
    }

    /// Returns whether the term is known to be over. It stays so.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(SeqCst)
    }

    /// Returns what a relay shows first.
    pub(crate) fn secret(&self) -> &str {
        &self.leader.secret
    }

    /// Returns what other servers read of this one.
    pub(crate) fn leader(&self) -> &Leader {
        &self.leader
    }

    /// Calls a function when the term is over; now, if it is.
    pub(crate) fn on_over(&self, call: impl FnOnce() + Send + 'static) {
        let mut ending = self.lock();
        if !ending.is_over {
            ending.on_over.push(Box::new(call));
            return;
        }
        drop(ending);
        call();
    }

    /// Ends the term, so that another server can be active at once. What is not committed by now never
    /// will be.
    ///
    /// Returns false if etcd is out of reach: then another server is active later, when the lease ends.
    pub(crate) fn resign(&self) -> bool {
        self.end("the server resigns");
        let ended = self.cluster.end_lease(self.lease, RESIGN_PATIENCE);
        if let Err(e) = &ended {
            log::warn!("{e}; another server becomes active when the lease ends");
        }
        ended.is_ok()
    }

    /// Returns how long the last commit took; zero before the first.
    pub(crate) fn last_commit(&self) -> Duration {
        Duration::from_nanos(self.last_commit_nanos.load(SeqCst))
    }

    pub(super) fn database_bytes(&self) -> u64 {
        self.database_bytes.load(SeqCst)
    }

    /// Adds bytes that were put since etcd was last asked for the size. A burst of changes may be over before
    /// it is asked again.
    pub(super) fn grow_database(&self, bytes: usize) {
        self.database_bytes.fetch_add(bytes as u64, SeqCst);
    }

    /// The term is over: another server is active, or may soon be.
    pub(super) fn end(&self, why: &str) {
        self.is_over.store(true, SeqCst);
        let mut ending = self.lock();
        if ending.is_over {
            return;
        }
        ending.is_over = true;
        let calls = std::mem::take(&mut ending.on_over);
        drop(ending);
        log::info!("this server is no longer active: {why}");
        self.ended.notify_all();
        calls.into_iter().for_each(|call| call());
    }

    /// Blocks until the term is over, at most this long.
    pub(super) fn pause(&self, longest: Duration) {
        let is_going_on = |ending: &mut Ending| !ending.is_over;
        let _ended = self.ended.wait_timeout_while(self.lock(), longest, is_going_on);
    }

    #[cfg(test)]
    pub(super) fn set_database_bytes(&self, bytes: u64) {
        self.database_bytes.store(bytes, SeqCst);
    }

    #[cfg(test)]
    pub(super) fn lease(&self) -> i64 {
        self.lease
    }

    /// As if the last acknowledged renewal had been sent then.
    #[cfg(test)]
    pub(super) fn set_renewed(&self, sent: Duration) {
        self.renewed.store(nanos(sent), SeqCst);
    }

    /// How long the server may still answer.
    fn left(&self) -> Duration {
        let renewed = Duration::from_nanos(self.renewed.load(SeqCst));
        (renewed + MAY_ANSWER).saturating_sub(boottime::now())
    }

    fn lock(&self) -> MutexGuard<'_, Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the lease until the term is over.
    fn renew(&self) {
        let gateway = &self.cluster.gateway;
        let mut failure = String::new();
        while !self.is_over() {
            let left = self.left();
            if left.is_zero() {
                let secs = MAY_ANSWER.as_secs();
                return self.end(&format!("etcd has not renewed its lease for {secs} s{failure}"));
            }
            let sent = boottime::now();
            match gateway.renew(self.lease, RENEWAL_PATIENCE.min(left)) {
                Ok(true) => {
                    self.renewed.store(nanos(sent), SeqCst);
                    if let Some(why) = self.disproof() {
                        return self.end(&why);
                    }
                    if let Ok(bytes) = gateway.database_bytes(LOOK_PATIENCE) {
                        self.database_bytes.store(bytes, SeqCst);
                    }
                    failure.clear();
                    self.pause(RENEW_EVERY);
                }
                Ok(false) => return self.end("its lease has ended"),
                Err(e) => {
                    log::debug!("{e}");
                    failure = format!(": {e}");
                    self.pause(PAUSE);
                }
            }
        }
    }

    /// Returns why this server is not the active one, although its lease lives: somebody has removed the
    /// key `leader`, or put etcd back to an earlier state. A server without changes learns it nowhere
    /// else.
    fn disproof(&self) -> Option<String> {
        let key = self.cluster.keys.leader();
        let found = self.cluster.gateway.range(&Range::one(&key), LOOK_PATIENCE);
        match found.and_then(|reply| reply.one(&key)) {
            Ok(found) => {
                let is_mine = |found: KeyValue| found.created == self.leader.revision;
                let shown = String::from_utf8_lossy(&key);
                (!found.is_some_and(is_mine)).then(|| {
                    format!("another program has removed or replaced the key {shown} in etcd")
                })
            }
            Err(trouble @ Trouble::Foreign(_)) => Some(trouble.to_string()),
            Err(_) => None,
        }
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Term");
        shown.field("leader", &self.leader).field("is_over", &self.is_over).finish_non_exhaustive()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
