//! URLs that lead to something else than etcd: what is said about it, and whether it may pass.

use super::*;
use crate::store::etcd::Fault;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

/// How long to try. Whoever gives up earlier does so at once.
const LONG: Duration = Duration::from_secs(100);

/// Listens until the process ends: says `first`, and `then` to each request. Returns its URL.
pub(super) fn speaks(first: &'static str, then: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that has gone is no matter.
            let _ = stream.and_then(|mut stream| {
                stream.write_all(first.as_bytes())?;
                let _ = stream.read(&mut [0; 4096])?;
                stream.write_all(then.as_bytes())
            });
        }
    });
    url
}

fn html(status: &str) -> &'static str {
    format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")
        .leak()
}

fn json(status: &str, body: &str) -> &'static str {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").leak()
}

fn look(urls: &[String], patience: Duration) -> std::io::Error {
    Etcd::new(Options::new(urls)).unwrap().look(patience).unwrap_err()
}

#[test]
fn what_listens_there_and_is_no_etcd_is_said_at_once() {
    let https = "Client sent an HTTP request to an HTTPS server.\n";
    let tls = json("400 Bad Request", https).replacen("1.1", "1.0", 1).leak();
    let old = r#"{"error":"Not Found","message":"Not Found","code":5}"#;
    for (first, then, words) in [
        ("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "", "it does not speak HTTP"),
        ("", "-ERR unknown command\r\n", "it does not speak HTTP"),
        ("", "ERR_CMD_ERR\r\n", "it does not speak HTTP"),
        ("", "\x15\x03\x01\0\x02\x02\x46", "it needs an https URL"),
        ("", tls, "it speaks TLS: it needs an https URL"),
        (
            "",
            html("404 Not Found"),
            "the URL is not for clients: it answers with the HTTP status 404",
        ),
        ("", json("404 Not Found", old), "etcd 3.4 or later"),
        ("", html("301 Moved Permanently"), "the HTTP status 301"),
        ("", html("200 OK"), "another program listens there: its reply is no JSON"),
        ("", json("200 OK", r#"{"status":"ok"}"#), "another program listens there"),
    ] {
        let (url, begun) = (speaks(first, then), Instant::now());
        let e = look(&[url.clone(), url.clone()], LONG);
        let text = e.to_string();
        assert!(begun.elapsed() < LONG, "{text}");
        assert_eq!((Etcd::fault(&e), e.kind()), (Some(Fault::Options), ErrorKind::InvalidInput));
        assert!(Etcd::is_fatal(&e));
        assert!(text.starts_with(&format!("etcd: {url}: ")) && text.contains(words), "{text}");
        assert_eq!(text.matches(words).count(), 2, "each URL has its line: {text}");
    }
}

#[test]
fn what_may_pass_is_waited_for() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dead = format!("http://{closed}");
    let ssh = speaks("SSH-2.0-x\r\n", "");
    let starting =
        json("503 Service Unavailable", r#"{"error":"etcdserver: no leader","code":14}"#);
    for (urls, words) in [
        (vec![speaks("", "")], vec!["it ends the connection without an answer"]),
        (vec![speaks("", html("503 X"))], vec!["the HTTP status 503"]),
        (vec![speaks("", starting)], vec!["etcdserver: no leader"]),
        (vec![dead.clone()], vec!["nobody listens there"]),
        (vec!["http://no-such-host.invalid:1".to_string()], vec!["no-such-host.invalid:1: "]),
        // One of them may still become one.
        (vec![ssh.clone(), dead.clone()], vec!["it does not speak HTTP", "nobody listens there"]),
        (vec![dead, ssh], vec!["nobody listens there", "it does not speak HTTP"]),
    ] {
        let e = look(&urls, Duration::from_millis(1));
        let e = if urls.len() > 1 { look(&urls, Duration::from_millis(500)) } else { e };
        assert_eq!((Etcd::fault(&e), e.kind()), (None, ErrorKind::TimedOut), "{e}");
        assert!(!Etcd::is_fatal(&e));
        let text = e.to_string();
        assert!(urls.iter().all(|url| text.contains(&url[..])), "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}

#[test]
fn the_urls_of_peers_and_of_metrics_are_not_for_clients() {
    let Some(etcd) = real::Etcd::start(128) else { return };
    for url in &etcd.others {
        let e = look(std::slice::from_ref(url), LONG);
        assert_eq!(Etcd::fault(&e), Some(Fault::Options), "{e}");
        assert!(e.to_string().contains("the URL is not for clients"), "{e}");
    }
}

/// Whatever comes later may pass: somebody works on that member.
#[test]
fn a_server_that_etcd_has_answered_is_patient() {
    let Some(url) = real::etcd() else { return };
    let gate = gate::Gate::start(&url);
    let etcd = table(gate.url());
    assert_eq!(etcd.look(LONG).unwrap(), None);
    gate.script(|_, _| gate::Step::Refuse(404, "404 page not found"));
    let e = etcd.look(Duration::from_millis(300)).unwrap_err();
    assert_eq!((Etcd::fault(&e), e.kind()), (None, ErrorKind::TimedOut), "{e}");
    gate.script(|_, _| gate::Step::Pass);
    assert_eq!(etcd.look(LONG).unwrap(), None);
}
