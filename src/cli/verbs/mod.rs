//! `telefile read`, `write` and so on: one request of the protocol as a command, contents from
//! stdin and to stdout, and exit statuses for scripts.

#[cfg(feature = "durable")]
pub(super) mod backup;
pub(super) mod bench;
mod change;
pub(super) mod connect;
pub(super) mod list;
pub(super) mod lock;
mod look;
mod open;
pub(super) mod serve;
pub(super) mod wait;
pub(super) mod watch;

pub(super) use change::{CAS, CREATE, DELETE, TOUCH, WRITE};
pub(super) use look::{HELLO, READ, STAT, STATS, TYPES};
pub(super) use open::OPEN;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::{self, Flag, Takes, size, whole};
use crate::cli::remote::{HasRemote, Remote};
use crate::client::{Client, DEFAULT_MAX_CONTENTS, OpenFile};
use crate::exptime::Exptime;

/// The settings of all these commands.
struct Settings {
    remote: Remote,
    head: bool,
    max_contents: u64,
    exptime: Exptime,
    kind: Option<String>,
}

impl HasRemote for Settings {
    fn remote(&mut self) -> &mut Remote {
        &mut self.remote
    }
}

impl Settings {
    fn connect(&self) -> Result<Client, Failure> {
        self.remote.connect(Client::builder().max_contents(self.max_contents))
    }

    /// Opens the file if `--type` is given, so that the request goes to a file of that type.
    fn open(&self, client: &Client, name: &str) -> Result<Option<OpenFile>, Failure> {
        let open = |kind: &String| client.open(name, Some(kind));
        Ok(self.kind.as_ref().map(open).transpose()?)
    }
}

/// A command that sends a server one request.
pub(super) struct Verb {
    name: &'static str,
    operands: &'static str,
    pub(super) what: &'static str,
    flags: &'static [Flag<Settings>],
    run: fn(&Settings, &[String]) -> Outcome,
}

const MAX_CONTENTS: Flag<Settings> = Flag {
    name: "max-contents",
    takes: Takes::One("BYTES"),
    variable: "",
    help: "fetch and send no more than that (64M)",
    set: |s, text| {
        s.max_contents = size(text)?;
        Ok(())
    },
};

const EXPTIME: Flag<Settings> = Flag {
    name: "exptime",
    takes: Takes::One("SECS"),
    variable: "",
    help: "the file ends after SECS seconds (never)",
    set: |s, text| {
        s.exptime = exptime(text)?;
        Ok(())
    },
};

impl Verb {
    pub(crate) fn run(&self, args: lexopt::Parser) -> Outcome {
        let mut settings = Settings {
            remote: Remote::default(),
            head: false,
            max_contents: DEFAULT_MAX_CONTENTS,
            exptime: Exptime::Never,
            kind: None,
        };
        let Verb { name, operands, what, flags, run } = self;
        match flags::parse_operands(name, operands, what, flags, args, &mut settings)? {
            Some(operands) => run(&settings, &operands),
            None => Ok(()),
        }
    }
}

/// Parses an exptime. Not `-1`: a command's connection ends with it.
fn exptime(text: &str) -> Result<Exptime, String> {
    match whole(text) {
        Some(seconds) => Ok(Exptime::from_seconds(seconds)),
        None if text == "-1" => {
            Err("-1: the file would end at once, with the connection of this command".to_string())
        }
        None => Err(format!("{text}: not a whole number of seconds")),
    }
}
