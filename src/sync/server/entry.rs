//! An entry: the file on the server that alone says "this path has this content", as text.
//!
//! ```text
//! file 644 1764230400000000000 6 <blake3 of all> inline
//! path notes.txt
//! from alpha
//!
//! abcdef
//! ```
//!
//! With `chunks` in place of `inline` the rest is a `<blake3> <length>` line for each chunk. A folder is
//! `dir <mode> <mtime>` in the first line, and has no rest.

use crate::sync::decide::Kind;
use crate::sync::hash::Hash;
use crate::sync::path::{self, RelPath};
use std::fmt;

/// The largest chunk, in bytes.
pub(in crate::sync) const MAX_CHUNK_BYTES: u64 = 1 << 20;

/// The most bytes before the empty line: a path has at most 4095, each at most three characters.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// The longest name of a client, in bytes.
pub(in crate::sync) const MAX_CLIENT_BYTES: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sync) struct Entry {
    pub(in crate::sync) path: RelPath,
    /// The permission bits alone.
    pub(in crate::sync) mode: u32,
    /// In nanoseconds since 1970.
    pub(in crate::sync) mtime: i64,
    pub(in crate::sync) content: Content,
    /// The client that made it, for people.
    pub(in crate::sync) from: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sync) enum Content {
    Dir,
    File { hash: Hash, size: u64, body: Body },
}

