//! Programs that hold things, and are killed and paused for it: this test program once more, that
//! runs one "test" which is a holder's life.

use super::fence;
use crate::programs::program;
use crate::random::Random;
use crate::server::{PATIENCE, Running, eventually};
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use std::process::{Child, Stdio};
use std::time::Duration;
use telefile::client::recipes::{
    Election, FairLock, Guard, Leadership, Lease, LeaseGuard, LeasedElection, Lock, Queue,
    Semaphore,
};
use telefile::client::{Error, OpenFile};
use telefile::{Client, Refusal};

/// The settings of a holder: address, recipe, file, its type, its name, the round in which it pauses.
const LIFE: &str = "TELEFILE_TEST_HOLDER";

/// The file whose existence lets a holder that has stopped itself go on.
const AWAKE: &str = "awake";

/// A holder. Killed when dropped.
pub(super) struct Holder(Child);

/// What holders do.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) recipe: &'a str,
    pub(super) file: &'a str,
    pub(super) kind: &'a str,
}

impl Holder {
    /// One that goes on until it is killed.
    pub(super) fn start(server: &Running, job: Job<'_>, name: &str) -> Holder {
        Holder::start_and_pause(server, job, name, 0)
    }

    /// One that stops itself in this round, after it has read and before it writes.
    pub(super) fn start_and_pause(
        server: &Running,
        job: Job<'_>,
        name: &str,
        round: usize,
    ) -> Holder {
        let Job { recipe, file, kind } = job;
        let address = server.addresses()[0];
        let life = format!("{address} {recipe} {file} {kind} {name} {round}");
        let mut command = program(std::env::current_exe().unwrap());
        command.args(["--exact", "recipes::holder::a_holder_lives", "--ignored", "--nocapture"]);
        command.env(LIFE, life).stdin(Stdio::null()).stdout(Stdio::null());
        Holder(command.spawn().unwrap())
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits until it has stopped itself.
    #[track_caller]
    pub(super) fn has_stopped(&self) {
        let options = WaitOptions::UNTRACED | WaitOptions::NOHANG;
        eventually("the holder stops", || {
            let changed = waitpid(Some(Pid::from_child(&self.0)), options).unwrap();
            changed.is_some_and(|(_, status)| {
                assert!(status.stopped(), "{status:?}");
                true
            })
        });
    }

    /// Lets one go on that has stopped itself.
    pub(super) fn wake(&self, client: &Client) {
        client.write(AWAKE, "").unwrap();
        self.signal(Signal::CONT);
    }

    /// It has found nothing wrong so far.
    #[track_caller]
    pub(super) fn is_well(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "a holder has ended");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "a program that other tests start"]
fn a_holder_lives() {
    let Ok(life) = std::env::var(LIFE) else { return };
    let [address, recipe, file, kind, name, round] = life.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{life:?}");
    };
    let client = Client::builder().timeout(Some(PATIENCE)).connect(address).unwrap();
    let file = client.open(file, Some(kind)).unwrap();
    match recipe {
        "pop" | "take" => consume(&client, recipe, &file),
        recipe => hold(&client, recipe, &file, name, round.parse().unwrap()),
    }
}

enum Held {
    Guard(Guard),
    Lease(LeaseGuard),
    Leadership(Leadership),
}

impl Held {
    fn token(&self) -> u64 {
        match self {
            Held::Guard(guard) => guard.token().0.0,
            Held::Lease(lease) => lease.token().0.0,
            Held::Leadership(leads) => leads.token().0.0,
        }
    }

    /// Whether its time, if it has one, is not over.
    fn is_in_time(&self) -> Option<bool> {
        match self {
            Held::Guard(_) => None,
            Held::Lease(lease) => Some(lease.is_valid()),
            Held::Leadership(leads) => Some(leads.is_leader()),
        }
    }

    fn give_back(self) {
        let released = match self {
            // The connection is open, so it cannot be lost.
            Held::Guard(guard) => return guard.unlock().unwrap(),
            Held::Lease(lease) => lease.release(),
            Held::Leadership(leads) => leads.resign(),
        };
        match released {
            Ok(()) => {}
            Err(Error::Refused { refusal: Refusal::NotFound | Refusal::Version(_), .. }) => {}
            Err(e) => panic!("{e:?}"),
        }
    }
}

/// Adds one to the counter, over and over.
fn hold(client: &Client, recipe: &str, file: &OpenFile, name: &str, pause: usize) {
    let mut random = Random(u64::from(std::process::id()));
    for round in 1.. {
        let held = match recipe {
            "lock" => Lock::new(client, recipe).lock().map(Held::Guard),
            "fair" => FairLock::new(client, recipe).lock().map(Held::Guard),
            "semaphore" => Semaphore::new(client, recipe, 1).acquire().map(Held::Guard),
            "election" => Election::new(client, recipe).campaign(name).map(Held::Guard),
            "lease" => {
                let lease = Lease::new(client, recipe, Duration::from_secs(1)).holder(name);
                lease.acquire().map(Held::Lease)
            }
            "leased_election" => {
                let election = LeasedElection::new(client, recipe, Duration::from_secs(1));
                let leads = election.campaign(name).and_then(Leadership::kept);
                leads.map(Held::Leadership)
            }
            other => panic!("{other}"),
        };
        let held = held.unwrap();
        let work = || {
            if round == pause {
                // A holder may be paused even while it asks whether it still holds the lease.
                assert_ne!(held.is_in_time(), Some(false));
                kill_process(getpid(), Signal::STOP).unwrap();
                // The signal takes its time to reach this thread.
                while client.stat(AWAKE).is_err() {}
            }
            let most = if recipe == "lease" { 20 } else { 3 };
            std::thread::sleep(Duration::from_millis(random.below(most) as u64));
        };
        match add_one(file, held.token(), work) {
            Ok(()) => {}
            Err(Error::Refused { refusal: Refusal::Denied, .. }) => {
                assert_ne!(held.is_in_time(), Some(true), "too early");
            }
            Err(e) => panic!("{e:?}"),
        }
        held.give_back();
    }
}

/// Shows the token, reads, works, and writes.
fn add_one(file: &OpenFile, token: u64, work: impl FnOnce()) -> Result<(), Error> {
    file.write(token.to_string())?;
    let read = file.read()?;
    let text = str::from_utf8(&read.contents).unwrap();
    let value: u64 = text.split_once(' ').unwrap().1.parse().unwrap_or(0);
    work();
    file.write(format!("{token} {}", value + 1))?;
    Ok(())
}

/// Writes what it has popped, or taken, to the journal.
fn consume(client: &Client, how: &str, journal: &OpenFile) {
    let queue = Queue::new(client, "jobs");
    let mut random = Random(u64::from(std::process::id()));
    let mut work = || std::thread::sleep(Duration::from_millis(random.below(3) as u64));
    loop {
        match how {
            "pop" => {
                if let Some(contents) = queue.pop(PATIENCE).unwrap() {
                    work();
                    journal.write(&contents[..]).unwrap();
                }
            }
            _ => {
                if let Some(item) = queue.take(PATIENCE).unwrap() {
                    work();
                    journal.write(&item.contents[..]).unwrap();
                    work();
                    item.done().unwrap();
                }
            }
        }
    }
}

/// The counter of nobody else.
pub(super) fn job<'a>(recipe: &'a str, file: &'a str, kind: &'a str) -> Job<'a> {
    assert!(fence::writes(file).is_empty(), "{file} is used twice");
    Job { recipe, file, kind }
}
