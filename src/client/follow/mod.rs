//! Following files: the present state first, then each change, for as long as wanted.

mod backoff;
mod event;
mod known;

pub use event::Event;

use super::{Client, Error};
use crate::exptime::whole_seconds;
use crate::refusal::Refusal;
use crate::version::Version;
use crate::wire::MAX_ITEMS;
use backoff::Backoff;
use known::Known;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The longest time of one watch: its reply is a sign of life from the server.
const SLICE: Duration = Duration::from_secs(30);

/// An answer with fewer changes has all of them; one with more may be a part.
const WHOLE: usize = 64;

/// The longest pause between attempts to connect, unless the program has set it.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Client {
    /// Follows the files whose names begin with `prefix`: an iterator that reports the files that
    /// exist, and then each change. The empty prefix, or `*`, is all files.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// # let address = server.addresses()[0].clone();
    /// use telefile::client::{Client, Event};
    ///
    /// let client = Client::connect_to(&address)?;
    /// client.write("config/port", "80")?;
    ///
    /// for event in client.follow("config/")? {
    ///     match event? {
    ///         Event::Put { name, version, .. } => println!("{name} is at version {version}"),
    ///         Event::Deleted { name, .. } => println!("{name} is deleted"),
    ///         Event::Current(version) => {
    ///             println!("that was all up to version {version}");
    /// #           break;
    ///         }
    ///         event => println!("{event:?}"), // only if it reconnects, or falls far behind
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The follower makes a connection of its own, so requests of this client do not wait for it. If
    /// the client has several addresses, it [replaces](Follow::reconnect) a lost one.
    ///
    /// # Errors
    /// Those of [`reconnect`](Client::reconnect). The iterator returns those that come later, and those
    /// of [`list_page`](Client::list_page) with this prefix.
    pub fn follow(&self, prefix: &str) -> Result<Follow, Error> {
        let client = self.reconnect()?;
        client.keep_alive()?;
        let backoff = client.made.addresses.are_several().then(|| Backoff::new(LONGEST_PAUSE));
        Ok(Follow {
            client,
            prefix: prefix.to_string(),
            known: Known::default(),
            events: VecDeque::new(),
            step: Step::list(),
            is_lost: false,
            backoff,
            accepts_other_table: false,
            has_ended: false,
        })
    }
}

/// An iterator over the files that exist and what becomes of them: see [`Client::follow`].
///
/// # What is promised
///
/// - **Complete.** Nothing is missed between the list and the changes, or between two changes. At
///   each [`Event::Current`] the events so far add up to the exact state of the table at one
///   version.
/// - **States, not steps.** A file that changes twice before the follower asks is reported once. A
///   file that is made and deleted in between is not reported at all; one that is deleted and made
///   again is an [`Event::Put`]. Contents are not sent: [read](Client::read) them, on
///   [`client`](Follow::client) for instance, and expect that the file has changed again by then.
/// - **In order.** Changes come in the order of their versions. The files of a list come in byte
///   order of their names, after those that the list shows to be deleted.
/// - **Nothing is hidden.** If the server has forgotten deletions, or the connection is lost, or
///   another table is in place of the first, an event says so, and the events behind it are the
///   difference: also a file that was deleted meanwhile is an [`Event::Deleted`].
///
/// It keeps the name and the version of each file that it has reported, to find that difference, and
/// one group of events: at most 10,000, and one for each of those files that a list does not have.
///
/// A program that takes the events slowly slows nobody down, and the server remembers nothing of
/// it: what has changed meanwhile is reported together.
///
/// # Errors
///
/// An error is the last item of the iterator, unless the follower [reconnects](Follow::reconnect), or
/// its client has several addresses, and the error may pass. [`next_within`](Follow::next_within) may
/// be called again: it continues from the last event.
#[derive(Debug)]
#[must_use = "it follows as the events are taken"]
pub struct Follow {
    client: Client,
    prefix: String,
    known: Known,
    /// Those not returned yet.
    events: VecDeque<Event>,
    step: Step,
    /// Whether the connection has to be replaced.
    is_lost: bool,
    /// `None` if errors are not to be outlived.
    backoff: Option<Backoff>,
    accepts_other_table: bool,
    has_ended: bool,
}

/// What to ask next.
#[derive(Debug)]
enum Step {
    /// The page behind this name. `first` is the version of the list's first page.
    List { after: String, first: Option<Version> },
    /// What has changed since this version. If it is not current, at once.
    Watch { since: Version, is_current: bool },
}

impl Step {
    fn list() -> Self {
        Step::List { after: String::new(), first: None }
    }
}

impl Follow {
    /// Outlives errors that may pass: a lost connection, a server that cannot be reached, is full,
    /// or has another table. Each failed attempt is an [`Event::Interrupted`]. The next one is made
    /// after a pause of at most 100 ms, then of at most twice as long each time, up to
    /// `longest_pause`; half of a pause or less is left out at random.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// # let address = server.addresses()[0].clone();
    /// use std::time::Duration;
    /// use telefile::client::{Client, Event};
    ///
    /// let follow = Client::connect_to(&address)?.follow("config/")?;
    /// for event in follow.reconnect(Duration::from_secs(10)) {
    ///     match event? {
    ///         Event::Interrupted(error) => eprintln!("{error}; what is known may be out of date"),
    ///         Event::OtherTable(_) => eprintln!("the server has lost its files"),
    ///         Event::Current(_) => {
    ///             println!("up to date");
    /// #           break;
    ///         }
    ///         event => println!("{event:?}"),
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Errors that do not pass remain errors: a wrong token, a server that is not telefile, another
    /// table if the client [requires](super::Builder::epoch) this one.
    ///
    /// A follower whose client has several addresses does the same without this call, with pauses of
    /// at most 10 s, but to it another table is an error: [`Error::OtherTable`].
    pub fn reconnect(mut self, longest_pause: Duration) -> Self {
        self.backoff = Some(Backoff::new(longest_pause));
        self.accepts_other_table = true;
        self
    }

