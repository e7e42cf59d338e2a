//! Options that exclude each other: one of the command line counts, whatever the environment has.
#![cfg(feature = "durable")]

use super::{Ended, Serving, run, telefile};
use crate::server::{Client, Folder};
use rustix::process::Signal;
use std::fs;

/// Nobody listens there.
const NONE: &str = "http://127.0.0.1:1";

/// What a command says that takes etcd: with a URL that none can be, or in a build without etcd.
const OF_ETCD: &str = if cfg!(feature = "etcd") { "begins with http://" } else { "without etcd" };

fn run_with(variables: &[(&str, &str)], args: &[&str]) -> Ended {
    let mut command = telefile(args);
    command.envs(variables.iter().copied());
    run(command)
}

#[track_caller]
fn done(ended: &Ended) {
    assert_eq!((ended.status, &ended.stderr[..]), (0, ""));
}

#[test]
fn operands_come_before_etcd_in_the_environment() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let socket = format!("unix:{}", path("socket"));
    let serving = Serving::start(&["--data", &path("data"), "--listen", &socket]);
    Client::connect(&serving.addresses[0]).write("f", b"kept");
    let etcd = [("TELEFILE_ETCD", NONE), ("TELEFILE_ETCD_CA", "/none")];
    done(&run_with(&etcd, &["backup", "--addr", &socket, &path("one")]));
    serving.stop(Signal::TERM);
    done(&run_with(&etcd, &["backup", &path("data"), &path("two")]));
    assert!(fs::read(path("one")).unwrap().len() > 10);
    done(&run_with(&etcd, &["restore", &path("two"), &path("restored")]));
    done(&run_with(&etcd, &["restore", "--new-epoch", &path("restored")]));
    // Both are on the command line.
    let both = ["backup", "--etcd", NONE, &path("data"), &path("three")];
    run_with(&[], &both).failed(2, &["--etcd excludes <DIR>"]);
    let both = ["restore", "--etcd", NONE, &path("two"), &path("restored2")];
    run_with(&[], &both).failed(2, &["--etcd excludes <DIR>"]);
    // What is not given comes from the environment.
    let odd = [("TELEFILE_ETCD", "ftp://none")];
    for args in [
        &["backup", &path("four")][..],
        &["restore", &path("two")],
        &["restore", "--new-epoch"],
        &["serve"],
    ] {
        run_with(&odd, args).failed(2, &[OF_ETCD]);
    }
}

#[test]
fn the_place_of_a_table_is_the_one_that_is_said_last_and_loudest() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (data, odd) = (path("data"), "ftp://none");
    let config = path("config.toml");
    let etcd_in = |variable| [("TELEFILE_ETCD", variable), ("TELEFILE_ADVERTISE", "127.0.0.1:1")];
    let serve = |variables: &[(&str, &str)], args: &[&str]| {
        run_with(variables, &[&["serve", "--listen", "127.0.0.1:0"], args].concat())
    };
    // A server whose folder cannot be one ends at once.
    let file = path("file");
    fs::write(&file, "").unwrap();
    let of_folder = &["is not a folder"];
    serve(&etcd_in(NONE), &["--data", &file]).failed(1, of_folder);
    serve(&[("TELEFILE_DATA", &data)], &["--etcd", odd]).failed(2, &[OF_ETCD]);
    for text in [format!("data = {file:?}\n"), format!("data = {file:?}\nmax-data = \"8M\"\n")] {
        fs::write(&config, &text).unwrap();
        serve(&[], &["--config", &config]).failed(1, of_folder);
        serve(&[], &["--config", &config, "--etcd", odd]).failed(2, &[OF_ETCD]);
        serve(&etcd_in(odd), &["--config", &config]).failed(2, &[OF_ETCD]);
    }
    fs::write(&config, format!("etcd = [{NONE:?}]\nadvertise = \"127.0.0.1:1\"\n")).unwrap();
    serve(&[], &["--config", &config, "--data", &file]).failed(1, of_folder);
    serve(&[("TELEFILE_DATA", &file)], &["--config", &config]).failed(1, of_folder);
    // Neither is stronger.
    let exclude = &["--etcd and --data exclude each other"];
    serve(&[], &["--etcd", NONE, "--data", &data]).failed(2, exclude);
    let both = [("TELEFILE_ETCD", NONE), ("TELEFILE_DATA", &data)];
    serve(&both, &[]).failed(2, exclude);
    fs::write(&config, format!("etcd = [{NONE:?}]\ndata = {data:?}\n")).unwrap();
    serve(&[], &["--config", &config]).failed(2, exclude);
    assert!(!folder.path().join("data").exists());
}

/// A machine's certificates are for its own cluster.
#[cfg(feature = "etcd")]
#[test]
fn certificates_of_the_environment_are_not_for_a_cluster_without_https() {
    let folder = Folder::new();
    let file = folder.path().join("backup").display().to_string();
    let args = ["backup", "--etcd", NONE, &file];
    let certificates = [("TELEFILE_ETCD_CA", "/none"), ("TELEFILE_ETCD_CERT", "/none")];
    run_with(&certificates, &args).failed(1, &["127.0.0.1:1"]);
    let given = [&args[..], &["--etcd-ca", "/none"]].concat();
    run_with(&certificates, &given).failed(2, &["certificates need https URLs of etcd"]);
}
