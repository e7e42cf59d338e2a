//! Signs of life from a client that holds something, for a server that ends silent connections.

use super::call::Call;
use super::error::Error;
use super::transport::{Transport, lock};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

/// A small stack: the thread only waits and sends two bytes.
const STACK_BYTES: usize = 128 << 10;

/// Keeps the connection alive if `call` makes it hold something: an open file, or an ephemeral one.
/// Called before `call` is sent, so that nothing is held that would be lost.
///
/// # Errors
/// [`Error::Thread`].
pub(super) fn if_holding(transport: &Arc<Mutex<Transport>>, call: &Call<'_>) -> Result<(), Error> {
    if call.request.holds() { start(transport) } else { Ok(()) }
}

/// Starts a thread that keeps the connection alive from now on, if there is none yet and the server
/// has an idle time-out. The thread ends with the connection.
///
/// # Errors
/// [`Error::Thread`].
pub(super) fn start(transport: &Arc<Mutex<Transport>>) -> Result<(), Error> {
    let mut locked = lock(transport)?;
    let Some(idle_timeout) = locked.to_keep_alive() else { return Ok(()) };
    let (kept, ended) = channel();
    let weak = Arc::downgrade(transport);
    let thread = thread::Builder::new().name("keep-alive".to_string()).stack_size(STACK_BYTES);
    let started = thread.spawn(move || keep(&weak, &ended, idle_timeout / 2));
    started.map_err(Error::Thread)?;
    locked.kept_alive(kept);
    Ok(())
}

fn keep(transport: &Weak<Mutex<Transport>>, ended: &Receiver<()>, pause: Duration) {
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(pause) {
        let Some(transport) = transport.upgrade() else { return };
        // While a request waits for its reply the connection is not idle, and afterwards this is
        // early.
        if lock(&transport).and_then(|mut transport| transport.beat()).is_err() {
            return;
        }
    }
}
