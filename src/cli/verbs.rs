//! `telefile read`, `write` and so on: one request of the protocol as a command, contents from
//! stdin and to stdout, and exit statuses for scripts.

use super::flags::{self, Flag, Takes, size};
use super::remote::{HasRemote, Remote, addr, put, timeout, token_file};
use super::{Failure, Outcome};
use crate::client::{Client, DEFAULT_MAX_CONTENTS};
use crate::exptime::Exptime;
use std::io::{self, Read};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// What all of these commands can be told.
struct Settings {
    remote: Remote,
    head: bool,
    max_contents: u64,
    exptime: Exptime,
    kind: Option<String>,
}

impl HasRemote for Settings {
    fn remote(&mut self) -> &mut Remote {
        &mut self.remote
    }
}

impl Settings {
    fn connect(&self) -> Result<Client, Failure> {
        self.remote.connect(Client::builder().max_contents(self.max_contents))
    }
}

/// A command that asks a server for something.
pub(super) struct Verb {
    name: &'static str,
    operands: &'static str,
    pub(super) what: &'static str,
    flags: &'static [Flag<Settings>],
    run: fn(&Settings, &[String]) -> Outcome,
}

const HEAD: Flag<Settings> = Flag {
    name: "head",
    takes: Takes::Nothing,
    variable: "",
    help: "first the line of the reply: CONTENTS VERSION NUMBYTES EXPTIME",
    set: |s, _| {
        s.head = true;
        Ok(())
    },
};

const MAX_CONTENTS: Flag<Settings> = Flag {
    name: "max-contents",
    takes: Takes::One("BYTES"),
    variable: "",
    help: "more than that is neither fetched nor sent (64M)",
    set: |s, text| {
        s.max_contents = size(text)?;
        Ok(())
    },
};

const EXPTIME: Flag<Settings> = Flag {
    name: "exptime",
    takes: Takes::One("SECS"),
    variable: "",
    help: "the file ends after so many seconds (never)",
    set: |s, text| {
        s.exptime = exptime(text)?;
        Ok(())
    },
};

const TYPE: Flag<Settings> = Flag {
    name: "type",
    takes: Takes::One("TYPE"),
    variable: "",
    help: "opens, writes and closes; but a TextFile's bytes, nothing stays that nobody else has open",
    set: |s, text| {
        s.kind = Some(text.to_string());
        Ok(())
    },
};

pub(super) const READ: Verb = Verb {
    name: "read",
    operands: "NAME",
    what: "a file's contents to stdout",
    flags: &[addr(), token_file(), timeout(), MAX_CONTENTS, HEAD],
    run: |settings, operands| {
        let snapshot = settings.connect()?.read(&operands[0])?;
        if settings.head {
            let (numbytes, exptime) = (snapshot.contents.len(), snapshot.exptime);
            put(format!("CONTENTS {} {numbytes} {exptime}\n", snapshot.version).as_bytes())?;
        }
        put(&snapshot.contents)
    },
};

pub(super) const WRITE: Verb = Verb {
    name: "write",
    operands: "NAME",
    what: "stdin to a file; its new version to stdout",
    flags: &[addr(), token_file(), timeout(), MAX_CONTENTS, EXPTIME, TYPE],
    run: |settings, operands| {
        let (name, contents) = (&operands[0], stdin(settings.max_contents)?);
        let client = settings.connect()?;
        let version = match &settings.kind {
            None => client.write_expiring(name, contents, settings.exptime)?,
            Some(kind) => {
                let file = client.open(name, Some(kind))?;
                let version = client.write_expiring(&file, contents, settings.exptime)?;
                file.close()?;
                version
            }
        };
        put(format!("{version}\n").as_bytes())
    },
};

pub(super) const CAS: Verb = Verb {
    name: "cas",
    operands: "NAME VERSION",
    what: "stdin to a file, only if it is at this version; 0: only if there is none",
    flags: &[addr(), token_file(), timeout(), MAX_CONTENTS, EXPTIME],
    run: |settings, operands| {
        let version = number(&operands[1])?;
        let contents = stdin(settings.max_contents)?;
        let client = settings.connect()?;
        let version = client.cas_expiring(&operands[0], version, contents, settings.exptime)?;
        put(format!("{version}\n").as_bytes())
    },
};

pub(super) const CREATE: Verb = Verb {
    name: "create",
    operands: "PREFIX",
    what: "stdin to a new file, PREFIX and 20 digits; its version and name to stdout",
    flags: &[addr(), token_file(), timeout(), MAX_CONTENTS, EXPTIME],
    run: |settings, operands| {
        let contents = stdin(settings.max_contents)?;
        let client = settings.connect()?;
        let (version, name) = client.create(&operands[0], contents, settings.exptime)?;
        put(format!("{version} {name}\n").as_bytes())
    },
};

