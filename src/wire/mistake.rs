//! The mistakes in a line that is no request, and how logs show such a line.

use super::fields::{Fields, text};
use crate::name::{ForLog, IdForLog};
use std::fmt;

/// A mistake in a line. On the wire all of these are `ERR_CMD_ERR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mistake {
    /// The first field is not the name of a command.
    UnknownCommand,
    /// A field is missing.
    TooFewFields,
    /// A field follows the last one.
    TooManyFields,
    /// The field, named as in the protocol's command table, is no number below 2^63.
    Number(&'static str),
    /// An exptime is neither a number nor `-1`.
    Exptime,
    /// Neither a name nor a descriptor.
    File,
    /// Not a name.
    Name,
    /// Not a descriptor.
    Descriptor,
    /// Not the beginning of a name that a version of 20 digits can complete.
    Stem,
    /// Not UTF-8.
    Text,
    /// Neither a session's id nor `-`.
    Session,
    /// A list of no files.
    ZeroLimit,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mistake::UnknownCommand => "an unknown command",
            Mistake::TooFewFields => "too few fields",
            Mistake::TooManyFields => "too many fields",
            Mistake::Number(field) => return write!(f, "{field} is no number below 2^63"),
            Mistake::Exptime => "exptime is neither a number below 2^63 nor -1",
            Mistake::File => "neither a name nor a descriptor",
            Mistake::Name => "not a name",
            Mistake::Descriptor => "not a descriptor",
            Mistake::Stem => "not a prefix of at most 410 bytes for a new name",
            Mistake::Text => "a field is not UTF-8",
            Mistake::Session => "neither 32 hex digits nor -",
            Mistake::ZeroLimit => "a limit of 0",
        })
    }
}

/// A line that is no request, as logs show it: cut and escaped, with at most 8 digits of a secret
/// name. Anything after `hello` may be a token. A line that begins with neither a command nor a
/// slip of one may also hold a token, or be part of contents: only its shape is shown, with `*` for
/// text.
pub struct ShownLine<'a>(pub &'a [u8]);

/// As it displays: the line may have a secret in it.
impl fmt::Debug for ShownLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The most bytes of a line that a log line shows.
const MAX_SHOWN_BYTES: usize = 128;

/// Commands of other protocols, which are not secret.
const FOREIGN: [&[u8]; 6] = [b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"CONNECT"];

impl fmt::Display for ShownLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = &self.0[..self.0.len().min(MAX_SHOWN_BYTES)];
        let mut fields = Fields::new(line);
        let first = fields.next().unwrap_or_default();
        let verb = super::COMMANDS.iter().filter_map(|(usage, _)| usage.split(' ').next());
        let verb = verb.map(str::as_bytes).chain(FOREIGN).find(|verb| is_nearly(verb, first));
        let Some(verb) = verb else { return mask(f, line, self.0.len()) };
        write!(f, "{}", first.escape_ascii())?;
        if verb == b"hello" || FOREIGN.contains(&verb) {
            return Ok(());
        }
        while let Some(field) = fields.next() {
            match text(field) {
                // Even an id that is cut, or has a digit too many, is nearly a secret.
                Some(text) if verb == b"session" => write!(f, " {}", IdForLog(text))?,
                Some(text) => write!(f, " {}", ForLog(text))?,
                None => {
                    f.write_str(" ")?;
                    mask(f, field, field.len())?;
                }
            }
        }
        f.write_str(dots(line.len(), self.0.len()))
    }
}

/// Returns whether it is this command except for case and one letter that is extra, missing, wrong
/// or swapped with the next: a typing slip, and no secret.
fn is_nearly(verb: &[u8], word: &[u8]) -> bool {
    let same = |(a, b): &(&u8, &u8)| a.eq_ignore_ascii_case(b);
    let begin = verb.iter().zip(word).take_while(same).count();
    let (verb, word) = (&verb[begin..], &word[begin..]);
    let end = verb.iter().rev().zip(word.iter().rev()).take_while(same).count();
    match (&verb[..verb.len() - end], &word[..word.len() - end]) {
        ([] | [_], [] | [_]) => word.is_ascii(),
        ([a, b], [c, d]) => a.eq_ignore_ascii_case(d) && b.eq_ignore_ascii_case(c),
        _ => false,
    }
}

/// Shows the shape of bytes: text as `*`, spaces unchanged, other bytes escaped.
fn mask(f: &mut fmt::Formatter<'_>, bytes: &[u8], whole: usize) -> fmt::Result {
    for byte in bytes {
        match byte {
            b' ' => f.write_str(" ")?,
            b if b.is_ascii_graphic() => f.write_str("*")?,
            b => write!(f, "{}", b.escape_ascii())?,
        }
    }
    f.write_str(dots(bytes.len(), whole))
}

fn dots(shown: usize, whole: usize) -> &'static str {
    if shown < whole { "..." } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[u8], expected: &str) {
        assert_eq!(ShownLine(line).to_string(), expected);
    }

    #[test]
    fn a_line_is_shown_cut_escaped_and_without_secrets() {
        check(b"write foo six", "write foo six");
        check(b"WRITE  foo 3", "WRITE foo 3");
        check(b"reed x", "reed x");
        check(b"wirte x 3", "wirte x 3");
        check(b"dele x", "**** *");
        check(b"read a\xe2\x80\xaeb x", "read a\\u{202e}b x");
        check(b"read \xff\xfe", "read \\xff\\xfe");
        check(
            format!("read {}", "n".repeat(80)).as_bytes(),
            &format!("read {}...", "n".repeat(64)),
        );
        let secret = format!("write s/{}/m six", "0123456789abcdef".repeat(2));
        check(secret.as_bytes(), "write s/01234567... six");
        let id = format!("sesion {}0 x", "0123456789abcdef".repeat(2));
        check(id.as_bytes(), "sesion 01234567... x");
        let long = format!("cas {}", "f ".repeat(300));
        assert!(ShownLine(long.as_bytes()).to_string().ends_with(" f..."));
    }

    #[test]
    fn a_token_is_never_shown() {
        check(b"hello s3cret and more", "hello");
        check(b"HELLO s3cret", "HELLO");
        check(b"helo s3cret", "helo");
        check(b"hlelo s3cret", "hlelo");
        check(b"hell0 s3cret", "hell0");
        check(b"he1l0 s3cret", "***** ******");
        check(b"s3cret", "******");
        check(b"hello\ts3cret", "*****\\t******");
        check(b"\xff\xf4\xff\xfd\x06read f", "\\xff\\xf4\\xff\\xfd\\x06**** *");
        check(b"GET /secret?token=1 HTTP/1.1", "GET");
        check(&[b'x'; 300], &("*".repeat(128) + "..."));
    }
}
