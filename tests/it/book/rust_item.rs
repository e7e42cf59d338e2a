//! Items of Rust source, found by name: as much of the grammar as it takes to see where an item ends.

use std::ops::Range;

/// Returns the bytes that an item covers, from the beginning of its line, without comments and
/// attributes before it. An item is `fn f`, `fn Type::f`, `struct S`, `enum E`, `trait T`, `const C`,
/// `static S`, `type T`, `macro m` or `impl Header`.
pub(super) fn find(source: &str, item: &str) -> Result<Range<usize>, String> {
    let code = code_alone(source);
    let (kind, name) = item.split_once(' ').ok_or_else(|| format!("{item:?} is no item"))?;
    let mut found = match kind {
        "fn" => match name.rsplit_once("::") {
            Some((owner, name)) => methods(&code, owner, name),
            None => named(&code, "fn", name),
        },
        "struct" | "enum" | "trait" | "const" | "static" | "type" => named(&code, kind, name),
        "macro" => named(&code, "macro_rules!", name),
        "impl" => impls(&code).filter(|at| header(&code, *at) == spaced(item)).collect(),
        _ => return Err(format!("{item:?} is no item: fn, struct, enum, trait, const, ... NAME")),
    };
    if found.len() > 1 {
        let tests = code.find("\nmod tests {").unwrap_or(code.len());
        found.retain(|at| *at < tests);
    }
    match found[..] {
        [at] => {
            let end = end(&code, at, ["const", "static", "type"].contains(&kind));
            let line = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
            Ok(line..end.ok_or_else(|| format!("{item:?} does not end"))?)
        }
        [] => Err(format!("there is no {item:?}")),
        _ => Err(format!("there are {} of {item:?}: say whose, as in fn Type::name", found.len())),
    }
}

/// Returns the code with spaces in place of comments, strings and characters.
fn code_alone(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest[0] {
            b'/' if rest.starts_with(b"//") => rest.iter().position(|b| *b == b'\n'),
            b'/' if rest.starts_with(b"/*") => Some(block_comment(rest)),
            b'"' => Some(string(rest)),
            b'r' if !is_in_name(&bytes[..at]) => raw_string(rest),
            b'\'' => character(&source[at..]),
            _ => None,
        };
        let length = match length {
            None if rest.starts_with(b"//") => rest.len(),
            None => {
                at += 1;
                continue;
            }
            Some(length) => length.min(rest.len()),
        };
        code[at..at + length].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
        at += length;
    }
    String::from_utf8(code).expect("whole characters are replaced")
}

/// Returns whether what follows continues a name, other than the prefixes of `br""` and `cr""`.
fn is_in_name(before: &[u8]) -> bool {
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    match before {
        [.., b, b'b' | b'c'] => is_name(b),
        [.., b] => is_name(b),
        [] => false,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    let body = rest.get(1 + hashes..).filter(|body| body.first() == Some(&b'"'))?;
    let close = [b"\"", &b"#".repeat(hashes)[..]].concat();
    let end = body[1..].windows(close.len()).position(|window| window == close)?;
    Some(1 + hashes + 1 + end + close.len())
}

/// Returns the length of a character, `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    match chars.next()?.1 {
        '\\' => {
            chars.next()?;
            chars.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
        }
        _ => chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1),
    }
}

/// Returns where the keyword of each item of this name stands.
fn named(code: &str, keyword: &str, name: &str) -> Vec<usize> {
    let wanted = format!("{keyword} {name}");
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = |at: &usize| {
        !code[..*at].ends_with(is_name) && !code[at + wanted.len()..].starts_with(is_name)
    };
    code.match_indices(&wanted).map(|(at, _)| at).filter(is_whole).collect()
}

/// Returns where each `impl` stands that begins a line.
fn impls(code: &str) -> impl Iterator<Item = usize> {
    let is_start = |at: &usize| {
        let line = code[..*at].rfind('\n').map_or(0, |newline| newline + 1);
        ["", "unsafe"].contains(&code[line..*at].trim())
    };
    let all = code.match_indices("impl").map(|(at, _)| at).filter(is_start);
    all.filter(|at| code[at + 4..].starts_with([' ', '<']))
}