impl Content {
    pub(in crate::sync) fn kind(&self) -> Kind {
        match self {
            Content::Dir => Kind::Dir,
            Content::File { hash, .. } => Kind::File(*hash),
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(in crate::sync) enum Body {
    Inline(Vec<u8>),
    Chunks(Vec<ChunkRef>),
}

/// A chunk of a file: its name, and its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync) struct ChunkRef {
    pub(in crate::sync) hash: Hash,
    pub(in crate::sync) length: u64,
}

impl Entry {
    /// Parses an entry that any client may have written. Nothing in it takes more memory than its
    /// text, and inline contents have the hash that it announces.
    pub(in crate::sync) fn parse(text: &[u8]) -> Option<Self> {
        let mut lines = Lines { rest: text, left: MAX_HEAD_BYTES };
        let first = lines.next()?;
        let path = RelPath::new(&path::decode(lines.next()?.strip_prefix("path ")?)?)?;
        let from = lines.next()?.strip_prefix("from ").filter(|from| is_client(from))?.to_string();
        if !lines.next()?.is_empty() {
            return None;
        }
        let mut fields = first.split(' ');
        let kind = fields.next()?;
        let mode = u32::from_str_radix(fields.next()?, 8).ok().filter(|mode| *mode <= 0o777)?;
        let mtime = fields.next()?.parse().ok()?;
        let rest = lines.rest;
        let content = match kind {
            "dir" if rest.is_empty() => Content::Dir,
            "file" => {
                let size = number(fields.next()?)?;
                let hash = Hash::parse(fields.next()?)?;
                let body = match fields.next()? {
                    "inline" if Hash::of(rest) == hash && rest.len() as u64 == size => {
                        Body::Inline(rest.to_vec())
                    }
                    "chunks" => Body::Chunks(chunks(rest, size)?),
                    _ => return None,
                };
                Content::File { hash, size, body }
            }
            _ => return None,
        };
        let entry = Entry { path, mode, mtime, content, from };
        fields.next().is_none().then_some(entry)
    }

    /// Returns the text.
    pub(in crate::sync) fn to_bytes(&self) -> Vec<u8> {
        let Entry { path, mode, mtime, content, from } = self;
        let head = |first: String| {
            format!("{first}\npath {}\nfrom {from}\n\n", path::encode(path.as_bytes())).into_bytes()
        };
        match content {
            Content::Dir => head(format!("dir {mode:o} {mtime}")),
            Content::File { hash, size, body } => {
                let first = |form| format!("file {mode:o} {mtime} {size} {hash} {form}");
                match body {
                    Body::Inline(bytes) => {
                        let mut text = head(first("inline"));
                        text.extend_from_slice(bytes);
                        text
                    }
                    Body::Chunks(chunks) => {
                        let mut text = head(first("chunks"));
                        for ChunkRef { hash, length } in chunks {
                            text.extend_from_slice(format!("{hash} {length}\n").as_bytes());
                        }
                        text
                    }
                }
            }
        }
    }
}

/// Returns whether it can be a client's name: a letter or digit, `-`, `.` and `_`.
pub(in crate::sync) fn is_client(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    (1..=MAX_CLIENT_BYTES).contains(&text.len()) && text.bytes().all(plain)
}

/// Parses the lines of chunks, which together have `size` bytes.
fn chunks(rest: &[u8], size: u64) -> Option<Vec<ChunkRef>> {
    let text = str::from_utf8(rest).ok()?;
    let (mut chunks, mut sum) = (Vec::new(), 0_u64);
    for line in text.split_inclusive('\n') {
        let (hash, length) = line.strip_suffix('\n')?.split_once(' ')?;
        let (hash, length) = (Hash::parse(hash)?, number(length)?);
        if !(1..=MAX_CHUNK_BYTES).contains(&length) {
            return None;
        }
        sum = sum.checked_add(length)?;
        chunks.push(ChunkRef { hash, length });
    }
    (sum == size).then_some(chunks)
}

/// Parses digits alone, below 2^63.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n < 1 << 63)
}

/// The lines of a head, as long as it is not too long.
struct Lines<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let here = &self.rest[..self.rest.len().min(self.left)];
        let end = here.iter().position(|b| *b == b'\n')?;
        (self.rest, self.left) = (&self.rest[end + 1..], self.left - end - 1);
        str::from_utf8(&here[..end]).ok()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Inline(bytes) => write!(f, "Inline({} bytes)", bytes.len()),
            Body::Chunks(chunks) => write!(f, "Chunks({})", chunks.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(content: Content) -> Entry {
        let path = RelPath::new(b"a dir/notes.txt").unwrap();
        Entry { path, mode: 0o644, mtime: -5, content, from: "alpha".to_string() }
    }

    fn inline(bytes: &[u8]) -> Content {
        let (hash, size) = (Hash::of(bytes), bytes.len() as u64);
        Content::File { hash, size, body: Body::Inline(bytes.to_vec()) }
    }

    #[test]
    fn entries_byte_for_byte() {
        let text = |content| String::from_utf8(entry(content).to_bytes()).unwrap();
        assert_eq!(text(Content::Dir), "dir 644 -5\npath a%20dir/notes.txt\nfrom alpha\n\n");
        let hash = Hash::of(b"x\n");
        assert_eq!(
            text(inline(b"x\n")),
            format!("file 644 -5 2 {hash} inline\npath a%20dir/notes.txt\nfrom alpha\n\nx\n")
        );
        let body = Body::Chunks(vec![ChunkRef { hash, length: 2 }; 2]);
        assert_eq!(
            text(Content::File { hash, size: 4, body }),
            format!(
                "file 644 -5 4 {hash} chunks\npath a%20dir/notes.txt\nfrom alpha\n\n{hash} 2\n{hash} 2\n"
            )
        );
    }

    #[test]
    fn a_hostile_entry_is_none() {
        let hash = Hash::of(b"");
        let rest = "\npath a\nfrom c\n\n";
        assert!(Entry::parse(format!("file 644 0 0 {hash} inline{rest}").as_bytes()).is_some());
        let huge = 1_u64 << 62;
        for bad in [
            format!("file 644 0 1 {hash} inline{rest}"),
            format!("file 644 0 0 {hash} inline{rest}x"),
            format!("file 4755 0 0 {hash} inline{rest}"),
            format!("file -1 0 0 {hash} inline{rest}"),
            format!("file 644 0 0 {hash} inline more{rest}"),
            format!("file 644 0 +0 {hash} inline{rest}"),
            format!("file 644 9999999999999999999 0 {hash} inline{rest}"),
            format!("file 644 0 {huge} {hash} chunks{rest}{hash} {huge}\n"),
            format!("file 644 0 0 {hash} chunks{rest}{hash} 0\n"),
            format!("file 644 0 1 {hash} chunks{rest}{hash} 1"),
            format!("file 644 0 5 {hash} chunks{rest}{hash} 1\n"),
            format!("link 644 0{rest}"),
            format!("dir 755 0{rest}x"),
            "dir 755 0\npath ../a\nfrom c\n\n".to_string(),
            "dir 755 0\npath /etc\nfrom c\n\n".to_string(),
            "dir 755 0\npath a\nfrom \x1b[31m\n\n".to_string(),
            "dir 755 0\npath a\nfrom c\n".to_string(),
            format!("dir 755 0\npath {}\nfrom c\n\n", "%FF".repeat(6000)),
            String::new(),
        ] {
            assert_eq!(Entry::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_parses_to_the_same(bytes: Vec<u8>, lengths in proptest::collection::vec(1..=MAX_CHUNK_BYTES, 0..9), mtime: i64, mode in 0_u32..=0o777, which in 0..3) {
            let hash = Hash::of(&bytes);
            let size = lengths.iter().sum();
            let chunks = lengths.into_iter().map(|length| ChunkRef { hash, length }).collect();
            let content = match which {
                0 => Content::Dir,
                1 => inline(&bytes),
                _ => Content::File { hash, size, body: Body::Chunks(chunks) },
            };
            let entry = Entry { mode, mtime, ..entry(content) };
            prop_assert_eq!(Entry::parse(&entry.to_bytes()), Some(entry));
        }

        #[test]
        fn any_bytes_parse_without_panic(bytes: Vec<u8>) {
            let _ = Entry::parse(&bytes);
            let _ = Entry::parse(&[&b"dir 755 0\npath a\nfrom c\n\n"[..], &bytes].concat());
        }
    }
}
