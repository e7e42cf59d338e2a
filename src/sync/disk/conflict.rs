//! The names of conflict copies: `NAME.conflict-<client>-<utc>-<hash8>.EXT`.

use crate::sync::hash::Hash;
use crate::sync::path::{MAX_NAME_BYTES, RelPath};
use crate::sync::time::Utc;

const MARK: &[u8] = b".conflict-";

/// A longer end of a name is no extension.
const MAX_EXTENSION_BYTES: usize = 16;

/// Returns where to move a file or folder that has to make room for another one. The `n`th attempt
/// at a free name. Of a conflict copy this makes another copy of the original, not a copy of a copy.
pub(in crate::sync) fn copy_of(
    path: &RelPath,
    client: &str,
    now: Utc,
    hash: Option<Hash>,
    n: u32,
) -> RelPath {
    let (stem, extension) = split(original(path.name()));
    let hash = hash.map_or_else(|| "dir".to_string(), |hash| hash.short());
    let again = if n == 0 { String::new() } else { format!("-{n}") };
    let mark = [MARK, format!("{client}-{now}-{hash}{again}").as_bytes(), &extension].concat();
    let stem = cut(stem, MAX_NAME_BYTES.saturating_sub(mark.len()));
    let copy = path.sibling(&[&stem[..], &mark].concat());
    // The folder's path may be so long that no name is left for a copy in it.
    copy.unwrap_or_else(|| RelPath::new(&[b"lost", &mark[..]].concat()).expect("a short name"))
}

/// Returns whether this is the name of a conflict copy.
pub(in crate::sync) fn is_copy(path: &RelPath) -> bool {
    original(path.name()).len() < path.name().len()
}

/// Returns the name of which a conflict copy is a copy, or else the name itself.
fn original(name: &[u8]) -> Vec<u8> {
    let Some(at) = name.windows(MARK.len()).rposition(|window| window == MARK) else {
        return name.to_vec();
    };
    let behind = name[at + MARK.len()..].to_vec();
    let (mark, extension) = split(behind);
    match is_mark(&mark) {
        true => [&name[..at], &extension].concat(),
        false => name.to_vec(),
    }
}

/// Returns whether it is `<client>-<utc>-<hash8>`, perhaps with `-<n>` behind.
fn is_mark(mark: &[u8]) -> bool {
    let parts: Vec<_> = mark.rsplitn(4, |b| *b == b'-').collect();
    let is_hash =
        |part: &[u8]| part == b"dir" || part.len() == 8 && part.iter().all(u8::is_ascii_hexdigit);
    let is_time = |part: &[u8]| str::from_utf8(part).is_ok_and(|text| Utc::parse(text).is_some());
    match parts[..] {
        [hash, time, ..] if is_hash(hash) && is_time(time) => true,
        [n, hash, time, _] => n.iter().all(u8::is_ascii_digit) && is_hash(hash) && is_time(time),
        _ => false,
    }
}

/// Splits the extension off, with its dot.
fn split(name: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    match name.iter().rposition(|b| *b == b'.') {
        Some(at) if at > 0 && name.len() - at <= MAX_EXTENSION_BYTES => {
            (name[..at].to_vec(), name[at..].to_vec())
        }
        _ => (name, Vec::new()),
    }
}

/// Returns the beginning of a name, not cut inside a character.
fn cut(name: Vec<u8>, max: usize) -> Vec<u8> {
    let is_inside = |at: usize| name.get(at).is_some_and(|b| b & 0xc0 == 0x80);
    let end = (0..=max.min(name.len())).rev().find(|at| !is_inside(*at)).unwrap_or(0);
    name[..end].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Utc {
        Utc::parse("20261127T101112Z").unwrap()
    }

    #[track_caller]
    fn check(path: &str, n: u32, expected: &str) {
        let (path, hash) = (RelPath::new(path.as_bytes()).unwrap(), Hash::of(b"abc"));
        let copy = copy_of(&path, "al-pha", now(), Some(hash), n);
        assert_eq!(copy.to_string(), expected);
        assert!(is_copy(&copy) && !is_copy(&path));
        let again = copy_of(&copy, "al-pha", now(), Some(hash), n);
        assert_eq!(again, copy, "a copy of a copy");
    }

    #[test]
    fn names_byte_for_byte() {
        check("d/a.txt", 0, "d/a.conflict-al-pha-20261127T101112Z-6437b3ac.txt");
        check("a.tar.gz", 2, "a.tar.conflict-al-pha-20261127T101112Z-6437b3ac-2.gz");
        check("Makefile", 0, "Makefile.conflict-al-pha-20261127T101112Z-6437b3ac");
        check(".bashrc", 0, ".bashrc.conflict-al-pha-20261127T101112Z-6437b3ac");
        check(
            "a.conflict-of interest",
            0,
            "a.conflict-of interest.conflict-al-pha-20261127T101112Z-6437b3ac",
        );
        let dir = RelPath::new(b"d").unwrap();
        let copy = copy_of(&dir, "b", now(), None, 0);
        assert_eq!(copy.to_string(), "d.conflict-b-20261127T101112Z-dir");
        assert!(is_copy(&copy));
    }

    #[test]
    fn a_long_name_is_cut_to_255_bytes_between_characters() {
        let path = RelPath::new(format!("{}.txt", "é".repeat(125)).as_bytes()).unwrap();
        let copy = copy_of(&path, "b", now(), Some(Hash::of(b"abc")), 0);
        assert!(copy.name().len() <= 255 && copy.name().ends_with(b"-6437b3ac.txt"));
        assert!(str::from_utf8(copy.name()).is_ok());
        let deep = format!("{}x", "d/".repeat(2047));
        let path = RelPath::new(deep.as_bytes()).unwrap();
        assert!(copy_of(&path, "b", now(), None, 0).as_bytes().starts_with(b"lost.conflict-b-"));
    }

    proptest! {
        #[test]
        fn any_name_has_a_valid_copy(name in proptest::collection::vec(any::<u8>(), 1..256), n in 0_u32..9) {
            if let Some(path) = RelPath::new(&name) {
                let copy = copy_of(&path, "client", now(), Some(Hash::of(&name)), n);
                prop_assert!(is_copy(&copy));
                prop_assert!(copy.name().len() <= 255);
            }
        }
    }
}
