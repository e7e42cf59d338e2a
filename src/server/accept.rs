//! From an accepted connection to a session on a thread.

use super::session::Session;
use super::shared::Shared;
use crate::files::ClientId;
use crate::net::{Slot, Stream};
use std::io::ErrorKind;
use std::sync::Arc;

impl Shared {
    /// Serves one connection, on a thread of the pool.
    pub(super) fn serve(&self, stream: &Arc<Stream>, slot: &Slot<'_>) {
        let Some(registration) = self.live.register(stream.clone()) else { return };
        let client = ClientId::new(registration.number());
        log::debug!("{stream} {client} connected");
        match Session::new(self, client, stream).run(slot) {
            Ok(()) => log::debug!("{stream} {client} left"),
            // The server ended it: the client was silent, or did not read.
            Err(e) if e.kind() == ErrorKind::TimedOut => log::info!("{stream} {client} lost: {e}"),
            Err(e) => log::debug!("{stream} {client} lost: {e}"),
        }
    }
}
