//! From settings to a server that listens.

use super::current_token::CurrentToken;
use super::error::BindError;
use super::host::{Host, Role};
#[cfg(feature = "etcd")]
use super::member::{Member, Tables};
use super::metrics::endpoint::{self, Endpoint};
use super::settings::Settings;
use super::shared::{Shared, on_its_way};
use super::system::{self, Wanted};
use super::{Builder, DEFAULT_MAX_CONTENTS, Handle, Server, Source};
use crate::budget::{Budget, Charge};
#[cfg(feature = "durable")]
use crate::files::Contradiction;
use crate::files::{Registry, Table};
use crate::net::{Address, Listener};
use crate::random;
#[cfg(feature = "etcd")]
use crate::store::etcd::{Etcd, Outage};
#[cfg(feature = "durable")]
use crate::store::{Durable, Options};
use crate::token::Token;
#[cfg(feature = "durable")]
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4};
#[cfg(feature = "durable")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DEFAULT_ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080);

/// A client that acknowledges nothing for this long counts as disconnected, whatever the time-out of
/// writes.
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// With less, a database has no room to remove files.
#[cfg(feature = "durable")]
const LEAST_MAX_DATA: u64 = 4 << 20;

impl Builder {
    /// Binds all addresses, including all those that a name resolves to. Clients can connect from
    /// then on; [`Server::run`] serves them.
    ///
    /// Raises the process's soft limit of open files, if the connections need that.
    ///
    /// # Errors
    /// The settings do not fit together, or the system denies something that they need; each
    /// [`BindError`] says what, with the address, the folder or the file.
    pub fn bind(self) -> Result<Server, BindError> {
        self.bind_beside(Vec::new())
    }

    /// Does the same for a server with these listeners too, which replace the default address.
    pub(crate) fn bind_beside(mut self, inherited: Vec<Listener>) -> Result<Server, BindError> {
        if self.listen.is_empty() && inherited.is_empty() {
            self.listen.push(Address::Tcp(DEFAULT_ADDRESS.into()));
        }
        #[cfg(feature = "durable")]
        self.check_data()?;
        if let Some(file) = &self.token_file {
            self.token = Some(Token::from_file(file).map_err(BindError::TokenFile)?);
        }
        let addresses = self.resolve()?;
        inherited.iter().try_for_each(|listener| {
            self.check_exposed(listener.address(), std::slice::from_ref(listener.address()))
        })?;
        #[cfg(feature = "etcd")]
        self.check_etcd()?;
        let max_contents = self.max_contents.unwrap_or(self.default_max_contents());
        let max_memory = self.max_memory.unwrap_or_else(system::default_max_memory);
        let budget = Budget::new(max_memory);
        let root = self.absolute_root()?;
        let registry = Registry::default()
            .with_text_files(root.clone(), max_contents, &budget)
            .and_then(|registry| registry.with(self.types.clone()))
            .map_err(BindError::FileType)?;
        // Before the table: a port in use leaves no new folder behind.
        let listeners: Result<Vec<_>, _> =
            addresses.iter().map(|addresses| Listener::bind_all(addresses)).collect();
        let listeners = listeners.map_err(BindError::Listen)?.into_iter().flatten();
        let listeners: Vec<_> = inherited.into_iter().chain(listeners).collect();
        listeners.iter().for_each(|listener| listener.set_user_timeout(USER_TIMEOUT));
        let metrics = self.metrics_listeners()?;
        let metrics_threads = if metrics.is_empty() { 0 } else { endpoint::MAX_CONNECTIONS };
        let max_connections = system::make_room(&Wanted {
            connections: self.connections,
            listeners: listeners.len() + metrics.len() + metrics_threads,
            stack_bytes: self.stack_bytes,
            max_memory: self.max_memory,
        })
        .map_err(BindError::System)?;
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let token = CurrentToken::new(self.token.take());
        let settings = Arc::new(Settings {
            buffers: Budget::new(on_its_way(max_memory)),
            refused: Default::default(),
            counters: Default::default(),
            max_contents,
            max_memory,
            max_connections,
            idle_timeout: self.idle_timeout,
            write_timeout: self.write_timeout,
            token: token.clone(),
            allow_backup: self.allow_backup,
            dedicated: self.dedicated,
            stack_bytes: self.stack_bytes,
            started: Instant::now(),
            #[cfg(feature = "etcd")]
            failovers: Default::default(),
        });
        let metrics = Arc::new(Endpoint::new(metrics));
        let handle = Handle { stop, token };
        #[cfg(feature = "etcd")]
        let etcd = match self.etcd.take() {
            Some(etcd) => Some((etcd, self.advertised(&listeners)?)),
            None => None,
        };
        let server = |host, source| Server { listeners, metrics, host, source, handle, stopped };
        #[cfg(feature = "etcd")]
        if let Some((etcd, me)) = etcd {
            // A refused user, another program's keys, and URLs that lead astray are noticed now.
            let (mut outage, mut role) = (Outage::default(), Role::Waiting);
            if let Err(e) = etcd.leader() {
                if Etcd::is_fatal(&e) {
                    return Err(BindError::Data(e));
                }
                outage.goes_on(&e);
                role = Role::CutOff;
            }
            let (clock, types) = (self.clock, self.types);
            let tables = Tables { settings: settings.clone(), types, root, max_memory, clock };
            let host = Arc::new(Host::new(settings, role));
            let member = Member::new(etcd, &me, tables, host.clone(), outage);
            return Ok(server(host, Source::Etcd(member.map_err(BindError::System)?)));
        }
        let (table, database) = self.table(registry, budget.clone())?;
        let shared = Shared::new(
            settings.clone(),
            table,
            budget,
            database,
            #[cfg(feature = "etcd")]
            None,
        );
        let host = Arc::new(Host::new(settings, Role::Active(shared.clone())));
        Ok(server(host, Source::Table(shared)))
    }

