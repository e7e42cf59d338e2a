//! A queue of contents, filled and emptied by several clients.

use super::deadline::Deadline;
use super::lock::{Guard, acquire};
use super::token::FencingToken;
use super::waiters::Waiters;
use crate::client::{Client, Error, Listed};
use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::refusal::Refusal;
use crate::version::Version;
use std::collections::HashSet;
use std::time::Duration;

/// A first-in-first-out queue.
///
/// An item is a file that stays, made by `create NAME/item/`. A taker first claims it with an
/// ephemeral file, `cas NAME/claim/n 0 0 -1`. There are two ways to go on:
///
/// - [`pop`](Queue::pop) deletes the item and then returns it: **at most once**. If the program or
///   its connection ends between the two, the item is lost.
/// - [`take`](Queue::take) returns it, and [`done`](Taken::done) deletes it: **at least once**. If
///   the program or its connection ends before, the item is available to the next taker. So it may
///   be worked on twice, even at the same time, if a taker goes on after losing its connection:
///   whatever the work changes should check the [token](Taken::token).
///
/// **Restarted server**: the queue is empty, because its files live in memory. With `--data` the
/// items are kept, and nobody has claimed them.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
/// # let address = server.addresses()[0].clone();
/// use std::time::Duration;
/// use telefile::{Client, client::recipes::Queue};
///
/// let client = Client::connect_to(&address)?;
/// let jobs = Queue::new(&client, "jobs");
/// jobs.push("first")?;
/// jobs.push("second")?;
///
/// let job = jobs.take(Duration::ZERO)?.expect("there is one");
/// assert_eq!(&*job.contents, b"first");
/// drop(job); // not done: it is available again
///
/// let job = jobs.take(Duration::ZERO)?.expect("there is one");
/// assert_eq!(&*job.contents, b"first");
/// job.done()?;
/// assert_eq!(&*jobs.take(Duration::ZERO)?.expect("there is one").contents, b"second");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Queue {
    items: Waiters,
    claims: String,
    name: String,
}

/// An item that was taken and is not done yet. Dropping it makes it available again.
#[derive(Debug)]
#[must_use = "the item is available again when this is dropped"]
pub struct Taken {
    /// The contents that were pushed.
    pub contents: Contents,
    client: Client,
    item: String,
    version: Version,
    claim: Guard,
}

/// The number of items that one request looks at.
const PAGE: u64 = 64;

impl Queue {
    /// Returns the queue of this name. Sends nothing yet.
    pub fn new(client: &Client, name: &str) -> Self {
        let items = Waiters::new(client, &format!("{name}/item"));
        Queue { items, claims: format!("{name}/claim/"), name: format!("{name}/") }
    }

    /// Appends an item; returns its version.
    ///
    /// # Errors
    /// See [`Error`]. After [`Error::Lost`] the item may have been appended or not.
    pub fn push(&self, contents: impl AsRef<[u8]>) -> Result<Version, Error> {
        let prefix = &self.items.prefix;
        Ok(self.items.client.create(prefix, contents, Exptime::Never)?.0)
    }

    /// Removes and returns the first item; `None` if there is none within this time, which is
    /// rounded up to seconds.
    ///
    /// # Errors
    /// See [`Error`]. After [`Error::Lost`] an item may be lost.
    pub fn pop(&self, time: Duration) -> Result<Option<Contents>, Error> {
        self.first(time, |item| {
            // Claimed first, so that nobody else works on the item.
            let Some(taken) = self.claim(item)? else { return Ok(None) };
            let contents = taken.contents.clone();
            Ok(found(taken.done())?.map(|()| contents))
        })
    }

    /// Takes the first item that nobody has taken yet; returns `None` if there is none within this
    /// time, which is rounded up to seconds.
    ///
    /// # Errors
    /// See [`Error`]; the item can be taken again then.
    pub fn take(&self, time: Duration) -> Result<Option<Taken>, Error> {
        self.first(time, |item| self.claim(item))
    }

    fn claim(&self, item: &Listed) -> Result<Option<Taken>, Error> {
        let client = &self.items.client;
        let claim = self.claim_of(item);
        let at_once = Deadline::after(Duration::ZERO);
        let made = acquire(client, &claim, b"", Exptime::Connection, at_once, |_| ())?;
        let Some((token, _)) = made else { return Ok(None) };
        let claim = Guard::new(client, &claim, token);
        // The item may have been done before it was claimed.
        let Some(file) = found(client.read(&item.name))? else { return Ok(None) };
        let (contents, version) = (file.contents, file.version);
        let (client, item) = (client.clone(), item.name.clone());
        Ok(Some(Taken { contents, client, item, version, claim }))
    }

    /// Returns the first item that `get` accepts.
    fn first<T>(
        &self,
        time: Duration,
        get: impl Fn(&Listed) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let (deadline, client) = (Deadline::after(time), &self.items.client);
        loop {
            let mut as_of = None;
            let mut after: Option<String> = None;
            loop {
                let page = client.list_page(&self.items.prefix, PAGE, after.as_deref())?;
                as_of.get_or_insert(page.version);
                let claimed = self.claimed()?;
                for item in page.files.iter().filter(|item| self.items.is_place(&item.name)) {
                    if !claimed.contains(&self.claim_of(item))
                        && let Some(got) = get(item)?
                    {
                        return Ok(Some(got));
                    }
                }
                match page.files.last() {
                    Some(last) if page.more => after = Some(last.name.clone()),
                    _ => break,
                }
            }
            let mut as_of = as_of.unwrap_or_default();
            if deadline.watch(client, &self.name, &mut as_of)?.is_none() {
                return Ok(None);
            }
        }
    }

    /// Returns the names of all claims.
    fn claimed(&self) -> Result<HashSet<String>, Error> {
        self.items.client.list(&self.claims)?.map(|claim| Ok(claim?.name)).collect()
    }

    fn claim_of(&self, item: &Listed) -> String {
        item.name.replacen(&self.items.prefix, &self.claims, 1)
    }
}

impl Taken {
    /// Returns the fencing token: each later taker of the item gets a greater one.
    pub fn token(&self) -> FencingToken {
        self.claim.token()
    }

    /// Deletes the item.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if somebody else has done it meanwhile, so this claim must have been
    /// lost. After [`Error::Lost`] the item may be deleted or not.
    pub fn done(self) -> Result<(), Error> {
        self.client.delete(&self.item, Some(self.version))
    }
}

/// Returns `None` for a file that another client has deleted or changed.
fn found<T>(asked: Result<T, Error>) -> Result<Option<T>, Error> {
    match asked {
        Err(Error::Refused { refusal: Refusal::NotFound | Refusal::Version(_), .. }) => Ok(None),
        asked => asked.map(Some),
    }
}
