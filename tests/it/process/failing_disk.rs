//! A disk that fails and is not full: the server ends, and logs the reason.
#![cfg(feature = "durable")]

use super::Serving;
use crate::server::Folder;
use rustix::process::Signal;
use std::fs::{self, File};
use std::io;
use telefile::Client;
use telefile::client::Error;

#[test]
fn a_server_whose_database_is_removed_ends_and_loses_nothing() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let socket = format!("unix:{}", folder.path().join("socket").display());
    let args = ["--data", data.to_str().unwrap(), "--listen", &socket];
    let mut serving = Serving::start(&args);
    let client = Client::connect(&socket).unwrap();
    for i in 0..20_u8 {
        client.write(&i.to_string()[..], vec![i; 100_000]).unwrap();
    }
    let database = data.join("telefile.redb");
    let mut kept = File::open(&database).unwrap();
    fs::remove_file(&database).unwrap();
    let error = client.write("20", "lost").unwrap_err();
    assert!(matches!(error, Error::Lost(_)), "no reply says what happened: {error}");
    assert_eq!(serving.program.wait(), 1);
    let log = serving.program.stderr.whole();
    let last = log.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("telefile: ") && last.contains("telefile.redb: it was removed"),
        "{log}"
    );
    assert!(!log.contains("panic"), "{log}");

    io::copy(&mut kept, &mut File::create(&database).unwrap()).unwrap();
    let serving = Serving::start(&args);
    let client = Client::connect(&socket).unwrap();
    assert_eq!(client.list_page("", 1000, None).unwrap().files.len(), 20);
    for i in 0..20 {
        assert!(*client.read(&i.to_string()[..]).unwrap().contents == [i; 100_000], "{i}");
    }
    serving.stop(Signal::TERM);
}
