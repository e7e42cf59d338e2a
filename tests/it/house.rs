//! The rules of the house that no compiler holds: who may import whom, which dependency lives
//! where, how long a file is and how it begins. `src/lib.rs` tells people the same.

use std::fs;
use std::path::{Path, PathBuf};

/// The words that every room may use.
const COMMON: &[&str] = &["name", "exptime", "budget", "contents", "refusal", "waker"];

/// What each room imports of this crate, beside itself. `cli`, `main` and `lib` import anything.
const ROOMS: &[(&str, &[&str])] = &[
    ("name", &[]),
    ("exptime", &[]),
    ("budget", &["refusal"]),
    ("contents", &["budget", "refusal"]),
    ("refusal", &["name"]),
    ("waker", &[]),
    ("net", COMMON),
    ("wire", COMMON),
    ("files", COMMON),
    ("store", &["name", "contents", "files"]),
    (
        "server",
        &[
            "name", "exptime", "budget", "contents", "refusal", "waker", "net", "wire", "files",
            "store",
        ],
    ),
    ("framework", &["net"]),
    ("client", &["name", "exptime", "budget", "contents", "refusal", "net", "wire"]),
    ("cli", ANYTHING),
    ("main", ANYTHING),
    ("lib", ANYTHING),
];

const ANYTHING: &[&str] = &["*"];

/// Where each dependency is imported: files, folders with a `/` behind them, or anywhere.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    (
        "crossbeam_channel",
        &[
            "net/pool.rs",
            "files/table.rs",
            "files/watchers.rs",
            "server/mod.rs",
            "server/builder.rs",
            "framework/flusher.rs",
            "framework/server.rs",
            "framework/worker.rs",
            "cli/log.rs",
        ],
    ),
    ("crc32fast", &["store/format.rs", "store/stream.rs"]),
    ("itoa", &["wire/fields.rs"]),
    ("log", ANYTHING),
    ("memchr", &["net/lines.rs"]),
    ("redb", &["store/"]),
    (
        "rustix",
        &[
            "waker.rs",
            "net/listener.rs",
            "net/stream.rs",
            "server/system.rs",
            "files/kinds/text/",
            "cli/streams.rs",
            "cli/watch.rs",
            "cli/signals.rs",
            "cli/lock/",
            "store/disk.rs",
            "store/whole.rs",
        ],
    ),
    ("socket2", &["net/connect.rs", "net/listener.rs", "net/options.rs", "net/stream.rs"]),
    ("subtle", &["server/token.rs"]),
    ("env_logger", &["cli/"]),
    ("hdrhistogram", &["cli/"]),
    ("lexopt", &["cli/"]),
    ("nix", &["cli/signals.rs"]),
    ("signal_hook", &["cli/"]),
];

/// A file fits in a head, its tests counted.
const MAX_LINES: usize = 400;

/// A path in the code, as it stands there, groups spread: `use a::{b, c::d}` are two.
#[derive(Debug, PartialEq)]
struct Import {
    line: usize,
    path: Vec<String>,
}

#[test]
fn each_room_imports_only_what_it_may() {
    let bad: Vec<_> = sources().iter().flat_map(|(file, text)| bad_imports(file, text)).collect();
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn each_dependency_is_imported_in_few_places() {
    let sources = sources();
    let bad: Vec<_> =
        sources.iter().flat_map(|(file, text)| bad_dependencies(file, text)).collect();
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));

    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let listed: Vec<_> = DEPENDENCIES.iter().map(|(name, _)| name.to_string()).collect();
    for name in dependencies_of(&manifest) {
        assert!(listed.contains(&name), "{name} is in Cargo.toml and has no place in this test");
    }
    for (name, places) in DEPENDENCIES {
        for place in places.iter().filter(|place| **place != "*") {
            let used = |(file, text): &(String, String)| {
                is_at(file, place) && imports(text).iter().any(|import| import.path[0] == *name)
            };
            assert!(sources.iter().any(used), "{name} is not used in {place} any more");
        }
    }
}

