//! Flags as a table: each row provides the parsing, the environment variable and the help text.

use super::failure::{Failure, Outcome, program};
use super::streams::put;
use crate::exptime::FOREVER;
use lexopt::Arg;
use std::env;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// One flag of a command whose settings are a `T`.
pub(super) struct Flag<T: 'static> {
    /// The name without the dashes.
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    /// The environment variable that can set it instead; empty if there is none.
    pub(super) variable: &'static str,
    pub(super) help: &'static str,
    /// Stores a value in the settings, or returns why it is invalid.
    pub(super) set: fn(&mut T, &str) -> Result<(), String>,
}

/// The flag that `-E` is short for, as with flock(1).
pub(super) const CONFLICT_EXIT_CODE: &str = "conflict-exit-code";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// A switch. Its variable is 1 or 0.
    Nothing,
    /// A value; the help text calls it by this name.
    One(&'static str),
    /// One such value each time the flag is given. Its variable holds them separated by commas.
    Many(&'static str),
}

/// Parses the command line and the environment into `settings`; the command line takes precedence.
/// With `--help` it prints the command's help and returns false. In a program with one command,
/// that command has no name.
pub(super) fn parse<T>(
    command: &str,
    what: &str,
    flags: &[Flag<T>],
    args: lexopt::Parser,
    settings: &mut T,
) -> Result<bool, Failure> {
    Ok(parse_operands(command, "", what, flags, args, settings)?.is_some())
}

/// Does the same for a command with operands, named as in `NAME [TYPE]`; returns them, or nothing
/// after `--help`.
pub(super) fn parse_operands<T>(
    command: &str,
    operands: &str,
    what: &str,
    flags: &[Flag<T>],
    args: lexopt::Parser,
    settings: &mut T,
) -> Result<Option<Vec<String>>, Failure> {
    let found = parse_command(command, operands, what, flags, args, settings)?;
    Ok(found.map(|(operands, _)| operands))
}

/// The arguments that are not flags, and the command to run with all its arguments.
pub(super) type Operands = (Vec<String>, Vec<OsString>);

/// Does the same for a command whose last operand is another command with all its arguments, as in
/// `NAME COMMAND...`; that command is returned beside the other operands.
pub(super) fn parse_command<T>(
    command: &str,
    operands: &str,
    what: &str,
    flags: &[Flag<T>],
    mut args: lexopt::Parser,
    settings: &mut T,
) -> Result<Option<Operands>, Failure> {
    let expected: Vec<_> = operands.split_terminator(' ').collect();
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    let wrong = |why: String| match command {
        "" => Failure::usage(why),
        command => Failure::usage(format!("{command}: {why}")),
    };
    let mut given = vec![false; flags.len()];
    loop {
        let negative = args.try_raw_args().and_then(|mut raw| raw.next_if(is_negative));
        let arg = match negative {
            Some(number) => Some(Arg::Value(number)),
            None => args.next().map_err(|e| wrong(e.to_string()))?,
        };
        let Some(arg) = arg else { break };
        let at = match arg {
            Arg::Long("help") | Arg::Short('h') => {
                help(command, operands, what, flags)?;
                return Ok(None);
            }
            Arg::Long(name) => flags.iter().position(|f| f.name == name),
            Arg::Short('E') => flags.iter().position(|f| f.name == CONFLICT_EXIT_CODE),
            Arg::Value(operand) if expected.get(found.len()).is_some_and(takes_rest) => {
                rest.push(operand);
                rest.extend(args.raw_args().map_err(|e| wrong(e.to_string()))?);
                continue;
            }
            Arg::Value(operand) if found.len() < expected.len() => {
                let not_utf8 = |operand| wrong(format!("{operand:?} is not UTF-8"));
                found.push(operand.into_string().map_err(not_utf8)?);
                continue;
            }
            _ => None,
        };
        let Some(at) = at else { return Err(wrong(arg.unexpected().to_string())) };
        let flag = &flags[at];
        if given[at] && !matches!(flag.takes, Takes::Many(_)) {
            return Err(wrong(format!("--{} is given twice", flag.name)));
        }
        given[at] = true;
        let value = match flag.takes {
            Takes::Nothing => String::new(),
            Takes::One(what) | Takes::Many(what) => {
                let value = value_of(flag.name, what, &mut args).map_err(wrong)?;
                value.into_string().map_err(|v| wrong(format!("{v:?} is not UTF-8")))?
            }
        };
        (flag.set)(settings, &value).map_err(|why| wrong(format!("--{} {why}", flag.name)))?;
    }
    let mut required = expected.iter().filter(|name| !name.starts_with('['));
    let missing = required.nth(found.len());
    if let Some(missing) = missing.filter(|_| rest.is_empty()) {
        return Err(wrong(format!("{missing} is missing")));
    }
    for (flag, given) in flags.iter().zip(given) {
        if given || flag.variable.is_empty() {
            continue;
        }
        let value = match env::var_os(flag.variable).unwrap_or_default().into_string() {
            Ok(value) if value.is_empty() => continue,
            Ok(value) => value,
            Err(value) => return Err(wrong(format!("{}={value:?} is not UTF-8", flag.variable))),
        };
        from_variable(flag, &value, settings).map_err(|why| {
            // Most reasons begin with the value.
            let why = why.strip_prefix(&format!("{value}: ")).unwrap_or(&why);
            wrong(format!("{}={value}: {why}", flag.variable))
        })?;
    }
    Ok(Some((found, rest)))
}

/// Takes a flag's value: what follows `=`, or else the next argument. The next argument must not
/// look like a flag: more likely than not, the value was forgotten.
fn value_of(name: &str, what: &str, args: &mut lexopt::Parser) -> Result<OsString, String> {
    if let Some(value) = args.optional_value() {
        return Ok(value);
    }
    let value = args.value().map_err(|e| e.to_string())?;
    if !value.as_encoded_bytes().starts_with(b"--") {
        return Ok(value);
    }
    let got = value.to_string_lossy();
    Err(format!("--{name} needs {what}, got {got}; write --{name}={got} if that is its value"))
}

fn takes_rest(operand: &&str) -> bool {
    operand.ends_with("...")
}

/// Returns whether it starts like a negative number: an operand, as no flag starts with a digit.
fn is_negative(arg: &OsStr) -> bool {
    matches!(arg.as_encoded_bytes(), [b'-', b'0'..=b'9', ..])
}

fn from_variable<T>(flag: &Flag<T>, value: &str, settings: &mut T) -> Result<(), String> {
    match (flag.takes, value) {
        (Takes::Nothing, "1") => (flag.set)(settings, ""),
        (Takes::Nothing, "0") => Ok(()),
        (Takes::Nothing, _) => Err("neither 1 nor 0".to_string()),
        (Takes::One(_), _) => (flag.set)(settings, value),
        (Takes::Many(_), _) => value.split(',').try_for_each(|v| (flag.set)(settings, v.trim())),
    }
}

fn help<T>(command: &str, operands: &str, what: &str, flags: &[Flag<T>]) -> Outcome {
    let mut text = format!("{} {command} {operands}", program()).trim_end().to_string();
    text += &format!(": {what}\n\n");
    for flag in flags {
        let usage = match flag.takes {
            Takes::Nothing => format!("--{}", flag.name),
            Takes::One(value) => format!("--{} {value}", flag.name),
            Takes::Many(value) => format!("--{} {value}...", flag.name),
        };
        text += &format!("  {usage:<24}{}\n", flag.help);
    }
    let variables: Vec<_> = flags.iter().map(|f| f.variable).filter(|v| !v.is_empty()).collect();
    if !variables.is_empty() {
        text += &format!("\nIn the environment: {}.\n", variables.join(", "));
    }
    put(text)
}

/// Parses bytes, or a number with a suffix K, M, G or T for 1024 and its powers.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let bad = || format!("{text}: not a size such as 65536, 64M or 2G");
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

/// Parses a number as the protocol writes one: only digits, below 2^63.
pub(super) fn whole(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n < 1 << 63)
}

