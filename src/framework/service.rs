//! What the threads of a server share: it accepts clients, reads what they send, and ends them.

use super::channel::{Channel, DRAIN};
use super::end::EndReason;
use super::error::StopError;
use super::inbox::Capacity;
use super::worker::Worker;
use crate::net::{Listener, Live, Pool, Stream};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use log::Level;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// How much of one connection waits for its worker; a message larger than this waits alone.
const INBOX: Capacity = Capacity { messages: 64, bytes: 1 << 20 };

/// The stack of threads that do not call the application, in bytes.
pub(super) const STACK_BYTES: usize = 256 << 10;

pub(super) struct Service {
    pub(super) listeners: Vec<Listener>,
    pub(super) workers: Vec<Arc<Worker>>,
    pub(super) live: Live<Arc<Assigned>>,
    pub(super) max_message_bytes: u32,
}

/// A connection and its worker. It counts as the worker's until it is dropped.
pub(super) struct Assigned {
    channel: Arc<Channel>,
    worker: Arc<Worker>,
}

impl Assigned {
    fn new(stream: Stream, worker: &Arc<Worker>, pools: &Pools) -> Arc<Self> {
        worker.connections.fetch_add(1, Relaxed);
        let worker = worker.clone();
        let channel = Channel::new(stream, INBOX, Some(worker.clone()), &pools.writers);
        Arc::new(Assigned { channel, worker })
    }
}

impl Drop for Assigned {
    fn drop(&mut self) {
        self.worker.connections.fetch_sub(1, Relaxed);
    }
}

/// The threads of all connections.
pub(super) struct Pools {
    max_connections: usize,
    readers: Pool<Arc<Assigned>>,
    writers: Arc<Pool<Arc<Channel>>>,
}

impl Pools {
    pub(super) fn new(service: &Arc<Service>, max_connections: usize, stack_bytes: usize) -> Pools {
        let service = service.clone();
        let readers = Pool::new("reader", max_connections, stack_bytes, {
            move |client: &Arc<Assigned>, _| service.read(client)
        });
        Pools { max_connections, readers, writers: Channel::writers("writer", STACK_BYTES) }
    }
}

impl Service {
    /// Accepts clients of `listener`, until the stop.
    pub(super) fn accept_all(&self, listener: &Listener, pools: &Pools) {
        self.live.accept_all(listener, |stream| {
            let worker = self.workers.iter().min_by_key(|worker| worker.connections.load(Relaxed));
            let worker = worker.expect("there is at least one worker");
            if let Err(client) = pools.readers.submit(Assigned::new(stream, worker, pools)) {
                let Pools { max_connections, readers, .. } = pools;
                let reason = match readers.used_slots() < *max_connections {
                    true => "the system has no thread for it".to_string(),
                    false => format!("{max_connections} connections are the limit"),
                };
                log::warn!("{} refused: {reason}", client.channel.stream);
            }
        });
    }

    /// Reads what a client sends until its connection has ended.
    fn read(&self, client: &Arc<Assigned>) {
        let Some(_registered) = self.live.register(client.clone()) else { return };
        client.channel.read(self.max_message_bytes);
        client.channel.wait_ended(None);
    }

    /// Accepts no more clients and no more messages, and makes the workers finish.
    pub(super) fn begin_stop(&self) {
        self.live.close();
        let mut clients = Vec::new();
        self.live.each(|client| {
            client.channel.stop();
            clients.push(client.clone());
        });
        self.listeners.iter().for_each(Listener::close);
        for worker in &self.workers {
            let own = clients.iter().filter(|client| Arc::ptr_eq(&client.worker, worker));
            worker.stop(own.map(|client| client.channel.clone()).collect());
        }
    }

    /// Waits until the workers are done, then until the connections have ended. `done` is
    /// disconnected when the workers are done.
    pub(super) fn finish_stop(
        &self,
        done: &Receiver<()>,
        deadline: Option<Instant>,
    ) -> Result<(), StopError> {
        let finished = match deadline {
            Some(deadline) => done.recv_deadline(deadline),
            None => done.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if finished == Err(RecvTimeoutError::Timeout) {
            self.break_off_all();
            return Err(StopError::TimedOut);
        }
        let drained = Instant::now() + DRAIN;
        self.live.wait_empty(Some(deadline.map_or(drained, |d| d.min(drained))));
        self.live.each(|client| client.channel.cut_silent());
        self.live.wait_empty(deadline); // a writer still sends to each of the others
        self.break_off_all();
        Ok(())
    }

    pub(super) fn break_off_all(&self) {
        self.live.each(|client| client.channel.break_off(Level::Debug, EndReason::Shutdown));
    }
}
