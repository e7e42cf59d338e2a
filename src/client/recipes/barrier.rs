//! Several parties wait for each other, and go on together.

use super::deadline::Deadline;
use super::waiters::Waiters;
use crate::client::{Client, Error};
use crate::refusal::Refusal;
use crate::version::Version;
use std::time::Duration;

/// A barrier that opens when enough parties wait at it, and closes behind them: later parties
/// form the next round.
///
/// Each party makes an ephemeral file, `create NAME/ 0 -1`. A party that finds enough of them
/// writes the greatest number that may pass into the file `NAME`, with a cas. A party that gives up
/// adds its own number there, so that nobody counts it any more, and leaves.
///
/// - **Lost connection**: a party lost before the barrier opened does not count; the others go on
///   waiting. One that is lost just as it opens may still be counted.
/// - **Paused party**: it passes when it resumes.
/// - **Restarted server**: everybody's [`wait`](Barrier::wait) fails with [`Error::Lost`].
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
/// # let address = server.addresses()[0].clone();
/// use telefile::{Client, client::recipes::Barrier};
///
/// std::thread::scope(|scope| {
///     for _ in 0..3 {
///         scope.spawn(|| {
///             let client = Client::connect_to(&address).unwrap();
///             Barrier::new(&client, "start", 3).wait().unwrap(); // returns when all three are here
///         });
///     }
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Barrier {
    waiters: Waiters,
    name: String,
    parties: usize,
}

/// The contents of the barrier's own file: numbers.
struct Gate {
    /// Parties with numbers up to this may pass.
    open_to: Version,
    /// Parties that no longer count, but still have their place.
    gave_up: Vec<Version>,
    version: Version,
}

impl Barrier {
    /// Returns the barrier of this name for `parties` parties; all parties have to give the same number.
    /// Sends nothing yet.
    ///
    /// # Panics
    /// If `parties` is 0.
    pub fn new(client: &Client, name: &str, parties: usize) -> Self {
        assert!(parties > 0, "a barrier for nobody");
        Barrier { waiters: Waiters::new(client, name), name: name.to_string(), parties }
    }

    /// Waits for the others, for as long as necessary.
    ///
    /// # Errors
    /// See [`Error`]; this party has not passed then.
    pub fn wait(&self) -> Result<(), Error> {
        while !self.wait_by(Deadline::never())? {}
        Ok(())
    }

    /// Waits for the others, but no longer than this time, which is rounded up to seconds; returns
    /// whether they have come.
    ///
    /// # Errors
    /// As for [`wait`](Barrier::wait).
    pub fn wait_for(&self, time: Duration) -> Result<bool, Error> {
        self.wait_by(Deadline::after(time))
    }

    fn wait_by(&self, deadline: Deadline) -> Result<bool, Error> {
        let place = self.waiters.join(b"")?;
        let number = place.token().0;
        let mut waits = true;
        loop {
            // Read before the places are listed: any later change makes the cas fail.
            let mut gate = self.gate()?;
            if gate.open_to >= number {
                return Ok(true);
            }
            let (places, _) = self.waiters.places()?;
            // A place that its party has left never returns.
            gate.gave_up.retain(|left| places.iter().any(|place| place.version == *left));
            let numbers = places.iter().map(|place| place.version);
            let counts = |n: &Version| *n > gate.open_to && !gate.gave_up.contains(n);
            if let Some(last) = numbers.filter(counts).nth(self.parties - 1) {
                gate.open_to = last;
                self.set(&gate)?;
            } else if waits {
                // A party that comes later sees this place, and opens the gate if it is the last.
                waits = deadline.wait(&self.waiters.client, &self.name, gate.version)?;
            } else {
                // Written while the place still exists: a missing place does not show why, and this
                // party would not know whether it was counted before.
                gate.gave_up.push(number);
                if self.set(&gate)? {
                    place.unlock()?;
                    return Ok(false);
                }
            }
        }
    }

    fn gate(&self) -> Result<Gate, Error> {
        match self.waiters.client.read(&self.name) {
            Ok(file) => {
                let text = str::from_utf8(&file.contents).unwrap_or_default();
                let numbers: Result<Vec<Version>, _> = text.split(' ').map(str::parse).collect();
                let Some((open_to, gave_up)) =
                    numbers.as_deref().ok().and_then(<[Version]>::split_first)
                else {
                    let why = format!("{}: this file does not belong to a barrier", self.name);
                    return Err(Error::Invalid(why));
                };
                Ok(Gate { open_to: *open_to, gave_up: gave_up.to_vec(), version: file.version })
            }
            Err(Error::Refused { refusal: Refusal::NotFound, .. }) => {
                Ok(Gate { open_to: Version::ABSENT, gave_up: Vec::new(), version: Version::ABSENT })
            }
            Err(e) => Err(e),
        }
    }

    /// Writes the gate; returns false if somebody else changed it first.
    fn set(&self, gate: &Gate) -> Result<bool, Error> {
        let numbers = [&[gate.open_to], &gate.gave_up[..]].concat();
        let text = numbers.iter().map(Version::to_string).collect::<Vec<_>>().join(" ");
        match self.waiters.client.cas(&self.name, gate.version, text) {
            Ok(_) => Ok(true),
            Err(Error::Refused { refusal: Refusal::Version(_), .. }) => Ok(false),
            Err(e) => Err(e),
        }
    }
}
