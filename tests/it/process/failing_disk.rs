//! A disk that fails otherwise than by being full: the server ends, and says why.
#![cfg(feature = "durable")]

use super::Serving;
use crate::server::Folder;
use rustix::process::Signal;
use std::process::Command;
use telefile::client::Error;
use telefile::{Client, Refusal};

/// A server that may make no file longer than 8 MB: 512-byte blocks, and without the signal it is
/// an error of write.
fn limited(args: &[&str]) -> Serving {
    let script = "trap '' XFSZ && ulimit -f 16384 && exec \"$0\" serve \"$@\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_telefile")]).args(args);
    super::without_settings(&mut shell);
    Serving::from(shell)
}

#[test]
fn a_server_whose_disk_fails_ends_and_has_lost_nothing() {
    let folder = Folder::new();
    let data = format!("{}", folder.path().join("data").display());
    let socket = format!("unix:{}", folder.path().join("socket").display());
    let args = ["--data", &data[..], "--listen", &socket];
    let mut serving = limited(&args);
    let client = Client::connect(&socket).unwrap();
    let mut written = 0;
    let error = loop {
        match client.write(&written.to_string()[..], vec![written; 100_000]) {
            Ok(_) => written += 1,
            Err(e) => break e,
        }
    };
    let told = matches!(error, Error::Lost(_) | Error::Refused { refusal: Refusal::Internal, .. });
    assert!(told && written > 10, "{error} after {written}");
    assert_eq!(serving.program.wait(), 1);
    let log = serving.program.stderr.whole();
    let last = log.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("telefile: ") && last.contains("telefile.redb: File too large"),
        "{log}"
    );
    assert!(!log.contains("panic"), "{log}");

    let serving = Serving::start(&args);
    let client = Client::connect(&socket).unwrap();
    assert_eq!(client.list("", 1000, None).unwrap().files.len(), usize::from(written));
    for i in 0..written {
        assert!(*client.read(&i.to_string()[..]).unwrap().contents == [i; 100_000], "{i}");
    }
    serving.stop(Signal::TERM);
}
