//! A client's settings, and how it connects with them.

use super::error::Error;
use super::first_answer::first_answer;
use super::transport::Transport;
use super::{Client, Made};
use crate::exptime::FOREVER;
use crate::net::{Address, Addresses, Stream};
use crate::token::Token;
use crate::version::Epoch;
use std::fmt;
use std::io;
use std::time::Duration;

/// The default for how long a connection and each reply may take.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The default for the largest contents that a client accepts, in bytes.
pub const DEFAULT_MAX_CONTENTS: u64 = 64 << 20;

/// The settings of a client.
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
    epoch: Option<Epoch>,
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
    /// Sets how long it may take to connect, then to get each reply, each mebibyte of contents, and
    /// to send each mebibyte of a request. `None` is forever; 30 s by default. A host name is
    /// looked up before that, in the system's own time; its addresses are tried in turn, each for
    /// its share of the time-out. Of several addresses in a list each has its share to connect, and
    /// the same to answer `hello`: with `None` a server that accepts and says nothing holds up the
    /// others forever.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        // An instant that far away is still representable.
        self.timeout = timeout.map(|timeout| timeout.min(FOREVER));
        self
    }

    /// Sets the token to send if the server requires one. White space around it, such as a final
    /// line end, is removed. The token is sent unencrypted.
    pub fn token(mut self, token: impl AsRef<[u8]>) -> Self {
        self.token = Some(token.as_ref().trim_ascii().to_vec());
        self
    }

    /// Sets the largest contents that the client accepts, in bytes; 64 MiB by default. Announced
    /// contents take no memory before their size is checked.
    pub fn max_contents(mut self, bytes: u64) -> Self {
        self.max_contents = bytes;
        self
    }

    /// Sets the epoch that the server's table has to have, for a program that keeps versions from
    /// an earlier connection, in a file for instance. Any epoch, by default.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// # let address = server.addresses()[0].clone();
    /// use telefile::Epoch;
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
    /// // If the server had lost its files since, no further request would be sent.
    /// let another = Client::builder().epoch(Epoch(!epoch.0)).connect_to(&address);
    /// assert!(matches!(another, Err(Error::OtherTable)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn epoch(mut self, epoch: Epoch) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Connects to `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`, and sends `hello`.
    ///
    /// Several addresses, with commas between them, are the servers of one table. They are tried in
    /// turn, and the first that answers is used. [`Client::reconnect`] tries them all again.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// # let address = server.addresses()[0].clone();
    /// use telefile::Client;
    ///
    /// let client = Client::connect(&format!("unix:/no/server/here,{address}"))?;
    /// client.write("greeting", "hello")?;
    ///
    /// let error = Client::connect("unix:/no/server,unix:/here").unwrap_err().to_string();
    /// assert!(error.contains("unix:/no/server: ") && error.contains("; unix:/here: "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] for an invalid address or token, [`Error::Connect`] if no server answers
    /// or its hello does not come in time, [`Error::Protocol`] if the server is not telefile,
    /// [`Error::OtherTable`] if its [epoch](Builder::epoch) is another,
    /// [`Refusal::WrongToken`](crate::Refusal::WrongToken) and
    /// [`Limit::Connections`](crate::Limit::Connections) if the server rejects the client.
    ///
    /// If none of several addresses answers, [`Error::Connect`] has the reason for each. If one of
    /// the reasons [does not pass](Error::is_retryable), such as a wrong token, that is the error.
    pub fn connect(self, addresses: &str) -> Result<Client, Error> {
        let addresses: Addresses =
            addresses.parse().map_err(|e: io::Error| Error::Invalid(e.to_string()))?;
        let epoch = self.epoch;
        self.connect_expecting(epoch, &addresses, 0)
    }

    /// Connects to an address that is already parsed. A host name is looked up now, and again at
    /// each [`Client::reconnect`].
    ///
    /// # Errors
    /// As for [`connect`](Builder::connect).
    pub fn connect_to(self, address: &Address) -> Result<Client, Error> {
        let epoch = self.epoch;
        self.connect_expecting(epoch, &Addresses::from(address.clone()), 0)
    }

    /// Connects to a table of this epoch, or of any. The address at place `first` is tried first.
    pub(super) fn connect_expecting(
        self,
        epoch: Option<Epoch>,
        addresses: &Addresses,
        first: usize,
    ) -> Result<Client, Error> {
        if let Some(Err(e)) = self.token.as_ref().map(Token::new) {
            return Err(Error::Invalid(e.to_string()));
        }
        let (place, (transport, hello)) =
            first_answer(addresses, first, self.timeout, |address, timeout| {
                let stream = Stream::connect(address, timeout).map_err(Error::Connect)?;
                let mut transport =
                    Transport::new(stream, address, self.timeout, self.max_contents);
                let hello = transport.meet(self.shown_token(), timeout)?;
                match epoch.is_some_and(|expected| expected != hello.epoch) {
                    true => Err(Error::OtherTable),
                    false => Ok((transport, hello)),
                }
            })?;
        Ok(Client::new(
            transport,
            hello,
            Made { builder: self, addresses: addresses.clone(), place },
        ))
    }

    pub(super) fn timeout_at_most(self, most: Duration) -> Self {
        let timeout = self.timeout.map_or(most, |timeout| timeout.min(most));
        self.timeout(Some(timeout))
    }

    pub(super) fn required_epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    pub(super) fn shown_token(&self) -> Option<&[u8]> {
        self.token.as_deref()
    }
}

/// Never shows the token.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Builder { timeout, token, max_contents, epoch } = self;
        let token = token.as_ref().map(|_| "..");
        let mut shown = f.debug_struct("Builder");
        shown.field("timeout", timeout).field("token", &token);
        shown.field("max_contents", max_contents).field("epoch", epoch).finish()
    }
}
