//! The address for Prometheus: what it says, and what it makes of strange, slow and many peers.

use super::{Client, Running, eventually};
use crate::prometheus::{Kind, parse};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use telefile::net::Address;
use telefile::server::BindError;
use telefile::{Server, Token};

/// A server with metrics, and their address.
fn start() -> (telefile::server::Running, Address) {
    let local: Address = "127.0.0.1:0".parse().unwrap();
    let server = Server::builder().listen(local.clone()).metrics(local).bind().unwrap();
    let metrics = server.metrics_addresses()[0].clone();
    (server.spawn().unwrap(), metrics)
}

/// Sends bytes, and returns all that comes.
fn ask(address: &Address, request: impl AsRef<[u8]>) -> String {
    let mut client = Client::connect(address);
    let _ = client.try_send(request); // it may be refused before it is read
    client.read_to_reset()
}

fn get(address: &Address) -> String {
    let response = ask(address, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    let (head, body) = response.split_once("\r\n\r\n").expect("a response");
    let length = format!("\r\nContent-Length: {}\r\n", body.len());
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains(&length), "{head}");
    let kind = "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n";
    assert!(head.contains(kind), "{head}");
    body.to_string()
}

#[test]
fn the_metrics_are_what_stats_shows() {
    let (server, metrics) = start();
    let mut client = Client::connect(&server.addresses()[0]);
    for _ in 0..3 {
        assert_eq!(client.ask("read f"), "ERR_FILE_NOT_FOUND");
    }
    client.write("f", b"abcdef");
    let found = parse(&get(&metrics));
    let value = |name: &str, labels: &[(&str, &str)]| found[name].value(labels);
    assert_eq!(value("telefile_requests_total", &[("verb", "read")]), 3.0);
    assert_eq!(value("telefile_requests_total", &[("verb", "write")]), 1.0);
    let not_found = [("error", "ERR_FILE_NOT_FOUND")];
    assert_eq!(value("telefile_refusals_total", &not_found), 3.0);
    assert_eq!(value("telefile_limit_refusals_total", &[("limit", "memory")]), 0.0);
    assert_eq!(value("telefile_files_bytes", &[]), 6.0);
    assert_eq!(value("telefile_connections", &[]), 1.0);
    assert_eq!(value("telefile_info", &[("store", "memory")]), 1.0);
    assert_eq!(found["telefile_requests_total"].kind, Kind::Counter);
    assert_eq!(found["telefile_connections"].kind, Kind::Gauge);
    assert!(!found.contains_key("telefile_commit_files"), "there are no commits in memory");
    server.stop().unwrap();
}

#[cfg(feature = "durable")]
#[test]
fn commits_are_histograms() {
    let folder = super::Folder::new();
    let path = folder.path().join("metrics");
    let builder = Server::builder().listen("127.0.0.1:0".parse().unwrap());
    let builder = builder.metrics(Address::Unix(path.clone()));
    let server = builder.data(folder.path().join("data")).bind().unwrap().spawn().unwrap();
    let mut client = Client::connect(&server.addresses()[0]);
    for _ in 0..4 {
        client.write("f", b"x");
    }
    let found = parse(&get(&Address::Unix(path.clone()))); // which checks the buckets
    for name in ["telefile_commit_duration_seconds", "telefile_commit_files"] {
        assert_eq!(found[name].kind, Kind::Histogram);
        assert_eq!(found[name].count(), 4.0);
    }
    assert!(!found.contains_key("telefile_data_limit_bytes"), "there is none");
    server.stop().unwrap();
    assert!(!path.exists(), "the file of the socket goes with the server");
}

#[test]
fn other_paths_and_methods_are_refused() {
    let (server, metrics) = start();
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "404 Not Found"),
        ("GET /metrics/x HTTP/1.0\r\n\r\n", "404 Not Found"),
        ("POST /metrics HTTP/1.1\r\nHost: h\r\n\r\n", "405 Method Not Allowed"),
        ("DELETE /metrics HTTP/1.1\r\nHost: h\r\n\r\n", "405 Method Not Allowed"),
        ("GET /metrics HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("write f 3\r\nabc\r\n", "400 Bad Request"),
        ("GET /metrics HTTP/3.0\r\n", "505 HTTP Version Not Supported"),
    ] {
        let response = ask(&metrics, request);
        assert!(response.starts_with(&format!("HTTP/1.1 {expected}\r\n")), "{request}: {response}");
        let allows = response.contains("\r\nAllow: GET, HEAD\r\n");
        assert_eq!(allows, expected.starts_with("405"), "{response}");
    }
    let head = ask(&metrics, "HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    assert!(length.unwrap().parse::<u64>().unwrap() > 1000, "{head}");
    server.stop().unwrap();
}

