//! A server's settings.

use crate::exptime::FOREVER;
use crate::files::{Clock, FileType};
use crate::net::Address;
use crate::store::Store;
#[cfg(feature = "etcd")]
use crate::store::etcd::Etcd;
use crate::token::Token;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The default maximum of clients at once.
pub const DEFAULT_CONNECTIONS: usize = 4096;
/// The default maximum of bytes in one file.
pub const DEFAULT_MAX_CONTENTS: u64 = 64 << 20;
/// The default time that a client may take for a mebibyte of replies.
pub const DEFAULT_WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The default folder of files of type `TextFile`.
const DEFAULT_ROOT: &str = "./files";

/// Address space for each thread, not memory: an idle client uses two pages of it.
const DEFAULT_STACK_BYTES: usize = 512 << 10;

/// Describes a server. Unset options keep the defaults of `telefile serve`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    pub(super) listen: Vec<Address>,
    pub(super) metrics: Option<Address>,
    pub(super) connections: usize,
    /// `None`: the default.
    pub(super) max_contents: Option<u64>,
    pub(super) max_memory: Option<u64>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) write_timeout: Duration,
    pub(super) token: Option<Token>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) insecure: bool,
    pub(super) allow_backup: bool,
    pub(super) dedicated: bool,
    pub(super) stack_bytes: usize,
    pub(super) clock: Clock,
    pub(super) types: Vec<FileType>,
    pub(super) root: PathBuf,
    pub(super) store: Option<Arc<dyn Store>>,
    #[cfg(feature = "durable")]
    pub(super) data: Option<PathBuf>,
    #[cfg(feature = "durable")]
    pub(super) max_data: Option<u64>,
    #[cfg(feature = "etcd")]
    pub(super) etcd: Option<Etcd>,
    #[cfg(feature = "etcd")]
    pub(super) advertise: Option<Address>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            listen: Vec::new(),
            metrics: None,
            connections: DEFAULT_CONNECTIONS,
            max_contents: None,
            max_memory: None,
            idle_timeout: None,
            write_timeout: DEFAULT_WRITE_TIMEOUT,
            token: None,
            token_file: None,
            insecure: false,
            allow_backup: false,
            dedicated: false,
            stack_bytes: DEFAULT_STACK_BYTES,
            clock: Clock::system(),
            types: Vec::new(),
            root: PathBuf::from(DEFAULT_ROOT),
            store: None,
            #[cfg(feature = "durable")]
            data: None,
            #[cfg(feature = "durable")]
            max_data: None,
            #[cfg(feature = "etcd")]
            etcd: None,
            #[cfg(feature = "etcd")]
            advertise: None,
        }
    }
}

impl Builder {
    /// Adds an address to listen on; the default is `127.0.0.1:8080`. A name stands for all its
    /// addresses, each with a port of its own if the port is 0.
    pub fn listen(mut self, address: Address) -> Self {
        self.listen.push(address);
        self
    }

    /// Serves metrics for Prometheus at this address: over HTTP, at the path `/metrics`, to be read
    /// alone. They have numbers, and no names of files. [`Server::metrics_addresses`] has the port
    /// that the system chose for port 0.
    ///
    /// No token protects them. An address that other machines can reach needs
    /// [consent](Builder::insecure), whether there is a token or not.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use telefile::net::Address;
    ///
    /// let builder = telefile::Server::builder().listen("127.0.0.1:0".parse()?);
    /// let server = builder.metrics("127.0.0.1:0".parse()?).bind()?;
    /// let Address::Tcp(address) = *server.metrics_addresses()[0] else { unreachable!() };
    /// let server = server.spawn()?;
    ///
    /// let mut scrape = std::net::TcpStream::connect(address)?;
    /// scrape.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    /// let mut response = String::new();
    /// scrape.read_to_string(&mut response)?;
    /// assert!(response.starts_with("HTTP/1.1 200 OK\r\n"));
    /// assert!(response.contains("\ntelefile_requests_total{verb=\"read\"} 0\n"));
    /// server.stop()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// [`Server::metrics_addresses`]: super::Server::metrics_addresses
    pub fn metrics(mut self, address: Address) -> Self {
        self.metrics = Some(address);
        self
    }

    /// Sets how many clients may be connected at once. If the system supports fewer, the server
    /// warns and accepts that many: each needs two descriptors, a thread with four memory maps
    /// (Linux's default allows 15,882) and 64 KiB of memory, for which a quarter of it is reserved.
    pub fn connections(mut self, max: usize) -> Self {
        self.connections = max;
        self
    }

    /// Sets the largest size of a file, in bytes.
    pub fn max_contents(mut self, bytes: u64) -> Self {
        self.max_contents = Some(bytes);
        self
    }