#[test]
fn each_file_begins_with_what_it_is_and_is_not_too_long() {
    let mut bad = Vec::new();
    for (file, text) in sources() {
        let lines = text.lines().count();
        if !text.starts_with("//! ") {
            bad.push(format!("src/{file} does not begin with //!"));
        }
        if lines > MAX_LINES {
            bad.push(format!("src/{file} has {lines} lines, more than {MAX_LINES}"));
        }
    }
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn planted_bad_imports_are_found() {
    for (file, text) in [
        ("net/lines.rs", "use crate::wire::Reply;"),
        ("net/mod.rs", "use super::wire;"),
        ("net/lines.rs", "fn f() {\n    crate::files::Table::new()\n}"),
        ("wire/reply.rs", "use crate::{\n    refusal::Refusal,\n    net::{Lines, Pool},\n};"),
        ("wire/reply.rs", "use super::super::net;"),
        ("files/table.rs", "pub(crate) use crate::Clock;"),
        ("files/table.rs", "mod tests {\n    use super::super::super::server;\n}"),
        ("files/kinds/log.rs", "use crate::server::Server;"),
        ("contents.rs", "use crate::name::Name;"),
        ("name.rs", "use super::exptime::Exptime;"),
        ("server/mod.rs", "use crate::cli;"),
        ("framework/link.rs", "use crate::contents::Contents;"),
        ("store/durable.rs", "use crate::server::Server;"),
        ("files/store.rs", "use crate::store::Durable;"),
        ("attic/mod.rs", ""),
    ] {
        assert!(!bad_imports(file, text).is_empty(), "{file}: {text}");
    }
    for (file, text) in [
        ("net/lines.rs", "use crate::contents::{Contents, Incoming};\nuse super::stream::Stream;"),
        ("net/lines.rs", "// use crate::wire::Reply;\n/// [`crate::files::Table`]"),
        ("net/lines.rs", "mod tests {\n    use super::*;\n}"),
        ("net/lines.rs", "fn f() { x::<crate::net::Pool>(\"crate::wire\") }"),
        ("server/session.rs", "use super::{Shared, dispatch::Answer};\nuse crate::net::Pool;"),
    ] {
        assert_eq!(bad_imports(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn planted_bad_dependencies_are_found() {
    for (file, text, count) in [
        ("server/session.rs", "use socket2::Socket;", 1),
        ("wire/reply.rs", "fn f() { rustix::net::recv() }", 1),
        ("net/pool.rs", "use memchr;", 1),
        ("cli/serve.rs", "use lexopt::Arg;\nuse ::subtle::Choice;", 1),
        ("cli/bench/mod.rs", "use hdrhistogram::Histogram;", 0),
        ("files/table.rs", "log::error!(\"\");", 0),
        ("net/pool.rs", "use std::log::rustix;", 0),
    ] {
        assert_eq!(bad_dependencies(file, text).len(), count, "{file}: {text}");
    }
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\na-b = \"1\" # c = 2\n# d = 3\n\n\
                    [dev-dependencies]\ne = 1\n[target.'cfg(unix)'.dependencies]\nf = 1";
    assert_eq!(dependencies_of(manifest), ["a_b", "f"]);
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `src`, by its path from there.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, found),
                false => found.push(path),
            }
        }
    }
    let (src, mut found) = (root().join("src"), Vec::new());
    walk(&src, &mut found);
    found.sort();
    let relative = |path: &Path| path.strip_prefix(&src).unwrap().display().to_string();
    found.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

fn bad_imports(file: &str, text: &str) -> Vec<String> {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let module: Vec<_> = module.split('/').collect();
    let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == module[0]) else {
        return vec![format!("src/{file}: what {} may import is not said in this test", module[0])];
    };
    let mut bad = Vec::new();
    for import in imports(text) {
        let Some(room) = room_of(&import, &module, in_tests(text, import.line)) else { continue };
        if room != module[0] && !allowed.contains(&"*") && !allowed.contains(&room.as_str()) {
            let path = import.path.join("::");
            bad.push(format!("src/{file}:{}: {} imports {path}", import.line, module[0]));
        }
    }
    bad
}

/// The first name below the crate that an import leads to; `None` for another crate's.
fn room_of(import: &Import, module: &[&str], in_tests: bool) -> Option<String> {
    let mut at = module.to_vec();
    if in_tests {
        at.push("tests");
    }
    if !["crate", "self", "super"].contains(&import.path[0].as_str()) {
        return None;
    }
    for name in &import.path {
        match name.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => drop(at.pop()),
            name => at.push(name),
        }
    }
    at.first().map(|room| room.to_string())
}

/// Whether the line is in the file's `mod tests`, where `super` is the file itself.
fn in_tests(text: &str, line: usize) -> bool {
    let mut before = text.lines().take(line);
    before.any(|l| l.starts_with("mod tests {"))
}

fn bad_dependencies(file: &str, text: &str) -> Vec<String> {
    let mut bad = Vec::new();
    for import in imports(text) {
        let Some((name, places)) = DEPENDENCIES.iter().find(|(name, _)| import.path[0] == *name)
        else {
            continue;
        };
        if !places.iter().any(|place| is_at(file, place)) {
            bad.push(format!("src/{file}:{}: {name} belongs to {places:?}", import.line));
        }
    }
    bad
}

fn is_at(file: &str, place: &str) -> bool {
    place == "*" || place == file || (place.ends_with('/') && file.starts_with(place))
}

/// The dependencies in a manifest, also those of one system, as they are written in code.
fn dependencies_of(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with('[') {
            inside = line == "[dependencies]" || line.ends_with(".dependencies]");
        } else if inside && let Some((name, _)) = line.split_once('=') {
            names.push(name.trim().replace('-', "_"));
        }
    }
    names
}

/// The paths in the code, those of one name only if they stand in a `use`. Line by line: what
/// stands in comments and in strings of one line does not count.
fn imports(text: &str) -> Vec<Import> {
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
            // A macro's `$crate` is a path of who uses it.
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
