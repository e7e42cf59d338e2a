//! The command line of `telefile lock`.

use crate::cli::flags::{self, Flag, Takes, number, seconds};
use crate::cli::remote::{HasRemote, Remote, addr, timeout, token_file};
use crate::exptime::Exptime;
use std::time::Duration;

/// The exit status if another client holds the lock (EX_TEMPFAIL), unless `-E` chooses another.
const HELD: u8 = 75;

pub(super) const HELP: &str =
    "run a command while the lock NAME is held; TELEFILE_TOKEN has the fencing token,
TELEFILE_EPOCH the epoch that it belongs to.
Exit status: that of the command; 64 wrong usage, 69 no server, 75 held by another, 125 the lock
was lost or something else failed, 126 the command cannot be run, 127 it is not found";

/// The settings of `telefile lock`.
pub(super) struct Settings {
    pub(super) remote: Remote,
    pub(super) ttl: Option<Duration>,
    /// `None` means forever.
    pub(super) wait: Option<Duration>,
    pub(super) check: Duration,
    pub(super) kill_after: Duration,
    /// The exit status if another client holds the lock.
    pub(super) held: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            remote: Remote::default(),
            ttl: None,
            wait: None,
            check: Duration::from_secs(10),
            kill_after: Duration::from_secs(5),
            held: HELD,
        }
    }
}

impl HasRemote for Settings {
    fn remote(&mut self) -> &mut Remote {
        &mut self.remote
    }
}

pub(super) const FLAGS: [Flag<Settings>; 8] = [
    addr(),
    token_file(),
    timeout(),
    Flag {
        name: "wait",
        takes: Takes::One("SECS"),
        variable: "",
        help: "wait for the lock at most SECS seconds; 0: not at all (forever)",
        set: |s, text| {
            let seconds = number(text, 0)? as u64;
            s.wait = Some(Duration::from_secs(seconds.min(Exptime::MAX_SECONDS)));
            Ok(())
        },
    },
    Flag {
        name: "ttl",
        takes: Takes::One("SECS"),
        variable: "",
        help: "outlive a lost connection by at most SECS (the lock ends with it)",
        set: |s, text| {
            let seconds = number(text, 1)? as u64;
            s.ttl = Some(Duration::from_secs(seconds.min(Exptime::MAX_SECONDS)));
            Ok(())
        },
    },
    Flag {
        name: "check",
        takes: Takes::One("SECS"),
        variable: "",
        help: "ask the server every SECS whether the lock is still held; it has as long to answer (10)",
        set: |s, text| {
            s.check = seconds(text)?;
            Ok(())
        },
    },
    Flag {
        name: "kill-after",
        takes: Takes::One("SECS"),
        variable: "",
        help: "if the lock is lost, the time from SIGTERM to SIGKILL (5)",
        set: |s, text| {
            s.kill_after = seconds(text)?;
            Ok(())
        },
    },
    Flag {
        name: flags::CONFLICT_EXIT_CODE,
        takes: Takes::One("N"),
        variable: "",
        help: "or -E N: the exit status if the lock is held by another (75)",
        set: |s, text| {
            let bad = || format!("{text}: not an exit status from 0 to 255");
            s.held = text.parse().map_err(|_| bad())?;
            Ok(())
        },
    },
];