pub(super) const TOUCH: Verb = Verb {
    name: "touch",
    operands: "NAME VERSION SECS",
    what: "end a file after so many seconds, only if it is at this version; 0: never",
    flags: &[addr(), token_file(), timeout()],
    run: |settings, operands| {
        let version = number(&operands[1])?;
        let exptime = exptime(&operands[2]).map_err(Failure::usage)?;
        Ok(settings.connect()?.touch(&operands[0], version, exptime).map(drop)?)
    },
};

pub(super) const DELETE: Verb = Verb {
    name: "delete",
    operands: "NAME [VERSION]",
    what: "end a file, only if it is at this version",
    flags: &[addr(), token_file(), timeout()],
    run: |settings, operands| {
        let version = operands.get(1).map(|text| number(text)).transpose()?;
        Ok(settings.connect()?.delete(&operands[0], version)?)
    },
};

pub(super) const STAT: Verb = Verb {
    name: "stat",
    operands: "NAME",
    what: "a file's version, numbytes, exptime, type and opens, a line each",
    flags: &[addr(), token_file(), timeout()],
    run: |settings, operands| {
        let stat = settings.connect()?.stat(&operands[0])?;
        let (version, numbytes, exptime) = (stat.version, stat.numbytes, stat.exptime);
        let text = format!(
            "version {version}\nnumbytes {numbytes}\nexptime {exptime}\ntype {}\nopens {}\n",
            stat.kind, stat.opens
        );
        put(text.as_bytes())
    },
};

pub(super) const OPEN: Verb = Verb {
    name: "open",
    operands: "NAME [TYPE]",
    what: "hold a file open until stdin ends",
    flags: &[addr(), token_file(), timeout()],
    run: |settings, operands| {
        let client = Arc::new(settings.connect()?);
        let file = client.open(&operands[0], operands.get(1).map(String::as_str))?;
        let (fd, version, kind) = (file.descriptor(), file.version(), file.kind());
        put(format!("FD {fd} {version} {kind}\n").as_bytes())?;
        if stdin_ends_before(client) {
            Ok(file.close()?)
        } else {
            Err(Failure::no_connection("the server closed the connection"))
        }
    },
};

pub(super) const TYPES: Verb = Verb {
    name: "types",
    operands: "",
    what: "the types that a file can have",
    flags: &[addr(), token_file(), timeout()],
    run: |settings, _| {
        let types = settings.connect()?.types()?;
        put(types.into_iter().map(|kind| kind + "\n").collect::<String>().as_bytes())
    },
};

pub(super) const STATS: Verb = Verb {
    name: "stats",
    operands: "",
    what: "the server's limits, and what is in use",
    flags: &[addr(), token_file(), timeout()],
    run: |settings, _| {
        let stats = settings.connect()?.stats()?;
        let lines = stats.into_iter().map(|(name, value)| format!("{name} {value}\n"));
        put(lines.collect::<String>().as_bytes())
    },
};

impl Verb {
    pub(super) fn run(&self, args: lexopt::Parser) -> Outcome {
        let mut settings = Settings {
            remote: Remote::default(),
            head: false,
            max_contents: DEFAULT_MAX_CONTENTS,
            exptime: Exptime::Never,
            kind: None,
        };
        let Verb { name, operands, what, flags, run } = self;
        match flags::parse_operands(name, operands, what, flags, args, &mut settings)? {
            Some(operands) => run(&settings, &operands),
            None => Ok(()),
        }
    }
}

pub(super) fn number(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("{text}: not a version")))
}

/// Not `-1`: the connection of a command ends with it.
fn exptime(text: &str) -> Result<Exptime, String> {
    match text.parse() {
        Ok(seconds) => Ok(Exptime::from_seconds(seconds)),
        Err(_) if text == "-1" => {
            Err("-1: the file would end at once, with the connection of this command".to_string())
        }
        Err(_) => Err(format!("{text}: not a number of seconds")),
    }
}

/// All of stdin, which may have no end.
fn stdin(max: u64) -> Result<Vec<u8>, Failure> {
    let mut contents = Vec::new();
    let read = io::stdin().lock().take(max.saturating_add(1)).read_to_end(&mut contents);
    match read.map_err(|e| Failure::failed(format!("stdin: {e}")))? {
        n if n as u64 > max => Err(Failure::failed(format!("stdin: more than {max} bytes"))),
        _ => Ok(contents),
    }
}

/// Waits for the end of stdin or of the connection; whether it was that of stdin. The one that did
/// not end keeps its thread until the process exits.
fn stdin_ends_before(client: Arc<Client>) -> bool {
    let (ended, first) = mpsc::channel();
    let stdin_ended = ended.clone();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = stdin_ended.send(true);
    });
    thread::spawn(move || {
        while let Ok(false) = client.wait_lost(Duration::MAX) {}
        let _ = ended.send(false);
    });
    first.recv().unwrap_or(true)
}
