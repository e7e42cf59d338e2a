//! Telnet commands inside a line (RFC 854). A terminal sends them when it starts, and for Ctrl-C:
//! they are skipped, and every option is refused, so none has to be kept.

/// Byte 255, which never occurs in UTF-8.
pub(super) const IAC: u8 = 255;

const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
/// The start and the end of a subnegotiation.
const SB: u8 = 250;
const SE: u8 = 240;
/// The lowest command: end of file (RFC 1184).
const LOWEST: u8 = 236;

/// The kinds of data that begin with [`IAC`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole command: its length in bytes, and the answer.
    Command(usize, Option<[u8; 3]>),
    /// The start of a command.
    Half,
    /// No command: the byte is text, though not UTF-8.
    Text,
}

/// Finds the command that `data` begins with. The first byte has to be [`IAC`].
pub(super) fn find(data: &[u8]) -> Found {
    match data {
        [_] => Found::Half,
        [_, DO | DONT | WILL | WONT] => Found::Half,
        [_, DO, option, ..] => Found::Command(3, Some([IAC, WONT, *option])),
        [_, WILL, option, ..] => Found::Command(3, Some([IAC, DONT, *option])),
        // Answers to a request that was never sent: answering them could go on forever.
        [_, DONT | WONT, _, ..] => Found::Command(3, None),
        [_, SB, ..] => find_end(data),
        [_, byte, ..] if *byte >= LOWEST => Found::Command(2, None),
        _ => Found::Text,
    }
}

/// A subnegotiation ends with IAC SE; any other byte after an IAC belongs to it.
fn find_end(data: &[u8]) -> Found {
    let mut at = 2;
    while let Some(next) = data[at..].iter().position(|byte| *byte == IAC) {
        at += next + 2;
        match data.get(at - 1) {
            Some(&SE) => return Found::Command(at, None),
            Some(_) => {}
            None => break,
        }
    }
    Found::Half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_their_answers() {
        for (data, expected) in [
            (&b"\xff"[..], Found::Half),
            (b"\xff\xf4more", Found::Command(2, None)),
            (b"\xff\xffmore", Found::Command(2, None)),
            (b"\xff\xecmore", Found::Command(2, None)),
            (b"\xff\xfd", Found::Half),
            (b"\xff\xfd\x06more", Found::Command(3, Some([255, 252, 6]))),
            (b"\xff\xfb\x18more", Found::Command(3, Some([255, 254, 24]))),
            (b"\xff\xfb\xff", Found::Command(3, Some([255, 254, 255]))),
            (b"\xff\xfc\x01", Found::Command(3, None)),
            (b"\xff\xfe\x01", Found::Command(3, None)),
            (b"\xff\xfa", Found::Half),
            (b"\xff\xfa\x18\x00xterm\xff", Found::Half),
            (b"\xff\xfa\x18\r\nxterm\xff\xf0more", Found::Command(12, None)),
            (b"\xff\xfa\xff\xff\xf0\xff\xf0", Found::Command(7, None)),
            (b"\xff ", Found::Text),
            (b"\xff\r\n", Found::Text),
            (b"\xff\0", Found::Text),
        ] {
            assert_eq!(find(data), expected, "{data:?}");
        }
    }
}
