//! `telefile watch`: prints each change as it comes, one a line, until stdout has no reader.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::{self, Flag, Takes, number, version};
use crate::cli::remote::{HasRemote, Remote, addr, epoch, timeout, token_file};
use crate::cli::streams::put_some;
use crate::client::{Change, Client, Error};
use crate::name::Shown;
use crate::refusal::Refusal;
use rustix::event::{PollFd, PollFlags, poll};
use std::io;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const WHAT: &str =
    "print changes at PREFIX as they come: put VERSION NUMBYTES NAME, or del";

/// A server that vanished silently is noticed after this and the time-out.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

struct Settings {
    remote: Remote,
    /// `None` means forever.
    time: Option<Duration>,
    once: bool,
}

impl HasRemote for Settings {
    fn remote(&mut self) -> &mut Remote {
        &mut self.remote
    }
}

const FLAGS: [Flag<Settings>; 6] = [
    addr(),
    token_file(),
    timeout(),
    epoch(),
    Flag {
        name: "for",
        takes: Takes::One("SECS"),
        variable: "",
        help: "end after SECS seconds; 0: print what has changed already (never)",
        set: |s, text| {
            s.time = Some(Duration::from_secs(number(text, 0)? as u64));
            Ok(())
        },
    },
    Flag {
        name: "once",
        takes: Takes::Nothing,
        variable: "",
        help: "end when something has changed",
        set: |s, _| {
            s.once = true;
            Ok(())
        },
    },
];

pub(crate) fn run(args: lexopt::Parser) -> Outcome {
    let mut settings = Settings { remote: Remote::default(), time: None, once: false };
    let expected = "PREFIX [REV]";
    let operands = flags::parse_operands("watch", expected, WHAT, &FLAGS, args, &mut settings)?;
    let Some(operands) = operands else { return Ok(()) };
    let rev = operands.get(1).map(|text| version(text)).transpose()?;
    let started = thread::Builder::new().spawn(|| {
        if wait_unread().is_ok() {
            process::exit(0);
        }
    });
    started.map_err(Failure::no_thread)?;
    print(&settings, &operands[0], rev)
}

fn print(settings: &Settings, prefix: &str, rev: Option<u64>) -> Outcome {
    let deadline = settings.time.and_then(|time| Instant::now().checked_add(time));
    let client = settings.remote.connect(Client::builder())?;
    let mut rev = match rev {
        Some(rev) => rev,
        None => client.rev()?,
    };
    // The version up to which to print everything, once enough is printed.
    let mut end = None;
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let time = left.unwrap_or(SIGN_OF_LIFE).min(SIGN_OF_LIFE);
        let time = if end.is_some() { Duration::ZERO } else { time };
        let news = client.watch(prefix, rev, time);
        let news = news.map_err(|e| failed(e, prefix, rev))?;
        rev = news.rev;
        let text: String = news.changes.iter().map(line).collect();
        if !put_some(text.as_bytes())? {
            return Ok(());
        }
        let over = deadline.is_some_and(|deadline| deadline <= Instant::now());
        if end.is_none() && (over || settings.once && !news.changes.is_empty()) {
            // An answer that ends with a change may be only the first part.
            let is_part = news.changes.last().is_some_and(|last| last.version == rev);
            end = Some(if is_part { client.rev()? } else { rev });
        }
        if end.is_some_and(|end| rev >= end) {
            return Ok(());
        }
    }
}

fn failed(error: Error, prefix: &str, rev: u64) -> Failure {
    let prefix = Shown(prefix);
    match error.refusal() {
        Some(Refusal::Compacted(current)) if *current < rev => Failure::failed(format!(
            "{prefix}: the table is at {current}, so {rev} is of another table or yet to come \
             (ERR_COMPACTED {current}); list again, and see --epoch"
        )),
        Some(Refusal::Compacted(current)) => Failure::failed(format!(
            "{prefix}: too much was deleted since {rev} (ERR_COMPACTED {current}); list again"
        )),
        _ => error.into(),
    }
}

fn line(change: &Change) -> String {
    match change.numbytes {
        Some(numbytes) => format!("put {} {numbytes} {}\n", change.version, change.name),
        None => format!("del {} 0 {}\n", change.version, change.name),
    }
}

/// Waits until stdout has no reader any more. A write would show that, but while nothing changes
/// there is none.
fn wait_unread() -> io::Result<()> {
    let stdout = io::stdout();
    loop {
        // No events are requested: an error and a hang-up are always reported.
        match poll(&mut [PollFd::new(&stdout, PollFlags::empty())], None) {
            Err(rustix::io::Errno::INTR) | Ok(0) => {}
            ended => return Ok(ended.map(drop)?),
        }
    }
}