    #[cfg(feature = "durable")]
    fn check_data(&self) -> Result<(), BindError> {
        if self.data.is_some() && self.store.is_some() {
            return Err(BindError::TwoStores);
        }
        match (&self.data, self.max_data) {
            (None, Some(_)) => Err(BindError::NoDataFolder),
            (_, Some(..LEAST_MAX_DATA)) => Err(BindError::MaxDataTooSmall(LEAST_MAX_DATA)),
            _ => Ok(()),
        }
    }

    fn default_max_contents(&self) -> u64 {
        #[cfg(feature = "etcd")]
        if self.etcd.is_some() {
            return Etcd::MAX_CONTENTS;
        }
        DEFAULT_MAX_CONTENTS
    }

    #[cfg(feature = "etcd")]
    fn check_etcd(&self) -> Result<(), BindError> {
        if self.etcd.is_none() {
            return Ok(());
        }
        if self.data.is_some() || self.store.is_some() {
            return Err(BindError::EtcdAndAnother);
        }
        match self.max_contents {
            Some(bytes) if bytes > Etcd::MAX_CONTENTS => {
                Err(BindError::MaxContentsTooLarge(Etcd::MAX_CONTENTS))
            }
            _ => Ok(()),
        }
    }

    /// Returns where the other servers reach this one.
    #[cfg(feature = "etcd")]
    fn advertised(&self, listeners: &[Listener]) -> Result<Address, BindError> {
        let own = || {
            let mut own = listeners.iter().map(Listener::address);
            own.clone().find(|address| matches!(address, Address::Tcp(_))).or(own.next())
        };
        let address = self.advertise.as_ref().or_else(own).expect("a server listens").clone();
        let found = address.resolve().map_err(BindError::Listen)?;
        self.check_exposed(&address, &found)?;
        let is_vague = |found: &Address| match found {
            Address::Tcp(tcp) => tcp.ip().is_unspecified() || tcp.port() == 0,
            _ => false,
        };
        match found.iter().any(is_vague) {
            true => Err(BindError::NotAdvertised(address)),
            false => Ok(address),
        }
    }

