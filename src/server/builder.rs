//! A server's settings, and how they become bound sockets.

use super::room::Room;
use super::system::{self, Wanted};
use super::{Handle, Server, Shared, Token};
use crate::budget::{Budget, Charge};
use crate::files::{Clock, FileType, Registry, Table};
use crate::net::{Address, Listener};
#[cfg(feature = "durable")]
use crate::store::{Durable, Options};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The default maximum of clients at once.
pub const DEFAULT_CONNECTIONS: usize = 4096;
/// The default maximum of bytes in one file.
pub const DEFAULT_MAX_CONTENTS: u64 = 64 << 20;
/// The default time that a client may take for a mebibyte of replies.
pub const DEFAULT_WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A client that acknowledges nothing for this long counts as gone. It has no more time than that
/// to take its replies anyway.
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// Lists and changes on their way to clients may take the memory of all files divided by this, and
/// so may the buffers of connections; but each at least what the longest list needs, with names.
const ON_ITS_WAY_PART: u64 = 16;
const MIN_ON_ITS_WAY_BYTES: u64 = 8 << 20;

/// The default folder of files of type `TextFile`.
const DEFAULT_ROOT: &str = "./files";

/// With less, a database has no room to remove files.
#[cfg(feature = "durable")]
const LEAST_MAX_DATA: u64 = 4 << 20;

/// Address space for each thread, not memory: an idle client uses two pages of it.
const DEFAULT_STACK_BYTES: usize = 512 << 10;

