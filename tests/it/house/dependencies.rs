//! Where each dependency is imported.

use super::imports::imports;
use super::{ANYTHING, root, sources};
use std::fs;

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
            "server/member/mod.rs",
            "server/source.rs",
            "framework/flusher.rs",
            "framework/server.rs",
            "framework/service.rs",
            "framework/worker.rs",
            "cli/log.rs",
        ],
    ),
    (
        "clap",
        &[
            "cli/command.rs",
            "cli/config.rs",
            "cli/etcd.rs",
            "cli/json.rs",
            "cli/new_contents.rs",
            "cli/precedence.rs",
            "cli/remote.rs",
            "cli/values.rs",
            "cli/verbs/",
        ],
    ),
    ("clap_complete", &["cli/verbs/completions.rs"]),
    ("clap_mangen", &["cli/verbs/man.rs"]),
    ("base64", &["store/etcd/gateway/json.rs", "store/etcd/gateway/txn.rs"]),
    ("blake3", &["sync/hash.rs"]),
    ("fastcdc", &["sync/transfer/chunk.rs"]),
    ("ignore", &["sync/disk/ignored.rs"]),
    ("indicatif", &["cli/bar.rs"]),
    ("notify", &["sync/disk/watcher.rs", "sync/tests/cost.rs"]),
    ("crc32fast", &["store/format.rs", "store/stream.rs"]),
    ("hashbrown", &["files/state/files/index.rs", "files/state/key.rs", "files/state/journal.rs"]),
    ("itoa", &["wire/fields.rs"]),
    ("listenfd", &["cli/verbs/serve/inherited.rs"]),
    ("log", ANYTHING),
    ("memchr", &["net/lines.rs"]),
    ("redb", &["store/"]),
    (
        "rustix",
        &[
            "random.rs",
            "rights.rs",
            "waker.rs",
            "net/listener.rs",
            "net/relay.rs",
            "net/stream.rs",
            "net/unix_socket.rs",
            "server/system.rs",
            "files/kinds/text/",
            "cli/streams.rs",
            "cli/signals.rs",
            "cli/job/",
            "cli/verbs/connect/terminal/",
            "sync/disk/beneath.rs",
            "sync/lock.rs",
            "sync/preflight.rs",
            "sync/disk/root.rs",
            "sync/disk/stat.rs",
            "sync/disk/watcher.rs",
            "sync/state/status.rs",
            "sync/tests/disk.rs",
            "store/etcd/boottime.rs",
            "store/etcd/election.rs",
            "store/folder/",
            "store/medium/file.rs",
        ],
    ),
    ("rustls", &["store/etcd/gateway/"]),
    (
        "serde_json",
        &["cli/json.rs", "store/etcd/fuzz.rs", "store/etcd/gateway/", "store/etcd/tests/"],
    ),
    (
        "socket2",
        &[
            "net/connect.rs",
            "net/listener.rs",
            "net/options.rs",
            "net/stream.rs",
            "net/unix_socket.rs",
        ],
    ),
    ("subtle", &["token.rs"]),
    ("env_logger", &["cli/"]),
    ("hdrhistogram", &["cli/"]),
    ("nix", &["cli/signals.rs", "cli/job/"]),
    ("rustyline", &["cli/verbs/connect/terminal/"]),
    ("signal_hook", &["cli/"]),
    ("toml", &["cli/config.rs"]),
    ("ureq", &["store/etcd/gateway/"]),
];

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
            assert!(sources.iter().any(used), "{name} is no longer used in {place}");
        }
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
                    [dev-dependencies]\ne = 1\n[target.'cfg(unix)'.dependencies]\nf = 1\n\
                    [dependencies.g-h]\nversion = \"1\"\n[dev-dependencies.i]\nversion = \"1\"\n\
                    [target.'cfg(unix)'.dependencies.j] # 1\nversion = \"1\"";
    assert_eq!(dependencies_of(manifest), ["a_b", "f", "g_h", "j"]);
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
        if let Some(section) = line.strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default();
            inside = section == "dependencies" || section.ends_with(".dependencies");
            // A dependency with a table of its own.
            let own = section.rsplit_once("dependencies.").filter(|(before, _)| {
                before.is_empty() || (before.ends_with('.') && !before.ends_with("-."))
            });
            names.extend(own.map(|(_, name)| name.replace('-', "_")));
        } else if inside && let Some((name, _)) = line.split_once('=') {
            names.push(name.trim().replace('-', "_"));
        }
    }
    names
}
