//! What scripts use: `add`, `read --default`, `delete --prefix`, `--retry`.

use super::verbs::{at, feed};
use super::{Program, Serving, run, telefile};
use crate::server::{Folder, eventually};
use rustix::process::Signal;

#[test]
fn add_prints_the_sum_and_keeps_what_is_around_the_number() {
    let serving = Serving::local(&[]);
    let ask = |args: &[&str], input: &[u8]| feed(at(&serving, args), input);
    ask(&["add", "n", "5"], b"").said(0, "5\n", "");
    ask(&["add", "n", "-7"], b"").said(0, "-2\n", "");
    ask(&["add", "n", "0"], b"").said(0, "-2\n", "");
    ask(&["read", "--head", "n"], b"").said(0, "CONTENTS 3 2 0\n-2", "");
    ask(&["write", "n", "--exptime", "99"], b" 41\r\n").said(0, "4\n", "");
    ask(&["add", "n", "1", "--json"], b"").said(
        0,
        "{\"name\":\"n\",\"value\":42,\"version\":5}\n",
        "",
    );
    let read = String::from_utf8(ask(&["read", "--head", "n"], b"").stdout).unwrap();
    assert!(read.ends_with("\n 42\r\n") && !read.starts_with("CONTENTS 5 5 0"), "{read:?}");
    ask(&["write", "n"], b"9223372036854775807").said(0, "6\n", "");
    let over =
        "telefile: n is 9223372036854775807, and adding 1 would leave the range of 64 bits\n";
    ask(&["add", "n", "1"], b"").said(1, "", over);
    ask(&["write", "n"], b"\x1b[31mred").said(0, "7\n", "");
    let not = "telefile: n is no whole number of 64 bits: \"\\u{1b}[31mred\"\n";
    ask(&["add", "n", "1"], b"").said(1, "", not);
    ask(&["write", "n"], &[b'1'; 5000]).said(0, "8\n", "");
    assert_eq!(ask(&["add", "n", "1"], b"").status, 1);
    for bad in ["", "1.5", "x", "9223372036854775808", "1 "] {
        run(at(&serving, &["add", "n", bad])).failed(2, &["<N>"]);
    }
    run(at(&serving, &["add", "a b", "1"])).failed(2, &["a b"]);
}

#[test]
fn an_ephemeral_file_of_another_client_is_not_added_to() {
    let serving = Serving::local(&[]);
    let mut holder = serving.client();
    assert_eq!(holder.ask("write n 1 -1\r\n7"), "OK 1");
    let why = "ends with the connection of another client";
    run(at(&serving, &["add", "n", "1"])).failed(1, &[why]);
    assert!(holder.ask("stat n").starts_with("STAT 1 1 -1 "));
}

#[test]
fn no_addition_is_lost() {
    let serving = Serving::local(&[]);
    let mut programs: Vec<_> =
        (0..16).map(|_| Program::start(at(&serving, &["add", "n", "1"]))).collect();
    programs.iter_mut().for_each(|program| assert_eq!(program.wait(), 0));
    let mut sums: Vec<u32> =
        programs.iter().map(|p| p.stdout.whole().trim_end().parse().unwrap()).collect();
    sums.sort_unstable();
    assert_eq!(sums, (1..=16).collect::<Vec<_>>());
}

#[test]
fn an_absent_file_reads_as_the_default() {
    let serving = Serving::local(&[]);
    let ask = |args: &[&str]| feed(at(&serving, args), b"");
    ask(&["read", "f", "--default", "a b"]).said(0, "a b", "");
    ask(&["read", "f", "--default", ""]).said(0, "", "");
    ask(&["read", "f", "--default=-x", "--head"]).said(0, "CONTENTS 0 2 0\n-x", "");
    serving.client().write("f", b"here");
    ask(&["read", "f", "--default", "x"]).said(0, "here", "");
    // Only that.
    run(at(&serving, &["read", "f", "--default", "x", "--max-contents", "1"])).failed(1, &["4"]);
    run(at(&serving, &["read", "a b", "--default", "x"])).failed(2, &["a b"]);
    run(telefile(&["read", "f", "--default", "x", "--addr", "unix:/no/such"])).failed(3, &["/no"]);
}

