//! What `--json` prints: one object a line. The names of the fields are documented, and stay.
//!
//! Objects of texts and numbers are all that is printed, and nothing is read, so a few lines here
//! take the place of a dependency.

use clap::Args;
use std::fmt::{Display, Write};

/// How a verb prints.
#[derive(Args)]
pub(super) struct Format {
    /// Print JSON, one object a line
    #[arg(long)]
    pub(super) json: bool,
}

/// An object, as far as it is written.
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        Object("{".to_string())
    }

    /// Adds a number, or `true` or `false`.
    pub(super) fn number(mut self, name: &str, value: impl Display) -> Self {
        self.name(name);
        let _ = write!(self.0, "{value}");
        self
    }

    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        quote(&mut self.0, value);
        self
    }

    /// Adds bytes: as text if they are UTF-8, or else as base64, under the name with `_base64`
    /// behind it.
    pub(super) fn bytes(self, name: &str, value: &[u8]) -> Self {
        match str::from_utf8(value) {
            Ok(text) => self.text(name, text),
            Err(_) => self.text(&format!("{name}_base64"), &base64(value)),
        }
    }

    /// Returns the whole line.
    pub(super) fn line(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        quote(&mut self.0, name);
        self.0.push(':');
    }
}

/// Appends a string (RFC 8259). Every control character is escaped, also those that JSON permits:
/// a terminal would obey them.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Encodes bytes in base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | usize::from(*group.get(i).unwrap_or(&0)));
        for i in 0..4 {
            let digit = DIGITS[bits >> (18 - 6 * i) & 63];
            text.push(if i <= group.len() { digit.into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parsed(object: Object) -> Value {
        let line = object.line();
        assert_eq!(line.find('\n'), Some(line.len() - 1), "{line:?}");
        assert!(!line.trim_end().contains(char::is_control), "{line:?}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn a_line_is_an_object() {
        assert_eq!(Object::new().line(), "{}\n");
        let object = Object::new().text("name", "a").number("version", u64::MAX);
        let object = object.number("exptime", -1).number("changed", true);
        let line =
            "{\"name\":\"a\",\"version\":18446744073709551615,\"exptime\":-1,\"changed\":true}\n";
        assert_eq!(object.line(), line);
    }

    #[test]
    fn any_text_is_read_as_it_was() {
        let every: String = ('\0'..=char::MAX).collect();
        for text in ["", "\"", "\\", "a\"b\\c/d", "\u{1b}[31m\u{7f}\u{9b}\u{2028}\u{1f600}", &every]
        {
            assert_eq!(parsed(Object::new().text("t", text)), json!({ "t": text }));
            assert_eq!(parsed(Object::new().text(text, "v")), json!({ text: "v" }));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        assert_eq!(parsed(Object::new().bytes("contents", b"a\n\0")), json!({"contents": "a\n\0"}));
        for (bytes, expected) in [
            (&b"\xff"[..], "/w=="),
            (b"\xff\xfe", "//4="),
            (b"\xff\xfe\xfd", "//79"),
            (b"\x00\x10\x83\x10\x51\xff", "ABCDEFH/"),
        ] {
            let found = parsed(Object::new().bytes("contents", bytes));
            assert_eq!(found, json!({ "contents_base64": expected }), "{bytes:?}");
        }
        // The examples of the RFC.
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
