//! `telefile add`: adds to the number in a file.

use crate::cli::compute::Change;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::json::{Format, Object};
use crate::cli::remote::Remote;
use crate::cli::streams::put_change;
use crate::cli::values;
use crate::client::Client;
use crate::name::ForLog;
use clap::Args;

/// Longer contents are no number, whatever white space is around it.
const MAX_CONTENTS: u64 = 4096;

/// Add N to the number in a file, and print the sum
#[derive(Args)]
#[command(after_help = "\
An absent file counts as 0, and is made. White space around the number stays as it is, and so does
the file's expiry. Numbers are whole, from -2^63 to 2^63 - 1.

Examples:
  telefile add visitors 1
  telefile add stock -3")]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// The number to add, which may be below zero
    #[arg(value_name = "N", value_parser = values::INTEGER)]
    number: i64,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let client = self.remote.connect(Client::builder().max_contents(MAX_CONTENTS))?;
        let mut sum = 0;
        let change = Change { name: &self.name, default: Some(b"0"), exptime: None };
        let changed = change.make(&client, |old| {
            let (new, number) = add(&old.contents, self.number)
                .map_err(|why| Failure::failed(format!("{} {why}", ForLog(&self.name))))?;
            sum = number;
            Ok::<_, Failure>(Some(new))
        })?;
        put_change(&match self.format.json {
            true => Object::new()
                .text("name", &self.name)
                .number("value", sum)
                .number("version", changed.version)
                .line(),
            false => format!("{sum}\n"),
        })
    }
}

/// Returns the contents with the sum in place of the number, and the sum.
fn add(contents: &[u8], number: i64) -> Result<(Vec<u8>, i64), String> {
    let text = contents.trim_ascii();
    let start = contents.len() - contents.trim_ascii_start().len();
    let old = str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
    let old = old.ok_or_else(|| {
        let shown = String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned();
        format!("is no whole number of 64 bits: {shown:?}")
    })?;
    let sum = old
        .checked_add(number)
        .ok_or_else(|| format!("is {old}, and adding {number} would leave the range of 64 bits"))?;
    let (before, behind) = (&contents[..start], &contents[start + text.len()..]);
    Ok(([before, sum.to_string().as_bytes(), behind].concat(), sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_takes_the_place_of_the_number() {
        for (contents, number, expected) in [
            (&b"0"[..], 1, &b"1"[..]),
            (b"7\n", -9, b"-2\n"),
            (b" \t-3\r\n\n", 3, b" \t0\r\n\n"),
            (b"+5", 1, b"6"),
            (b"007", 0, b"7"),
            (b"9223372036854775806", 1, b"9223372036854775807"),
        ] {
            assert_eq!(add(contents, number).unwrap().0, expected, "{contents:?} + {number}");
        }
    }

    #[test]
    fn anything_else_is_an_error() {
        for contents in [
            &b""[..],
            b"\n",
            b"x",
            b"1 2",
            b"1.5",
            b"0x1",
            b"--1",
            b"\xff",
            b"1\0",
            b"9223372036854775808",
        ] {
            assert!(add(contents, 1).unwrap_err().starts_with("is no whole number"));
        }
        assert!(add(b"9223372036854775807", 1).unwrap_err().contains("range"));
        assert!(add(b"-9223372036854775808", -1).unwrap_err().contains("range"));
        let long = add(&[b'x'; 4096], 1).unwrap_err();
        assert!(long.len() < 100, "{long}");
    }
}
