//! What the commands have in common that speak to a server: where it is, and what to do when it
//! refuses.

use super::flags::{Flag, Takes, seconds};
use super::{Failure, Outcome};
use crate::client::{self, Client, DEFAULT_TIMEOUT, Error};
use crate::server::Token;
use crate::wire::Reply;
use std::io::{ErrorKind, Write};
use std::time::Duration;

const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";

/// A server, and how to speak to it.
pub(super) struct Remote {
    /// Not resolved before it is needed: an unknown host is no wrong command line.
    pub(super) address: String,
    pub(super) token: Option<Token>,
    pub(super) timeout: Duration,
}

impl Default for Remote {
    fn default() -> Self {
        Remote { address: DEFAULT_ADDRESS.to_string(), token: None, timeout: DEFAULT_TIMEOUT }
    }
}

/// Settings with a server among them.
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
        help: "the server (127.0.0.1:8080); unix:PATH for a socket",
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
        help: "the token to show it",
        set: |s, text| {
            let token = Token::from_file(text.as_ref()).map_err(|e| e.to_string())?;
            s.remote().token = Some(token);
            Ok(())
        },
    }
}

pub(super) const fn timeout<T: HasRemote>() -> Flag<T> {
    Flag {
        name: "timeout",
        takes: Takes::One("SECS"),
        variable: "TELEFILE_TIMEOUT",
        help: "to connect, and for each reply (30)",
        set: |s, text| {
            s.remote().timeout = seconds(text)?;
            Ok(())
        },
    }
}

impl Remote {
    pub(super) fn connect(&self, builder: client::Builder) -> Result<Client, Failure> {
        let mut builder = builder.timeout(Some(self.timeout));
        if let Some(token) = &self.token {
            builder = builder.token(token.as_bytes());
        }
        Ok(builder.connect(&self.address)?)
    }
}

/// A refusal is told as the server's reply, byte for byte.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { refusal, .. } => {
                let mut line = Vec::new();
                Reply::Refused(refusal).write_to(&mut line);
                Failure::refused(String::from_utf8_lossy(&line).trim_end())
            }
            Error::Invalid(why) => Failure::usage(why),
            Error::Connect(_) | Error::Lost(_) | Error::OtherTable | Error::Protocol(_) => {
                Failure::no_connection(error)
            }
            Error::TooLarge { .. } => {
                Failure::failed(format!("{error}; --max-contents raises that"))
            }
        }
    }
}

/// Puts bytes to stdout; whether somebody still reads there. That nobody does is no failure, that
/// they cannot be kept (a full disk) is one.
pub(super) fn put_some(bytes: &[u8]) -> Result<bool, Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Failure::failed(format!("stdout: {e}"))),
    }
}

pub(super) fn put(bytes: &[u8]) -> Outcome {
    put_some(bytes).map(drop)
}
