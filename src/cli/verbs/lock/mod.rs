//! `telefile lock`: runs a command while it holds a lock on the server, and ends the command if the
//! lock is lost.

mod hold;
mod settings;

pub(crate) use settings::Settings;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::job::{FAILED, Job, LATE, failed, own_status};
use crate::exptime::FOREVER;
use hold::{Lock, Terms, Trouble};
use std::time::{Duration, Instant};

/// The environment variables with the fencing token, and with the epoch that it belongs to.
const TOKEN: &str = "TELEFILE_TOKEN";
const EPOCH: &str = "TELEFILE_EPOCH";

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        match lock(self)? {
            0 => Ok(()),
            status => Err(Failure::silent(status)),
        }
    }
}

/// Runs the command and returns the exit status.
fn lock(settings: Settings) -> Result<u8, Failure> {
    let Settings { name, command, wait, ttl, check, kill_after, held, verbose, remote } = settings;
    let [wait, ttl] =
        [wait, ttl].map(|time| time.map(|secs| Duration::from_secs(secs).min(FOREVER)));
    let terms = Terms { remote, name, ttl, check, verbose };
    let mut job = Job::new()?;
    let mut lock = match Lock::acquire(terms, wait, job.report()).map_err(own_status)? {
        Ok(lock) => lock,
        Err(why) => return Err(Failure { status: held, ..Failure::failed(why) }),
    };
    if lock.end().is_some_and(|end| end <= Instant::now()) {
        let lost = lost(lock.name(), LATE);
        lock.abandon();
        return Err(lost);
    }
    if let Err(e) = job.prepare().and_then(|()| lock.keep()) {
        failed(format!("the command is not run: {e}")).report();
        return Ok(release(lock, FAILED));
    }
    let variables = [(TOKEN, lock.token().to_string()), (EPOCH, lock.epoch().to_string())];
    let running = match job.start(&command, &variables) {
        Ok(running) => running,
        Err(status) => return Ok(release(lock, status)),
    };
    match job.wait(&running, lock.end()) {
        Ok(status) => Ok(release(lock, status)),
        Err(why) => {
            lost(lock.name(), &why).report();
            lock.abandon();
            job.end(&running, kill_after);
            Ok(FAILED)
        }
    }
}

/// Releases the lock and returns the exit status for a command that ended with `status`: a
/// different one if the lock was lost meanwhile.
fn release(lock: Lock, status: u8) -> u8 {
    let name = lock.name().to_string();
    match lock.release() {
        Ok(()) => status,
        Err(Trouble::Lost(why)) => {
            lost(&name, &why).report();
            FAILED
        }
        Err(Trouble::Unreachable(why)) => {
            failed(format!("cannot release lock {name}, which ends by itself: {why}")).report();
            status
        }
    }
}

fn lost(name: &str, why: &str) -> Failure {
    failed(format!("lock {name} is lost: {why}"))
}
