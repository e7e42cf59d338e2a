//! A server on a thread of its own.

use super::{Handle, Server};
use crate::net::Address;
use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

/// A server that runs on a thread of its own: see [`Server::spawn`].
///
/// Dropping it stops the server and waits until it has ended, as [`stop`](Running::stop) does.
#[derive(Debug)]
#[must_use = "dropping it stops the server"]
pub struct Running {
    addresses: Vec<Address>,
    handle: Handle,
    /// `None` once the server has ended.
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Serves on a thread of its own. Returns once everything that serving needs has started.
    ///
    /// ```
    /// let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// let client = telefile::Client::connect_to(&server.addresses()[0])?;
    /// client.write("foo", "abcdef")?;
    /// drop(client);
    /// server.stop()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A thread that is needed from the start cannot be created.
    pub fn spawn(self) -> io::Result<Running> {
        let addresses = self.addresses().into_iter().cloned().collect();
        let handle = self.handle();
        let (ready, started) = mpsc::channel();
        let run = move || {
            self.run_then(move || {
                let _ = ready.send(());
            })
        };
        let thread = thread::Builder::new().name("server".to_string()).spawn(run)?;
        let running = Running { addresses, handle, thread: Some(thread) };
        match started.recv() {
            Ok(()) => Ok(running),
            Err(_) => {
                running.join()?;
                Err(io::Error::other("the server ended before it started"))
            }
        }
    }
}

impl Running {
    /// Returns the addresses it listens on, with the ports that the system chose.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Returns a handle that asks the server to stop, without waiting.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops the server and waits until it has ended, at most 1.5 s: see [`Handle::stop`].
    ///
    /// # Errors
    /// As for [`join`](Running::join).
    ///
    /// # Panics
    /// As for [`join`](Running::join).
    pub fn stop(self) -> io::Result<()> {
        self.handle.stop();
        self.join()
    }

    /// Waits until the server has ended. A [`Handle`] ends it, or a disk that fails.
    ///
    /// # Errors
    /// Those of [`Server::run`].
    ///
    /// # Panics
    /// If the server has panicked.
    pub fn join(mut self) -> io::Result<()> {
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.handle.stop();
            if let Ok(Err(e)) = thread.join() {
                log::error!("the server failed: {e}");
            }
        }
    }
}
