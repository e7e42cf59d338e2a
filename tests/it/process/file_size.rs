//! `ulimit -f`: a change that would make a file too large is refused, and the server goes on.

use super::{Program, Serving};
use crate::programs::program;
use crate::server::Folder;
use rustix::process::Signal;
use std::fs;
use std::process::{Command, Stdio};

/// Returns `telefile` under a limit of the size of files, in blocks of 512 bytes.
fn limited(blocks: u32, args: &[&str]) -> Command {
    let mut shell = program("sh");
    let script = format!(r#"ulimit -f {blocks} && exec "$0" "$@""#);
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_telefile")]).args(args);
    shell
}

#[test]
fn a_text_file_that_is_too_large_is_refused_and_the_old_bytes_stay() {
    let folder = Folder::new();
    let root = folder.path().to_str().unwrap();
    let args = ["serve", "--listen", "127.0.0.1:0", "--root", root];
    let serving = Serving::from(limited(200, &args));
    let (mut client, mut other) = (serving.client(), serving.client());
    assert!(client.ask("open f TextFile").starts_with("FD "));
    assert_eq!(client.write("f", b"old"), "OK 2");
    for _ in 0..3 {
        assert_eq!(client.write("f", &vec![b'x'; 300_000]), "ERR_LIMIT contents 102400");
    }
    assert_eq!(fs::read(folder.path().join("f")).unwrap(), b"old");
    assert_eq!(fs::read_dir(root).unwrap().count(), 1, "nothing half-written is left");
    assert_eq!(client.ask("read f"), "CONTENTS 2 3 0");
    assert_eq!(client.contents(3), b"old");
    assert_eq!(client.write("f", &vec![b'x'; 102_400]), "OK 3");
    assert_eq!(other.write("g", &vec![b'x'; 300_000]), "OK 4", "in memory there is no limit");
    serving.stop(Signal::TERM);
}

#[cfg(feature = "durable")]
#[test]
fn a_table_over_the_file_size_limit_refuses_writes_and_serves_on() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let args = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let serving = Serving::from(limited(16 << 10, &args));
    let mut client = serving.client();
    let mut written = 0;
    let refusal = loop {
        match client.write(&written.to_string(), &[b'x'; 100_000]) {
            reply if reply.starts_with("OK ") => written += 1,
            reply => break reply,
        }
    };
    assert_eq!(refusal, "ERR_LIMIT data 8388608", "after {written}");
    assert!(written > 10, "{written}");
    for i in 0..written {
        assert_eq!(client.ask(&format!("delete {i}")), "OK");
    }
    assert!(client.write("again", &[b'x'; 100_000]).starts_with("OK "));
    let size = fs::metadata(data.join("telefile.redb")).unwrap().len();
    assert!(size <= 8 << 20, "{size}");
    serving.stop(Signal::TERM);
}

#[cfg(feature = "durable")]
#[test]
fn a_server_does_not_start_if_its_table_does_not_fit() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let args = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    for (blocks, bytes) in [(200, "102400"), (12 << 10, "6291456")] {
        let mut program = Program::start(limited(blocks, &args));
        assert_eq!(program.wait(), 1);
        let stderr = program.stderr.whole();
        assert!(stderr.contains("ulimit -f") && stderr.contains(bytes), "{stderr}");
    }
}

#[test]
fn a_command_reports_an_output_file_that_is_too_large() {
    let serving = Serving::local(&[]);
    assert_eq!(serving.client().write("f", &vec![b'x'; 300_000]), "OK 1");
    let folder = Folder::new();
    let output = fs::File::create(folder.path().join("output")).unwrap();
    let mut read = limited(200, &["read", "--addr", &serving.addresses[0].to_string(), "f"]);
    let ended = read.stdout(output).stderr(Stdio::piped()).output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("File too large"), "{stderr}");
}

#[cfg(feature = "durable")]
#[test]
fn a_backup_over_the_file_size_limit_leaves_nothing_behind() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let serving = Serving::local(&["--data", &path("data")]);
    assert_eq!(serving.client().write("f", &vec![b'x'; 300_000]), "OK 1");
    serving.stop(Signal::TERM);
    let mut program = Program::start(limited(200, &["backup", &path("data"), &path("backup")]));
    assert_eq!(program.wait(), 1);
    let stderr = program.stderr.whole();
    assert!(stderr.contains("File too large"), "{stderr}");
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");

    let whole = super::run(super::telefile(&["backup", &path("data"), &path("backup")]));
    assert_eq!(whole.status, 0, "{}", whole.stderr);
    let mut program = Program::start(limited(200, &["restore", &path("backup"), &path("new")]));
    assert_eq!(program.wait(), 1);
    let stderr = program.stderr.whole();
    assert!(stderr.contains("File too large"), "{stderr}");
    assert!(!folder.path().join("new").exists(), "no folder that is half a table");
}
