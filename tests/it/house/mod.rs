//! The rules of the house that no compiler holds: which module imports which, where each dependency
//! is imported, how long a file is and how it begins. `ARCHITECTURE.md` explains them to people.

mod circles;
mod imports;

use circles::circles;
use imports::{Import, imports};
use std::fs;
use std::path::{Path, PathBuf};

/// The words that every room may use.
const COMMON: &[&str] =
    &["name", "exptime", "budget", "contents", "refusal", "token", "version", "waker"];

/// What each room imports of this crate, beside itself. `cli`, `main` and `lib` import anything.
const ROOMS: &[(&str, &[&str])] = &[
    ("name", &[]),
    ("exptime", &[]),
    ("budget", &["refusal"]),
    ("contents", &["budget", "refusal"]),
    ("refusal", &["name", "version"]),
    ("token", &[]),
    ("version", &[]),
    ("waker", &[]),
    ("net", COMMON),
    ("wire", COMMON),
    ("files", COMMON),
    ("store", &["name", "contents", "files"]),
    (
        "server",
        &[
            "name", "exptime", "budget", "contents", "refusal", "token", "version", "waker", "net",
            "wire", "files", "store",
        ],
    ),
    ("framework", &["net"]),
    (
        "client",
        &["name", "exptime", "budget", "contents", "refusal", "token", "version", "net", "wire"],
    ),
    ("sync", &["name", "exptime", "refusal", "token", "version", "client"]),
    ("cli", ANYTHING),
    ("fuzz", ANYTHING),
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
            "files/table/mod.rs",
            "files/state/watchers.rs",
            "server/mod.rs",
            "server/bind.rs",
            "framework/flusher.rs",
            "framework/server.rs",
            "framework/service.rs",
            "framework/worker.rs",
            "cli/log.rs",
        ],
    ),
    (
        "clap",
        &["cli/command.rs", "cli/new_contents.rs", "cli/remote.rs", "cli/values.rs", "cli/verbs/"],
    ),
    ("blake3", &["sync/hash.rs"]),
    ("fastcdc", &["sync/chunk.rs"]),
    ("ignore", &["sync/ignored.rs"]),
    ("indicatif", &["cli/verbs/sync/"]),
    ("notify", &["sync/watcher.rs", "sync/tests/cost.rs"]),
    ("crc32fast", &["store/format.rs", "store/stream.rs"]),
    ("hashbrown", &["files/state/files/index.rs", "files/state/key.rs", "files/state/journal.rs"]),
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
            "cli/verbs/watch.rs",
            "cli/signals.rs",
            "cli/verbs/lock/",
            "sync/beneath.rs",
            "sync/marker.rs",
            "sync/preflight.rs",
            "sync/root.rs",
            "sync/stat.rs",
            "sync/state.rs",
            "sync/tests/disk.rs",
            "store/disk.rs",
            "store/whole.rs",
        ],
    ),
    ("socket2", &["net/connect.rs", "net/listener.rs", "net/options.rs", "net/stream.rs"]),
    ("subtle", &["token.rs"]),
    ("env_logger", &["cli/"]),
    ("hdrhistogram", &["cli/"]),
    ("nix", &["cli/signals.rs", "cli/verbs/lock/"]),
    ("signal_hook", &["cli/"]),
];

/// How many lines a file may have, without the unit tests at its end.
const MAX_LINES: usize = 320;

/// How many lines a file of tests may have.
const MAX_TEST_LINES: usize = 400;

#[test]
fn each_module_imports_only_what_it_may() {
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
fn each_file_begins_with_a_head_and_is_short() {
    let bad: Vec<_> = sources().iter().flat_map(|(file, text)| bad_shape(file, text)).collect();
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn planted_long_files_are_found() {
    let lines = |n: usize| "//! Head.\n".to_string() + &"fn f() {}\n".repeat(n - 1);
    let tests = |n: usize| format!("\n#[cfg(test)]\nmod tests {{\n{}}}\n", "    x();\n".repeat(n));
    let (max, max_tests) = (MAX_LINES, MAX_TEST_LINES);
    for (file, text) in [
        ("a.rs", lines(max + 1)),
        ("a/mod.rs", lines(max + 1) + &tests(10)),
        // Only the end of a file does not count.
        ("a.rs", lines(max / 2) + &tests(10) + &lines(max / 2)),
        ("a/tests.rs", lines(max_tests + 1)),
        ("a/tests/b.rs", lines(max_tests + 1)),
        ("a.rs", lines(3).replace("//! ", "// ")),
    ] {
        assert_eq!(bad_shape(file, &text).len(), 1, "{file}: {} lines", text.lines().count());
    }
    for (file, text) in [
        ("a.rs", lines(max)),
        ("a.rs", lines(max) + &tests(1000)),
        ("a/tests.rs", lines(max_tests)),
        ("a/tests/b.rs", lines(max_tests)),
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
        ("wire/reply.rs", "use crate::{\n    refusal::Refusal,\n    net::{Lines, Pool},\n};"),
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
fn planted_bad_dependencies_are_found() {
    for (file, text, count) in [
        ("server/session.rs", "use socket2::Socket;", 1),
        ("wire/reply.rs", "fn f() { rustix::net::recv() }", 1),
        ("net/pool.rs", "use memchr;", 1),
        ("cli/verbs/serve.rs", "use clap::Args;\nuse ::subtle::Choice;", 1),
        ("cli/bench/mod.rs", "use hdrhistogram::Histogram;", 0),
        ("files/table/mod.rs", "log::error!(\"\");", 0),
        ("net/pool.rs", "use std::log::rustix;", 0),
    ] {
        assert_eq!(bad_dependencies(file, text).len(), count, "{file}: {text}");
    }
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\na-b = \"1\" # c = 2\n# d = 3\n\n\
                    [dev-dependencies]\ne = 1\n[target.'cfg(unix)'.dependencies]\nf = 1";
    assert_eq!(dependencies_of(manifest), ["a_b", "f"]);
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = circles(&sources());
    assert!(circles.is_empty(), "{circles:?}");
}

/// What stands under the table's lock knows nothing of the operations on it.
#[test]
fn the_state_of_the_table_does_not_import_its_operations() {
    let from_table = |(file, text): &(String, String)| {
        let module: Vec<_> = file.trim_end_matches(".rs").split('/').collect();
        let table = |import: Import| {
            let path = place_of(&import, &module)?;
            path.starts_with(&["files".to_string(), "table".to_string()]).then_some(import.line)
        };
        imports(text).into_iter().find_map(table).map(|line| format!("src/{file}:{line}"))
    };
    let below = |(file, _): &&(String, String)| file.starts_with("files/state/");
    let bad: Vec<_> = sources().iter().filter(below).filter_map(from_table).collect();
    assert!(bad.is_empty(), "{bad:?}");
    let planted =
        ("files/state/entry.rs".to_string(), "use super::super::table::lost;".to_string());
    assert_eq!(from_table(&planted), Some("src/files/state/entry.rs:1".to_string()));
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

fn bad_shape(file: &str, text: &str) -> Vec<String> {
    let mut bad = Vec::new();
    if !text.starts_with("//! ") {
        bad.push(format!("src/{file} does not begin with //!"));
    }
    let is_test = file.trim_end_matches(".rs").split('/').any(|part| part == "tests");
    let (lines, max) = match is_test {
        true => (text.lines().count(), MAX_TEST_LINES),
        false => (without_tests(text).lines().count(), MAX_LINES),
    };
    if lines > max {
        bad.push(format!("src/{file} has {lines} lines, more than {max}"));
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
