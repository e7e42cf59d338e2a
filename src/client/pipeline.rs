//! Many requests at once: one round trip for a batch instead of one for each request.

use super::call::Call;
use super::error::Error;
use super::transport::{Transport, lock};
use super::{Answer, Client, Target, keep_alive};
use crate::exptime::Exptime;
use crate::version::Version;
use crate::wire::{MAX_LINE_BYTES, Request};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

/// The maximum of request bytes sent before their replies are read, unless all of them are changes or
/// one request is larger. The kernel buffers them all, so sending ends even if the server has stopped
/// reading because its replies are not taken: the two ends never wait for each other to read. A
/// change is answered with a short line, and a batch of those fits into the kernel's buffers as well:
/// the server goes on reading, however large the requests are.
const MAX_BATCH_BYTES: usize = 32 << 10;

/// The most requests of one batch, and how many the first has if not all of them are changes.
const MAX_BATCH: usize = 512;
const FIRST_BATCH: usize = 16;

/// The target size of replies held until they are taken. After a batch with more contents the next is
/// half as large, after one with less it is twice as large.
const AIM_BYTES: usize = 4 << 20;

/// The most bytes of changes sent together. A server that keeps its files on disk commits one half
/// while it receives the other.
const MAX_CHANGE_BYTES: usize = 32 << 20;

/// Requests to be sent together, about files that the program names: no `create`, `open`, `list`,
/// `watch` or `wait`. Made by [`Client::pipeline`]. Nothing is sent before the answers of
/// [`send`](Pipeline::send) are taken.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
/// # let address = server.addresses()[0].clone();
/// use telefile::{Version, client::Answer};
///
/// let client = telefile::Client::connect_to(&address)?;
/// let mut pipeline = client.pipeline();
/// pipeline.write("a", "one")?.write("b", "two")?.read("a")?.delete("nothing", None)?;
///
/// let mut answers = pipeline.send();
/// assert!(matches!(answers.next(), Some(Ok(Answer::Version(Version(1))))));
/// assert!(matches!(answers.next(), Some(Ok(Answer::Version(Version(2))))));
/// let Some(Ok(Answer::Snapshot(a))) = answers.next() else { panic!() };
/// assert_eq!(&*a.contents, b"one");
/// let refused = answers.next().unwrap().unwrap_err(); // and those behind it are still answered
/// assert_eq!(refused.to_string(), "nothing does not exist");
/// assert!(answers.next().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is sent before `send`"]
pub struct Pipeline<'a> {
    transport: &'a Arc<Mutex<Transport>>,
    calls: VecDeque<Call<'a>>,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(client: &'a Client) -> Self {
        Pipeline { transport: &client.transport, calls: VecDeque::new() }
    }

    /// Adds a read; its answer is a [`Snapshot`](super::Snapshot).
    ///
    /// # Errors
    /// [`Error::Invalid`] for an invalid name; nothing is added then. The same for all of these.
    pub fn read(&mut self, file: impl Into<Target<'a>>) -> Result<&mut Self, Error> {
        self.add(Call::about(file.into().of(self.transport)?, |file| Request::Read { file }))
    }

    /// Adds a write; its answer is the new version.
    ///
    /// # Errors
    /// As for [`read`](Pipeline::read).
    pub fn write(
        &mut self,
        file: impl Into<Target<'a>>,
        contents: &'a (impl AsRef<[u8]> + ?Sized),
    ) -> Result<&mut Self, Error> {
        self.add(Call::write(file.into().of(self.transport)?, contents.as_ref(), Exptime::Never))
    }

    /// Adds a write of a file that ends by itself; its answer is the new version.
    ///
    /// # Errors
    /// As for [`read`](Pipeline::read).
    pub fn write_expiring(
        &mut self,
        file: impl Into<Target<'a>>,
        contents: &'a (impl AsRef<[u8]> + ?Sized),
        exptime: Exptime,
    ) -> Result<&mut Self, Error> {
        self.add(Call::write(file.into().of(self.transport)?, contents.as_ref(), exptime))
    }

    /// Adds a touch, for example to renew one of many leases; its answer is the version.
    ///
    /// # Errors
    /// As for [`read`](Pipeline::read).
    pub fn touch(
        &mut self,
        file: impl Into<Target<'a>>,
        version: Version,
        exptime: Exptime,
    ) -> Result<&mut Self, Error> {
        let request = |file| Request::Touch { file, version: version.0, exptime };
        self.add(Call::about(file.into().of(self.transport)?, request))
    }

    /// Adds a write if the file is at `version` then; its answer is the new version.
    ///
    /// # Errors
    /// As for [`read`](Pipeline::read).
    pub fn cas(
        &mut self,
        file: impl Into<Target<'a>>,
        version: Version,
        contents: &'a (impl AsRef<[u8]> + ?Sized),
    ) -> Result<&mut Self, Error> {
        let contents = contents.as_ref();
        self.add(Call::cas(file.into().of(self.transport)?, version, contents, Exptime::Never))
    }

    /// Adds a delete; its answer is that it is done.
    ///
    /// # Errors
    /// As for [`read`](Pipeline::read).
    pub fn delete(
        &mut self,
        file: impl Into<Target<'a>>,
        version: Option<Version>,
    ) -> Result<&mut Self, Error> {
        self.add(Call::about(file.into().of(self.transport)?, |file| Request::Delete {
            file,
            version: version.map(|v| v.0),
        }))
    }

    /// Adds a stat; its answer is a [`Stat`](super::Stat).
    ///
    /// # Errors
    /// As for [`read`](Pipeline::read).
    pub fn stat(&mut self, file: impl Into<Target<'a>>) -> Result<&mut Self, Error> {
        self.add(Call::about(file.into().of(self.transport)?, |file| Request::Stat { file }))
    }

    fn add(&mut self, call: Result<Call<'a>, Error>) -> Result<&mut Self, Error> {
        self.calls.push_back(call?);
        Ok(self)
    }

    /// Returns the answers. Sends nothing yet: taking an answer sends the batch that it needs, and
    /// dropping the answers discards the requests that are not sent yet.
    pub fn send(self) -> Answers<'a> {
        Answers {
            transport: self.transport,
            calls: self.calls,
            ready: VecDeque::new(),
            batch: FIRST_BATCH,
        }
    }
}

