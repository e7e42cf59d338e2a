//! `telefile stats`: its formats, and a line each interval.

use super::verbs::{at, feed};
use super::{Program, Serving, run, telefile};
use crate::documents::page::Page;
use crate::prometheus::{Kind, parse};
use crate::server::{Folder, eventually};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn each_format_has_the_same_numbers() {
    let serving = Serving::local(&[]);
    serving.client().write("f", b"abc");
    let ask = |args: &[&str]| {
        let ended = run(at(&serving, &[&["stats"], args].concat()));
        assert_eq!((ended.status, &ended.stderr[..]), (0, ""), "{args:?}");
        ended.stdout
    };
    let text = ask(&[]);
    assert!(text.lines().any(|line| line == "files 1"), "{text}");
    assert_eq!(ask(&["--format", "text"]).lines().count(), text.lines().count());
    for json in [ask(&["--json"]), ask(&["--format=json"])] {
        let object: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&object["files"], &object["requests_write"]), (&1.into(), &1.into()));
        assert_eq!(object.as_object().unwrap().len(), text.lines().count());
    }
    let metrics = parse(&ask(&["--format", "prometheus"]));
    assert_eq!(metrics["telefile_requests_total"].value(&[("verb", "write")]), 1.0);
    run(at(&serving, &["stats", "--json", "--format", "json"])).failed(2, &["--format"]);
    run(at(&serving, &["stats", "--format", "xml"])).failed(2, &["xml", "prometheus"]);
    run(at(&serving, &["stats", "--every=1", "--format=prometheus"])).failed(2, &["--every"]);
    run(at(&serving, &["stats", "--every", "0"])).failed(2, &["0.001"]);
}

/// The page has a table of all metrics: each with its type, and no others.
#[cfg(feature = "durable")]
#[test]
fn the_page_has_every_metric() {
    let folder = Folder::new();
    let data = folder.path().join("data").display().to_string();
    let serving = Serving::local(&["--data", &data, "--max-data", "64M"]);
    let ended = run(at(&serving, &["stats", "--format", "prometheus"]));
    let metrics = parse(&ended.stdout);
    let found: BTreeSet<_> = metrics
        .iter()
        .map(|(name, family)| {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            (name.clone(), kind.to_string())
        })
        .collect();
    // The tests of a table in etcd look at these.
    let of_etcd = ["telefile_role", "telefile_leader", "telefile_failovers_total"];
    let page = Page::load("tutorial/reference/server.md").text;
    let rows = page.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `telefile_")?.split_once("` | ")?;
        Some((format!("telefile_{name}"), rest.split(' ').next()?.to_string()))
    });
    let (etcd, rows): (BTreeSet<_>, BTreeSet<_>) =
        rows.partition(|(name, _)| of_etcd.contains(&&**name));
    assert_eq!((rows, etcd.len()), (found.clone(), of_etcd.len()));
    assert!(found.len() > 30);
}

#[test]
fn a_line_comes_each_interval_until_a_signal() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    client.write("f", b"abc");
    let mut program = Program::start(at(&serving, &["stats", "--every", "0.02"]));
    eventually("a second header, and requests in a line", || {
        client.ask("stat f");
        let text = program.stdout.now();
        let busy = text.lines().filter(|line| !line.contains("clients")).any(|line| {
            let requests = line.split_whitespace().nth(3);
            requests.is_some_and(|requests| !["0.0", "-"].contains(&requests))
        });
        busy && text.matches("clients").count() >= 2
    });
    program.signal(Signal::INT);
    eventually("it ends", || program.ended().is_some());
    let text = program.stdout.whole();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("clients   files  memory"), "{text}");
    assert_eq!(lines.iter().position(|line| line.contains("clients")), Some(0));
    assert_eq!(lines.iter().skip(1).position(|line| line.contains("clients")), Some(20));
    let files: BTreeSet<_> =
        lines[1..20].iter().map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(files, [Some("1")].into());
    assert_eq!(program.stderr.whole(), "");
}

#[test]
fn json_has_an_object_for_each_interval() {
    let serving = Serving::local(&[]);
    let mut command = at(&serving, &["stats", "--every=0.02", "--json"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let object: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!((&object["connections"], &object["files"]), (&1.into(), &0.into()));
        assert!(object["requests"].is_f64() && object.get("commits").is_none(), "{object}");
    }
    drop(lines); // the pipe is closed
    let mut status = None;
    eventually("it ends with its reader", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert!(status.unwrap().success());
}

#[test]
fn a_closed_pipe_ends_it_before_the_next_line() {
    let serving = Serving::local(&[]);
    let mut command = at(&serving, &["stats", "--every", "86400"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("clients"), "{line}");
    drop(stdout);
    eventually("it ends with its reader", || child.try_wait().unwrap().is_some());
}

#[test]
fn a_restart_of_the_server_is_reported_and_survived() {
    let serving = Serving::local(&[]);
    let address = serving.addresses[0].to_string();
    let mut program = Program::start(at(&serving, &["stats", "--every", "0.02"]));
    let lines = || program.stdout.now().lines().count();
    eventually("it prints", || lines() > 2);
    serving.stop(Signal::TERM);
    eventually("it waits", || program.stderr.now().contains("waiting for the server"));
    let before = lines();
    let next = Serving::start(&["--listen", &address]);
    eventually("it goes on", || lines() > before + 2);
    let stderr = program.stderr.now();
    let said: Vec<_> = stderr.lines().collect();
    assert_eq!(said.len(), 2, "{stderr}");
    assert!(
        said[1].starts_with("telefile: connected again, to a server that started "),
        "{stderr}"
    );
    assert!(program.ended().is_none());
    drop(next);
}

#[test]
fn without_a_server_it_fails_at_once() {
    let mut command = telefile(&["stats", "--every", "1"]);
    command.env("TELEFILE_ADDR", "unix:/no/such/socket");
    run(command).failed(3, &["/no/such/socket"]);
}

#[test]
fn metrics_are_served_where_the_program_is_told_to() {
    let folder = Folder::new();
    let metrics = format!("unix:{}", folder.path().join("metrics").display());
    let serving = Serving::local(&["--metrics", &metrics]);
    serving.logs(&["metrics on unix:"]);
    let address = metrics.parse().unwrap();
    let mut client = crate::server::Client::connect(&address);
    client.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    let response = client.read_to_end();
    parse(response.split_once("\r\n\r\n").unwrap().1);
    assert!(feed(at(&serving, &["list"]), b"").stdout.is_empty());
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let args = ["serve", "--metrics", "0.0.0.0:0", "--token-file", token.to_str().unwrap()];
    run(telefile(&args)).failed(2, &["0.0.0.0:0", "metrics", "--insecure"]);
}