/// Returns where each function `name` stands in an `impl` of a type, or in a trait.
fn methods(code: &str, owner: &str, name: &str) -> Vec<usize> {
    let implemented = impls(code).filter(|at| self_type(&header(code, *at)) == owner);
    let owners: Vec<_> = implemented.chain(named(code, "trait", owner)).collect();
    let ranges = owners.iter().filter_map(|at| Some(*at..end(code, *at, false)?));
    let ranges: Vec<_> = ranges.collect();
    let mut found = named(code, "fn", name);
    found.retain(|at| ranges.iter().any(|range| range.contains(at)));
    found
}

/// Returns what stands before the block of an item.
fn header(code: &str, at: usize) -> String {
    spaced(code[at..].split('{').next().unwrap_or_default())
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the name of the type that an `impl` is for.
fn self_type(header: &str) -> &str {
    let header = header.split(" where ").next().unwrap_or_default();
    let path = match header.rsplit_once(" for ") {
        Some((_, path)) => path,
        None => {
            let after = &header["impl".len()..];
            let mut depth = 0;
            let start = after.char_indices().find(|(_, c)| {
                depth += i32::from(*c == '<') - i32::from(*c == '>');
                *c == ' ' && depth == 0
            });
            start.map_or("", |(at, _)| &after[at + 1..])
        }
    };
    let path = path.split('<').next().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default().trim_start_matches(['&', ' '])
}

/// Returns where an item ends: behind its block, or behind its semicolon. The value of a constant
/// may have blocks.
fn end(code: &str, at: usize, is_value: bool) -> Option<usize> {
    let mut depth = 0;
    for (i, byte) in code.as_bytes().iter().enumerate().skip(at) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' => depth -= 1,
            b'}' => {
                depth -= 1;
                if depth == 0 && !is_value {
                    return Some(i + 1);
                }
            }
            b';' if depth == 0 => return Some(i + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r##"
//! fn one() {}
/* fn one() { /* fn one() {} */ */
/// Docs of one.
#[inline]
pub(crate) fn one<'a>(x: &'a str) -> [u8; 2] {
    let braces = ("}", '}', '\'', "\"}", r#"}"}"#, b'}', br"}", '\u{7d}'); // }
    [1, 2]
}
fn one_more();
const LIST: &[Pair] = &[Pair { a: 1 }, Pair { a: 2 }];
struct Unit;
struct Tuple<'a>(&'a [u8; 2]);
enum E<T> { A(T), B { r#in: char } }
impl<T: Into<u8>> From<T> for a::E<T>
where
    T: Copy,
{
    fn from(t: T) -> Self {}
}
impl Unit {
    fn new() -> Self { Unit }
}
impl Tuple<'_> {
    fn new() -> Self { loop {} }
}
trait Trait { fn new(); }
macro_rules! m { () => { } }
fn twice() {}
mod tests {
    fn one() {}
    fn twice() {}
    fn twice() {}
}
"##;

    fn text(item: &str) -> Result<&str, String> {
        find(SOURCE, item).map(|range| &SOURCE[range])
    }

    #[test]
    fn an_item_is_found_by_its_name_to_its_end() {
        let one = text("fn one").unwrap();
        assert!(one.starts_with("pub(crate) fn one<") && one.ends_with("[1, 2]\n}"), "{one}");
        for (item, expected) in [
            ("fn one_more", "fn one_more();"),
            ("const LIST", "const LIST: &[Pair] = &[Pair { a: 1 }, Pair { a: 2 }];"),
            ("struct Unit", "struct Unit;"),
            ("struct Tuple", "struct Tuple<'a>(&'a [u8; 2]);"),
            ("enum E", "enum E<T> { A(T), B { r#in: char } }"),
            ("fn E::from", "    fn from(t: T) -> Self {}"),
            ("fn Unit::new", "    fn new() -> Self { Unit }"),
            ("fn Tuple::new", "    fn new() -> Self { loop {} }"),
            ("impl Unit", "impl Unit {\n    fn new() -> Self { Unit }\n}"),
            ("macro m", "macro_rules! m { () => { } }"),
            ("fn twice", "fn twice() {}"),
        ] {
            assert_eq!(text(item), Ok(expected), "{item}");
        }
        let from = text("impl<T: Into<u8>> From<T> for a::E<T> where T: Copy,");
        assert!(from.is_err(), "the word before the space is the kind: {from:?}");
    }

    #[test]
    fn an_item_that_is_missing_or_ambiguous_is_an_error() {
        for item in ["fn on", "fn ne", "fn Unit::one", "struct E", "fn new", "mod tests", "fn", ""]
        {
            assert!(text(item).is_err(), "{item}");
        }
    }
}
