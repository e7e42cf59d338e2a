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
mod bind;
mod builder;
mod current_token;
mod error;
mod host;
#[cfg(feature = "etcd")]
mod member;
pub(crate) mod metrics;
mod refused;
mod room;
mod run;
mod running;
mod session;
mod settings;
mod shared;
mod source;
mod stats;
pub(crate) mod system;
mod threads;

pub use builder::{Builder, DEFAULT_CONNECTIONS, DEFAULT_MAX_CONTENTS, DEFAULT_WRITE_TIMEOUT};
pub use error::BindError;
pub use running::Running;
pub use system::default_max_memory;

use crate::net::{Address, Listener};
use crate::token::Token;
use crossbeam_channel::{Receiver, Sender};
use current_token::CurrentToken;
use host::Host;
use metrics::endpoint::Endpoint;
use settings::Settings;
use source::Source;
use std::sync::Arc;

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
    host: Arc<Host>,
    source: Source,
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
        let Settings { max_connections, max_contents, max_memory, token, .. } =
            &*self.host.settings;
        let token = if token.is_required() { "a token" } else { "no token" };
        let files = match &self.source {
            Source::Table(shared) => match shared.table.stored() {
                Some(_) => format!("{} files on disk", shared.table.totals().files),
                None => "files in memory".to_string(),
            },
            #[cfg(feature = "etcd")]
            Source::Etcd(_) => "files in etcd".to_string(),
        };
        format!(
            "{max_connections} connections, {max_contents} bytes a file, {max_memory} in all, \
             {token}, {files}"
        )
    }

    /// Returns warnings to the owner about addresses that other machines can reach.
    pub fn warnings(&self) -> Vec<String> {
        let open = self.addresses().into_iter().filter(|address| !address.is_local());
        let why = match self.host.settings.token.is_required() {
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
}
