//! The rules of the house that no compiler holds: which module imports which, where each dependency
//! is imported, how long a file is and how it begins. `ARCHITECTURE.md` explains them to people.

mod circles;
mod dependencies;
mod imports;
mod randomness;

use circles::{circles, imported};
use imports::{Import, imports};
use std::fs;
use std::path::{Path, PathBuf};

/// The words that every room may use.
const COMMON: &[&str] = &[
    "name", "exptime", "budget", "contents", "panics", "random", "refusal", "rights", "token",
    "version", "waker",
];

/// What each room imports of this crate, beside itself. `cli`, `main` and `lib` import anything.
const ROOMS: &[(&str, &[&str])] = &[
    ("name", &[]),
    ("exptime", &[]),
    ("budget", &["refusal"]),
    ("contents", &["budget", "refusal"]),
    ("panics", &[]),
    ("random", &[]),
    ("refusal", &["name", "version"]),
    ("rights", &[]),
    ("token", &[]),
    ("version", &["random"]),
    ("waker", &[]),
    ("net", COMMON),
    ("wire", COMMON),
    ("files", COMMON),
    ("store", &["name", "contents", "panics", "random", "rights", "version", "waker", "files"]),
    (
        "server",
        &[
            "name", "exptime", "budget", "contents", "panics", "random", "refusal", "token",
            "version", "waker", "net", "wire", "files", "store",
        ],
    ),
    ("framework", &["panics", "net"]),
    (
        "client",
        &["name", "exptime", "budget", "contents", "refusal", "token", "version", "net", "wire"],
    ),
    ("sync", &["name", "exptime", "contents", "random", "refusal", "token", "version", "client"]),
    ("cli", ANYTHING),
    ("fuzz", ANYTHING),
    ("main", ANYTHING),
    ("lib", ANYTHING),
];

const ANYTHING: &[&str] = &["*"];

/// How many lines a file may have, without the unit tests at its end.
const MAX_LINES: usize = 320;

/// How many lines a file of tests, of a benchmark or of an example may have.
const MAX_TEST_LINES: usize = 400;

