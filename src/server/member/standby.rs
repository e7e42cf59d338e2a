//! A server while another one is active, or none.

use super::following::Following;
use crate::server::host::{Host, Role};
use crate::server::shared::{CUT_OFF, LET_GO};
use crate::store::etcd::Leader;
use std::net::Shutdown;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How long a client waits for an active server.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it waits where etcd is out of reach: it may know another server.
const CUT_OFF_PATIENCE: Duration = Duration::from_secs(2);

impl Host {
    /// Gives the server a role, unless it stops. Clients that are relayed in the one before receive what
    /// an active server that stopped has sent them, and then the end.
    pub(super) fn set_role(&self, role: Role) {
        if self.arrivals.is_closed() {
            return; // the stop ends the relays, after what the active server still answers
        }
        match &role {
            Role::Active(shared) => {
                shared.lead.iter().for_each(|lead| self.see(lead.term.leader()));
            }
            Role::Standby(following) => self.see(&following.leader),
            Role::Waiting | Role::CutOff => {}
        }
        if let Role::Standby(before) = self.replace_role(role) {
            before.end();
        }
    }

    fn see(&self, leader: &Leader) {
        self.settings.failovers.see(leader.revision);
    }

    /// Ends all connections without a session on this server. Relayed clients still receive the answers of
    /// the active server for a second.
    pub(super) fn end_arrivals(&self) {
        let since = Instant::now();
        self.arrivals.wait_empty(Some(since + CUT_OFF));
        self.arrivals.each(|stream| stream.shutdown(Shutdown::Both));
        if let Role::Standby(following) = self.role() {
            following.cut_off();
        }
        self.arrivals.wait_empty(Some(since + LET_GO));
    }

    /// Returns the role once there is an active server; `None` if there is none for as long as a client
    /// waits that came at `since`, or after a stop.
    pub(super) fn role_for(&self, since: Instant) -> Option<Role> {
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
    pub(super) fn pause(&self, following: &Following, time: Duration) {
        let waits = |_: &mut Role| !following.relays.is_closed() && !self.arrivals.is_closed();
        drop(self.changed.wait_timeout_while(self.lock(), time, waits));
    }
}
