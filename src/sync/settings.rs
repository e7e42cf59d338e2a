//! The settings of a synchronisation.

use super::error::Error;
use super::state;
use crate::client::{Builder, Client};
use crate::token::Token;
use std::path::PathBuf;
use std::time::Duration;

/// The largest contents of which many are asked for at once: every chunk, and the entries of files of
/// up to some gigabytes.
const MAX_TOGETHER_BYTES: u64 = 2 << 20;

/// Which folder to keep equal to which session of which server, and how.
///
/// ```no_run
/// use std::time::Duration;
/// use telefile::sync::{self, Settings, Stop};
///
/// let settings = Settings::new("server:8080", "/home/ann/notes", Duration::from_secs(10));
/// let mut observer = |event: sync::Event<'_>| println!("{event:?}");
/// sync::run(&settings, &mut observer, &Stop::new())?;
/// # Ok::<(), sync::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The server: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`.
    pub address: String,
    /// The folder. It has to exist.
    pub path: PathBuf,
    /// The time between two rounds if nothing is noticed earlier.
    pub interval: Duration,
    /// The session's id. `None`: the folder's marker has it, or the server makes one.
    pub id: Option<String>,
    /// The id is for a folder that has none: the folder's marker wins, unless it is to start over.
    pub is_default_id: bool,
    /// The server's token, if it requires one.
    pub token: Option<Token>,
    /// How long the server may take to connect and for each reply.
    pub timeout: Duration,
    /// How long to try again at the start if there is no server, or it is full. What does more than one
    /// round waits for a server anyway.
    pub retry: Duration,
    /// End after one round.
    pub once: bool,
    /// Only say what a round would do.
    pub dry_run: bool,
    /// Start over: with another id, or under the same one without regard to earlier rounds.
    pub new: bool,
    /// Delete however many files are deleted on the other side.
    pub force: bool,
    /// Watch the folder, so that a change is noticed at once.
    pub watch: bool,
    /// Patterns as in `.gitignore`: what matches is left alone. They are kept in the folder's marker. None:
    /// those that are kept; an empty pattern alone removes them.
    pub ignore: Vec<String>,
    /// Where states are kept. `None`: `$XDG_STATE_HOME`, or `~/.local/state`.
    pub state_home: Option<PathBuf>,
}

impl Settings {
    /// Returns settings with defaults for everything else.
    pub fn new(address: impl Into<String>, path: impl Into<PathBuf>, interval: Duration) -> Self {
        Settings {
            address: address.into(),
            path: path.into(),
            interval,
            id: None,
            is_default_id: false,
            token: None,
            timeout: crate::client::DEFAULT_TIMEOUT,
            retry: Duration::ZERO,
            once: false,
            dry_run: false,
            new: false,
            force: false,
            watch: true,
            ignore: Vec::new(),
            state_home: None,
        }
    }

    pub(super) fn builder(&self) -> Builder {
        let builder = Client::builder().timeout(Some(self.timeout));
        let builder = builder.max_contents(MAX_TOGETHER_BYTES);
        match &self.token {
            Some(token) => builder.token(token.as_bytes()),
            None => builder,
        }
    }

    pub(super) fn state_home(&self) -> Result<PathBuf, Error> {
        match &self.state_home {
            Some(home) => Ok(home.clone()),
            None => state::home(|name| std::env::var_os(name)),
        }
    }
}
