//! `telefile wait`: waits until a file is at another version.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags;
use crate::cli::remote::{Remote, addr, epoch, timeout, token_file};
use crate::cli::streams::put;
use crate::client::Client;
use std::time::{Duration, Instant};

pub(crate) const WHAT: &str = "wait until a file is not at VERSION (0: no file); print its version";

/// A server that vanished silently is noticed after this and the time-out.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

pub(crate) fn run(args: lexopt::Parser) -> Outcome {
    let flags = [addr(), token_file(), timeout(), epoch()];
    let (mut remote, expected) = (Remote::default(), "NAME VERSION [SECS]");
    let operands = flags::parse_operands("wait", expected, WHAT, &flags, args, &mut remote)?;
    let Some(operands) = operands else { return Ok(()) };
    let version = flags::version(&operands[1])?;
    let seconds = operands.get(2).map(|text| flags::number(text, 0)).transpose();
    let seconds = seconds.map_err(|why| Failure::usage(format!("wait: {why}")))?;
    let deadline = seconds.and_then(|s| Instant::now().checked_add(Duration::from_secs(s as u64)));
    let client = remote.connect(Client::builder())?;
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let time = left.unwrap_or(SIGN_OF_LIFE).min(SIGN_OF_LIFE);
        let current = client.wait(&operands[0], version, time)?;
        if current != version || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return put(format!("{current}\n"));
        }
    }
}
