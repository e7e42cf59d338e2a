//! Circles of files that import each other.

use super::imports::{Import, imports};
use super::in_tests;
use std::collections::{BTreeMap, BTreeSet};

/// What each file imports, their tests apart: files as modules.
pub(super) fn imported(sources: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let module = |file: &str| {
        let file = file.strip_suffix(".rs").unwrap_or(file);
        file.strip_suffix("/mod").unwrap_or(file).replace('/', "::")
    };
    let is_test = |module: &str| module.split("::").any(|name| name == "tests");
    let files = sources.iter().map(|(file, text)| (module(file), text));
    let files: Vec<_> = files.filter(|(from, _)| !is_test(from)).collect();
    let mut tree = Tree { modules: BTreeSet::new(), passed_on: BTreeMap::new() };
    tree.modules.extend(files.iter().map(|(module, _)| module.clone()));
    for (from, text) in &files {
        for import in imports(text) {
            if let (Some(path), Some(name)) = (tree.path(&import, from), import.passed_on) {
                tree.passed_on.insert((from.clone(), name), path);
            }
        }
    }
    let imported = files.iter().map(|(from, text)| {
        let uses = imports(text).into_iter().filter(|import| !in_tests(text, import.line));
        // What is passed on is not used here.
        let uses = uses.filter(|import| import.passed_on.is_none());
        let to = uses.filter_map(|import| tree.file(tree.path(&import, from)?));
        (from.clone(), to.filter(|to| to != from).collect())
    });
    imported.collect()
}

/// The files, as modules, that import each other in a circle, their tests apart.
pub(super) fn circles(sources: &[(String, String)]) -> Vec<Vec<String>> {
    let imported = imported(sources);
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

/// All files as modules, and what they pass on.
struct Tree {
    modules: BTreeSet<String>,
    /// The path of what a module passes on under a name.
    passed_on: BTreeMap<(String, String), Vec<String>>,
}

impl Tree {
    /// Returns the path from the crate's root of an import of `from`; `None` for another crate's.
    fn path(&self, import: &Import, from: &str) -> Option<Vec<String>> {
        let mut at: Vec<&str> = from.split("::").filter(|name| *name != "lib").collect();
        match import.path[0].as_str() {
            "crate" => at.clear(),
            "self" | "super" => {}
            // A module of its own, as `use inner::Thing` in a `mod.rs`.
            name if self.modules.contains(&[&at[..], &[name]].concat().join("::")) => {}
            _ => return None,
        }
        for name in &import.path {
            match name.as_str() {
                "crate" | "self" => {}
                "super" => drop(at.pop()),
                name => at.push(name),
            }
        }
        Some(at.into_iter().map(String::from).collect())
    }

    /// Returns the file that a path leads to, wherever it is passed on.
    fn file(&self, path: Vec<String>) -> Option<String> {
        let longest = (1..=path.len()).rev().map(|n| (n, path[..n].join("::")));
        let (n, module) = longest.into_iter().find(|(_, at)| self.modules.contains(at))?;
        let Some(name) = path.get(n) else { return Some(module) };
        match self.passed_on.get(&(module.clone(), name.clone())) {
            Some(origin) => self.file([&origin[..], &path[n + 1..]].concat()),
            None => Some(module),
        }
    }
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
    // Through a door that passes it on, under another name.
    let door = "mod x;\nmod y;\npub(in crate::a) use y::{Y as Z, W};";
    let found = circles(&[
        file("a/mod.rs", door),
        file("a/x.rs", "use super::Z;"),
        file("a/y.rs", "fn f() -> crate::a::x::X {}"),
    ]);
    assert_eq!(found, [vec!["a::x", "a::y"]]);
}
