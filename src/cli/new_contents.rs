//! What a command writes to a file: stdin, and for how long.

use super::failure::Failure;
use super::streams;
use super::values;
use crate::client::{self, Client};
use crate::exptime::Exptime;
use clap::Args;

#[derive(Args)]
pub(super) struct NewContents {
    /// Delete the file after SECS seconds [default: never]
    #[arg(long, value_name = "SECS", value_parser = values::EXPTIME)]
    exptime: Option<Exptime>,
    /// Refuse contents of more bytes than this
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = values::SIZE)]
    max_contents: u64,
}

impl NewContents {
    /// Reads all of stdin.
    pub(super) fn read(&self) -> Result<Vec<u8>, Failure> {
        streams::contents(self.max_contents)
    }

    pub(super) fn exptime(&self) -> Exptime {
        self.exptime.unwrap_or(Exptime::Never)
    }

    /// Returns a client's settings, for contents of this size.
    pub(super) fn client(&self) -> client::Builder {
        Client::builder().max_contents(self.max_contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches};

    #[test]
    fn the_largest_contents_are_those_of_the_library() {
        let command = NewContents::augment_args(Command::new("test"));
        let new = NewContents::from_arg_matches(&command.get_matches_from(["test"])).unwrap();
        assert_eq!(new.max_contents, client::DEFAULT_MAX_CONTENTS);
    }
}
