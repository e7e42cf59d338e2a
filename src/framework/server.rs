//! The server: its listeners, a reader for each connection, and the workers.

use super::app::{ServerApp, ServerConfig};
use super::error::{StartError, StopError};
use super::flusher::{self, FlusherHandle};
use super::service::{Pools, STACK_BYTES, Service};
use super::worker::Worker;
use crate::net::{Address, Listener, Live};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// A server that runs on threads of its own.
///
/// Dropping it begins a [`stop`](Server::stop) without waiting, so that a callback can drop it too.
#[must_use = "dropping it stops the server"]
pub struct Server {
    service: Arc<Service>,
    addresses: Vec<Address>,
    /// Disconnected when the threads of the workers and listeners have ended.
    done: Receiver<()>,
}

impl Server {
    /// Binds, makes the application once for each worker, and serves it on threads of its own.
    /// Returns once everything that serving needs has started.
    ///
    /// ```
    /// use telefile::framework::{Client, Message, OwnedMessage, Server, ServerApp, ServerConfig};
    /// # use std::error::Error;
    ///
    /// struct Echo;
    ///
    /// impl ServerApp for Echo {
    ///     type Context = ();
    ///
    ///     fn new((): ()) -> Result<Self, Box<dyn Error + Send + Sync>> {
    ///         Ok(Echo)
    ///     }
    ///
    ///     fn on_message(&mut self, OwnedMessage { message, client }: OwnedMessage) {
    ///         client.send(message);
    ///     }
    /// }
    ///
    /// let config = ServerConfig::<Echo>::new(()).listen("127.0.0.1:0".parse()?).workers(2);
    /// let server = Server::spawn(config)?;
    /// let client = Client::connect_to(&server.addresses()[0])?;
    /// client.send(Message::new(7).append("hi"))?;
    /// assert_eq!(client.recv(None)?.payload(), b"hi");
    /// client.shutdown(None)?;
    /// server.stop(None)?;
    /// # Ok::<(), Box<dyn Error>>(())
    /// ```
    ///
    /// # Errors
    /// An address cannot be bound, a thread cannot be started, or an application value cannot be
    /// made; then the other values are dropped, and the ports are free.
    pub fn spawn<A: ServerApp>(config: ServerConfig<A>) -> Result<Server, StartError> {
        let mut listeners = Vec::new();
        for address in config.addresses() {
            listeners.append(&mut Listener::bind(&address)?);
        }
        let addresses = listeners.iter().map(|listener| listener.address().clone()).collect();
        let (flusher, woken) = FlusherHandle::new();
        let service = Arc::new(Service {
            listeners,
            live: Live::default(),
            workers: (0..config.workers).map(|_| Worker::new(&flusher)).collect(),
            max_message_bytes: config.max_message_bytes,
        });
        let (working, done) = bounded(0);
        // From here on, dropping `server` ends what was begun.
        let server = Server { service: service.clone(), addresses, done };
        let (started, starts) = unbounded();
        for worker in &service.workers {
            let (context, worker) = (config.context.clone(), worker.clone());
            let (started, working) = (started.clone(), working.clone());
            spawn("worker", config.stack_bytes, working, move || {
                worker.run::<A>(context, &started)
            })?;
        }
        let starts = starts.iter().take(service.workers.len());
        let failed = starts.filter_map(Result::err).reduce(|first, _| first);
        if let Some(e) = failed {
            drop(working);
            let _ = server.stop(None); // no client was accepted, so this takes no time
            return Err(StartError::App(e));
        }
        let collectors: Vec<_> = service.workers.iter().map(|w| w.collector.clone()).collect();
        let done = server.done.clone();
        let thread = thread::Builder::new().name("flusher".to_string());
        let flush = move || flusher::run(&collectors, &flusher, &woken, &done);
        thread.spawn(flush).map_err(|e| no_thread("flusher", &e))?;
        let pools = Arc::new(Pools::new(&service, config.connections, config.stack_bytes));
        for at in 0..service.listeners.len() {
            let (service, pools) = (service.clone(), pools.clone());
            let accept = move || service.accept_all(&service.listeners[at], &pools);
            spawn("accept", STACK_BYTES, working.clone(), accept)?;
        }
        Ok(server)
    }

    /// Returns the addresses it listens on, with the ports that the system chose.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Stops the server: accepts no more clients, delivers all messages received so far, sends what
    /// is pending, ends the connections, drops the applications' values and returns.
    ///
    /// Clients get the end of the stream; one that does not end its side within 5 s, or does not
    /// take a mebibyte of the waiting data within 5 s, is cut off. `on_client_disconnect` is not
    /// called. A `timeout` cuts all that short. Afterwards the ports are free.
    ///
    /// # Errors
    /// [`StopError::TimedOut`] if the workers were not done in time: a callback that has not
    /// returned, and its value, are abandoned, and its thread ends when it returns.
    /// [`StopError::InCallback`] if a callback calls it, which would wait for itself; nothing happens
    /// then.
    pub fn stop(&self, timeout: Option<Duration>) -> Result<(), StopError> {
        let service = &self.service;
        if service.workers.iter().any(|worker| worker.is_here()) {
            return Err(StopError::InCallback);
        }
        // A time beyond the clock's range never comes.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        service.begin_stop();
        service.finish_stop(&self.done, deadline)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.service.live.is_closed() {
            return;
        }
        self.service.begin_stop();
        let (service, done) = (self.service.clone(), self.done.clone());
        let finish = move || {
            let _ = service.finish_stop(&done, None); // without a time-out it succeeds
        };
        if let Err(e) = thread::Builder::new().name("stop".to_string()).spawn(finish) {
            log::warn!("no thread to end the connections in order: {e}");
            self.service.break_off_all();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server(")?;
        self.addresses.iter().try_for_each(|address| write!(f, "{address}, "))?;
        write!(f, "{} clients)", self.service.live.count())
    }
}

/// Starts a thread that holds `working` while it does `work`.
fn spawn(
    name: &str,
    stack_bytes: usize,
    working: Sender<()>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let holding = move || {
        work();
        drop(working);
    };
    let thread = thread::Builder::new().name(name.to_string()).stack_size(stack_bytes);
    thread.spawn(holding).map(drop).map_err(|e| no_thread(name, &e))
}

fn no_thread(name: &str, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("no thread for {name}: {e}"))
}
