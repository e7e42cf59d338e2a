//! The commands that read the server's files and change none.

use super::{MAX_CONTENTS, Settings, Verb};
use crate::cli::flags::{Flag, Takes};
use crate::cli::remote::{addr, timeout, token_file};
use crate::cli::streams::put;
use crate::client::Target;

const HEAD: Flag<Settings> = Flag {
    name: "head",
    takes: Takes::Nothing,
    variable: "",
    help: "print first the line of the reply: CONTENTS VERSION NUMBYTES EXPTIME",
    set: |s, _| {
        s.head = true;
        Ok(())
    },
};

const TYPE: Flag<Settings> = Flag {
    name: "type",
    takes: Takes::One("TYPE"),
    variable: "",
    help: "open the file as this type; a TextFile that nobody has open needs it",
    set: |s, text| {
        s.kind = Some(text.to_string());
        Ok(())
    },
};

pub(crate) const READ: Verb = Verb {
    name: "read",
    operands: "NAME",
    what: "print a file's contents",
    flags: &[addr(), token_file(), timeout(), MAX_CONTENTS, HEAD, TYPE],
    run: |settings, operands| {
        let (name, client) = (&operands[0], settings.connect()?);
        let open = settings.open(&client, name)?;
        let snapshot = client.read(open.as_ref().map_or(Target::from(name), Target::from))?;
        if settings.head {
            let (numbytes, exptime) = (snapshot.contents.len(), snapshot.exptime);
            put(format!("CONTENTS {} {numbytes} {exptime}\n", snapshot.version))?;
        }
        put(&*snapshot.contents)
    },
};

pub(crate) const STAT: Verb = Verb {
    name: "stat",
    operands: "NAME",
    what: "print version, numbytes, exptime, type, opens and the table's epoch, a line each",
    flags: &[addr(), token_file(), timeout(), TYPE],
    run: |settings, operands| {
        let (name, client) = (&operands[0], settings.connect()?);
        let open = settings.open(&client, name)?;
        let stat = client.stat(open.as_ref().map_or(Target::from(name), Target::from))?;
        let fields = [
            ("version", stat.version.to_string()),
            ("numbytes", stat.numbytes.to_string()),
            ("exptime", stat.exptime.to_string()),
            ("type", stat.kind),
            ("opens", stat.opens.to_string()),
            ("epoch", format!("{:016x}", client.epoch())),
        ];
        put(fields.map(|(name, value)| format!("{name} {value}\n")).concat())
    },
};

pub(crate) const HELLO: Verb = Verb {
    name: "hello",
    operands: "",
    what: "print the table's epoch and its revision: EPOCH REV",
    flags: &[addr(), token_file(), timeout()],
    run: |settings, _| {
        let client = settings.connect()?;
        put(format!("{:016x} {}\n", client.epoch(), client.rev()?))
    },
};

pub(crate) const TYPES: Verb = Verb {
    name: "types",
    operands: "",
    what: "print the types that a file can have",
    flags: &[addr(), token_file(), timeout()],
    run: |settings, _| {
        let types = settings.connect()?.types()?;
        put(types.into_iter().map(|kind| kind + "\n").collect::<String>())
    },
};

pub(crate) const STATS: Verb = Verb {
    name: "stats",
    operands: "",
    what: "print the server's limits, and what is in use",
    flags: &[addr(), token_file(), timeout()],
    run: |settings, _| {
        let stats = settings.connect()?.stats()?;
        let lines = stats.into_iter().map(|(name, value)| format!("{name} {value}\n"));
        put(lines.collect::<String>())
    },
};
