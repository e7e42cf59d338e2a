//! The commands that change a file: they print the resulting state on stdout.

use super::{EXPTIME, MAX_CONTENTS, Settings, Verb, exptime};
use crate::cli::failure::Failure;
use crate::cli::flags::{Flag, Takes, version};
use crate::cli::remote::{addr, epoch, timeout, token_file};
use crate::cli::streams::{contents, put_change};
use crate::client::{Error, Target};

const TYPE: Flag<Settings> = Flag {
    name: "type",
    takes: Takes::One("TYPE"),
    variable: "",
    help: "open the file as this type; if nobody else has it open only a TextFile stays",
    set: |s, text| {
        s.kind = Some(text.to_string());
        Ok(())
    },
};

pub(crate) const WRITE: Verb = Verb {
    name: "write",
    operands: "NAME",
    what: "write stdin to a file, and print its new version",
    flags: &[addr(), token_file(), timeout(), MAX_CONTENTS, EXPTIME, TYPE],
    run: |settings, operands| {
        let (name, contents) = (&operands[0], contents(settings.max_contents)?);
        let client = settings.connect()?;
        let open = settings.open(&client, name)?;
        let file = open.as_ref().map_or(Target::from(name), Target::from);
        let written = client.write_expiring(file, contents, settings.exptime);
        drop(open); // closed before the version is printed
        let version = written.map_err(failed)?;
        put_change(&version.to_string())
    },
};

pub(crate) const CAS: Verb = Verb {
    name: "cas",
    operands: "NAME VERSION",
    what: "write stdin to a file, only if it is at VERSION; 0: only if there is none",
    flags: &[addr(), token_file(), timeout(), epoch(), MAX_CONTENTS, EXPTIME],
    run: |settings, operands| {
        let version = version(&operands[1])?;
        let contents = contents(settings.max_contents)?;
        let client = settings.connect()?;
        let version = client.cas_expiring(&operands[0], version, contents, settings.exptime);
        let version = version.map_err(failed)?;
        put_change(&version.to_string())
    },
};

pub(crate) const CREATE: Verb = Verb {
    name: "create",
    operands: "PREFIX",
    what: "write stdin to a new file, PREFIX and 20 digits; print its version and name",
    flags: &[addr(), token_file(), timeout(), MAX_CONTENTS, EXPTIME],
    run: |settings, operands| {
        let contents = contents(settings.max_contents)?;
        let client = settings.connect()?;
        let created = client.create(&operands[0], contents, settings.exptime);
        let (version, name) = created.map_err(failed)?;
        put_change(&format!("{version} {name}"))
    },
};

pub(crate) const TOUCH: Verb = Verb {
    name: "touch",
    operands: "NAME VERSION SECS",
    what: "end a file after SECS seconds, only if it is at VERSION; 0: never",
    flags: &[addr(), token_file(), timeout(), epoch()],
    run: |settings, operands| {
        let version = version(&operands[1])?;
        let exptime = exptime(&operands[2]).map_err(Failure::usage)?;
        let touched = settings.connect()?.touch(&operands[0], version, exptime);
        touched.map(drop).map_err(failed)
    },
};

pub(crate) const DELETE: Verb = Verb {
    name: "delete",
    operands: "NAME [VERSION]",
    what: "end a file; with VERSION only if it is at that",
    flags: &[addr(), token_file(), timeout(), epoch()],
    run: |settings, operands| {
        let version = operands.get(1).map(|text| version(text)).transpose()?;
        settings.connect()?.delete(&operands[0], version).map_err(failed)
    },
};

/// A change without a reply may have been made.
fn failed(error: Error) -> Failure {
    let lost = matches!(error, Error::Lost(_));
    let failure = Failure::from(error);
    match lost {
        true => Failure::no_connection(format!("{}; the change may be made", failure.message)),
        false => failure,
    }
}
