//! The text of one step: bytes, and holes for what only the server knows.

use std::collections::BTreeMap;

/// The digits of a version in the names that `create` makes.
const VERSION_DIGITS: usize = 20;

/// What is sent or expected, in order.
pub(super) type Text = Vec<Piece>;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// `<v1>`
    Version(u64),
    /// `<n1>`: a version as `create` has it in names.
    Numbered(u64),
    /// `<epoch>`
    Epoch,
    /// `<id1>`: the id of a session
    Session(u64),
    /// `<number>`
    Number,
    /// `<count>`
    Count,
    /// `<lines>`, without the last line end
    Lines,
    /// `<rest>`
    Rest,
}

/// Reads escapes and holes.
pub(super) fn parse(text: &str) -> Result<Text, String> {
    let mut pieces = Vec::new();
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match first {
            b'\\' => bytes.push(escape(&mut rest)?),
            b'<' => {
                let end = rest.iter().position(|b| *b == b'>').ok_or("a > is missing")?;
                let inner = str::from_utf8(&rest[..end]).map_err(|e| e.to_string())?;
                rest = &rest[end + 1..];
                match hole(inner)? {
                    Piece::Bytes(repeated) => bytes.extend(repeated),
                    hole => {
                        pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
                        pieces.push(hole);
                    }
                }
            }
            b => bytes.push(*b),
        }
    }
    pieces.push(Piece::Bytes(bytes));
    Ok(pieces)
}

fn escape(rest: &mut &[u8]) -> Result<u8, String> {
    let (first, behind) = rest.split_first().ok_or("a \\ stands alone")?;
    *rest = behind;
    Ok(match first {
        b'r' => b'\r',
        b'n' => b'\n',
        b't' => b'\t',
        b'0' => 0,
        b'\\' | b'<' => *first,
        b'x' => {
            let (digits, behind) = rest.split_at_checked(2).ok_or("two digits follow \\x")?;
            *rest = behind;
            let digits = str::from_utf8(digits).map_err(|e| e.to_string())?;
            u8::from_str_radix(digits, 16).map_err(|e| format!("\\x{digits}: {e}"))?
        }
        b => return Err(format!("unknown escape \\{}", *b as char)),
    })
}

fn hole(inner: &str) -> Result<Piece, String> {
    let unknown = || format!("unknown <{inner}>");
    if let Some((unit, times)) = inner.rsplit_once('*') {
        let unit = match &parse(unit)?[..] {
            [Piece::Bytes(unit)] => unit.clone(),
            _ => return Err(unknown()),
        };
        return Ok(Piece::Bytes(unit.repeat(times.parse().map_err(|_| unknown())?)));
    }
    Ok(match inner {
        "epoch" => Piece::Epoch,
        "number" => Piece::Number,
        "count" => Piece::Count,
        "lines" => Piece::Lines,
        "rest" => Piece::Rest,
        _ => {
            if let Some(n) = inner.strip_prefix("id") {
                return n.parse().map(Piece::Session).map_err(|_| unknown());
            }
            let (kind, n) = inner.split_at_checked(1).ok_or_else(unknown)?;
            let n = n.parse().map_err(|_| unknown())?;
            match kind {
                "v" => Piece::Version(n),
                "n" => Piece::Numbered(n),
                _ => return Err(unknown()),
            }
        }
    })
}

/// How the arrived bytes compare with the expected ones.
#[derive(Debug, PartialEq)]
pub(super) enum Compared {
    /// This many bytes are as expected.
    Equal(usize),
    /// What has arrived is right, but incomplete.
    More,
    Different,
}

/// What the holes stand for.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    /// No other client uses the server, so its nth version is n.
    fresh: bool,
    versions: BTreeMap<u64, u64>,
    epoch: Option<Vec<u8>>,
    /// Each is another one.
    sessions: BTreeMap<u64, Vec<u8>>,
    count: usize,
}

impl Values {
    pub(super) fn new(fresh: bool) -> Self {
        Values { fresh, ..Values::default() }
    }