    /// Looks up the names among the addresses. The addresses checked here are those bound later.
    fn resolve(&self) -> Result<Vec<Vec<Address>>, BindError> {
        let all = self.listen.iter().map(|given| {
            let found = given.resolve().map_err(BindError::Listen)?;
            self.check_exposed(given, &found).map(|()| found)
        });
        all.collect()
    }

    /// Refuses an address that other machines can reach, unless there is a token or consent.
    fn check_exposed(&self, given: &Address, found: &[Address]) -> Result<(), BindError> {
        let reachable = found.iter().find(|address| !address.is_local());
        match reachable.filter(|_| self.token.is_none() && !self.insecure) {
            None => Ok(()),
            Some(reachable) => {
                Err(BindError::Exposed { given: given.clone(), reachable: reachable.clone() })
            }
        }
    }

    /// Binds the address of the metrics, if there is one.
    fn metrics_listeners(&self) -> Result<Vec<Listener>, BindError> {
        let Some(given) = &self.metrics else { return Ok(Vec::new()) };
        let found = given.resolve().map_err(BindError::Listen)?;
        match found.iter().find(|address| !address.is_local()).filter(|_| !self.insecure) {
            None => Listener::bind_all(&found).map_err(BindError::Listen),
            Some(reachable) => Err(BindError::MetricsExposed {
                given: given.clone(),
                reachable: reachable.clone(),
            }),
        }
    }

    /// Returns the folder of text files, for a process that may change its working folder. The
    /// folder is not needed before a file is.
    fn absolute_root(&self) -> Result<PathBuf, BindError> {
        let root = std::path::absolute(&self.root).unwrap_or_else(|e| {
            let root = self.root.display();
            log::warn!("{root}: no TextFile can be used, the working folder is not found: {e}");
            self.root.clone()
        });
        match root.metadata().is_ok_and(|found| !found.is_dir()) {
            true => Err(BindError::Root(self.root.clone())),
            false => Ok(root),
        }
    }

    /// Returns the table, and the memory that its database may take beside it.
    fn table(&self, registry: Registry, budget: Arc<Budget>) -> Result<(Table, Charge), BindError> {
        let epoch = random::draw().map_err(BindError::System)?;
        #[cfg(feature = "durable")]
        if let Some(folder) = &self.data {
            return self.load(folder, registry, budget, epoch).map_err(BindError::Data);
        }
        let none = Charge::none(&budget);
        let table = match &self.store {
            Some(store) => Table::load(registry, &self.clock, budget, store.clone()),
            None => Ok(Table::new(registry, self.clock.clone(), budget, epoch)),
        };
        Ok((table.map_err(BindError::Data)?, none))
    }

    /// Loads the table from its folder. `epoch` is that of a new one.
    #[cfg(feature = "durable")]
    fn load(
        &self,
        folder: &Path,
        registry: Registry,
        budget: Arc<Budget>,
        epoch: u64,
    ) -> io::Result<(Table, Charge)> {
        let file_size = system::max_file_size();
        if let Some(max @ ..Durable::LEAST_FILE_BYTES) = file_size {
            let least = Durable::LEAST_FILE_BYTES >> 20;
            let why =
                format!("a file may have {max} bytes (ulimit -f), and the data needs {least}M");
            return Err(io::Error::new(ErrorKind::FileTooLarge, why));
        }
        let max_data = self.max_data.into_iter().chain(file_size).min();
        let max = Options::default().cache_bytes;
        let cache_bytes = usize::try_from(budget.max() / 8).map_or(max, |eighth| max.min(eighth));
        let options = Options { max_data, cache_bytes };
        let store = Durable::open(folder, options, epoch)?;
        let mut database = Charge::none(&budget);
        database.grow_over(store.memory_bytes());
        let loaded = Table::load(registry, &self.clock, budget, Arc::new(store));
        let table = loaded.map_err(|e| match e.get_ref() {
            Some(why) if why.is::<Contradiction>() => {
                io::Error::new(e.kind(), format!("{}: {why}", folder.display()))
            }
            _ => e, // it names its file
        })?;
        Ok((table, database))
    }
}
