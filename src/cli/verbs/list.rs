//! `telefile list`: prints the existing files, one a line.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::json::{Format, Object};
use crate::cli::remote::Table;
use crate::cli::streams::put_some;
use crate::cli::values;
use crate::client::{Client, Listed};
use crate::wire::MAX_ITEMS;
use clap::Args;

/// Print the files, one a line: VERSION NUMBYTES EXPTIME NAME
#[derive(Args)]
#[command(after_help = "\
Examples:
  telefile list svc/
  telefile list --names | while read -r name; do telefile stat \"$name\"; done")]
pub(crate) struct Settings {
    /// Print the files whose names begin with PREFIX [default: all]
    #[arg(default_value = "", hide_default_value = true, value_parser = values::TEXT)]
    prefix: String,
    /// Print only the names
    #[arg(long)]
    names: bool,
    /// Print first a line LIST REV EPOCH; a watch from REV misses nothing
    #[arg(long)]
    head: bool,
    /// Print at most N files [default: all]
    #[arg(long, value_name = "N", value_parser = values::COUNT)]
    limit: Option<usize>,
    /// Print only the files after this name, in byte order
    #[arg(long, value_name = "NAME", value_parser = values::TEXT)]
    after: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    table: Table,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let client = self.table.connect(Client::builder())?;
        print(&client, self)
    }
}

/// Prints page by page, so that a table of any size takes little memory here.
fn print(client: &Client, mut settings: Settings) -> Result<(), Failure> {
    let mut left = settings.limit.map_or(u64::MAX, |limit| limit as u64);
    while left > 0 {
        let limit = left.min(MAX_ITEMS);
        let page = client.list_page(&settings.prefix, limit, settings.after.as_deref())?;
        let mut text = String::new();
        // The version of the first page: changes during the later pages are visible from there.
        if std::mem::take(&mut settings.head) {
            let (rev, epoch) = (page.version, client.epoch());
            text += &match settings.format.json {
                true => Object::new().number("rev", rev).text("epoch", &epoch.to_string()).line(),
                false => format!("LIST {rev} {epoch}\n"),
            };
        }
        for file in &page.files {
            let Listed { version, numbytes, exptime, name, .. } = file;
            text += &match (settings.format.json, settings.names) {
                (true, true) => Object::new().text("name", name).line(),
                (true, false) => {
                    let object = Object::new().text("name", name).number("version", version);
                    object.number("numbytes", numbytes).number("exptime", exptime).line()
                }
                (false, true) => format!("{name}\n"),
                (false, false) => format!("{version} {numbytes} {exptime} {name}\n"),
            };
        }
        let is_read = put_some(text.as_bytes())?;
        left -= page.files.len() as u64;
        settings.after = page.files.into_iter().next_back().map(|file| file.name);
        if !is_read || !page.more || settings.after.is_none() {
            break;
        }
    }
    Ok(())
}