    /// The bytes of something to send.
    pub(super) fn fill(&self, text: &[Piece]) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for piece in text {
            match piece {
                Piece::Bytes(b) => bytes.extend_from_slice(b),
                Piece::Version(n) => bytes.extend(self.version(*n)?.to_string().into_bytes()),
                Piece::Numbered(n) => bytes.extend(format!("{:020}", self.version(*n)?).bytes()),
                Piece::Session(n) => {
                    let seen = self.sessions.get(n);
                    bytes.extend(seen.ok_or_else(|| format!("<id{n}> was not seen yet"))?);
                }
                other => return Err(format!("{other:?} cannot be sent")),
            }
        }
        Ok(bytes)
    }

    fn version(&self, n: u64) -> Result<u64, String> {
        let seen = self.versions.get(&n).copied().or(self.fresh.then_some(n));
        seen.ok_or_else(|| format!("<v{n}> was not seen yet"))
    }

    /// Compares what arrived, and remembers what the holes stood for if it is equal.
    pub(super) fn compare(&mut self, expected: &[Piece], came: &[u8]) -> Compared {
        let mut seen = self.clone();
        let mut rest = came;
        for piece in expected {
            match seen.compare_piece(piece, rest) {
                Compared::Equal(n) => rest = &rest[n..],
                other => return other,
            }
        }
        *self = seen;
        Compared::Equal(came.len() - rest.len())
    }

    fn compare_piece(&mut self, expected: &Piece, came: &[u8]) -> Compared {
        let equal_if = |equal, n| if equal { Compared::Equal(n) } else { Compared::Different };
        // A field or line is compared when the byte after it has arrived.
        let upto = |end: fn(&u8) -> bool| came.iter().position(end).map(|n| &came[..n]);
        let number = || {
            upto(|b| !b.is_ascii_digit())
                .map(|digits| (str::from_utf8(digits).ok().and_then(|d| d.parse().ok()), digits))
        };
        match expected {
            Piece::Bytes(bytes) => match came.get(..bytes.len()) {
                Some(here) => equal_if(here == bytes, bytes.len()),
                None if bytes.starts_with(came) => Compared::More,
                None => Compared::Different,
            },
            Piece::Version(n) => match number() {
                None => Compared::More,
                Some((None, _)) => Compared::Different,
                Some((Some(version), digits)) => equal_if(self.is(*n, version), digits.len()),
            },
            Piece::Numbered(n) => match came.split_at_checked(VERSION_DIGITS) {
                None => Compared::More,
                Some((digits, _)) => {
                    let version = str::from_utf8(digits).ok().and_then(|d| d.parse().ok());
                    equal_if(version.is_some_and(|v| self.is(*n, v)), VERSION_DIGITS)
                }
            },
            Piece::Number => match number() {
                None => Compared::More,
                Some((value, digits)) => equal_if(value.is_some(), digits.len()),
            },
            Piece::Count => match number() {
                None => Compared::More,
                Some((value, digits)) => {
                    self.count = value.unwrap_or_default() as usize;
                    equal_if(self.count > 0, digits.len())
                }
            },
            Piece::Epoch => match upto(|b| !b.is_ascii_hexdigit()) {
                None => Compared::More,
                Some(digits) => {
                    let epoch = self.epoch.get_or_insert_with(|| digits.to_vec());
                    equal_if(digits.len() == 16 && epoch == digits, digits.len())
                }
            },
            Piece::Session(n) => match upto(|b| !b.is_ascii_hexdigit()) {
                None => Compared::More,
                Some(digits) => {
                    let known = self.sessions.iter().find(|(_, id)| *id == digits).map(|(n, _)| *n);
                    let id = self.sessions.entry(*n).or_insert_with(|| digits.to_vec());
                    let is_right = id == digits && known.is_none_or(|known| known == *n);
                    equal_if(is_right && digits.len() == 32, digits.len())
                }
            },
            Piece::Rest => {
                upto(|b| *b == b'\r').map_or(Compared::More, |r| Compared::Equal(r.len()))
            }
            Piece::Lines => {
                let mut ends = came.windows(2).enumerate().filter(|(_, pair)| pair == b"\r\n");
                ends.nth(self.count - 1).map_or(Compared::More, |(at, _)| Compared::Equal(at))
            }
        }
    }

    /// Returns whether the nth version can be this one; if it can, it is from now on.
    fn is(&mut self, n: u64, version: u64) -> bool {
        if self.fresh {
            return n == version;
        }
        let fits = self.versions.range(..n).all(|(_, v)| *v < version)
            && self.versions.range(n + 1..).all(|(_, v)| *v > version);
        fits && *self.versions.entry(n).or_insert(version) == version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bytes: &[u8]) -> Piece {
        Piece::Bytes(bytes.to_vec())
    }

    #[test]
    fn escapes_repeats_and_holes() {
        assert_eq!(parse("a\\r\\n\\t\\0\\xff\\\\\\<"), Ok(vec![bytes(b"a\r\n\t\0\xff\\<")]));
        assert_eq!(parse("<ab*3>c<\\0*2>"), Ok(vec![bytes(b"abababc\0\0")]));
        assert_eq!(parse("OK <v12>"), Ok(vec![bytes(b"OK "), Piece::Version(12), bytes(b"")]));
        for bad in ["\\", "\\q", "\\xf", "<v1", "<v>", "<n>", "<>", "<é1>", "<x*>", "<foo>"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    fn compare(values: &mut Values, expected: &str, came: &str) -> Compared {
        let mut expected = parse(expected).unwrap();
        expected.push(bytes(b"\r\n"));
        values.compare(&expected, came.as_bytes())
    }

    #[test]
    fn versions_keep_their_value_and_their_order() {
        let mut values = Values::default();
        assert_eq!(compare(&mut values, "OK <v1>", "OK 7"), Compared::More);
        assert_eq!(compare(&mut values, "OK <v1>", "OK 7\r\nmore"), Compared::Equal(6));
        assert_eq!(compare(&mut values, "OK <v1>", "OK 8\r\n"), Compared::Different);
        assert_eq!(compare(&mut values, "OK <v2>", "OK 7\r\n"), Compared::Different);
        assert_eq!(compare(&mut values, "OK <v3>", "OK 12\r\n"), Compared::Equal(7));
        assert_eq!(compare(&mut values, "OK <v2>", "OK 12\r\n"), Compared::Different);
        assert_eq!(compare(&mut values, "OK <v2>", "OK \r\n"), Compared::Different);
        assert_eq!(values.fill(&parse("cas f <v3>").unwrap()), Ok(b"cas f 12".to_vec()));
        assert!(values.fill(&parse("cas f <v2>").unwrap()).is_err());
    }

    #[test]
    fn a_version_in_a_name_has_20_digits() {
        let mut values = Values::default();
        let came = "OK 7 q00000000000000000007\r\n";
        assert_eq!(compare(&mut values, "OK <v1> q<n1>", &came[..20]), Compared::More);
        assert_eq!(compare(&mut values, "OK <v1> q<n1>", came), Compared::Equal(27 + 1));
        assert_eq!(compare(&mut values, "q<n1>", "q00000000000000000008\r\n"), Compared::Different);
        assert_eq!(compare(&mut values, "q<n1>", "q7\r\n0000000000000000000"), Compared::Different);
        assert_eq!(values.fill(&parse("q<n1>").unwrap()), Ok(b"q00000000000000000007".to_vec()));
        assert_eq!(
            Values::new(true).fill(&parse("<n9>").unwrap()).unwrap(),
            b"00000000000000000009"
        );
    }

    #[test]
    fn the_ids_of_sessions_are_different_ones() {
        let (mut values, a, b) = (Values::default(), "0a".repeat(16), "1b".repeat(16));
        assert_eq!(compare(&mut values, "<id1>", &format!("{a}\r\n")), Compared::Equal(34));
        assert_eq!(compare(&mut values, "<id2>", &format!("{a}\r\n")), Compared::Different);
        assert_eq!(compare(&mut values, "<id1>", &format!("{b}\r\n")), Compared::Different);
        assert_eq!(compare(&mut values, "<id2>", &format!("{b}\r\n")), Compared::Equal(34));
        assert_eq!(compare(&mut values, "<id3>", "0a\r\n"), Compared::Different);
        assert_eq!(values.fill(&parse("s/<id2>/m").unwrap()), Ok(format!("s/{b}/m").into_bytes()));
        assert!(values.fill(&parse("<id3>").unwrap()).is_err());
    }

    #[test]
    fn counted_lines_are_exactly_as_many() {
        let mut values = Values::default();
        assert_eq!(compare(&mut values, "HELP <count>", "HELP 2\r\n"), Compared::Equal(8));
        assert_eq!(compare(&mut values, "<lines>", "a\r\n"), Compared::More);
        assert_eq!(compare(&mut values, "<lines>", "a\r\nb\r\nOK\r\n"), Compared::Equal(6));
        assert_eq!(compare(&mut values, "HELP <count>", "HELP x\r\n"), Compared::Different);
    }
}
