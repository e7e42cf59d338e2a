//! Circles of files that import each other.

use super::imports::{Import, imports};
use super::in_tests;
use std::collections::{BTreeMap, BTreeSet};

/// The files, as modules, that import each other in a circle, their tests apart.
pub(super) fn circles(sources: &[(String, String)]) -> Vec<Vec<String>> {
    let module = |file: &str| {
        let file = file.strip_suffix(".rs").unwrap_or(file);
        file.strip_suffix("/mod").unwrap_or(file).replace('/', "::")
    };
    let modules: Vec<_> = sources.iter().map(|(file, _)| module(file)).collect();
    let is_test = |module: &str| module.split("::").any(|name| name == "tests");
    let mut imported = BTreeMap::new();
    for ((_, text), from) in sources.iter().zip(&modules).filter(|(_, from)| !is_test(from)) {
        let uses = imports(text).into_iter().filter(|import| !in_tests(text, import.line));
        // What is passed on is not used here, and a visibility uses nothing.
        let is_use = |import: &Import| {
            let line = text.lines().nth(import.line - 1).unwrap_or_default().trim_start();
            !(line.starts_with("pub") && line.contains(" use "))
                && import.path != ["crate", "files"]
        };
        let to = uses.filter(is_use).filter_map(|import| leads_to(&import, from, &modules));
        let to: BTreeSet<_> = to.collect();
        imported.insert(from.clone(), to.into_iter().filter(|to| to != from).collect::<Vec<_>>());
    }
    // What each file reaches.
    let reaches = |from: &String| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            let to = imported.get(module).into_iter().flatten();
            next.extend(to.filter(|to| reached.insert((*to).clone())));
        }
        reached
    };
    let reached: BTreeMap<_, _> = imported.keys().map(|from| (from, reaches(from))).collect();
    let with = |a: &String| {
        let both = |b: &&String| reached[*b].contains(a) && reached[a].contains(*b);
        imported.keys().filter(both).cloned().collect::<Vec<_>>()
    };
    let circles: BTreeSet<_> = imported.keys().map(with).filter(|c| c.len() > 1).collect();
    circles.into_iter().collect()
}

/// The module that an import of `from` leads to; `None` for another crate's.
fn leads_to(import: &Import, from: &str, modules: &[String]) -> Option<String> {
    let mut at: Vec<&str> = from.split("::").collect();
    match import.path[0].as_str() {
        "crate" => at.clear(),
        "self" | "super" => {}
        // A module of its own, as `use inner::Thing` in a `mod.rs`.
        name if modules.contains(&format!("{from}::{name}")) => {}
        _ => return None,
    }
    for name in &import.path {
        match name.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()),
            name => at.push(name),
        }
    }
    let longest = (1..=at.len()).rev().map(|n| at[..n].join("::"));
    longest.into_iter().find(|module| modules.contains(module))
}

#[test]
fn planted_circles_are_found() {
    let file = |file: &str, text: &str| (file.to_string(), text.to_string());
    let found = circles(&[
        file("lib.rs", "mod a;\nmod b;"),
        file("a/mod.rs", "mod x;\nuse x::X;\nuse crate::b::B;"),
        file("a/x.rs", "use super::y::Y;"),
        file("a/y.rs", "use crate::{b::B, a::z::{Z, W}};"),
        file(
            "a/z.rs",
            "use super::x::X;\n#[cfg(test)]\nmod tests {\n    use super::super::w::W;\n}",
        ),
        file("a/w.rs", "use super::z::Z;"),
        file("b.rs", "use crate::a::A;"),
    ]);
    assert_eq!(found, [vec!["a", "a::x", "a::y", "a::z", "b"]]);
    let found = circles(&[file("a/mod.rs", "use x::X;"), file("a/x.rs", "use crate::b::B;")]);
    assert!(found.is_empty());
}
