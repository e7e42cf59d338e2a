//! `telefile delete`: deletes a file, or all files of a prefix.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::json::Object;
use crate::cli::remote::{Table, change_failed};
use crate::cli::streams::put_change;
use crate::cli::values;
use crate::client::{Client, Error, Listed};
use crate::name::ForLog;
use crate::refusal::Refusal;
use crate::version::Version;
use clap::Args;

/// Delete a file; with VERSION, only if it is at that version; with --prefix, many
#[derive(Args)]
#[command(
    override_usage = "telefile delete [OPTIONS] <NAME> [VERSION]\n       \
                      telefile delete [OPTIONS] --prefix <PREFIX> --yes",
    after_help = "\
With --prefix it prints how many files it has deleted, and goes on past one that is deleted
already. Files that are made meanwhile may stay.

Examples:
  telefile delete config 7             # exit status 7 if config is at another version
  telefile delete --prefix tmp/ --yes"
)]
pub(crate) struct Settings {
    /// The file's name
    #[arg(
        value_parser = values::TEXT,
        required_unless_present = "prefix",
        conflicts_with = "prefix"
    )]
    name: Option<String>,
    /// The version that the file must have [default: any]
    #[arg(value_parser = values::VERSION, conflicts_with = "prefix")]
    version: Option<Version>,
    /// Delete every file whose name begins with PREFIX; an empty one is every file
    #[arg(long, value_name = "PREFIX", value_parser = values::TEXT)]
    prefix: Option<String>,
    /// Really delete them; without this, --prefix only says how many there are
    #[arg(long, requires = "prefix", conflicts_with = "name")]
    yes: bool,
    /// Print JSON, one object a line
    #[arg(long, requires = "prefix", conflicts_with = "name")]
    json: bool,
    #[command(flatten)]
    table: Table,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let client = self.table.connect(Client::builder())?;
        match (self.prefix, self.name) {
            (Some(prefix), _) if self.yes => {
                let count = delete_all(&client, &prefix)?;
                put_change(&match self.json {
                    true => Object::new().number("deleted", count).line(),
                    false => format!("{count}\n"),
                })
            }
            (Some(prefix), _) => {
                let count = client.list(&prefix)?.try_fold(0, |n, file| file.map(|_| n + 1))?;
                let which = match &prefix[..] {
                    "" => String::new(),
                    prefix => format!(" of the prefix {}", ForLog(prefix)),
                };
                Err(Failure::failed(match count {
                    0 => format!("there are no files{which}"),
                    1 => format!("there is 1 file{which}; --yes deletes it"),
                    n => format!("there are {n} files{which}; --yes deletes them"),
                }))
            }
            (None, name) => {
                let name = name.unwrap_or_default();
                client.delete(&name, self.version).map_err(change_failed)
            }
        }
    }
}

/// Deletes page by page, so that a table of any size takes little memory here. Returns the number of
/// files.
fn delete_all(client: &Client, prefix: &str) -> Result<u64, Failure> {
    let (mut count, mut list) = (0, client.list(prefix)?.fuse());
    loop {
        let page = list.by_ref().take(PAGE).collect::<Result<Vec<Listed>, _>>();
        let page = page.map_err(|e| partly(count, e))?;
        let mut pipeline = client.pipeline();
        for file in &page {
            pipeline.delete(&file.name, None)?;
        }
        for answer in pipeline.send() {
            match answer {
                Ok(_) => count += 1,
                Err(Error::Refused { refusal: Refusal::NotFound, .. }) => {}
                Err(e) => return Err(partly(count, e)),
            }
        }
        if page.len() < PAGE {
            return Ok(count);
        }
    }
}

/// How many files are deleted at a time.
const PAGE: usize = 1000;

/// Returns the failure of a deletion in the middle.
fn partly(count: u64, e: Error) -> Failure {
    let failure = change_failed(e);
    Failure { message: format!("{}; {count} files were deleted", failure.message), ..failure }
}
