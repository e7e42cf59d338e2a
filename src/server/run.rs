//! Serving, from the first thread to the last reply.

use super::host::Host;
use super::source::Served;
use super::{SPARE_SLOTS, Server};
use crate::net::{Pool, Slot, Stream};
use std::io;
use std::sync::Arc;
use std::thread;

impl Server {
    /// Serves until [`Handle::stop`](super::Handle::stop). Returns within 1.5 s after that, even if
    /// clients take longer.
    ///
    /// # Errors
    /// A thread that is needed from the start cannot be created; the store fails.
    pub fn run(self) -> io::Result<()> {
        self.run_then(|| {})
    }

    /// Does the same, and calls `ready` once everything that serving needs has succeeded.
    pub(crate) fn run_then(self, ready: impl FnOnce()) -> io::Result<()> {
        let Server { listeners, metrics, host, source, stopped, handle } = self;
        let pool = |name, max, work: fn(&Host, &Arc<Stream>, &Slot<'_>)| {
            let host = host.clone();
            let stack_bytes = host.settings.stack_bytes;
            Pool::new(name, max, stack_bytes, move |stream, slot| work(&host, stream, slot))
        };
        let sessions = pool("session", host.settings.max_connections, Host::serve);
        let spare = pool("refusal", SPARE_SLOTS, |host, stream, _| host.turn_away(stream));
        let scrapes = metrics.pool(&host);
        thread::scope(|scope| {
            let (host, sessions, spare) = (&host, &sessions, &spare);
            let (metrics, scrapes) = (&metrics, &scrapes);
            let named = |name: &str| thread::Builder::new().name(name.to_string());
            let mut served = Served::new(source);
            let lost = {
                let handle = handle.clone();
                move || handle.stop()
            };
            let started = served.start(lost).and_then(|()| {
                listeners.iter().try_for_each(|listener| {
                    let accept = || host.accept_loop(listener, sessions, spare);
                    named("accept").spawn_scoped(scope, accept).map(drop)
                })?;
                metrics.listeners.iter().try_for_each(|listener| {
                    let accept = || metrics.accept_loop(listener, scrapes);
                    named("metrics").spawn_scoped(scope, accept).map(drop)
                })
            });
            let no_thread =
                |e: io::Error| io::Error::new(e.kind(), format!("cannot start a thread: {e}"));
            let stopped = started.map_err(no_thread).and_then(|()| {
                ready();
                served.wait(&stopped) // `handle` keeps the channel, so this waits for stop
            });
            log::info!("stopping, {} connections", sessions.used_slots());
            host.close(&listeners);
            metrics.close();
            let ended = served.close_down();
            stopped.and(ended)
        })
    }
}
