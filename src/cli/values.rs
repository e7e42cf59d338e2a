//! The values of flags, operands and environment variables: one parser for each kind of value.

use super::failure::one_line;
use crate::exptime::{Exptime, FOREVER};
use crate::net::{Address, Addresses};
use crate::version::{Epoch, Version};
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, Command, Error};
use std::ffi::OsStr;
use std::io;
use std::str::FromStr;
use std::time::Duration;

/// Parses a text, or returns why it is invalid.
type Parse<T> = fn(&str) -> Result<T, String>;

/// A parser for clap. Its error names the environment variable if the value comes from one.
#[derive(Clone)]
pub(super) struct Parser<T> {
    argument: Parse<T>,
    variable: Parse<T>,
}

impl<T> Parser<T> {
    pub(super) const fn new(parse: Parse<T>) -> Self {
        Parser { argument: parse, variable: parse }
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Parser<T> {
    type Value = T;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        self.parse_ref_(cmd, arg, value, ValueSource::CommandLine)
    }

    fn parse_ref_(
        &self,
        cmd: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<T, Error> {
        let is_variable = source == ValueSource::EnvVariable;
        let parse = if is_variable { self.variable } else { self.argument };
        let parsed = value.to_str().ok_or_else(|| "not UTF-8".to_string()).and_then(parse);
        parsed.map_err(|why| {
            let variable = arg.and_then(Arg::get_env).filter(|_| is_variable);
            let place = match (variable, arg) {
                (Some(name), _) => name.to_string_lossy().into_owned(),
                (None, Some(arg)) => arg.to_string(),
                (None, None) => "an argument".to_string(),
            };
            let value = one_line(&value.to_string_lossy());
            let why = format!("invalid value '{value}' for '{place}': {why}");
            Error::raw(ErrorKind::ValueValidation, why).with_cmd(cmd)
        })
    }
}

/// Any text.
pub(super) const TEXT: Parser<String> = Parser::new(|text| Ok(text.to_string()));

/// The address of a server, or several with commas. A host's name is looked up only when it is used:
/// an unknown one is not a wrong command line.
pub(super) const ADDRESSES: Parser<String> =
    Parser::new(|text| addressed(text).map(|_: Addresses| text.to_string()));

/// Addresses to listen on: one for each flag, or several in the variable, separated by commas.
pub(super) const LISTEN: Parser<Vec<Address>> = Parser {
    argument: |text| Ok(vec![addressed(text)?]),
    variable: |text| text.split(',').map(|text| addressed(text.trim())).collect(),
};

/// One address to listen on.
pub(super) const OWN_ADDRESS: Parser<Address> = Parser::new(addressed);

/// A switch. Its variable is 1 or 0.
pub(super) const SWITCH: Parser<bool> = Parser {
    argument: |text| Ok(text == "true"), // clap's own word for a flag that is given
    variable: |text| match text {
        "1" => Ok(true),
        "0" => Ok(false),
        _ => Err("neither 1 nor 0".to_string()),
    },
};

/// Bytes, or a number with a suffix K, M, G or T for 1024 and its powers.
pub(super) const SIZE: Parser<u64> = Parser::new(size);

/// Seconds, at least a millisecond; a fraction is allowed.
pub(super) const SECONDS: Parser<Duration> = Parser::new(seconds);

/// Whole seconds, as the protocol counts them.
pub(super) const WHOLE_SECONDS: Parser<u64> = Parser::new(|text| number(text, 0));

/// Whole seconds, at least one.
pub(super) const LEAST_ONE_SECOND: Parser<u64> = Parser::new(|text| number(text, 1));

/// How many of something, at least one.
pub(super) const COUNT: Parser<usize> = Parser::new(|text| {
    number(text, 1)?.try_into().map_err(|_| "more than this machine can count".to_string())
});

/// A whole number, perhaps below zero.
pub(super) const INTEGER: Parser<i64> = Parser::new(|text| {
    text.parse().map_err(|_| "not a whole number from -2^63 to 2^63 - 1".to_string())
});

/// The version of a file, or a revision of the table.
pub(super) const VERSION: Parser<Version> = Parser::new(|text| {
    whole(text).map(Version).ok_or_else(|| "not a version, which is a whole number".to_string())
});

/// The epoch of a table.
pub(super) const EPOCH: Parser<Epoch> = Parser::new(|text| {
    text.parse().map_err(|_| "not 16 hex digits, as `telefile hello` prints them".to_string())
});

/// When a file expires. Not `-1`: a command's connection ends with it.
pub(super) const EXPTIME: Parser<Exptime> = Parser::new(|text| match whole(text) {
    Some(seconds) => Ok(Exptime::from_seconds(seconds)),
    None if text == "-1" => {
        Err("the file would end at once, with the connection of this command".to_string())
    }
    None => Err("not a whole number of seconds".to_string()),
});

/// The exit status of a process.
pub(super) const EXIT_STATUS: Parser<u8> =
    Parser::new(|text| text.parse().map_err(|_| "not an exit status from 0 to 255".to_string()));

/// Parses an address, or several. The error does not repeat the text.
fn addressed<T: FromStr<Err = io::Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|e: io::Error| {
        let why = e.to_string();
        why.strip_prefix(&format!("{text}: ")).map(str::to_string).unwrap_or(why)
    })
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    let bad = || "not a size such as 65536, 64M or 2G".to_string();
    let (digits, shift) = match text.char_indices().last() {
        Some((at, suffix)) if suffix.is_ascii_alphabetic() => {
            let power = "KMGT".find(suffix.to_ascii_uppercase()).ok_or_else(bad)?;
            (&text[..at], 10 * (power + 1))
        }
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number.checked_mul(1 << shift).filter(|n| *n < 1 << 63).ok_or_else(bad)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    match duration {
        Some(time) if time < Duration::from_millis(1) => {
            Err("too short, the least is 0.001 seconds".to_string())
        }
        Some(time) if time > FOREVER => {
            Err(format!("too long, the most is {} seconds, 100 years", FOREVER.as_secs()))
        }
        Some(time) => Ok(time),
        None => Err("not a number of seconds such as 30 or 0.5".to_string()),
    }
}

fn number(text: &str, min: u64) -> Result<u64, String> {
    let number = whole(text).filter(|n| *n >= min);
    number.ok_or_else(|| format!("not a whole number of at least {min}"))
}

/// Parses a number as the protocol writes one: only digits, below 2^63.
fn whole(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n < 1 << 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_may_end_in_a_unit() {
        for (text, expected) in [
            ("0", Some(0)),
            ("65536", Some(65536)),
            ("64M", Some(64 << 20)),
            ("2g", Some(2 << 30)),
            ("1T", Some(1 << 40)),
            ("", None),
            ("M", None),
            ("1.5G", None),
            ("-1", None),
            ("64MB", None),
            ("1X", None),
            ("99999999T", None),
        ] {
            assert_eq!(size(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn whole_numbers_are_those_of_the_protocol() {
        assert_eq!(whole("007"), Some(7));
        assert_eq!(whole("9223372036854775807"), Some(i64::MAX as u64));
        for bad in ["", "+1", "-1", "1.0", "0x1", " 1", "9223372036854775808"] {
            assert_eq!(whole(bad), None, "{bad}");
        }
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for bad in ["0", "1e-9", "-1", "nan", "inf", "1e300", "x", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("0").unwrap_err(), "too short, the least is 0.001 seconds");
        assert!(seconds("1e12").unwrap_err().contains("3155760000"));
    }

    #[test]
    fn an_address_error_does_not_repeat_the_address() {
        let why = "an address is HOST:PORT, [IPV6]:PORT or unix:PATH";
        assert_eq!(addressed::<Address>("8080").unwrap_err(), why);
        let why = addressed::<Addresses>("a:1,").unwrap_err();
        assert_eq!(why, "address 2 of 2 is empty");
    }
}
