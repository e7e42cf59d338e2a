//! The file that shows that a command runs: made, made again after it was lost, deleted.

use crate::cli::failure::Failure;
use crate::cli::job;
use crate::cli::remote::{PAUSE, Remote};
use crate::client::recipes::{FencingToken, check};
use crate::client::{self, Client, Error, OpenFile};
use crate::exptime::Exptime;
use crate::name::ForLog;
use crate::refusal::Refusal;
use crate::version::Version;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The longest pause between two attempts to make the file again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The most that is fetched about another holder.
const MAX_HOLDER_BYTES: u64 = 1024;

/// What to make, and where.
pub(super) struct Terms {
    remote: Remote,
    builder: client::Builder,
    name: String,
    /// The type to open the file as; `None` for an ephemeral file.
    kind: Option<String>,
    contents: String,
    /// How often to check with the server that the file still exists.
    check: Duration,
}

/// Why there is no file of this process.
pub(super) enum Refused {
    /// Another client has it.
    Held(String),
    Failed(Failure),
}

/// A file that shows that this process runs.
#[derive(Clone)]
pub(super) struct Registration(Arc<Shared>);

struct Shared {
    terms: Terms,
    /// `None` while it is lost, and after the end.
    held: Mutex<Option<Held>>,
}

/// The file, as one connection has it.
struct Held {
    client: Client,
    kind: Kind,
}

enum Kind {
    /// An ephemeral file at this version.
    Ephemeral(Version),
    /// Closed when this is dropped.
    Open { _file: OpenFile },
}

impl Terms {
    pub(super) fn new(
        remote: Remote,
        name: String,
        kind: Option<String>,
        contents: Option<String>,
        check: Duration,
    ) -> Result<Self, Failure> {
        let builder = remote.builder(Client::builder().max_contents(MAX_HOLDER_BYTES))?;
        let contents = contents.unwrap_or_else(job::holder);
        Ok(Terms { remote, builder, name, kind, contents, check })
    }

    /// Makes the file if there is none, or if it is at the version `own`.
    fn make(&self, client: Client, own: Version) -> Result<Held, Error> {
        if let Some(kind) = &self.kind {
            let open = client.open(&self.name, Some(kind))?;
            return Ok(Held { client, kind: Kind::Open { _file: open } });
        }
        let write =
            |version| client.cas_expiring(&self.name, version, &self.contents, Exptime::Connection);
        let version = match write(Version::ABSENT) {
            // The server may not know yet that the old connection is lost.
            Err(e) if e.refusal() == Some(&Refusal::Version(own)) => write(own)?,
            made => made?,
        };
        Ok(Held { client, kind: Kind::Ephemeral(version) })
    }
}

impl Registration {
    /// Makes the file. With `replace`, also if another client has it.
    pub(super) fn make(terms: Terms, replace: bool) -> Result<Self, Refused> {
        let failed = |e: Error| Refused::Failed(e.into());
        let connect = || terms.builder.clone().connect(&terms.remote.place.address);
        let client = terms.remote.patience.retrying(connect).map_err(failed)?;
        let mut own = Version::ABSENT;
        let held = loop {
            let held = match terms.make(client.clone(), own) {
                Err(Error::Refused { refusal: Refusal::Version(held), .. }) => held,
                made => break made.map_err(failed)?,
            };
            let name = ForLog(&terms.name);
            match client.read(&terms.name) {
                Ok(file) if file.version != held => {}
                Ok(file) if file.exptime != Exptime::Connection => {
                    let why = "is a file that does not end with its client; it is left alone";
                    return Err(Refused::Held(format!("{name} {why}")));
                }
                Ok(_) if replace => own = held,
                Ok(file) => {
                    let holder = String::from_utf8_lossy(file.contents.trim_ascii()).into_owned();
                    let why = "--replace takes it over";
                    return Err(Refused::Held(format!("{name} is held by {holder}; {why}")));
                }
                Err(Error::TooLarge { .. }) => {
                    return Err(Refused::Held(format!("{name} is held")));
                }
                Err(Error::Refused { refusal: Refusal::NotFound, .. }) => {}
                Err(e) => return Err(failed(e)),
            }
        };
        Ok(Registration(Arc::new(Shared { terms, held: Mutex::new(Some(held)) })))
    }

    /// Starts a thread that makes the file again whenever it is lost.
    pub(super) fn keep(&self) -> io::Result<()> {
        let kept = self.clone();
        let keeper = thread::Builder::new().name("keep".to_string());
        keeper.spawn(move || while kept.keep_once().is_some() {}).map(drop)
    }

    /// Waits until the file is lost, and makes it again. Returns nothing after the end.
    fn keep_once(&self) -> Option<()> {
        let Shared { terms, .. } = &*self.0;
        let (client, own) = match &*self.held() {
            Some(Held { client, kind: Kind::Ephemeral(version) }) => (client.clone(), *version),
            Some(Held { client, kind: Kind::Open { .. } }) => (client.clone(), Version::ABSENT),
            None => return None,
        };
        let error = loop {
            // If that means the end, the next request shows it.
            let _ = client.wait_lost(terms.check);
            let checked = match terms.kind {
                Some(_) => client.latest_version().map(drop),
                None => check(&client, &terms.name, FencingToken(own)),
            };
            if let Err(e) = checked {
                break e;
            }
        };
        // After the end the connection is lost on purpose.
        self.held().as_ref()?;
        let mut said = String::new();
        let mut say = |e: &Error| {
            let why = e.to_string();
            if said != why {
                let name = ForLog(&terms.name);
                Failure::failed(format!("hold {name}: {why}; trying to make it again")).report();
                said = why;
            }
        };
        say(&error);
        let epoch = client.epoch();
        drop(client);
        let mut pause = PAUSE;
        loop {
            let made = terms.builder.clone().connect(&terms.remote.place.address);
            let made = made.and_then(|client| {
                // Versions of another table mean nothing.
                let own = if client.epoch() == epoch { own } else { Version::ABSENT };
                terms.make(client, own)
            });
            match made {
                Ok(held) => {
                    *self.held().as_mut()? = held;
                    let name = ForLog(&terms.name);
                    Failure::failed(format!("hold {name}: made again")).report();
                    return Some(());
                }
                Err(e) => say(&e),
            }
            thread::sleep(pause.min(terms.check));
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Deletes the file, or closes it.
    pub(super) fn end(&self) {
        let held = self.held().take();
        if let Some(Held { client, kind: Kind::Ephemeral(version) }) = held {
            // If that fails, the file is another client's, or ends with the connection.
            let _ = client.delete(&self.0.terms.name, Some(version));
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