#[test]
fn each_module_imports_only_what_it_may() {
    let bad: Vec<_> = sources().iter().flat_map(|(file, text)| bad_imports(file, text)).collect();
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn each_file_begins_with_a_head_and_is_short() {
    let files = ["src", "tests", "benches", "examples"].map(files_of);
    let bad = files.iter().flatten().flat_map(|(file, text)| bad_shape(file, text));
    let bad: Vec<_> = bad.collect();
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn planted_long_files_are_found() {
    let lines = |n: usize| "//! Head.\n".to_string() + &"fn f() {}\n".repeat(n - 1);
    let tests = |n: usize| format!("\n#[cfg(test)]\nmod tests {{\n{}}}\n", "    x();\n".repeat(n));
    let (max, max_tests) = (MAX_LINES, MAX_TEST_LINES);
    for (file, text) in [
        ("src/a.rs", lines(max + 1)),
        ("src/a/mod.rs", lines(max + 1) + &tests(10)),
        // Only the end of a file does not count.
        ("src/a.rs", lines(max / 2) + &tests(10) + &lines(max / 2)),
        ("src/a/tests.rs", lines(max_tests + 1)),
        ("src/a/tests/b.rs", lines(max_tests + 1)),
        ("tests/it/a.rs", lines(max_tests + 1)),
        ("tests/it/a.rs", lines(max_tests) + &tests(10)),
        ("benches/a.rs", lines(max_tests + 1)),
        ("src/a.rs", lines(3).replace("//! ", "// ")),
        ("tests/it/a.rs", lines(3).replace("//! ", "// ")),
    ] {
        assert_eq!(bad_shape(file, &text).len(), 1, "{file}: {} lines", text.lines().count());
    }
    for (file, text) in [
        ("src/a.rs", lines(max)),
        ("src/a.rs", lines(max) + &tests(1000)),
        ("src/a/tests.rs", lines(max_tests)),
        ("src/a/tests/b.rs", lines(max_tests)),
        ("examples/a.rs", lines(max_tests)),
    ] {
        assert_eq!(bad_shape(file, &text), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn planted_bad_imports_are_found() {
    for (file, text) in [
        ("net/lines.rs", "use crate::wire::Reply;"),
        ("net/mod.rs", "use super::wire;"),
        ("net/lines.rs", "fn f() {\n    crate::files::Table::new()\n}"),
        ("wire/reply.rs", "use crate::{\n    refusal::Refusal,\n    net::{LineBuffer, Pool},\n};"),
        ("wire/reply.rs", "use super::super::net;"),
        ("files/clock.rs", "pub(crate) use crate::Clock;"),
        ("files/clock.rs", "mod tests {\n    use super::super::super::server;\n}"),
        ("files/kinds/log.rs", "use crate::server::Server;"),
        ("contents.rs", "use crate::name::Name;"),
        ("name.rs", "use super::exptime::Exptime;"),
        ("server/mod.rs", "use crate::cli;"),
        ("framework/channel/mod.rs", "use crate::contents::Contents;"),
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
fn no_files_import_each_other_in_a_circle() {
    let circles = circles(&sources());
    assert!(circles.is_empty(), "{circles:?}");
}

/// What stands under the table's lock knows nothing of the operations on it.
#[test]
fn the_state_of_the_table_does_not_import_its_operations() {
    let upwards = |sources: &[(String, String)]| -> Vec<String> {
        let is_state = |module: &String| module.starts_with("files::state");
        let is_table = |module: &String| module.starts_with("files::table");
        let states = imported(sources).into_iter().filter(|(from, _)| is_state(from));
        states.filter(|(_, to)| to.iter().any(is_table)).map(|(from, _)| from).collect()
    };
    let sources = sources();
    assert_eq!(upwards(&sources), [""; 0]);
    for text in
        ["use super::super::table::lost;", "use crate::files::Table;", "crate::files::Open::f()"]
    {
        let planted = ("files/state/planted.rs".to_string(), text.to_string());
        assert_eq!(
            upwards(&[&sources[..], &[planted]].concat()),
            ["files::state::planted"],
            "{text}"
        );
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `src`, by its path from there.
fn sources() -> Vec<(String, String)> {
    let files = files_of("src").into_iter();
    files.map(|(file, text)| (file["src/".len()..].to_string(), text)).collect()
}

/// Every Rust file below a folder, by its path from the root of the project.
fn files_of(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, found),
                false => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    found.sort();
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    found.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

fn bad_shape(file: &str, text: &str) -> Vec<String> {
    let mut bad = Vec::new();
    if !text.starts_with("//! ") {
        bad.push(format!("{file} does not begin with //!"));
    }
    let is_test = !file.starts_with("src/")
        || file.trim_end_matches(".rs").split('/').any(|part| part == "tests");
    let (lines, max) = match is_test {
        true => (text.lines().count(), MAX_TEST_LINES),
        false => (without_tests(text).lines().count(), MAX_LINES),
    };
    if lines > max {
        bad.push(format!("{file} has {lines} lines, more than {max}"));
    }
    bad
}

/// The text before the unit tests, where these are the end of a file.
fn without_tests(text: &str) -> &str {
    match text.split_once("\n#[cfg(test)]\nmod tests {\n") {
        Some((before, tests)) if tests.find("\n}\n") == Some(tests.len() - 3) => before,
        _ => text,
    }
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
        // Its tests need one to speak to.
        if file.starts_with("sync/tests/") && room == "server" {
            continue;
        }
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
    place_of(import, &at)?.into_iter().next()
}

/// The path below the crate that an import leads to; `None` for another crate's.
fn place_of(import: &Import, module: &[&str]) -> Option<Vec<String>> {
    let mut at = module.to_vec();
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
    Some(at.into_iter().map(String::from).collect())
}

/// Whether the line is in the file's `mod tests`, where `super` is the file itself.
fn in_tests(text: &str, line: usize) -> bool {
    let mut before = text.lines().take(line);
    before.any(|l| l.starts_with("mod tests {"))
}
