//! What a source file imports, read from its text.

/// A path in the code, as it stands there, groups spread: `use a::{b, c::d}` are two.
#[derive(Debug, PartialEq)]
pub(super) struct Import {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
}

/// The paths in the code, those of one name only if they stand in a `use`. Line by line: what
/// stands in comments and in strings of one line does not count.
pub(super) fn imports(text: &str) -> Vec<Import> {
    let mut found = Vec::new();
    // The `use` that is not ended yet, and where it began.
    let mut open: Option<(usize, String)> = None;
    for (line, code) in (1..).zip(text.lines()) {
        let code = without_strings_and_comments(code);
        let start = code.trim_start();
        let starts_use = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "];
        if open.is_none()
            && let Some(tree) = starts_use.iter().find_map(|word| start.strip_prefix(word))
        {
            open = Some((line, tree.to_string()));
        } else if let Some((_, tree)) = &mut open {
            tree.push_str(start);
        } else {
            // A macro's `$crate` is a path of its caller.
            let is_path = |c: char| c.is_alphanumeric() || "_:$".contains(c);
            for path in code.split(|c| !is_path(c)).filter(|path| path.contains("::")) {
                found.push(Import { line, path: segments(path) });
            }
        }
        if let Some((line, tree)) = open.take_if(|(_, tree)| tree.contains(';')) {
            spread(&[], tree.trim_end().trim_end_matches(';'), line, &mut found);
        }
    }
    found.retain(|import| !import.path.is_empty());
    found
}

/// Adds each leaf of a `use` tree: `a::{b, c::{d, e}}` are three.
fn spread(before: &[String], tree: &str, line: usize, found: &mut Vec<Import>) {
    let (head, group) = match tree.split_once('{') {
        Some((head, group)) => (head, group.trim_end().strip_suffix('}')),
        None => (tree.split(" as ").next().unwrap_or(tree), None),
    };
    let path = [before, &segments(head)].concat();
    let Some(group) = group else {
        found.push(Import { line, path });
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
            '"' => in_string = !in_string,
            '/' if !in_string && chars.peek() == Some(&'/') => break,
            _ if !in_string => code.push(c),
            _ => {}
        }
    }
    code
}