/// The longest line that is taken, and one more: the status says which part is too long.
#[test]
fn a_line_that_is_too_long_gets_the_status_for_that() {
    let (server, metrics) = start();
    let padded = |before: &str, after: &str, bytes: usize| {
        format!("{before}{}{after}", "x".repeat(bytes - before.len() - after.len()))
    };
    let (target, header) = (("GET /metrics?", " HTTP/1.1"), ("x: ", ""));
    for (bytes, expected) in
        [(4095, ["200 OK"; 2]), (4096, ["414 URI Too Long", "431 Request Header Fields Too Large"])]
    {
        let first = padded(target.0, target.1, bytes);
        let line = padded(header.0, header.1, bytes);
        let requests = [
            format!("{first}\r\nHost: h\r\n\r\n"),
            format!("GET /metrics HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n"),
        ];
        for (request, expected) in requests.iter().zip(expected) {
            let response = ask(&metrics, request);
            let status = response.lines().next().unwrap_or_default();
            assert_eq!(status, format!("HTTP/1.1 {expected}"), "{bytes} bytes");
        }
    }
    let with_cr = format!("GET /metrics HTTP/1.1\r\nHost: h\r\nx: \r{}\r\n\r\n", "x".repeat(9000));
    assert!(ask(&metrics, &with_cr).starts_with("HTTP/1.1 400 "), "a CR is inside");
    server.stop().unwrap();
}

#[test]
fn hostile_bytes_get_an_error_or_the_end() {
    let (server, metrics) = start();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("GET /metrics HTTP/1.1\r\n{}", "x: y\r\n".repeat(100_000));
    let endless = "x".repeat(4 << 20);
    let hostile = [
        long.as_bytes(),
        many.as_bytes(),
        endless.as_bytes(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
        b"\xff\xfd\x06\0\0\0\n",
        b"GET /metrics HTTP/1.1\r\n\xff: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\rHost: h\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", // the only good one
    ];
    for bytes in hostile {
        let response = ask(&metrics, bytes);
        let shown = bytes.get(..40).unwrap_or(bytes);
        let is_good = bytes.starts_with(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(response.starts_with("HTTP/1.1 200 "), is_good, "{shown:?}: {response}");
        assert!(response.is_empty() || response.starts_with("HTTP/1.1 "), "{response}");
    }
    server.stop().unwrap();
}

#[test]
fn many_silent_peers_take_nothing_from_clients_and_end_soon() {
    let (server, metrics) = start();
    let Address::Tcp(tcp) = metrics else { unreachable!() };
    let mut silent: Vec<_> = (0..500).map(|_| TcpStream::connect(tcp).unwrap()).collect();
    silent[0].write_all(b"GET /metr").unwrap();
    let mut client = Client::connect(&server.addresses()[0]);
    assert_eq!(client.write("f", b"abc"), "OK 1");
    assert_eq!(client.stat("connections"), 1);
    for stream in &mut silent {
        stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest); // the end, or a reset
        assert!(rest.is_empty());
    }
    eventually("there is room again", || {
        ask(&metrics, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.1 200 ")
    });
    server.stop().unwrap();
}

#[test]
fn a_stop_does_not_wait_for_silent_peers() {
    let mut running = {
        let builder = Server::builder().metrics("127.0.0.1:0".parse().unwrap());
        Running::start(builder)
    };
    assert!(running.stop() < super::STOP_TIME);
    let (server, metrics) = start();
    let mut silent = Client::connect(&metrics);
    silent.send("GET /metrics HTTP/1.1\r\n");
    let pace = crate::pace::Pace::start();
    server.stop().unwrap();
    assert!(pace.took() < super::STOP_TIME);
    assert_eq!(silent.read_to_reset(), "");
}

#[test]
fn an_address_for_other_machines_needs_consent_even_with_a_token() {
    let local: Address = "127.0.0.1:0".parse().unwrap();
    let open: Address = "0.0.0.0:0".parse().unwrap();
    let builder = Server::builder().listen(local).metrics(open);
    let with_token = builder.clone().token(Token::new("s3cret").unwrap());
    for builder in [builder, with_token.clone()] {
        let error = builder.bind().unwrap_err();
        assert!(matches!(error, BindError::MetricsExposed { .. }), "{error}");
        assert!(error.to_string().starts_with("0.0.0.0:0: other machines can read"), "{error}");
    }
    let server = with_token.insecure(true).bind().unwrap();
    let warnings = server.warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].ends_with("whoever reaches it can read the metrics"), "{warnings:?}");
    let Address::Tcp(bound) = *server.metrics_addresses()[0] else { unreachable!() };
    let server = server.spawn().unwrap();
    let mut client = Client::connect(&server.addresses()[0]);
    assert_eq!(client.ask("read f"), "ERR_DENIED", "clients still need the token");
    let metrics = Address::Tcp(([127, 0, 0, 1], bound.port()).into());
    parse(&get(&metrics));
    drop(client);
    server.stop().unwrap();
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let (server, metrics) = start();
    let mut client = Client::connect(&metrics);
    for byte in b"GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n" {
        client.send([*byte]);
        std::thread::sleep(Duration::from_micros(100)); // so that they come in several pieces
    }
    assert!(client.read_to_end().starts_with("HTTP/1.1 200 OK\r\n"));
    server.stop().unwrap();
}
