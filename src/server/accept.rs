//! From an accepted connection to a session on a thread, or to a refusal.

use super::session::Session;
use super::shared::{LINGER, LINGER_BYTES, Shared};
use crate::files::ClientId;
use crate::net::{Listener, Pool, Slot, Stream};
use crate::wire::Reply;
use std::io::ErrorKind;
use std::sync::Arc;

impl Shared {
    /// Hands each connection to a thread of `sessions`, or of `spare` to be refused, until a stop.
    pub(super) fn accept_loop(
        &self,
        listener: &Listener,
        sessions: &Pool<Arc<Stream>>,
        spare: &Pool<Arc<Stream>>,
    ) {
        self.live.accept_all(listener, |stream| {
            if let Err(stream) = sessions.submit(Arc::new(stream)) {
                let refusal = self.too_many_connections();
                self.refused.count(&refusal);
                self.counters.count_turned_away(&refusal);
                // Refused with the reason if a spare slot is free, else closed by the drop.
                let _ = spare.submit(stream);
            }
        });
    }

    /// Serves one connection, on a thread of the pool.
    pub(super) fn serve(&self, stream: &Arc<Stream>, slot: &Slot<'_>) {
        let Some(registration) = self.live.register(stream.clone()) else { return };
        let client = ClientId::new(registration.number());
        self.counters.count_accepted();
        log::debug!("{stream} {client} connected");
        match Session::new(self, client, stream).run(slot) {
            Ok(()) => log::debug!("{stream} {client} left"),
            // The server ended it: the client was silent, or did not read.
            Err(e) if e.kind() == ErrorKind::TimedOut => {
                self.counters.count_timed_out();
                log::info!("{stream} {client} lost: {e}");
            }
            Err(e) => log::debug!("{stream} {client} lost: {e}"),
        }
    }

    /// Refuses one connection over the maximum.
    pub(super) fn turn_away(&self, stream: &Arc<Stream>) {
        log::warn!("{stream} refused: {} connections are the limit", self.max_connections);
        let mut connection = self.connection(stream);
        Reply::Refused(self.too_many_connections()).write_to(connection.output());
        let _ = connection.close(LINGER, LINGER_BYTES);
    }
}