    /// Returns the next event, but waits no longer than `time`, which is rounded up to seconds;
    /// `None` if there is none by then. For a program that does something else in between. A reply that
    /// is late, or a new connection, may take the client's time-out in addition.
    ///
    /// # Errors
    /// See [`Error`] and [`reconnect`](Follow::reconnect).
    pub fn next_within(&mut self, time: Duration) -> Result<Option<Event>, Error> {
        let time = Duration::from_secs(whole_seconds(time));
        let deadline = Instant::now().checked_add(time);
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            self.advance(left.unwrap_or(SLICE).min(SLICE))?;
            if self.events.is_empty() && left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
        }
    }

    /// Returns the names and versions of the files that were reported and not deleted since, in byte
    /// order of their names. After an [`Event::Current`] they are all files at that version.
    ///
    /// Events are reported in groups, and this is ahead of those of a group that are not taken yet.
    pub fn files(&self) -> impl Iterator<Item = (&str, Version)> {
        self.known.files()
    }

    /// Returns the client with the follower's own connection, to read a file that an event is
    /// about. Between two events it is free. After a lost connection this is another client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Asks the server once, and waits for a change no longer than `time`.
    fn advance(&mut self, time: Duration) -> Result<(), Error> {
        if self.backoff.as_ref().is_some_and(|backoff| !backoff.wait(time)) {
            return Ok(());
        }
        let asked = self.ask(time);
        let Some(backoff) = &mut self.backoff else { return asked };
        match asked {
            Ok(()) => backoff.succeeded(),
            Err(e) if matches!(e, Error::Lost(_)) || e.is_retryable() => {
                backoff.failed();
                self.is_lost |= matches!(e, Error::Lost(_));
                if let Step::Watch { is_current, .. } = &mut self.step {
                    *is_current = false;
                }
                self.events.push_back(Event::Interrupted(e));
            }
            Err(e) => return Err(e),
        }
        Ok(())
    }

    fn ask(&mut self, time: Duration) -> Result<(), Error> {
        if self.is_lost {
            self.replace_client()?;
        }
        match &self.step {
            Step::List { after, first } => {
                let (after, first) = (after.clone(), *first);
                self.list(&after, first)
            }
            Step::Watch { since, is_current } => self.watch(*since, *is_current, time),
        }
    }

    fn list(&mut self, after: &str, first: Option<Version>) -> Result<(), Error> {
        let page = self.client.list_page(&self.prefix, MAX_ITEMS, Some(after))?;
        let (version, since) = (page.version, first.unwrap_or(page.version));
        let next = page.files.last().filter(|_| page.more).map(|file| file.name.clone());
        self.known.list(after, page, &mut self.events);
        self.step = match next {
            Some(after) => Step::List { after, first: Some(since) },
            None => {
                // Pages of several versions add up to none of them, until what has changed
                // meanwhile is added.
                let is_current = version == since;
                if is_current {
                    self.events.push_back(Event::Current(since));
                }
                Step::Watch { since, is_current }
            }
        };
        Ok(())
    }

    fn watch(&mut self, since: Version, is_current: bool, time: Duration) -> Result<(), Error> {
        let time = if is_current { time } else { Duration::ZERO };
        let news = match self.client.watch(&self.prefix, since, time) {
            Err(Error::Refused { refusal: Refusal::Compacted(_), .. }) => {
                self.events.push_back(Event::Compacted);
                self.step = Step::list();
                return Ok(());
            }
            news => news?,
        };
        let is_part = news.changes.len() >= WHOLE
            && news.changes.last().is_some_and(|last| last.version == news.version);
        let is_news = !is_current || !news.changes.is_empty();
        self.known.change(news.changes, &mut self.events);
        if is_news && !is_part {
            self.events.push_back(Event::Current(news.version));
        }
        self.step = Step::Watch { since: news.version, is_current: !is_part };
        Ok(())
    }

    fn replace_client(&mut self) -> Result<(), Error> {
        let client = match self.client.reconnect() {
            Err(Error::OtherTable) if self.accepts_other_table => self.client.connect_again()?,
            connected => connected?,
        };
        client.keep_alive()?;
        if client.epoch() != self.client.epoch() {
            self.events.push_back(Event::OtherTable(client.epoch()));
            self.known.forget_versions();
            self.step = Step::list();
        }
        (self.client, self.is_lost) = (client, false);
        Ok(())
    }
}

impl Iterator for Follow {
    type Item = Result<Event, Error>;

    /// Blocks until there is an event.
    fn next(&mut self) -> Option<Self::Item> {
        while !self.has_ended {
            match self.next_within(Duration::MAX) {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {}
                Err(e) => {
                    self.has_ended = true;
                    return Some(Err(e));
                }
            }
        }
        None
    }
}
