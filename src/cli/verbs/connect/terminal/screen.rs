//! The replies as a terminal shows them: what is in a file must not command the terminal.

/// The bytes of replies, and what is left of them for the next ones.
#[derive(Default)]
pub(super) struct Screen {
    /// The beginning of a character, or a carriage return, whose rest has not arrived.
    held: Vec<u8>,
}

impl Screen {
    /// Returns what to print for these bytes: `\r\n` ends a line, other control characters are
    /// escaped, and bytes that are no text are replaced.
    pub(super) fn show(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let whole = whole(&self.held);
        let rest = self.held.split_off(whole);
        let text = std::mem::replace(&mut self.held, rest);
        let mut shown = String::new();
        for c in String::from_utf8_lossy(&text).replace("\r\n", "\n").chars() {
            match c {
                '\n' | '\t' => shown.push(c),
                c if c.is_control() => shown.extend(c.escape_default()),
                c => shown.push(c),
            }
        }
        shown
    }
}

/// Returns how many bytes do not depend on those that follow.
fn whole(bytes: &[u8]) -> usize {
    if bytes.ends_with(b"\r") {
        return bytes.len() - 1;
    }
    // The last character may be one of up to four bytes.
    for len in 1..=bytes.len().min(3) {
        let last = &bytes[bytes.len() - len..];
        match str::from_utf8(last) {
            Err(e) if e.valid_up_to() == 0 && e.error_len().is_none() => return bytes.len() - len,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what is shown, for bytes that arrive together and one by one.
    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(Screen::default().show(bytes), expected);
        let mut screen = Screen::default();
        let shown: String = bytes.iter().map(|byte| screen.show(&[*byte])).collect();
        assert_eq!(shown, expected, "one by one");
    }

    #[test]
    fn text_is_shown_as_it_is_and_nothing_commands_the_terminal() {
        check(b"OK 1\r\n", "OK 1\n");
        check("\u{e4}\u{20ac}\u{1f600}\tx\n".as_bytes(), "\u{e4}\u{20ac}\u{1f600}\tx\n");
        check(b"\x1b[2J\x07\x7f\r.\n", "\\u{1b}[2J\\u{7}\\u{7f}\\r.\n");
        check(b"\xc2\x9b31m\0\n", "\\u{9b}31m\\u{0}\n");
        check(b"\xff\xfe.\n", "\u{fffd}\u{fffd}.\n");
        check(b"\xe2\x82.\n", "\u{fffd}.\n");
    }
}
