//! A client's settings, and the way from them to a connection.

use super::Client;
use super::error::Error;
use super::link::{FOR_EVER, Link};
use crate::net::{Address, Stream};
use std::fmt;
use std::io;
use std::time::Duration;

/// How long a connection and each reply may take, if nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest contents that a client takes, in bytes, if nothing else is said.
pub const DEFAULT_MAX_CONTENTS: u64 = 64 << 20;

/// A token fits into a line beside `hello`.
const MAX_TOKEN_BYTES: usize = 400;

/// Describes a client.
///
/// ```no_run
/// use std::time::Duration;
///
/// let client = telefile::Client::builder()
///     .timeout(Some(Duration::from_secs(5)))
///     .token(std::fs::read("/etc/telefile.token")?)
///     .connect("unix:/run/telefile.sock")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Builder {
    timeout: Option<Duration>,
    token: Option<Vec<u8>>,
    max_contents: u64,
    epoch: Option<u64>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            timeout: Some(DEFAULT_TIMEOUT),
            token: None,
            max_contents: DEFAULT_MAX_CONTENTS,
            epoch: None,
        }
    }
}

impl Builder {
    /// How long it may take to connect, then to get each reply, each mebibyte of contents, and to
    /// have the server take each mebibyte of a request. `None` is for ever; 30 s by default. The
    /// name of a host is looked up before that, in the system's own time; its addresses are tried
    /// in turn, each for its share of the time-out.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        // An instant that far away can still be named.
        self.timeout = timeout.map(|timeout| timeout.min(FOR_EVER));
        self
    }

    /// The secret to show, if the server asks for one. White space around it, a line end for one,
    /// does not belong to it. It is sent in clear.
    pub fn token(mut self, token: impl AsRef<[u8]>) -> Self {
        self.token = Some(token.as_ref().trim_ascii().to_vec());
        self
    }

    /// The largest contents that are taken, in bytes; 64 MiB by default. What a server announces
    /// takes no memory before it was compared with this.
    pub fn max_contents(mut self, bytes: u64) -> Self {
        self.max_contents = bytes;
        self
    }

    /// The epoch that the server's table has to have, for a program that has kept versions since an
    /// earlier connection, in a file for instance. Any, by default.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?;
    /// # let (address, handle) = (server.addresses()[0].clone(), server.handle());
    /// # let running = std::thread::spawn(|| server.run());
    /// use telefile::client::{Client, Error};
    ///
    /// let client = Client::connect_to(&address)?;
    /// let kept = (client.epoch(), client.write("config", "port = 80")?);
    /// drop(client);
    ///
    /// // Later, perhaps in another process.
    /// let (epoch, version) = kept;
    /// let client = Client::builder().epoch(epoch).connect_to(&address)?;
    /// client.cas("config", version, "port = 8080")?;
    ///
    /// // Had the server lost its files since, nothing would be asked of it.
    /// let another = Client::builder().epoch(!epoch).connect_to(&address);
    /// assert!(matches!(another, Err(Error::OtherTable)));
    /// # drop(client);
    /// # handle.stop();
    /// # running.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn epoch(mut self, epoch: u64) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Connects to `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`, and says hello.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no address or no token, [`Error::Connect`] if nobody is there
    /// or says hello in time, [`Error::Protocol`] if the server is no telefile,
    /// [`Error::OtherTable`] if its [epoch](Builder::epoch) is another,
    /// [`Refusal::WrongToken`](crate::Refusal::WrongToken) and
    /// [`Limit::Connections`](crate::Limit::Connections) if it does not let the client in.
    pub fn connect(self, address: &str) -> Result<Client, Error> {
        let address: Address =
            address.parse().map_err(|e: io::Error| Error::Invalid(e.to_string()))?;
        self.connect_to(&address)
    }

    /// Connects to an address that is one already. A name is looked up now, and again for each
    /// [`Client::reconnect`].
    ///
    /// # Errors
    /// As for [`connect`](Builder::connect).
    pub fn connect_to(self, address: &Address) -> Result<Client, Error> {
        if let Some(token) = &self.token {
            let bad = |b: &u8| b.is_ascii_whitespace() || b.is_ascii_control();
            if token.is_empty() || token.len() > MAX_TOKEN_BYTES || token.iter().any(bad) {
                let why = "a token has 1 to 400 bytes, no space and no control character";
                return Err(Error::Invalid(why.to_string()));
            }
        }
        let stream = Stream::connect(address, self.timeout).map_err(Error::Connect)?;
        let link = Link::new(stream, address, self.timeout, self.max_contents);
        Client::meet(link, self, address)
    }

    pub(super) fn timeout_at_most(self, most: Duration) -> Self {
        let timeout = self.timeout.map_or(most, |timeout| timeout.min(most));
        self.timeout(Some(timeout))
    }

    pub(super) fn expected_epoch(&self) -> Option<u64> {
        self.epoch
    }

    pub(super) fn shown_token(&self) -> Option<&[u8]> {
        self.token.as_deref()
    }
}

/// Never the token.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Builder { timeout, token, max_contents, epoch } = self;
        let token = token.as_ref().map(|_| "..");
        let mut shown = f.debug_struct("Builder");
        shown.field("timeout", timeout).field("token", &token);
        shown.field("max_contents", max_contents).field("epoch", epoch).finish()
    }
}