    /// Sets how much memory all files together may take, in bytes: contents from their arrival on,
    /// names, what the table keeps about them, and in a durable table an eighth for the database, at
    /// most 32 MiB, and a third as much for its log. The default is half of the memory that the
    /// process may use. Lists, changes and buffers on their way to clients may take another eighth, or
    /// 16 MiB if that is more.
    pub fn max_memory(mut self, bytes: u64) -> Self {
        self.max_memory = Some(bytes);
        self
    }

    /// Sets how long a client may be silent while the server waits for its next command or
    /// contents; `None`, the default, is forever.
    pub fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.idle_timeout = timeout.map(|timeout| timeout.min(FOREVER));
        self
    }

    /// Sets how long a client may take for each mebibyte of replies. A TCP connection also ends when
    /// the client acknowledges nothing for 60 s.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout.min(FOREVER);
        self
    }

    /// Sets the token that every client has to send with `hello` within 10 s.
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Reads the token from a file, in [`bind`](Builder::bind): see [`Token::from_file`].
    pub fn token_file(mut self, file: PathBuf) -> Self {
        self.token_file = Some(file);
        self
    }

    /// Allows an address that other machines can reach: to listen on without a token, and for
    /// [metrics](Builder::metrics).
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Allows backups over TCP. Over a Unix socket every client that the server admits may have
    /// them. A backup contains all files, including those with secret names.
    pub fn allow_backup(mut self, allow: bool) -> Self {
        self.allow_backup = allow;
        self
    }

    /// Suits a machine that serves nothing else: a thread lets the others run before it waits, so
    /// that each context switch serves more clients. Beside busy programs this costs a third of the
    /// throughput.
    pub fn dedicated(mut self, dedicated: bool) -> Self {
        self.dedicated = dedicated;
        self
    }

    /// Sets the stack of each thread, in bytes of address space; 512 KiB by default. In a table on disk
    /// these threads write to the disk: 256 KiB is the least there.
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.stack_bytes = bytes;
        self
    }

    /// Adds file types to the built-in ones: see [`file_types!`](crate::file_types).
    pub fn types(mut self, types: impl IntoIterator<Item = FileType>) -> Self {
        self.types.extend(types);
        self
    }

    /// Sets the folder of the files of type `TextFile`, `./files` by default. The first write to
    /// one creates it; nothing outside it is ever read or written.
    pub fn root(mut self, folder: PathBuf) -> Self {
        self.root = folder;
        self
    }

    /// Keeps the table in this folder, which is created if missing. Every change is on disk before
    /// anyone sees it, and a server that starts with this folder has all its files again, except
    /// ephemeral files and code files. Without it files live in memory.
    #[cfg(feature = "durable")]
    pub fn data(mut self, folder: PathBuf) -> Self {
        self.data = Some(folder);
        self
    }

    /// Sets how large the [data](Builder::data) may become on disk, in bytes, at least 4 MiB; by
    /// default only the disk limits it.
    #[cfg(feature = "durable")]
    pub fn max_data(mut self, bytes: u64) -> Self {
        self.max_data = Some(bytes);
        self
    }

    /// Keeps the table in a store of your own, which outlives the server: see
    /// [`Store`](crate::store::Store). It excludes `data`, a folder on disk.
    ///
    /// A server that starts with the same store has all its files again, except ephemeral files and
    /// code files. No other server may use the store meanwhile.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Keeps the table in an etcd cluster, for several servers on as many machines: one of them is active
    /// and has the table, the others relay their clients to it, and when it ends another one takes its
    /// place, with everything that was acknowledged. It excludes `data` and a store. A file has at most
    /// 1 MiB then, which is also the default of [`max_contents`](Builder::max_contents).
    ///
    /// ```no_run
    /// use telefile::Server;
    /// use telefile::store::etcd::{Etcd, Options};
    ///
    /// let etcd = Etcd::new(Options::new(["http://10.0.0.1:2379", "http://10.0.0.2:2379"]))?;
    /// let builder = Server::builder().listen("10.0.0.4:8080".parse()?).token_file("token".into());
    /// builder.etcd(etcd).bind()?.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "etcd")]
    pub fn etcd(mut self, table: Etcd) -> Self {
        self.etcd = Some(table);
        self
    }

    /// Sets where the other servers of a table in [etcd](Builder::etcd) reach this one; by default the
    /// first TCP address that it listens on, or the first address if there is none.
    #[cfg(feature = "etcd")]
    pub fn advertise(mut self, address: Address) -> Self {
        self.advertise = Some(address);
        self
    }

    /// Sets the clock for expiry; a test moves one by hand.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}