/// Parses a version operand, or a revision of the table.
pub(super) fn version(text: &str) -> Result<u64, Failure> {
    whole(text)
        .ok_or_else(|| Failure::usage(format!("{text}: not a version, which is a whole number")))
}

/// Parses a whole number of at least `min`.
pub(super) fn number(text: &str, min: usize) -> Result<usize, String> {
    let number = whole(text).and_then(|n| usize::try_from(n).ok()).filter(|n| *n >= min);
    number.ok_or_else(|| format!("{text}: not a whole number of at least {min}"))
}

/// Parses seconds, at least a millisecond; a fraction is allowed.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    match duration {
        Some(time) if time < Duration::from_millis(1) => {
            Err(format!("{text}: too short, the least is 0.001 seconds"))
        }
        Some(time) if time > FOREVER => {
            let most = FOREVER.as_secs();
            Err(format!("{text}: too long, the most is {most} seconds, 100 years"))
        }
        Some(time) => Ok(time),
        None => Err(format!("{text}: not a number of seconds such as 30 or 0.5")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
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
    fn times() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for bad in ["0", "1e-9", "-1", "nan", "inf", "1e300", "x", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("0").unwrap_err(), "0: too short, the least is 0.001 seconds");
        assert!(seconds("1e12").unwrap_err().contains("3155760000"));
    }
}
