//! The server: a [`Builder`] has the settings and binds a [`Server`]; a [`Running`] is one that has a
//! thread of its own.
//!
//! ```
//! use std::time::Duration;
//! use telefile::{Client, Server, Token};
//!
//! let server = Server::builder()
//!     .listen("127.0.0.1:0".parse()?) // as often as there are addresses
//!     .token(Token::new("s3cret")?)
//!     .max_contents(1 << 20)
//!     .idle_timeout(Some(Duration::from_secs(600)))
//!     .bind()? // clients can connect from here on
//!     .spawn()?; // or `run()`, on this thread
//!
//! let client = Client::builder().token("s3cret").connect_to(&server.addresses()[0])?;
//! client.write("greeting", "hello")?;
//! server.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! JOINS: the only folder that knows streams, requests and files.

mod accept;
mod answer;
mod backup;
mod bind;
mod builder;
mod current_token;
mod dispatch;
mod error;
mod long;
pub(crate) mod metrics;
mod opens;
mod outgoing;
mod owed;
mod reads;
mod receive;
mod refused;
mod room;
mod running;
mod send;
mod session;
mod sessions;
mod shared;
mod stats;
pub(crate) mod system;
mod wait;

pub use builder::{Builder, DEFAULT_CONNECTIONS, DEFAULT_MAX_CONTENTS, DEFAULT_WRITE_TIMEOUT};
pub use error::BindError;
pub use running::Running;
pub use system::default_max_memory;

use crate::net::{Address, Listener, Pool, Stream};
use crate::token::Token;
use crossbeam_channel::{Receiver, Sender};
use current_token::CurrentToken;
use metrics::endpoint::Endpoint;
use shared::Shared;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long after `stop` clients may take to receive what they are owed; then they are cut off.
const CUT_OFF: Duration = Duration::from_millis(1000);
/// How long after `stop` the server abandons what still hangs.
const LET_GO: Duration = Duration::from_millis(1500);

/// How many refused connections may receive the reason at once; more are closed without a reply.
const SPARE_SLOTS: usize = 16;

/// A server that is bound but not yet running: [`run`](Server::run) serves on this thread,
/// [`spawn`](Server::spawn) on another.
///
/// ```
/// use std::io::{Read, Write};
/// use telefile::net::Address;
///
/// let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
/// let Address::Tcp(address) = server.addresses()[0] else { unreachable!() };
///
/// let mut client = std::net::TcpStream::connect(address)?;
/// client.write_all(b"write foo 6\r\nabcdef\r\nquit\r\n")?;
/// let mut replies = String::new();
/// client.read_to_string(&mut replies)?;
/// assert_eq!(replies, "OK 1\r\n");
///
/// server.stop()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "it serves once it runs"]
pub struct Server {
    listeners: Vec<Listener>,
    metrics: Arc<Endpoint>,
    shared: Arc<Shared>,
    handle: Handle,
    stopped: Receiver<()>,
}

/// Stops a server from anywhere, or changes its token.
#[derive(Clone, Debug)]
pub struct Handle {
    stop: Sender<()>,
    token: CurrentToken,
}

impl Handle {
    /// Asks the server to stop: [`Server::run`] returns within 1.5 s. Clients get the replies to
    /// what was executed; what they send from now on is not executed.
    pub fn stop(&self) {
        let _ = self.stop.try_send(()); // full: already asked
    }

    /// Requires this token from now on, instead of the one before, if there was one. A client that
    /// is connected, and was admitted, stays.
    ///
    /// ```
    /// use telefile::{Client, Server, Token};
    ///
    /// let server = Server::builder().listen("127.0.0.1:0".parse()?).token(Token::new("old")?);
    /// let server = server.bind()?.spawn()?;
    /// server.handle().set_token(Token::new("new")?);
    ///
    /// let address = &server.addresses()[0];
    /// assert!(Client::builder().token("old").connect_to(address).is_err());
    /// assert!(Client::builder().token("new").connect_to(address).is_ok());
    /// server.stop()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_token(&self, token: Token) {
        self.token.set(token);
    }
}

