//! The command line of `telefile bench`.

use crate::cli::flags::{Flag, Takes, number, seconds, size};
use crate::cli::remote::{HasRemote, Remote, addr, token_file};
use std::str::FromStr;
use std::time::Duration;

/// The load to run.
pub(super) struct Settings {
    pub(super) remote: Remote,
    pub(super) conns: usize,
    pub(super) depth: usize,
    pub(super) size: usize,
    pub(super) mix: Mix,
    pub(super) time: Duration,
    pub(super) json: bool,
}

/// The shares of reads, writes and cas.
#[derive(Clone, Copy)]
pub(super) struct Mix {
    pub(super) read: u32,
    pub(super) write: u32,
    pub(super) cas: u32,
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text}: not three numbers up to 1000, such as 90/10/0");
        let shares: Result<Vec<u32>, _> = text.split('/').map(str::parse).collect();
        match shares.map_err(|_| bad())?[..] {
            [read, write, cas] if read.max(write).max(cas) <= 1000 && read + write + cas > 0 => {
                Ok(Mix { read, write, cas })
            }
            _ => Err(bad()),
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
    Flag {
        name: "conns",
        takes: Takes::One("N"),
        variable: "",
        help: "connections, a thread each (50); the files end with them",
        set: |s, text| put(&mut s.conns, number(text, 1)),
    },
    Flag {
        name: "depth",
        takes: Takes::One("D"),
        variable: "",
        help: "requests in flight on each, sent as one batch (1)",
        set: |s, text| put(&mut s.depth, number(text, 1)),
    },
    Flag {
        name: "size",
        takes: Takes::One("V"),
        variable: "",
        help: "bytes of each file (100)",
        set: |s, text| put(&mut s.size, size(text).map(|n| n as usize)),
    },
    Flag {
        name: "mix",
        takes: Takes::One("R/W/C"),
        variable: "",
        help: "shares of reads, writes and cas (90/10/0)",
        set: |s, text| put(&mut s.mix, text.parse()),
    },
    Flag {
        name: "secs",
        takes: Takes::One("S"),
        variable: "",
        help: "how long to measure, in seconds (3)",
        set: |s, text| put(&mut s.time, seconds(text)),
    },
    Flag {
        name: "json",
        takes: Takes::Nothing,
        variable: "",
        help: "one line of JSON instead of text",
        set: |s, _| put(&mut s.json, Ok::<_, String>(true)),
    },
];

fn put<V, E: ToString>(place: &mut V, value: Result<V, E>) -> Result<(), String> {
    *place = value.map_err(|e| e.to_string())?;
    Ok(())
}