#[test]
fn a_prefix_is_deleted_only_with_yes() {
    let serving = Serving::local(&[]);
    let ask = |args: &[&str]| feed(at(&serving, args), b"");
    let mut client = serving.client();
    for name in ["tmp/a", "tmp/b", "tmp", "other"] {
        client.write(name, b"");
    }
    let two = "telefile: there are 2 files of the prefix tmp/; --yes deletes them\n";
    ask(&["delete", "--prefix", "tmp/"]).said(1, "", two);
    ask(&["delete", "--prefix", ""]).said(
        1,
        "",
        "telefile: there are 4 files; --yes deletes them\n",
    );
    ask(&["list", "--names"]).said(0, "other\ntmp\ntmp/a\ntmp/b\n", "");
    ask(&["delete", "--prefix", "tmp/", "--yes"]).said(0, "2\n", "");
    ask(&["list", "--names"]).said(0, "other\ntmp\n", "");
    ask(&["delete", "--prefix", "tmp/", "--yes"]).said(0, "0\n", "");
    ask(&["delete", "--prefix", "tmp/"]).said(
        1,
        "",
        "telefile: there are no files of the prefix tmp/\n",
    );
    ask(&["delete", "--prefix", "", "--yes", "--json"]).said(0, "{\"deleted\":2}\n", "");
    for args in [
        &["delete"][..],
        &["delete", "--yes"],
        &["delete", "f", "--yes"],
        &["delete", "f", "--prefix", "f", "--yes"],
        &["delete", "f", "--json"],
    ] {
        assert_eq!(run(at(&serving, args)).status, 2, "{args:?}");
    }
    run(at(&serving, &["delete", "--prefix", "a b", "--yes"])).failed(2, &["a b"]);
}

/// More than are deleted, and more than are listed, at a time.
#[test]
fn a_long_prefix_is_deleted_as_a_whole() {
    let serving = Serving::local(&[]);
    let writes: String = (0..10_501).map(|i| format!("write a/{i} 0\n\n")).collect();
    assert_eq!(feed(at(&serving, &["connect"]), writes.as_bytes()).status, 0);
    serving.client().write("b", b"");
    feed(at(&serving, &["delete", "--prefix", "a/", "--yes"]), b"").said(0, "10501\n", "");
    feed(at(&serving, &["list", "--names"]), b"").said(0, "b\n", "");
}

#[test]
fn retry_waits_for_a_server() {
    let folder = Folder::new();
    let address = format!("unix:{}", folder.path().join("socket").display());
    let bench = ["bench", "--conns", "2", "--secs", "0.1"];
    for args in
        [&["stats"][..], &["connect"], &bench, &["lock", "db", "true"], &["hold", "f", "true"]]
    {
        let args = [args, &["--retry", "3600", "--addr", &address]].concat();
        // The command of a job takes all that follows.
        let args = match args.iter().position(|arg| *arg == "true") {
            Some(at) => [&args[..at], &args[at + 1..], &["true"]].concat(),
            None => args,
        };
        let mut program = Program::start(telefile(&args));
        eventually("it says so", || program.stderr.now().ends_with("; trying again\n"));
        let serving = Serving::start(&["--listen", &address]);
        assert_eq!(program.wait(), 0, "{args:?}: {}", program.stderr.now());
        assert_eq!(program.stderr.whole().lines().count(), 1, "it is said once");
        serving.stop(Signal::TERM);
    }
    let once = ["read", "f", "--retry", "0.01", "--addr", &address];
    let mut program = Program::start(telefile(&once));
    assert_eq!(program.wait(), 3);
    let stderr = program.stderr.whole();
    assert!(stderr.lines().count() == 2 && stderr.contains("trying again"), "{stderr}");
    let lock = ["lock", "--retry", "0.01", "--addr", &address, "db", "true"];
    assert_eq!(Program::start(telefile(&lock)).wait(), 69);
}

#[test]
fn retry_waits_for_room_and_not_for_a_token() {
    let serving = Serving::local(&["--connections", "1"]);
    let mut full = serving.client();
    assert_eq!(full.ask("stat f"), "ERR_FILE_NOT_FOUND");
    let mut program = Program::start(at(&serving, &["stats", "--retry", "3600"]));
    eventually("it says so", || program.stderr.now().contains("trying again"));
    drop(full);
    assert_eq!(program.wait(), 0);

    let folder = Folder::new();
    let token = folder.path().join("token");
    std::fs::write(&token, "secret").unwrap();
    let serving = Serving::local(&["--token-file", token.to_str().unwrap()]);
    run(at(&serving, &["stats", "--retry", "3600"])).failed(8, &["ERR_DENIED"]);
}