impl Server {
    /// Returns a builder that configures and binds a server.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Returns the addresses it listens on, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<&Address> {
        self.listeners.iter().map(Listener::address).collect()
    }

    /// Returns the addresses of the [metrics](Builder::metrics), with the ports that the system chose.
    pub fn metrics_addresses(&self) -> Vec<&Address> {
        self.metrics.listeners.iter().map(Listener::address).collect()
    }

    /// Describes the main limits, and where the files are.
    pub fn limits(&self) -> String {
        let Shared { max_connections, max_contents, budget, token, table, .. } = &*self.shared;
        let token = if token.is_required() { "a token" } else { "no token" };
        let memory = budget.max();
        let files = match table.stored() {
            Some(_) => format!("{} files on disk", table.totals().files),
            None => "files in memory".to_string(),
        };
        format!(
            "{max_connections} connections, {max_contents} bytes a file, {memory} in all, \
             {token}, {files}"
        )
    }

    /// Returns warnings to the owner about addresses that other machines can reach.
    pub fn warnings(&self) -> Vec<String> {
        let open = self.addresses().into_iter().filter(|address| !address.is_local());
        let why = match self.shared.token.is_required() {
            true => "the token and all contents travel in clear",
            false => "whoever reaches it can read and write everything",
        };
        let open = open.map(|address| format!("{address}: {why}"));
        let metrics = self.metrics_addresses().into_iter().filter(|address| !address.is_local());
        let why = "whoever reaches it can read the metrics";
        open.chain(metrics.map(|address| format!("{address}: {why}"))).collect()
    }

    /// Returns a handle that stops the server.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until [`Handle::stop`]. Returns within 1.5 s after that, even if clients take longer.
    ///
    /// # Errors
    /// A thread that is needed from the start cannot be created.
    pub fn run(self) -> io::Result<()> {
        self.run_then(|| {})
    }

    /// Does the same, and calls `ready` once everything that serving needs has succeeded.
    pub(crate) fn run_then(self, ready: impl FnOnce()) -> io::Result<()> {
        let Server { listeners, metrics, shared, stopped, handle } = self;
        let sessions = {
            let shared = shared.clone();
            Pool::new("session", shared.max_connections, shared.stack_bytes, {
                move |stream: &Arc<Stream>, slot| shared.serve(stream, slot)
            })
        };
        let spare = {
            let shared = shared.clone();
            Pool::new("refusal", SPARE_SLOTS, shared.stack_bytes, {
                move |stream: &Arc<Stream>, _| shared.turn_away(stream)
            })
        };
        let scrapes = metrics.pool(&shared);
        thread::scope(|scope| {
            let (shared, sessions, spare) = (&shared, &sessions, &spare);
            let (metrics, scrapes) = (&metrics, &scrapes);
            let named = |name: &str| thread::Builder::new().name(name.to_string());
            let sweeper = named("sweep").spawn_scoped(scope, || shared.table.sweep());
            let notifier = named("notify").spawn_scoped(scope, || shared.table.notify());
            let committer = named("commit").spawn_scoped(scope, || {
                let done = shared.table.commit();
                if done.is_err() {
                    handle.stop();
                }
                done
            });
            let spawned = sweeper.and(notifier).and(committer).and_then(|committer| {
                listeners.iter().try_for_each(|listener| {
                    let accept = || shared.accept_loop(listener, sessions, spare);
                    named("accept").spawn_scoped(scope, accept).map(drop)
                })?;
                metrics.listeners.iter().try_for_each(|listener| {
                    let accept = || metrics.accept_loop(listener, scrapes);
                    named("metrics").spawn_scoped(scope, accept).map(drop)
                })?;
                Ok(committer)
            });
            if spawned.is_ok() {
                ready();
                let _ = stopped.recv(); // `handle` keeps the channel, so this waits for stop
            }
            log::info!("stopping, {} connections", sessions.used_slots());
            close_down(shared, &listeners);
            metrics.close();
            let no_thread =
                |e: io::Error| io::Error::new(e.kind(), format!("cannot start a thread: {e}"));
            spawned
                .map_err(no_thread)?
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the committer panicked")))
        })
    }
}

/// Ends all sessions, so that each reply to an executed request is sent, and then the commits.
fn close_down(shared: &Shared, listeners: &[Listener]) {
    let since = Instant::now();
    // Stop: no session begins, and none begins another request.
    shared.live.close();
    // Wake those who wait for a client, a change, memory or a line.
    listeners.iter().for_each(Listener::close);
    shared.table.close();
    shared.room.close();
    shared.live.each(|stream| stream.shutdown(Shutdown::Read));
    // Drain: the sessions send what they owe.
    shared.live.wait_empty(Some(since + CUT_OFF));
    shared.live.each(|stream| stream.shutdown(Shutdown::Both));
    shared.live.wait_empty(Some(since + LET_GO));
    // Join: the committer finishes, and the scope waits for it.
    shared.table.end_commits();
}