/// Shows how many requests there are.
impl fmt::Debug for Pipeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("requests", &self.calls.len()).finish_non_exhaustive()
    }
}

/// The answers of a [`Pipeline`], in the order of the requests.
///
/// Requests are sent in batches, each when all answers of the one before have been taken. So at
/// most one batch of replies waits in memory, and between two answers the client and its open files
/// may be used for anything else. Dropping this discards the requests that are not sent yet.
///
/// A refused request is an error of its own, and the next one is answered. [`Error::Lost`] and
/// [`Error::Protocol`] are the last item: which of the later requests were executed is unknown.
/// [`Error::Thread`] is the last item, too: the later requests were not sent.
#[must_use = "the requests are sent while the answers are taken"]
pub struct Answers<'a> {
    transport: &'a Arc<Mutex<Transport>>,
    calls: VecDeque<Call<'a>>,
    /// Answers that have arrived and are not taken yet.
    ready: VecDeque<Result<Answer, Error>>,
    /// The maximum of requests in the next batch.
    batch: usize,
}

/// Shows how many requests are not sent yet.
impl fmt::Debug for Answers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("unsent", &self.calls.len()).finish_non_exhaustive()
    }
}

impl Answers<'_> {
    /// Returns how many requests go out together next.
    fn next_batch(&self) -> usize {
        let (mut bytes, mut changes_alone) = (0, true);
        let fits = self.calls.iter().take(MAX_BATCH).enumerate().take_while(|(n, call)| {
            bytes += MAX_LINE_BYTES.min(32 + call.file.map_or(0, str::len));
            bytes += call.contents.map_or(0, |contents| contents.len());
            changes_alone &= call.is_change();
            let few = *n < self.batch && bytes <= MAX_BATCH_BYTES;
            *n == 0 || few || changes_alone && bytes <= MAX_CHANGE_BYTES
        });
        fits.count()
    }

    /// Sends the next batch and receives its answers.
    fn exchange(&mut self) -> Result<(), Error> {
        let sent = self.next_batch();
        let calls = || self.calls.iter().take(sent);
        calls().try_for_each(|call| keep_alive::if_holding(self.transport, call))?;
        let mut transport = lock(self.transport)?;
        calls().try_for_each(|call| transport.send(call))?;
        let mut taken_bytes = 0;
        for call in self.calls.drain(..sent) {
            let answer = transport.answer(&call);
            if let Ok(Answer::Snapshot(snapshot)) = &answer {
                taken_bytes += snapshot.contents.len();
            }
            let last = matches!(answer, Err(Error::Lost(_) | Error::Protocol(_)));
            self.ready.push_back(answer);
            if last {
                break;
            }
        }
        let next = if taken_bytes > AIM_BYTES { self.batch / 2 } else { self.batch * 2 };
        self.batch = next.clamp(1, MAX_BATCH);
        Ok(())
    }
}

impl Iterator for Answers<'_> {
    type Item = Result<Answer, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && !self.calls.is_empty()
            && let Err(e) = self.exchange()
        {
            self.calls.clear();
            self.ready.push_back(Err(e));
        }
        let answer = self.ready.pop_front();
        if let Some(Err(Error::Lost(_) | Error::Protocol(_))) = answer {
            self.calls.clear();
        }
        answer
    }
}
