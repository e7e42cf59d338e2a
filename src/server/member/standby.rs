//! A server while another one is active, or none.

use super::following::Following;
use crate::net::Stream;
use crate::server::host::{Host, Role};
use crate::store::etcd::Leader;
use std::net::Shutdown;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// How long a client waits for an active server.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it waits where etcd is out of reach: it may know another server.
const CUT_OFF_PATIENCE: Duration = Duration::from_secs(2);

impl Host {
    /// Gives the server a role. Clients that are relayed in the one before lose their connection.
    pub(in crate::server) fn set_role(&self, role: Role) {
        match &role {
            Role::Active(shared) => {
                shared.lead.iter().for_each(|lead| self.see(lead.term.leader()));
            }
            Role::Standby(following) => self.see(&following.leader),
            Role::Waiting | Role::CutOff => {}
        }
        if let Role::Standby(before) = self.replace_role(role) {
            before.relays.close();
            let end = |stream: &Arc<Stream>| stream.shutdown(Shutdown::Both);
            before.relays.each(|ends| ends.iter().for_each(end));
        }
    }

    fn see(&self, leader: &Leader) {
        self.settings.failovers.see(leader.revision);
    }

    /// Returns the role once there is an active server; `None` if there is none for as long as a client
    /// waits that came at `since`, or after a stop.
    pub(in crate::server) fn role_for(&self, since: Instant) -> Option<Role> {
        let mut role = self.lock();
        while !self.arrivals.is_closed() {
            let patience = match &*role {
                Role::Waiting => PATIENCE,
                Role::CutOff => CUT_OFF_PATIENCE,
                Role::Active(_) | Role::Standby(_) if since.elapsed() >= PATIENCE => return None,
                role => return Some(role.clone()),
            };
            let left = patience.checked_sub(since.elapsed()).filter(|left| !left.is_zero())?;
            let changed = self.changed.wait_timeout(role, left);
            role = changed.unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    /// Blocks for this long, or until this server no longer follows that one, or stops.
    pub(in crate::server) fn pause(&self, following: &Following, time: Duration) {
        let waits = |_: &mut Role| !following.relays.is_closed() && !self.arrivals.is_closed();
        drop(self.changed.wait_timeout_while(self.lock(), time, waits));
    }
}
