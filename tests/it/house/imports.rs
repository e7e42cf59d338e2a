//! What a source file imports, read from its text.

/// A path in the code, as it stands there, groups spread: `use a::{b, c::d}` are two.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Import {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
    /// What it is called here, if the file passes it on: `pub use a::b as c` passes on `c`.
    pub(super) passed_on: Option<String>,
}

/// A `use` that has not ended yet.
struct Open {
    line: usize,
    tree: String,
    is_passed_on: bool,
}

/// The paths in the code, those of one name only if they stand in a `use`. Line by line: what
/// stands in comments and in strings of one line does not count, nor does a visibility.
pub(super) fn imports(text: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let mut open: Option<Open> = None;
    for (line, code) in (1..).zip(text.lines()) {
        let code = without_strings_and_comments(code);
        let (is_public, start) = without_visibility(code.trim_start());
        if let Some(Open { tree, .. }) = &mut open {
            tree.push_str(start);
        } else if let Some(tree) = start.strip_prefix("use ") {
            open = Some(Open { line, tree: tree.to_string(), is_passed_on: is_public });
        } else {
            // A macro's `$crate` is a path of its caller.
            let is_path = |c: char| c.is_alphanumeric() || "_:$".contains(c);
            for path in start.split(|c| !is_path(c)).filter(|path| path.contains("::")) {
                found.push(Import { line, path: segments(path), passed_on: None });
            }
        }
        if let Some(Open { line, tree, is_passed_on }) =
            open.take_if(|open| open.tree.contains(';'))
        {
            let begin = found.len();
            spread(&[], tree.trim_end().trim_end_matches(';'), line, &mut found);
            if !is_passed_on {
                found[begin..].iter_mut().for_each(|import| import.passed_on = None);
            }
        }
    }
    found.retain(|import| !import.path.is_empty());
    found
}

/// Returns whether a line begins with a visibility, and what follows it.
fn without_visibility(line: &str) -> (bool, &str) {
    match line.strip_prefix("pub").map(|rest| (rest, rest.split_once(") "))) {
        Some((_, Some((visibility, after)))) if visibility.starts_with('(') => (true, after),
        Some((rest, _)) if rest.starts_with(' ') => (true, rest.trim_start()),
        _ => (false, line),
    }
}

/// Adds each leaf of a `use` tree: `a::{b, c::{d, e}}` are three.
fn spread(before: &[String], tree: &str, line: usize, found: &mut Vec<Import>) {
    let (head, group) = match tree.split_once('{') {
        Some((head, group)) => (head, group.trim_end().strip_suffix('}')),
        None => (tree.split(" as ").next().unwrap_or(tree), None),
    };
    let path = [before, &segments(head)].concat();
    let Some(group) = group else {
        let name = tree.split_once(" as ").map(|(_, name)| name.trim().to_string());
        let passed_on = name.or_else(|| path.last().cloned());
        found.push(Import { line, path, passed_on });
        return;
    };
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[start..at].trim().is_empty() {
                    spread(&path, &group[start..at], line, found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|s| !s.is_empty()).map(String::from).collect()
}

fn without_strings_and_comments(line: &str) -> String {
    let mut code = String::new();
    let (mut chars, mut in_string) = (line.chars().peekable(), false);
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_string => drop(chars.next()),
            // A quote as a character, and an escaped character.
            '\'' if !in_string && chars.peek() == Some(&'"') => drop(chars.next()),
            '\'' if !in_string && chars.peek() == Some(&'\\') => drop(chars.nth(1)),
            '"' => in_string = !in_string,
            '/' if !in_string && chars.peek() == Some(&'/') => break,
            _ if !in_string => code.push(c),
            _ => {}
        }
    }
    code
}

#[test]
fn each_path_is_found_in_whatever_form() {
    let paths = |text: &str| -> Vec<String> {
        imports(text).iter().map(|import| import.path.join("::")).collect()
    };
    for (text, expected) in [
        ("use a;", &["a"][..]),
        ("pub(in crate::files) use a::{\n    b::C,\n    d as e,\n};", &["a::b::C", "a::d"]),
        ("    pub(super) use a::b; // c::d", &["a::b"]),
        ("pub(in crate::files) fn f() -> a::B {", &["a::B"]),
        ("pub(crate) struct S(pub(super) a::B);", &["a::B"]),
        ("match c { b'\"' => a::f(\"c::d\"), '\\\"' => a::g() }", &["a::f", "a::g"]),
    ] {
        assert_eq!(paths(text), expected, "{text}");
    }
    let passed_on = |text: &str| -> Vec<_> {
        imports(text).into_iter().filter_map(|import| import.passed_on).collect()
    };
    assert_eq!(
        passed_on("use a::b;\npub(crate) use c::{d, e::f as g};\npub use h;"),
        ["d", "g", "h"]
    );
}
