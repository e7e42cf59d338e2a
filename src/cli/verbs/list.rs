//! `telefile list`: prints the existing files, one a line.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::{self, Flag, Takes, number};
use crate::cli::remote::{HasRemote, Remote, addr, epoch, timeout, token_file};
use crate::cli::streams::put_some;
use crate::client::Client;
use crate::wire::MAX_ITEMS;

pub(crate) const WHAT: &str =
    "print the files that begin with PREFIX, a line each: VERSION NUMBYTES EXPTIME NAME";

struct Settings {
    remote: Remote,
    head: bool,
    names: bool,
    limit: u64,
    after: Option<String>,
}

impl HasRemote for Settings {
    fn remote(&mut self) -> &mut Remote {
        &mut self.remote
    }
}

const FLAGS: [Flag<Settings>; 8] = [
    addr(),
    token_file(),
    timeout(),
    epoch(),
    Flag {
        name: "names",
        takes: Takes::Nothing,
        variable: "",
        help: "print only the names",
        set: |s, _| {
            s.names = true;
            Ok(())
        },
    },
    Flag {
        name: "head",
        takes: Takes::Nothing,
        variable: "",
        help: "print first a line LIST REV EPOCH; a watch from REV misses nothing",
        set: |s, _| {
            s.head = true;
            Ok(())
        },
    },
    Flag {
        name: "limit",
        takes: Takes::One("N"),
        variable: "",
        help: "print at most N files (all)",
        set: |s, text| {
            s.limit = number(text, 1)? as u64;
            Ok(())
        },
    },
    Flag {
        name: "after",
        takes: Takes::One("NAME"),
        variable: "",
        help: "print only files behind this name, in byte order",
        set: |s, text| {
            s.after = Some(text.to_string());
            Ok(())
        },
    },
];

pub(crate) fn run(args: lexopt::Parser) -> Outcome {
    let mut settings = Settings {
        remote: Remote::default(),
        head: false,
        names: false,
        limit: u64::MAX,
        after: None,
    };
    let operands = flags::parse_operands("list", "[PREFIX]", WHAT, &FLAGS, args, &mut settings)?;
    let Some(operands) = operands else { return Ok(()) };
    let prefix = operands.first().map_or("", String::as_str);
    let client = settings.remote.connect(Client::builder())?;
    print(&client, prefix, settings)
}

/// Prints page by page, so that a table of any size takes little memory here.
fn print(client: &Client, prefix: &str, mut settings: Settings) -> Result<(), Failure> {
    while settings.limit > 0 {
        let limit = settings.limit.min(MAX_ITEMS);
        let page = client.list(prefix, limit, settings.after.as_deref())?;
        let mut text = String::new();
        // The version of the first page: changes during the later pages are visible from there.
        if std::mem::take(&mut settings.head) {
            text += &format!("LIST {} {:016x}\n", page.rev, client.epoch());
        }
        for file in &page.files {
            if !settings.names {
                text += &format!("{} {} {} ", file.version, file.numbytes, file.exptime);
            }
            text += &file.name;
            text += "\n";
        }
        let is_read = put_some(text.as_bytes())?;
        settings.limit -= page.files.len() as u64;
        settings.after = page.files.into_iter().next_back().map(|file| file.name);
        if !is_read || !page.more || settings.after.is_none() {
            break;
        }
    }
    Ok(())
}
