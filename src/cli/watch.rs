//! `telefile watch`: each change as it comes, a line each, until nobody reads them any more.

use super::flags::{self, Flag, Takes, number};
use super::remote::{HasRemote, Remote, addr, put_some, timeout, token_file};
use super::{Outcome, verbs};
use crate::client::{Change, Client};
use crate::wire::MAX_ITEMS;
use rustix::event::{PollFd, PollFlags, poll};
use std::io;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const WHAT: &str = "changes at PREFIX as they come: put VERSION NUMBYTES NAME, or del";

/// A server that vanished without a word is missed after so long and the time-out.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

struct Settings {
    remote: Remote,
    /// `None` is for ever.
    time: Option<Duration>,
    once: bool,
}

impl HasRemote for Settings {
    fn remote(&mut self) -> &mut Remote {
        &mut self.remote
    }
}

const FLAGS: [Flag<Settings>; 5] = [
    addr(),
    token_file(),
    timeout(),
    Flag {
        name: "for",
        takes: Takes::One("SECS"),
        variable: "",
        help: "for so many seconds; 0: what has changed already (for ever)",
        set: |s, text| {
            s.time = Some(Duration::from_secs(number(text, 0)? as u64));
            Ok(())
        },
    },
    Flag {
        name: "once",
        takes: Takes::Nothing,
        variable: "",
        help: "until something has changed",
        set: |s, _| {
            s.once = true;
            Ok(())
        },
    },
];

pub(super) fn run(args: lexopt::Parser) -> Outcome {
    let mut settings = Settings { remote: Remote::default(), time: None, once: false };
    let expected = "PREFIX [REV]";
    let operands = flags::parse_operands("watch", expected, WHAT, &FLAGS, args, &mut settings)?;
    let Some(operands) = operands else { return Ok(()) };
    let rev = operands.get(1).map(|text| verbs::number(text)).transpose()?;
    thread::spawn(|| {
        if wait_unread().is_ok() {
            process::exit(0);
        }
    });
    print(&settings, &operands[0], rev)
}

fn print(settings: &Settings, prefix: &str, rev: Option<u64>) -> Outcome {
    let deadline = settings.time.and_then(|time| Instant::now().checked_add(time));
    let client = settings.remote.connect(Client::builder())?;
    let mut rev = match rev {
        Some(rev) => rev,
        None => client.list(prefix, 1, None)?.rev,
    };
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let time = left.unwrap_or(SIGN_OF_LIFE).min(SIGN_OF_LIFE);
        let news = client.watch(prefix, rev, time)?;
        rev = news.rev;
        let text: String = news.changes.iter().map(line).collect();
        let is_read = put_some(text.as_bytes())?;
        // An answer that is full is only the first part of what there is.
        let all = (news.changes.len() as u64) < MAX_ITEMS;
        let over = deadline.is_some_and(|deadline| deadline <= Instant::now());
        let enough = over || settings.once && !news.changes.is_empty();
        if !is_read || all && enough {
            return Ok(());
        }
    }
}

fn line(change: &Change) -> String {
    match change.numbytes {
        Some(numbytes) => format!("put {} {numbytes} {}\n", change.version, change.name),
        None => format!("del {} 0 {}\n", change.version, change.name),
    }
}

/// Waits until what is printed has no reader any more: a write would tell, but while nothing
/// changes there is none.
fn wait_unread() -> io::Result<()> {
    let stdout = io::stdout();
    loop {
        // Nothing is asked for: an error and a hang-up are told always.
        match poll(&mut [PollFd::new(&stdout, PollFlags::empty())], None) {
            Err(rustix::io::Errno::INTR) | Ok(0) => {}
            ended => return Ok(ended.map(drop)?),
        }
    }
}
