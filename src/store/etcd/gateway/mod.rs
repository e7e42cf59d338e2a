//! Requests to etcd through its HTTP gateway: one member at a time, the next one on failure. Knows
//! no table.

mod addresses;
mod endpoints;
mod failure;
mod json;
#[cfg(feature = "etcd-tls")]
mod tls;
mod trouble;
mod txn;
mod user;

pub(super) use json::{KeyValue, Range, Reply};
pub(super) use trouble::{Refused, Trouble};
pub(super) use txn::Txn;

use super::options::Options;
use addresses::Addresses;
use endpoints::Endpoints;
use failure::Failure;
use serde_json::{Value, json};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::unversioned::transport::DefaultConnector;
use user::User;

/// How long a member may take to answer. A member that has lost its leader takes 7 s.
pub(super) const PATIENCE: Duration = Duration::from_millis(2500);
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);

/// The pause before a request is repeated once all members have failed.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest reply. A page of a load is much shorter.
const MAX_REPLY_BYTES: u64 = 64 << 20;

/// A cluster of etcd.
#[derive(Debug)]
pub(super) struct Gateway {
    agent: Agent,
    addresses: Addresses,
    endpoints: Endpoints,
    user: Option<User>,
    known: Mutex<Known>,
}

/// What earlier replies said, to notice another cluster, and one that was put back.
#[derive(Debug, Default)]
struct Known {
    cluster: Option<String>,
    revision: i64,
}

