//! What commands that connect to a server have in common: its address, the table that it must have,
//! and the messages about refusals.

use super::failure::Failure;
use super::values;
use crate::client::{self, Client, Error, OpenFile};
use crate::net::{Address, BufferedStream};
use crate::refusal::Refusal;
use crate::token::Token;
use crate::version::Epoch;
use crate::wire::{Reply, Request};
use clap::Args;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Where a server is, and what to show it.
#[derive(Args)]
pub(super) struct Place {
    /// Connect to HOST:PORT, [IPV6]:PORT or unix:PATH; of several, with commas, to one that answers
    #[arg(
        long = "addr",
        value_name = "ADDR",
        env = "TELEFILE_ADDR",
        default_value = "127.0.0.1:8080",
        value_parser = values::ADDRESSES,
        help_heading = HEADING
    )]
    pub(super) address: String,
    #[command(flatten)]
    token: TokenFile,
}

/// What to show a server.
#[derive(Args)]
pub(super) struct TokenFile {
    /// Show the server the token in this file
    #[arg(long, value_name = "FILE", env = "TELEFILE_TOKEN_FILE", help_heading = HEADING)]
    token_file: Option<PathBuf>,
}

/// A server, and how to connect to it.
#[derive(Args)]
pub(super) struct Remote {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) patience: Patience,
}

/// How long to wait for a server.
#[derive(Args)]
pub(super) struct Patience {
    /// Wait at most SECS seconds to connect, and for each reply
    #[arg(
        long,
        value_name = "SECS",
        env = "TELEFILE_TIMEOUT",
        default_value = "30",
        value_parser = values::SECONDS,
        help_heading = HEADING
    )]
    pub(super) timeout: Duration,
    /// If there is no server, or it is full, try again for at most SECS seconds [default: do not]
    #[arg(
        long,
        value_name = "SECS",
        env = "TELEFILE_RETRY",
        value_parser = values::SECONDS,
        help_heading = HEADING
    )]
    pub(super) retry: Option<Duration>,
}

/// The pause between two attempts to connect.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// A table on a server, for commands with versions: those mean nothing in another table.
#[derive(Args)]
pub(super) struct Table {
    #[command(flatten)]
    remote: Remote,
    /// Do nothing, with exit status 4, unless the server has this epoch: see `telefile hello --help`
    #[arg(long, value_parser = values::EPOCH, help_heading = HEADING)]
    epoch: Option<Epoch>,
}

/// The part of the help about the server.
pub(super) const HEADING: &str = "Server";

impl Place {
    /// Reads the token to send, if there is one.
    pub(super) fn token(&self) -> Result<Option<Token>, Failure> {
        self.token.read()
    }
}

impl TokenFile {
    pub(super) fn read(&self) -> Result<Option<Token>, Failure> {
        let token = self.token_file.as_ref().map(|file| Token::from_file(file)).transpose();
        token.map_err(Failure::failed)
    }
}

/// Adds the time-out and the token.
pub(super) fn with_settings(
    builder: client::Builder,
    patience: &Patience,
    token: &TokenFile,
) -> Result<client::Builder, Failure> {
    let builder = builder.timeout(Some(patience.timeout));
    Ok(match token.read()? {
        Some(token) => builder.token(token.as_bytes()),
        None => builder,
    })
}

impl Patience {
    /// Connects with `connect`, again for as long as `--retry` says if the cause may pass.
    pub(super) fn retrying<T>(
        &self,
        mut connect: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let deadline = self.retry_until();
        let mut is_said = false;
        loop {
            let error = match connect() {
                Err(e) if e.is_retryable() => e,
                done => return done,
            };
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let Some(left) = left.filter(|left| !left.is_zero()) else { return Err(error) };
            if !std::mem::replace(&mut is_said, true) {
                Failure::failed(format!("{error}; trying again")).report();
            }
            thread::sleep(left.min(PAUSE));
        }
    }

    /// Returns when to stop trying to connect, if a first failure is not the end.
    pub(super) fn retry_until(&self) -> Option<Instant> {
        self.retry.map(|time| Instant::now() + time)
    }
}

impl Remote {
    /// Connects and says hello.
    pub(super) fn connect(&self, builder: client::Builder) -> Result<Client, Failure> {
        let builder = self.builder(builder)?;
        Ok(self.patience.retrying(|| builder.clone().connect(&self.place.address))?)
    }

    /// Adds the time-out and the token.
    pub(super) fn builder(&self, builder: client::Builder) -> Result<client::Builder, Failure> {
        with_settings(builder, &self.patience, &self.place.token)
    }
}

impl Table {
    /// Connects and says hello; a server that has another table gets no further request.
    pub(super) fn connect(&self, builder: client::Builder) -> Result<Client, Failure> {
        let client = self.remote.connect(builder)?;
        match self.epoch {
            Some(epoch) if epoch != client.epoch() => {
                Err(Failure::other_table(epoch, client.epoch()))
            }
            _ => Ok(client),
        }
    }

    /// The same for a client that connects again, also then.
    pub(super) fn connect_always(&self, builder: client::Builder) -> Result<Client, Failure> {
        match self.epoch {
            Some(epoch) => self.remote.connect(builder.epoch(epoch)),
            None => self.remote.connect(builder),
        }
    }
}

/// Opens a file if a type is asked for, so that the next request goes to a file of that type.
pub(super) fn open_as(
    client: &Client,
    name: &str,
    kind: Option<&str>,
) -> Result<Option<OpenFile>, Failure> {
    Ok(kind.map(|kind| client.open(name, Some(kind))).transpose()?)
}

/// Returns the failure of a change: one without a reply may have been made.
pub(super) fn change_failed(error: Error) -> Failure {
    let lost = matches!(error, Error::Lost(_));
    let failure = Failure::from(error);
    match lost {
        true => {
            Failure::no_connection(format!("{}; the change may have been made", failure.message))
        }
        false => failure,
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
    let failed = |e: io::Error| {
        let why = match e.kind() {
            ErrorKind::TimedOut => format!("{address}: no answer in time"),
            _ => format!("{address}: {e}"),
        };
        Error::Connect(io::Error::new(e.kind(), why))
    };
    if !connection.read_line(&mut line).map_err(failed)? {
        return Err(failed(closed()));
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
                let status = match refusal {
                    Refusal::NotFound => Failure::NOT_FOUND,
                    Refusal::Version(_) => Failure::OTHER_VERSION,
                    Refusal::Denied | Refusal::WrongToken => Failure::DENIED,
                    _ if error.is_retryable() => Failure::FULL,
                    _ => Failure::FAILED,
                };
                Failure { message: format!("{error} ({reply}){hint}"), status }
            }
            Error::TooLarge { .. } => Failure::failed(format!("{error}{hint}")),
            Error::Thread(_) => Failure::failed(error),
            Error::Invalid(why) => Failure::usage(why),
            Error::OtherTable => {
                Failure { message: error.to_string(), status: Failure::OTHER_TABLE }
            }
            Error::Connect(_) | Error::Lost(_) | Error::Protocol(_) => {
                Failure::no_connection(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::builder::Resettable;
    use clap::{Command, FromArgMatches};

    #[test]
    fn the_time_out_is_that_of_the_library() {
        let command = Remote::augment_args(Command::new("test"));
        let command = command.mut_args(|arg| arg.env(Resettable::Reset));
        let remote = Remote::from_arg_matches(&command.get_matches_from(["test"])).unwrap();
        assert_eq!(remote.patience.timeout, client::DEFAULT_TIMEOUT);
    }
}
