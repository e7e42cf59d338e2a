//! A server while another one is active, or none.

use super::following::Following;
use crate::net::Stream;
use crate::server::host::{Host, Role};
use std::net::Shutdown;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

impl Host {
    /// Gives the server a role. Clients that are relayed in the one before lose their connection.
    pub(in crate::server) fn set_role(&self, role: Role) {
        if let Role::Active(_) = role {
            self.settings.terms.fetch_add(1, Relaxed);
        }
        if let Role::Standby(before) = self.replace_role(role) {
            before.relays.close();
            let end = |stream: &Arc<Stream>| stream.shutdown(Shutdown::Both);
            before.relays.each(|ends| ends.iter().for_each(end));
        }
    }

    /// Returns the role once there is an active server; `None` if there is none until `deadline`, or
    /// after a stop.
    pub(in crate::server) fn role_before(&self, deadline: Instant) -> Option<Role> {
        let left = deadline.saturating_duration_since(Instant::now());
        let waits = |role: &mut Role| matches!(role, Role::Waiting) && !self.arrivals.is_closed();
        let waited = self.changed.wait_timeout_while(self.lock(), left, waits);
        let role = waited.unwrap_or_else(PoisonError::into_inner).0.clone();
        let is_late = Instant::now() >= deadline || self.arrivals.is_closed();
        Some(role).filter(|role| !is_late && !matches!(role, Role::Waiting))
    }

    /// Blocks for this long, or until this server no longer follows that one, or stops.
    pub(in crate::server) fn pause(&self, following: &Following, time: Duration) {
        let waits = |_: &mut Role| !following.relays.is_closed() && !self.arrivals.is_closed();
        drop(self.changed.wait_timeout_while(self.lock(), time, waits));
    }
}
