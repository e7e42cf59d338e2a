//! Limits of memory, set by the server and by the system: no process is killed, and no file is
//! lost.

use super::Serving;
use crate::programs::program;
use crate::server::{Client, Folder, eventually};
use rustix::process::Signal;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A cgroup with this much memory, removed when dropped.
struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes one of version 1 or 2, if this process may.
    fn new(bytes: u64) -> io::Result<Cgroup> {
        let name = format!("telefile-it-{}-{bytes}", std::process::id());
        let (root, file) = match Path::new("/sys/fs/cgroup/memory").is_dir() {
            true => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            false => ("/sys/fs/cgroup", "memory.max"),
        };
        let path = Path::new(root).join(name);
        fs::create_dir(&path)?;
        let group = Cgroup(path);
        fs::write(group.0.join(file), bytes.to_string())?;
        Ok(group)
    }

    /// Returns `telefile serve` inside the cgroup.
    fn serve(&self, args: &[&str]) -> Serving {
        let script = r#"echo $$ > "$0/cgroup.procs" && exec "$@""#;
        let mut command = program("sh");
        command.args(["-c", script]).arg(&self.0).arg(env!("CARGO_BIN_EXE_telefile"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(args);
        Serving::from(command)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        eventually("the cgroup is empty", || match fs::remove_dir(&self.0) {
            Err(e) => e.kind() == io::ErrorKind::NotFound,
            Ok(()) => true,
        });
    }
}

/// Writes files until one is refused. Returns the number of the others.
#[track_caller]
fn fill(client: &mut Client, rest_of_line: &str, contents: &str) -> usize {
    const AT_ONCE: usize = 2000;
    for first in (0..10_000_000).step_by(AT_ONCE) {
        let numbytes = contents.len();
        let write = |i| format!("write file-{i:011} {numbytes}{rest_of_line}\r\n{contents}\r\n");
        let replies = client.ask_all((first..first + AT_ONCE).map(write));
        if let Some(at) = replies.iter().position(|reply| !reply.starts_with("OK ")) {
            assert!(replies[at].starts_with("ERR_LIMIT memory "), "{}", replies[at]);
            return first + at;
        }
    }
    panic!("nothing was refused");
}

/// The limits are the defaults, derived from the memory of the container.
#[test]
fn a_server_in_a_small_container_survives_all_writes() {
    const BYTES: u64 = 48 << 20;
    let group = match Cgroup::new(BYTES) {
        Ok(group) => group,
        Err(e) => {
            let _ =
                writeln!(io::stderr(), "SKIPPED, no cgroup can be made: a small container: {e}");
            return;
        }
    };
    for (exptime, contents) in [("", "x"), (" 3600", "x"), (" -1", ""), ("", &"x".repeat(17_000))] {
        let serving = group.serve(&[]);
        let mut client = serving.client();
        assert_eq!(client.stat("memory_max"), BYTES / 2);
        assert_eq!(client.stat("connections_max"), BYTES / 4 / (64 << 10));
        let others: Vec<_> = (0..100).map(|_| serving.client()).collect();
        let files = fill(&mut client, exptime, contents);
        assert!(files as u64 > BYTES / 2 / (600 + contents.len() as u64), "{files} files");
        for i in 0..9 {
            assert_eq!(client.ask(&format!("delete file-{i:011}")), "OK");
        }
        assert!(client.ask("write another 1\r\nx").starts_with("OK "));
        drop(others);
        serving.stop(Signal::TERM);
    }
    #[cfg(feature = "durable")]
    {
        let folder = Folder::new();
        let args = ["--data", folder.path().to_str().unwrap()];
        let serving = group.serve(&args);
        let files = fill(&mut serving.client(), "", "x");
        serving.program.signal(Signal::KILL);
        drop(serving);
        let serving = group.serve(&args);
        let mut client = serving.client();
        assert!(client.stat("files") >= files as u64);
        assert_eq!(client.ask("delete file-00000000001"), "OK");
        serving.stop(Signal::TERM);
    }
}

/// Returns `telefile serve` with a limit of the address space, in KiB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn with_address_space(kib: u32, arenas: &str) -> std::process::Command {
    let mut command = program("sh");
    let script = format!(r#"ulimit -v {kib} && exec "$0" serve --listen 127.0.0.1:0"#);
    command.args(["-c", &script, env!("CARGO_BIN_EXE_telefile")]).env("MALLOC_ARENA_MAX", arenas);
    command
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_server_with_little_address_space_refuses_what_does_not_fit() {
    let serving = Serving::from(with_address_space(160_000, "1"));
    serving.logs(&["ulimit -v"]);
    let mut client = serving.client();
    let max = client.stat("connections_max") as usize;
    assert!((10..100).contains(&max), "{max}");
    let mut others: Vec<_> = (1..max).map(|_| serving.client()).collect();
    for other in &mut others {
        assert_eq!(other.ask("stat f"), "ERR_FILE_NOT_FOUND");
    }
    assert_eq!(serving.client().line(), format!("ERR_LIMIT connections {max}"));
    fill(&mut client, "", "x");
    assert_eq!(client.ask("delete file-00000000000"), "OK");
    serving.stop(Signal::TERM);

    let mut program = super::Program::start(with_address_space(160_000, "16"));
    assert_eq!(program.wait(), 1);
    let stderr = program.stderr.whole();
    assert!(stderr.contains("set MALLOC_ARENA_MAX=1"), "{stderr}");
}

#[cfg(feature = "durable")]
#[test]
fn a_table_over_the_limit_loads_with_a_warning_and_takes_no_writes_until_it_fits() {
    let folder = Folder::new();
    let args = |limit| ["--data", folder.path().to_str().unwrap(), "--max-memory", limit];
    let serving = Serving::local(&args("8M"));
    let mut client = serving.client();
    let files = fill(&mut client, "", "x");
    assert_eq!(client.write("large", &[b'x'; 100_000]), "ERR_LIMIT memory 8388608");
    serving.stop(Signal::TERM);

    // Enough for the removals of all files, which are remembered.
    let serving = Serving::local(&args("6M"));
    serving.logs(&["more than the limit of 6291456"]);
    let mut client = serving.client();
    let (memory, version) = (client.stat("memory"), client.stat("version"));
    assert!(memory > 7 << 20, "all of it counts: {memory}");
    assert_eq!(client.stat("files"), files as u64);
    let refused = "ERR_LIMIT memory 6291456";
    assert_eq!(client.ask("write file-00000000000 1\r\ny"), refused);
    assert_eq!(client.ask("create q/ 0\r\n"), refused);
    assert_eq!(client.ask("open file-00000000000"), refused);
    assert!(client.ask("touch file-00000000000 1 3600").starts_with("OK 1"));
    assert!(client.ask("read file-00000000001").starts_with("CONTENTS "));
    client.contents(1);
    assert_eq!(client.stat("version"), version);
    let deletes = (1..files).map(|i| format!("delete file-{i:011}\r\n"));
    client.ask_all(deletes);
    assert!(client.ask("write file-00000000000 1\r\ny").starts_with("OK "));
    serving.stop(Signal::TERM);
}
