//! Entries that no honest program writes, from another client with the id and from the server: nothing
//! is written outside the folder, and honest files still arrive.

mod client;
mod liar;
mod server;
mod swaps;

use super::User;
use crate::process::{Program, run, telefile};
use std::fs;

/// What of a file there is on the server, from which lies are made.
struct Honest {
    id: String,
    /// The entry of a small file, `ok`.
    small: String,
    /// The entry of a file in chunks, `large`.
    large: String,
    /// The first line of its chunks.
    chunk: String,
}

impl Honest {
    /// Pushes two files from folder `a`.
    fn of(user: &User) -> Honest {
        user.write("a/ok", "honest\n");
        user.write("a/large", &(0..40_000).map(|n| format!("{n} ")).collect::<String>());
        let id = user.does("a", &[], "2 sent");
        let address = user.serving.addresses[0].to_string();
        let read = |name: &str| {
            let name = format!("s/{id}/e/{name}");
            run(telefile(&["read", "--addr", &address, &name])).stdout
        };
        let (small, large) = (read("ok"), read("large"));
        let chunk = large.split_once("\n\n").unwrap().1.split_inclusive('\n').next().unwrap();
        let chunk = chunk.to_string();
        Honest { id, small, large, chunk }
    }

    fn name(&self, key: &str) -> String {
        format!("s/{}/e/{key}", self.id)
    }

    /// Returns keys and entries, and what is said about each.
    fn lies(&self) -> Vec<(String, String, &'static str)> {
        let key = "no entry has such a key";
        let text = "the server has something else at this path's key";
        let mut lies = Vec::new();
        for path in [
            "..",
            "../x",
            "a/../../x",
            ".",
            "a/./x",
            "/etc/x",
            "a//x",
            "a/",
            "n%00l",
            ".telefile-sync",
            ".telefile-sync/x",
            "d/.telefile-sync/id",
            "%2E%2E",
            "%2e%2e",
            "%",
            "\u{202e}x",
        ] {
            lies.push((
                path.to_string(),
                self.small.replace("path ok", &format!("path {path}")),
                key,
            ));
        }
        let hash = self.chunk.split_once(' ').unwrap().0;
        let long = format!("~{hash}");
        lies.push((long, self.small.clone(), key));
        let mut of_text = |key: &str, entry: &str, from: &str, to: &str| {
            let entry = entry.replacen(from, to, 1);
            let own =
                |path: &str| entry.replacen(&format!("path {path}"), &format!("path {key}"), 1);
            lies.push((
                key.to_string(),
                if entry.contains("path ok") { own("ok") } else { own("large") },
                text,
            ));
        };
        let size = self.large.split(' ').nth(3).unwrap().to_string();
        for (key, to) in [
            ("most", "18446744073709551615"),
            ("terabyte", "1099511627776"),
            ("negative", "-1"),
            ("plus", "+1"),
            ("overlong", "99999999999999999999999999999999999999999999"),
            ("nothing", ""),
        ] {
            of_text(key, &self.large, &size, to);
        }
        of_text("short", &self.small, " 7 ", " 6 ");
        of_text("setuid", &self.small, "file 644", "file 4755");
        of_text("link", &self.small, "file ", "link ");
        of_text("upward", &self.small, "path ok", "path ../ok");
        of_text("hash", &self.small, " inline", "0 inline");
        of_text("other-bytes", &self.small, "honest", "hostil");
        of_text("no-sum", &self.large, &self.chunk, "");
        of_text("huge-chunk", &self.large, &self.chunk, &format!("{hash} 4611686018427387904\n"));
        of_text("empty-chunk", &self.large, &self.chunk, &format!("{hash} 0\n"));
        lies.push(("other-path".to_string(), self.small.clone(), text));
        lies.push(("empty".to_string(), String::new(), text));
        // Well made, but there is no such content.
        let damaged = "parts of it are missing or damaged";
        let absent = self.large.replace(hash, &hash.chars().rev().collect::<String>());
        lies.push(("absent".to_string(), absent.replace("path large", "path absent"), damaged));
        lies.push(("bomb".to_string(), self.bomb(), ""));
        lies
    }

    /// Returns an entry of 58 MB that announces about 780 GiB.
    fn bomb(&self) -> String {
        let lines: usize = 800_000;
        let hash = self.chunk.split_once(' ').unwrap().0;
        let head = self.large.split_once("\n\n").unwrap().0.replace("path large", "path bomb");
        let mut fields: Vec<_> = head.splitn(5, ' ').map(str::to_string).collect();
        fields[3] = (lines << 20).to_string();
        format!("{}\n\n{}", fields.join(" "), format!("{hash} 1048576\n").repeat(lines))
    }
}

/// Checks that each lie is said with its name, and what is in folder `b`.
#[track_caller]
fn check(user: &User, stderr: &str, lies: &[(String, String, &str)]) {
    for (key, _, why) in lies {
        let line = |line: &str| {
            let begin = format!("telefile: {}: left out: ", key.escape_debug());
            line.starts_with(&begin) && line.ends_with(why)
        };
        assert!(stderr.lines().any(line), "{key}: {stderr}");
    }
    assert_eq!(user.names("b"), ["large", "ok"]);
    for name in ["large", "ok"] {
        assert_eq!(user.read(&format!("b/{name}")), user.read(&format!("a/{name}")));
    }
    let names = user.names(".");
    assert!(names.iter().all(|name| ["a", "b", "data", "state"].contains(&&name[..])), "{names:?}");
    let mut marker = fs::read_dir(user.path("b/.telefile-sync")).unwrap();
    let is_own = |name: &str| ["id", "lock", "tmp", "trash", "trash-ages", "probe"].contains(&name);
    assert!(marker.all(|file| is_own(file.unwrap().file_name().to_str().unwrap())));
}

/// Returns the most memory that a program has had, in MB.
fn most_memory(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