/// Describes a server. Unset options keep the defaults of `telefile serve`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    listen: Vec<Address>,
    connections: usize,
    max_contents: u64,
    max_memory: Option<u64>,
    idle_timeout: Option<Duration>,
    write_timeout: Duration,
    token: Option<Token>,
    token_file: Option<PathBuf>,
    insecure: bool,
    dedicated: bool,
    stack_bytes: usize,
    clock: Clock,
    types: Vec<FileType>,
    root: PathBuf,
    #[cfg(feature = "durable")]
    data: Option<PathBuf>,
    #[cfg(feature = "durable")]
    max_data: Option<u64>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            listen: Vec::new(),
            connections: DEFAULT_CONNECTIONS,
            max_contents: DEFAULT_MAX_CONTENTS,
            max_memory: None,
            idle_timeout: None,
            write_timeout: DEFAULT_WRITE_TIMEOUT,
            token: None,
            token_file: None,
            insecure: false,
            dedicated: false,
            stack_bytes: DEFAULT_STACK_BYTES,
            clock: Clock::system(),
            types: Vec::new(),
            root: PathBuf::from(DEFAULT_ROOT),
            #[cfg(feature = "durable")]
            data: None,
            #[cfg(feature = "durable")]
            max_data: None,
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

    /// Sets how many clients may be connected at once. If the system supports fewer, the server
    /// warns and accepts that many: each needs two descriptors, a thread with four memory maps
    /// (Linux's default allows 15,882) and 64 KiB of memory, for which a quarter of it is reserved.
    pub fn connections(mut self, max: usize) -> Self {
        self.connections = max;
        self
    }

    /// Sets the largest size of a file, in bytes.
    pub fn max_contents(mut self, bytes: u64) -> Self {
        self.max_contents = bytes;
        self
    }

    /// Sets how much memory all files together may take, in bytes: contents from their arrival on,
    /// names, all that the table knows of them, and in a durable table an eighth for the database,
    /// at most 64 MiB. The default is half of the memory that the process may use. Lists, changes
    /// and buffers on their way to clients may take another eighth, or 16 MiB if that is more.
    pub fn max_memory(mut self, bytes: u64) -> Self {
        self.max_memory = Some(bytes);
        self
    }

    /// Sets how long a client may be silent while the server waits for its next command or
    /// contents; `None`, the default, is forever.
    pub fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets how long a client may take for each mebibyte of replies.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Sets the token that every client has to show with `hello` within 10 s.
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Reads the token from a file, in [`bind`](Builder::bind): see [`Token::from_file`].
    pub fn token_file(mut self, file: PathBuf) -> Self {
        self.token_file = Some(file);
        self
    }

    /// Allows an address that other machines can reach, without a token.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Suits a machine that serves nothing else: a thread lets the others run before it waits, so
    /// that each context switch serves more clients. Beside busy programs this costs a third of the
    /// throughput.
    pub fn dedicated(mut self, dedicated: bool) -> Self {
        self.dedicated = dedicated;
        self
    }

    /// Sets the stack of each thread, in bytes of address space; 512 KiB by default.
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.stack_bytes = bytes;
        self
    }

    /// Adds file types to the built-in ones: see [`file_types!`](crate::file_types).
    pub fn types(mut self, types: &[FileType]) -> Self {
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
    /// anybody sees it, and a server that starts with this folder has all its files again, except
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

    /// Sets the clock for expiry; a test moves one by hand.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    #[cfg(feature = "durable")]
    fn check_data(&self) -> io::Result<()> {
        match (&self.data, self.max_data) {
            (None, Some(_)) => Err(wrong("--max-data is for a table with --data")),
            (_, Some(..LEAST_MAX_DATA)) => Err(wrong("--max-data is less than 4M")),
            _ => Ok(()),
        }
    }

    /// Looks up the names among the addresses. The addresses checked here are those bound later.
    fn resolve(&self) -> io::Result<Vec<Vec<Address>>> {
        let all = self.listen.iter().map(|given| {
            let found = given.resolve().map_err(of_system)?;
            let open = found.iter().find(|address| !address.is_private());
            match open.filter(|_| self.token.is_none() && !self.insecure) {
                None => Ok(found),
                Some(address) => {
                    let of_name = match given {
                        Address::Name(name) => format!("{name} is {address}: "),
                        address => format!("{address}: "),
                    };
                    let why = "other machines can reach it: give --token-file, or --insecure to \
                               allow that";
                    Err(wrong(of_name + why))
                }
            }
        });
        all.collect()
    }

    /// Returns the folder of text files, for a process that may change its working folder. The
    /// folder is not needed before a file is.
    fn absolute_root(&self) -> io::Result<PathBuf> {
        let root = std::path::absolute(&self.root).unwrap_or_else(|e| {
            let root = self.root.display();
            log::warn!("{root}: no TextFile can be used, the working folder is not found: {e}");
            self.root.clone()
        });
        if root.metadata().is_ok_and(|found| !found.is_dir()) {
            let why = format!("{}: not a folder", self.root.display());
            return Err(io::Error::new(ErrorKind::NotADirectory, why));
        }
        Ok(root)
    }

    /// Returns the table, and the memory that its database may take beside it.
    fn table(&self, registry: Registry, budget: Arc<Budget>) -> io::Result<(Table, Charge)> {
        #[cfg_attr(not(feature = "durable"), allow(unused_mut))]
        let mut database = Charge::none(&budget);
        #[cfg(feature = "durable")]
        if let Some(folder) = &self.data {
            let file_size = system::max_file_size();
            if let Some(max @ ..LEAST_MAX_DATA) = file_size {
                let why = format!("a file may have {max} bytes (ulimit -f), and the data needs 4M");
                return Err(io::Error::new(ErrorKind::FileTooLarge, why));
            }
            let max_data = self.max_data.into_iter().chain(file_size).min();
            let max = Options::default().cache_bytes;
            let cache_bytes =
                usize::try_from(budget.max() / 8).map_or(max, |eighth| max.min(eighth));
            let options = Options { max_data, cache_bytes };
            let store = Durable::open(folder, options, system::draw_epoch()?)?;
            database.grow_over(cache_bytes as u64);
            let table = Table::load(registry, &self.clock, budget, Arc::new(store))?;
            return Ok((table, database));
        }
        let table = Table::new(registry, self.clock.clone(), budget, system::draw_epoch()?);
        Ok((table, database))
    }

    /// Binds all addresses, including all those that a name resolves to. Clients can connect from
    /// then on; [`Server::run`] serves them.
    ///
    /// Raises the process's soft limit of open files, if the connections need that.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an address that other machines can reach, without a token
    /// and without [`insecure`](Builder::insecure), for a file type that occurs twice, and for a
    /// maximum of data that is too small or without a data folder; no other error has that kind.
    /// Errors of the sockets, with the address, and of the data and the token, with the folder or
    /// file.
    pub fn bind(mut self) -> io::Result<Server> {
        if self.listen.is_empty() {
            self.listen.push("127.0.0.1:8080".parse()?);
        }
        #[cfg(feature = "durable")]
        self.check_data()?;
        if let Some(file) = &self.token_file {
            self.token = Some(Token::from_file(file).map_err(of_system)?);
        }
        let addresses = self.resolve()?;
        let budget = Budget::new(self.max_memory.unwrap_or_else(system::default_max_memory));
        let registry = Registry::default()
            .with_text_files(self.absolute_root()?, self.max_contents, &budget)
            .and_then(|registry| registry.with(&self.types))
            .map_err(wrong)?;
        // Before the table: a port in use leaves no new folder behind.
        let listeners: Result<Vec<_>, _> =
            addresses.iter().map(|addresses| Listener::bind_all(addresses)).collect();
        let listeners = listeners.map_err(of_system)?.into_iter().flatten().collect::<Vec<_>>();
        listeners.iter().for_each(|listener| listener.set_user_timeout(USER_TIMEOUT));
        let max_connections = system::make_room(&Wanted {
            connections: self.connections,
            listeners: listeners.len(),
            stack_bytes: self.stack_bytes,
            max_memory: self.max_memory,
        })?;
        let (table, database) = self.table(registry, budget.clone()).map_err(of_system)?;
        let on_its_way = (budget.max() / ON_ITS_WAY_PART).max(MIN_ON_ITS_WAY_BYTES);
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let shared = Shared {
            table,
            budget,
            _database: database,
            room: Room::new(on_its_way),
            buffers: Budget::new(on_its_way),
            live: Default::default(),
            refused: Default::default(),
            max_contents: self.max_contents,
            max_connections,
            idle_timeout: self.idle_timeout,
            write_timeout: self.write_timeout,
            token: self.token,
            dedicated: self.dedicated,
            stack_bytes: self.stack_bytes,
            started: Instant::now(),
        };
        Ok(Server { listeners, shared: Arc::new(shared), handle: Handle(stop), stopped })
    }
}

fn wrong(why: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why)
}

/// The system reports EINVAL for an argument that it does not accept, which is never the caller's
/// mistake.
fn of_system(e: io::Error) -> io::Error {
    match e.kind() {
        ErrorKind::InvalidInput => io::Error::other(e.to_string()),
        _ => e,
    }
}
