//! JOINS: the only place that knows streams, requests and files together.

mod answer;
mod bind;
mod builder;
mod dispatch;
mod error;
mod long;
mod opens;
mod room;
mod running;
mod session;
mod stats;
pub(crate) mod system;

pub use builder::{Builder, DEFAULT_CONNECTIONS, DEFAULT_MAX_CONTENTS, DEFAULT_WRITE_TIMEOUT};
pub use error::BindError;
pub use running::Running;
pub use system::default_max_memory;

use crate::budget::{Budget, Charge};
use crate::files::{ClientId, Table};
use crate::net::{Address, Connection, Listener, Live, Pool, Slot, Stream};
use crate::refusal::{Limit, Refusal};
use crate::token::Token;
use crate::wire::{MAX_LINE_BYTES, Reply};
use crossbeam_channel::{Receiver, Sender};
use room::Room;
use session::Session;
use stats::Refused;
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
/// How long and how much a disconnected client may still send, so that it gets the last reply.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

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
pub struct Server {
    listeners: Vec<Listener>,
    shared: Arc<Shared>,
    handle: Handle,
    stopped: Receiver<()>,
}

/// Stops a server from anywhere.
#[derive(Clone, Debug)]
pub struct Handle(Sender<()>);

impl Handle {
    /// Asks the server to stop: [`Server::run`] returns within 1.5 s. Clients get the replies to
    /// what was executed; what they send from now on is not executed.
    pub fn stop(&self) {
        let _ = self.0.try_send(()); // full: already asked
    }
}

/// What all sessions share.
#[derive(Debug)]
struct Shared {
    table: Table,
    budget: Arc<Budget>,
    /// The part of the budget for the table's database.
    _database: Charge,
    /// For lists and changes on their way to clients.
    room: Room,
    /// For the buffers of connections.
    buffers: Arc<Budget>,
    /// Closed by a stop; each session checks that before each request.
    live: Live<Arc<Stream>>,
    refused: Refused,
    max_contents: u64,
    max_connections: usize,
    idle_timeout: Option<Duration>,
    write_timeout: Duration,
    token: Option<Token>,
    dedicated: bool,
    stack_bytes: usize,
    started: Instant,
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

    /// Describes the main limits, and where the files are.
    pub fn limits(&self) -> String {
        let Shared { max_connections, max_contents, budget, token, table, .. } = &*self.shared;
        let token = if token.is_some() { "a token" } else { "no token" };
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
        let open = self.addresses().into_iter().filter(|address| !address.is_private());
        let why = match self.shared.token {
            Some(_) => "the token and all contents travel in clear",
            None => "whoever reaches it can read and write everything",
        };
        open.map(|address| format!("{address}: {why}")).collect()
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
        let Server { listeners, shared, stopped, handle } = self;
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
        thread::scope(|scope| {
            let (shared, sessions, spare) = (&shared, &sessions, &spare);
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
                Ok(committer)
            });
            if spawned.is_ok() {
                ready();
                let _ = stopped.recv(); // a handle lives in `self`, so this waits for stop
            }
            let since = Instant::now();
            shared.live.close();
            log::info!("stopping, {} connections", sessions.used_slots());
            listeners.iter().for_each(Listener::close);
            shared.table.close();
            shared.room.close();
            shared.live.each(|stream| stream.shutdown(Shutdown::Read));
            shared.live.wait_empty(Some(since + CUT_OFF));
            shared.live.each(|stream| stream.shutdown(Shutdown::Both));
            shared.live.wait_empty(Some(since + LET_GO));
            shared.table.end_commits();
            let no_thread =
                |e: io::Error| io::Error::new(e.kind(), format!("no thread can be started: {e}"));
            spawned
                .map_err(no_thread)?
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the committer panicked")))
        })
    }
}

impl Shared {
    fn accept_loop(
        &self,
        listener: &Listener,
        sessions: &Pool<Arc<Stream>>,
        spare: &Pool<Arc<Stream>>,
    ) {
        self.live.accept_all(listener, |stream| {
            if let Err(stream) = sessions.submit(Arc::new(stream)) {
                self.refused.count(&self.too_many());
                // Refused with the reason if a spare slot is free, else closed by the drop.
                let _ = spare.submit(stream);
            }
        });
    }

    /// Serves one connection, on a thread of the pool.
    fn serve(&self, stream: &Arc<Stream>, slot: &Slot<'_>) {
        let Some(pass) = self.live.register(stream.clone()) else { return };
        let client = ClientId::new(pass.number());
        log::info!("{stream} {client} connected");
        match Session::new(self, client, stream).run(slot) {
            Ok(()) => log::info!("{stream} {client} left"),
            Err(e) => log::info!("{stream} {client} lost: {e}"),
        }
    }

    /// Refuses one connection over the maximum.
    fn turn_away(&self, stream: &Arc<Stream>) {
        log::warn!("{stream} refused: {} connections are the limit", self.max_connections);
        let mut connection = self.connection(stream);
        Reply::Refused(self.too_many()).write_to(connection.output());
        let _ = connection.close(LINGER, LINGER_BYTES);
    }

    fn too_many(&self) -> Refusal {
        Refusal::Limit(Limit::Connections, self.max_connections as u64)
    }

    fn connection(&self, stream: &Arc<Stream>) -> Connection {
        let mut connection = Connection::new(stream.clone(), MAX_LINE_BYTES, self.write_timeout);
        connection.set_budget(&self.buffers);
        connection.set_telnet();
        connection
    }
}
