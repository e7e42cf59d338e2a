//! What lasts as long as the process serves: who answers its clients now, and the way to there.

#[cfg(feature = "etcd")]
use super::member::Following;
use super::settings::Settings;
use super::shared::{LINGER, LINGER_BYTES, Shared};
use super::stats;
use crate::net::{Listener, Live, Pool, Slot, Stream};
use crate::wire::Reply;
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A server as a new connection finds it.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) settings: Arc<Settings>,
    /// Connections that have no session here. Closed by a stop: no further connection is accepted.
    pub(super) arrivals: Live<Arc<Stream>>,
    role: Mutex<Role>,
    /// The role is another one, or the server stops.
    pub(super) changed: Condvar,
}

/// Who answers a client.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// This process: it has the table.
    Active(Arc<Shared>),
    /// Another server.
    #[cfg(feature = "etcd")]
    Standby(Arc<Following>),
    /// Nobody yet.
    #[cfg(feature = "etcd")]
    Waiting,
    /// Nobody that is known here: etcd is out of reach. Another server may reach it.
    #[cfg(feature = "etcd")]
    CutOff,
}

impl Host {
    pub(super) fn new(settings: Arc<Settings>, role: Role) -> Self {
        let (role, changed) = (Mutex::new(role), Condvar::new());
        Host { settings, arrivals: Live::default(), role, changed }
    }

    /// Hands each connection to a thread of `sessions`, or of `spare` to be refused, until a stop.
    pub(super) fn accept_loop(
        &self,
        listener: &Listener,
        sessions: &Pool<Arc<Stream>>,
        spare: &Pool<Arc<Stream>>,
    ) {
        self.arrivals.accept_all(listener, |stream| {
            if let Err(stream) = sessions.submit(Arc::new(stream)) {
                let refusal = self.settings.too_many_connections();
                self.settings.refused.count(&refusal);
                self.settings.counters.count_turned_away(&refusal);
                // Refused with the reason if a spare slot is free, else closed by the drop.
                let _ = spare.submit(stream);
            }
        });
    }

    /// Serves one connection, on a thread of the pool.
    pub(super) fn serve(&self, stream: &Arc<Stream>, slot: &Slot<'_>) {
        match self.role() {
            Role::Active(shared) => shared.serve(stream, slot),
            #[cfg(feature = "etcd")]
            Role::Standby(_) | Role::Waiting | Role::CutOff => self.relay(stream, slot),
        }
    }

    /// Returns the lines of `stats`: without a table here, those of the process alone.
    pub(super) fn report(&self) -> Vec<(String, String)> {
        match self.role() {
            Role::Active(shared) => stats::report(&shared),
            #[cfg(feature = "etcd")]
            Role::Standby(following) => {
                let address = &following.leader.address;
                // A command that restores the table has none.
                let leader = if address.is_empty() { "unknown" } else { address };
                self.report_without_table("standby", leader)
            }
            #[cfg(feature = "etcd")]
            Role::Waiting => self.report_without_table("waiting", "none"),
            #[cfg(feature = "etcd")]
            Role::CutOff => self.report_without_table("cut_off", "unknown"),
        }
    }

    #[cfg(feature = "etcd")]
    fn report_without_table(&self, role: &str, leader: &str) -> Vec<(String, String)> {
        stats::without_table(&self.settings, self.arrivals.count() as u64, role, leader)
    }

    /// Refuses one connection over the maximum.
    pub(super) fn turn_away(&self, stream: &Arc<Stream>) {
        let settings = &self.settings;
        log::warn!("{stream} refused: {} connections are the limit", settings.max_connections);
        let mut connection = settings.connection(stream);
        Reply::Refused(settings.too_many_connections()).write_to(connection.output());
        let _ = connection.close(LINGER, LINGER_BYTES);
    }

    /// Accepts no further connection.
    pub(super) fn close(&self, listeners: &[Listener]) {
        self.arrivals.close();
        listeners.iter().for_each(Listener::close);
        // Clients of a standby get the answers to what they have sent.
        self.arrivals.each(|stream| stream.shutdown(Shutdown::Read));
        let _role = self.lock();
        self.changed.notify_all();
    }

    /// Gives the server another role, and returns the one before.
    #[cfg(feature = "etcd")]
    pub(super) fn replace_role(&self, role: Role) -> Role {
        let before = std::mem::replace(&mut *self.lock(), role);
        self.changed.notify_all();
        before
    }

    pub(super) fn role(&self) -> Role {
        self.lock().clone()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Role> {
        self.role.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
