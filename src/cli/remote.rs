//! What commands that connect to a server have in common: its address, the table that it must have,
//! and the messages about refusals.

use super::failure::Failure;
use super::flags::{Flag, Takes, seconds};
use crate::client::{self, Client, DEFAULT_TIMEOUT, Error};
use crate::net::{Address, BufferedStream};
use crate::refusal::Refusal;
use crate::token::Token;
use crate::wire::{Reply, Request};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";

/// A server, and how to connect to it.
pub(super) struct Remote {
    /// Resolved only when needed: an unknown host is not a wrong command line.
    pub(super) address: String,
    /// Also read only when needed.
    token_file: Option<PathBuf>,
    pub(super) timeout: Duration,
    /// The epoch of the table that the versions on the command line belong to.
    pub(super) epoch: Option<u64>,
}

impl Default for Remote {
    fn default() -> Self {
        let address = DEFAULT_ADDRESS.to_string();
        Remote { address, token_file: None, timeout: DEFAULT_TIMEOUT, epoch: None }
    }
}

/// Settings that include a server.
pub(super) trait HasRemote: 'static {
    fn remote(&mut self) -> &mut Remote;
}

impl HasRemote for Remote {
    fn remote(&mut self) -> &mut Remote {
        self
    }
}

pub(super) const fn addr<T: HasRemote>() -> Flag<T> {
    Flag {
        name: "addr",
        takes: Takes::One("ADDR"),
        variable: "TELEFILE_ADDR",
        help: "the server's address (127.0.0.1:8080); unix:PATH for a socket",
        set: |s, text| {
            s.remote().address = text.to_string();
            Ok(())
        },
    }
}

pub(super) const fn token_file<T: HasRemote>() -> Flag<T> {
    Flag {
        name: "token-file",
        takes: Takes::One("FILE"),
        variable: "TELEFILE_TOKEN_FILE",
        help: "show the server the token in this file",
        set: |s, text| {
            if text.is_empty() {
                return Err("is empty".to_string());
            }
            s.remote().token_file = Some(text.into());
            Ok(())
        },
    }
}

pub(super) const fn timeout<T: HasRemote>() -> Flag<T> {
    Flag {
        name: "timeout",
        takes: Takes::One("SECS"),
        variable: "TELEFILE_TIMEOUT",
        help: "time to connect, and for each reply (30)",
        set: |s, text| {
            s.remote().timeout = seconds(text)?;
            Ok(())
        },
    }
}

pub(super) const fn epoch<T: HasRemote>() -> Flag<T> {
    Flag {
        name: "epoch",
        takes: Takes::One("EPOCH"),
        variable: "",
        help: "do nothing, with exit status 4, if the server has another table",
        set: |s, text| {
            let is_one = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
            let epoch = u64::from_str_radix(text, 16).ok().filter(|_| is_one);
            let bad = || format!("{text}: not 16 hex digits, as `telefile hello` prints them");
            s.remote().epoch = Some(epoch.ok_or_else(bad)?);
            Ok(())
        },
    }
}

impl Remote {
    /// Returns the token to send, if there is one.
    pub(super) fn token(&self) -> Result<Option<Token>, Failure> {
        let token = self.token_file.as_ref().map(|file| Token::from_file(file)).transpose();
        token.map_err(Failure::failed)
    }

    /// Connects and says hello; a server that has another table gets no further request.
    pub(super) fn connect(&self, builder: client::Builder) -> Result<Client, Failure> {
        let client = self.builder(builder)?.connect(&self.address)?;
        match self.epoch {
            Some(epoch) if epoch != client.epoch() => {
                Err(Failure::other_table(epoch, client.epoch()))
            }
            _ => Ok(client),
        }
    }

    /// Adds the time-out and the token.
    pub(super) fn builder(&self, builder: client::Builder) -> Result<client::Builder, Failure> {
        let builder = builder.timeout(Some(self.timeout));
        Ok(match self.token()? {
            Some(token) => builder.token(token.as_bytes()),
            None => builder,
        })
    }
}

/// Says hello over a connection that is not a [`Client`]'s, and reads the reply. Returns the
/// server's idle time-out.
pub(super) fn hello(
    connection: &mut BufferedStream,
    address: &Address,
    token: Option<&Token>,
) -> Result<Option<Duration>, Error> {
    let token = token.map(Token::as_bytes);
    Request::Hello { token }.write_to(connection.output());
    let mut line = Vec::new();
    let told = |e: io::Error| {
        let why = match e.kind() {
            ErrorKind::TimedOut => format!("{address}: no answer in time"),
            _ => format!("{address}: {e}"),
        };
        Error::Connect(io::Error::new(e.kind(), why))
    };
    if !connection.read_line(&mut line).map_err(told)? {
        return Err(told(closed()));
    }
    let refusal = match Reply::parse(&line) {
        Some(Reply::Hello { idle_timeout, .. }) => return Ok(idle_timeout),
        // The line does not distinguish them, but here it is about the token.
        Some(Reply::Refused(Refusal::Denied)) => Refusal::WrongToken,
        Some(Reply::Refused(refusal)) => refusal,
        _ => {
            let line = String::from_utf8_lossy(&line).into_owned();
            return Err(Error::Protocol(format!("{address}: {line:?} to hello")));
        }
    };
    Err(Error::Refused { file: None, refusal })
}

/// Returns the error for a connection that ended without a reset.
pub(super) fn closed() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")
}

/// Returns the failure of a command whose connection has ended.
pub(super) fn lost_at(address: &str, e: &io::Error) -> Failure {
    Error::Lost(io::Error::new(e.kind(), format!("{address}: {e}"))).into()
}

/// Describes a refusal in words, and as the server's reply, which scripts and the protocol know.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = match &error {
            Error::Refused { refusal: Refusal::WrongToken, .. } => "; --token-file FILE gives it",
            Error::Refused { refusal: Refusal::TypeNotFound, .. } => {
                "; `telefile types` prints all"
            }
            Error::TooLarge { .. } => "; --max-contents raises that",
            _ => "",
        };
        match &error {
            Error::Refused { refusal, .. } => {
                let mut reply = Vec::new();
                Reply::Refused(refusal.clone()).write_to(&mut reply);
                let reply = String::from_utf8_lossy(reply.trim_ascii_end());
                Failure::failed(format!("{error} ({reply}){hint}"))
            }
            Error::TooLarge { .. } => Failure::failed(format!("{error}{hint}")),
            Error::Thread(_) => Failure::failed(error),
            Error::Invalid(why) => Failure::usage(why),
            Error::Connect(_) | Error::Lost(_) | Error::OtherTable | Error::Protocol(_) => {
                Failure::no_connection(error)
            }
        }
    }
}
