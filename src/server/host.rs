//! What lasts as long as the process serves: who answers its clients now, and the way to there.

use super::settings::Settings;
use super::shared::{LINGER, LINGER_BYTES, Shared};
use crate::net::{Listener, Live, Pool, Slot, Stream};
use crate::wire::Reply;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A server as a new connection finds it.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) settings: Arc<Settings>,
    /// Connections that have no session here. Closed by a stop: no further connection is accepted.
    pub(super) arrivals: Live<Arc<Stream>>,
    role: Mutex<Role>,
}

/// Who answers a client.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// This process: it has the table.
    Active(Arc<Shared>),
}

impl Host {
    pub(super) fn new(settings: Arc<Settings>, role: Role) -> Self {
        Host { settings, arrivals: Live::default(), role: Mutex::new(role) }
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
                self.settings.refused.count(&self.settings.too_many_connections());
                // Refused with the reason if a spare slot is free, else closed by the drop.
                let _ = spare.submit(stream);
            }
        });
    }

    /// Serves one connection, on a thread of the pool.
    pub(super) fn serve(&self, stream: &Arc<Stream>, slot: &Slot<'_>) {
        match self.role() {
            Role::Active(shared) => shared.serve(stream, slot),
        }
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
    }

    pub(super) fn role(&self) -> Role {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Role> {
        self.role.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
