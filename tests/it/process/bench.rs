//! `telefile bench`: its report, and that it checks the replies.

use super::{Ended, Program, Serving, run, telefile};
use crate::server::eventually;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

/// Runs `telefile bench` for a short time.
fn bench(address: &str, args: &[&str]) -> Ended {
    let short = ["bench", "--addr", address, "--conns", "4", "--secs", "0.3"];
    run(telefile(&[&short, args].concat()))
}

/// Returns the names and values of a report in text.
fn text(report: &str) -> HashMap<&str, &str> {
    let fields = report.lines().map(|line| line.split_once(' ').expect("a name and a value"));
    fields.map(|(name, value)| (name, value.trim())).collect()
}

/// Returns the names and values of a report in JSON: one line, one flat object.
fn json(report: &str) -> HashMap<&str, &str> {
    let object = report.strip_suffix("}\n").and_then(|r| r.strip_prefix('{')).expect(report);
    assert!(!object.contains(['\n', '{', '[', '\\']), "{report}");
    let fields = object.split(',').map(|field| field.split_once(':').expect(field));
    fields
        .map(|(name, value)| {
            let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).expect(name);
            let text = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
            assert!(text.is_some() || value.parse::<f64>().is_ok(), "{name} is {value}");
            (name, text.unwrap_or(value))
        })
        .collect()
}

#[test]
fn bench_measures_a_running_server_and_leaves_it_unchanged() {
    let serving = Serving::local(&[]);
    let address = serving.addresses[0].to_string();
    for (args, parse) in [
        (&["--size", "100000"][..], text as fn(&str) -> HashMap<&str, &str>),
        (&["--size", "100000", "--json", "--mix", "50/25/25"], json),
    ] {
        let Ended { status, stdout, stderr } = bench(&address, args);
        assert_eq!((status, &stderr[..]), (0, ""), "{args:?}");
        let report = parse(&stdout);
        let number = |name: &str| -> f64 { report[name].parse().unwrap() };
        assert!(number("ops_per_s") > 0.0 && number("reads_per_s") > 0.0, "{stdout}");
        assert!(number("p50_us") > 0.0 && number("p999_us") >= number("p50_us"), "{stdout}");
        assert_eq!((report["errors"], report["conns"]), ("0", "4"), "{stdout}");
        let mut client = serving.client();
        client.alone();
        assert_eq!((client.stat("files"), client.stat("bytes")), (0, 0), "{args:?}");
    }
}

#[test]
fn a_killed_bench_leaves_no_file() {
    let serving = Serving::local(&[]);
    let address = serving.addresses[0].to_string();
    let load = ["bench", "--addr", &address, "--conns", "4", "--secs", "600", "--mix", "1/1/1"];
    let mut program = Program::start(telefile(&load));
    let mut client = serving.client();
    // One connection has written every file, and now four of them write.
    eventually("it runs", || client.stat("files") == 10_000 && client.stat("version") > 20_000);
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    eventually("its files are deleted", || client.stat("files") == 0);
}

#[test]
fn a_missing_server_is_reported() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let ended = bench(&free, &[]);
    ended.failed(3, &[&free]);
}

/// Sends this reply to every line of every client, except to `hello` if it knows that.
fn wrong_server(hello: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                let mut line = Vec::new();
                while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                    let reply = match hello {
                        Some(hello) if line.starts_with(b"hello") => hello,
                        // Contents have no line end inside; their line gets no reply of its own.
                        _ if line.starts_with(b"write") => "",
                        _ => "OK 1\r\n",
                    };
                    line.clear();
                    if (&stream).write_all(reply.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn wrong_answers_are_counted_and_fail() {
    let address = wrong_server(Some("HELLO 1 0123456789abcdef 0\r\n"));
    let Ended { status, stdout, stderr } = bench(&address, &["--size", "100000", "--json"]);
    assert_eq!((status, stderr.lines().count()), (1, 1), "{stdout}{stderr}");
    assert!(json(&stdout)["errors"].parse::<u32>().unwrap() > 0, "{stdout}");
}

#[test]
fn a_server_with_a_wrong_hello_is_refused() {
    let address = wrong_server(None);
    bench(&address, &[]).failed(3, &["not a telefile server", "hello"]);
}

#[test]
fn a_refusal_is_reported_in_words() {
    let serving = Serving::local(&["--max-contents", "10"]);
    let address = serving.addresses[0].to_string();
    let limit = "the server takes at most 10 bytes for a file (ERR_LIMIT contents 10)";
    bench(&address, &["--size", "11"]).failed(1, &["bench/", limit]);
}