impl Known {
    fn has_answered(&self) -> bool {
        self.cluster.is_some() || self.revision > 0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gateway {
    /// # Errors
    /// Options that cannot be meant, and those of the files that they name.
    pub(super) fn new(options: &Options) -> io::Result<Self> {
        let endpoints = Endpoints::new(options.check()?);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy of the environment is for other requests than those to one's own cluster.
            .proxy(None)
            .timeout_connect(Some(CONNECT_PATIENCE))
            .max_idle_connections_per_host(8);
        #[cfg(feature = "etcd-tls")]
        let config = config.tls_config(tls::config(&options.tls)?);
        let user = options.user.clone().map(|(name, password)| User {
            name,
            password,
            token: Mutex::default(),
        });
        let addresses = Addresses::default();
        let connector = DefaultConnector::default();
        let agent = Agent::with_parts(config.build(), connector, addresses.clone());
        Ok(Gateway { agent, addresses, endpoints, user, known: Mutex::default() })
    }

    /// Runs a transaction once.
    pub(super) fn transact(&self, txn: Txn) -> Result<Reply, Trouble> {
        self.ask("/v3/kv/txn", &txn.body(), PATIENCE)
    }

    /// Runs a transaction that may run twice, until it is answered.
    pub(super) fn transact_again(&self, txn: Txn, patience: Duration) -> Result<Reply, Trouble> {
        self.insist("/v3/kv/txn", &txn.body(), patience)
    }

    pub(super) fn range(&self, range: &Range<'_>, patience: Duration) -> Result<Reply, Trouble> {
        self.insist("/v3/kv/range", &range.body(), patience)
    }

    /// Returns the number of a new lease.
    pub(super) fn grant(&self, ttl: Duration, patience: Duration) -> Result<i64, Trouble> {
        let body = json!({ "TTL": ttl.as_secs().to_string() }).to_string();
        let reply = self.insist("/v3/lease/grant", &body, patience)?;
        match reply.number("ID")? {
            0 => Err(Trouble::Unknown(format!("{}: it grants no lease", reply.endpoint))),
            lease => Ok(lease),
        }
    }

    /// Renews a lease. Returns whether it still lives.
    pub(super) fn renew(&self, lease: i64, patience: Duration) -> Result<bool, Trouble> {
        let body = json!({ "ID": lease.to_string() }).to_string();
        let reply = self.ask("/v3/lease/keepalive", &body, patience)?;
        // The reply is one of a stream.
        let Reply { endpoint, mut value } = reply;
        let reply = Reply { endpoint, value: value["result"].take() };
        match reply.value.is_object() {
            true => Ok(reply.number("TTL")? > 0),
            false => Err(Trouble::of(&reply.endpoint, &value, 200)),
        }
    }

    /// Ends a lease.
    pub(super) fn revoke(&self, lease: i64, patience: Duration) -> Result<(), Trouble> {
        let body = json!({ "ID": lease.to_string() }).to_string();
        match self.insist("/v3/lease/revoke", &body, patience) {
            Err(e) if e.refused() != Some(Refused::NoLease) => Err(e),
            _ => Ok(()),
        }
    }

    /// Returns the size of the database, in bytes.
    pub(super) fn database_bytes(&self, patience: Duration) -> Result<u64, Trouble> {
        let bytes = self.ask("/v3/maintenance/status", "{}", patience)?.number("dbSize")?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Repeats a request until it is answered, or until `patience` has passed. At the start, only until
    /// all members have turned out to be none.
    fn insist(&self, path: &str, body: &str, patience: Duration) -> Result<Reply, Trouble> {
        let end = Instant::now() + patience;
        let mut failures = 0;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let trouble = match self.ask(path, body, left.clamp(PAUSE, PATIENCE)) {
                Err(trouble) if trouble.may_pass() => trouble,
                answered => return answered,
            };
            failures += 1;
            if self.endpoints.are_all_wrong() && !lock(&self.known).has_answered() {
                return Err(Trouble::Astray(self.endpoints.troubles().unwrap_or_default()));
            }
            if failures % self.endpoints.count() == 0 {
                thread::sleep(PAUSE.min(end.saturating_duration_since(Instant::now())));
            }
            if Instant::now() >= end {
                return Err(match (trouble, self.endpoints.troubles()) {
                    (Trouble::Unknown(_), Some(troubles)) => Trouble::Unknown(troubles),
                    (trouble, _) => trouble,
                });
            }
        }
    }

    /// Sends a request once, to the current member. If that fails, the next one is the current.
    fn ask(&self, path: &str, body: &str, patience: Duration) -> Result<Reply, Trouble> {
        let current = self.endpoints.current();
        let revision = lock(&self.known).revision;
        let asked = self.token(current, patience).and_then(|token| {
            let asked = self.send(current, path, body, token.as_deref(), patience);
            if let Err(Trouble::Refused(Refused::Token, _)) = asked {
                self.forget(token);
            }
            asked
        });
        if let Err(Trouble::Unknown(why) | Trouble::Refused(Refused::Other, why)) = &asked {
            log::debug!("etcd: {why}");
            self.move_on_from(current);
        }
        let reply = asked?;
        // Only these requests are answered from the cluster's latest state.
        let at_least = path.starts_with("/v3/kv/").then_some(revision);
        if let Err(trouble) = self.expect_known(&reply, at_least) {
            if let Trouble::Unknown(_) = trouble {
                let failure = Failure::of_body("its reply is not etcd's");
                self.move_on_from(current);
                return Err(self.failed(current, failure));
            }
            return Err(trouble);
        }
        Ok(reply)
    }

    /// Asks the next member from now on, and looks all of them up again.
    fn move_on_from(&self, member: usize) {
        self.addresses.forget();
        self.endpoints.advance_from(member);
    }

    /// Returns what to show, if there is a user: authenticates unless that has been done.
    fn token(&self, current: usize, patience: Duration) -> Result<Option<String>, Trouble> {
        let Some(user) = &self.user else { return Ok(None) };
        let mut token = lock(&user.token);
        if token.is_none() {
            let body = json!({ "name": user.name, "password": user.password }).to_string();
            let reply = self.send(current, "/v3/auth/authenticate", &body, None, patience)?;
            *token = match reply.text("token") {
                // It becomes a header.
                Some(text) if text.bytes().all(|b| b.is_ascii_graphic()) => Some(text.to_string()),
                _ => {
                    let why = format!("{}: its reply has no valid token", reply.endpoint);
                    return Err(Trouble::Unknown(why));
                }
            };
        }
        Ok(token.clone())
    }

    /// Forgets a token that has ended, unless another thread has a new one.
    fn forget(&self, ended: Option<String>) {
        if let Some(user) = &self.user {
            let mut token = lock(&user.token);
            if *token == ended {
                *token = None;
            }
        }
    }

    fn send(
        &self,
        member: usize,
        path: &str,
        body: &str,
        token: Option<&str>,
        patience: Duration,
    ) -> Result<Reply, Trouble> {
        let endpoint = self.endpoints.url(member);
        let unknown = |failure| self.failed(member, failure);
        let mut request = self
            .agent
            .post(format!("{endpoint}{path}"))
            .config()
            .timeout_global(Some(patience))
            .build()
            .content_type("application/json");
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let response = request.send(body);
        let mut response = response.map_err(|e| unknown(Failure::of(endpoint, e)))?;
        let status = response.status().as_u16();
        let bytes = response.body_mut().with_config().limit(MAX_REPLY_BYTES).read_to_vec();
        let bytes = bytes.map_err(|e| unknown(Failure::of(endpoint, e)))?;
        match (status, serde_json::from_slice::<Value>(&bytes)) {
            (200, Ok(value)) => {
                self.endpoints.set_failure(member, None);
                Ok(Reply { endpoint: endpoint.to_string(), value })
            }
            (200, Err(e)) => {
                Err(unknown(Failure::of_body(format_args!("its reply is no JSON: {e}"))))
            }
            (404, Ok(value)) if value["message"] == "Not Found" => {
                Err(unknown(Failure::of_status(404, &bytes)))
            }
            (status, Ok(value)) => {
                let trouble = Trouble::of(endpoint, &value, status);
                let failure = match &trouble {
                    Trouble::Unknown(why) => Some(Failure::of_etcd(endpoint, why)),
                    _ => None,
                };
                self.endpoints.set_failure(member, failure);
                Err(trouble)
            }
            (status, Err(_)) => Err(unknown(Failure::of_status(status, &bytes))),
        }
    }

    /// Remembers why a member has not answered.
    fn failed(&self, member: usize, failure: Failure) -> Trouble {
        let trouble = Trouble::Unknown(format!("{}: {}", self.endpoints.url(member), failure.why));
        self.endpoints.set_failure(member, Some(failure));
        trouble
    }

    /// Checks that a reply is of the cluster that answered before, and not of an earlier state of it.
    fn expect_known(&self, reply: &Reply, at_least: Option<i64>) -> Result<(), Trouble> {
        let mut known = lock(&self.known);
        if let Some(cluster) = reply.cluster() {
            let first = known.cluster.get_or_insert_with(|| cluster.to_string());
            if first != cluster {
                return Err(Trouble::Foreign(format!(
                    "{} belongs to another cluster than the member that answered before",
                    reply.endpoint
                )));
            }
        }
        let Some(at_least) = at_least else { return Ok(()) };
        let revision = reply.revision()?;
        if revision < at_least {
            return Err(Trouble::Foreign(format!(
                "{} is at revision {revision}, although the cluster was at {at_least}: it was restored \
                 from a backup. Stop all servers of the table, and give it a new epoch with `telefile \
                 restore --new-epoch --etcd URL`",
                reply.endpoint
            )));
        }
        known.revision = known.revision.max(revision);
        Ok(())
    }
}
