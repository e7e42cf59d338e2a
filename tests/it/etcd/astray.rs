//! Servers whose URLs lead to no etcd, or to one that is away: how they end, and what they say meanwhile.

use super::Cluster;
use super::cluster::free_addresses;
use crate::process::{Ended, Serving, run, telefile};
use crate::prometheus::{Family, parse};
use crate::server::{Folder, eventually};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

/// Runs a command that ends by itself. Returns its status and the last line of what it says.
#[track_caller]
fn ends(args: &[&str]) -> (i32, String) {
    let Ended { status, stderr, .. } = run(telefile(args));
    (status, stderr.lines().last().unwrap_or_default().to_string())
}

/// A telefile server is no etcd.
#[test]
fn a_server_ends_if_every_url_leads_to_another_program() {
    let other = Serving::local(&[]);
    let url = format!("http://{}", other.addresses[0]);
    let urls = format!("{url},{url}");
    for args in [
        &["serve", "--listen", "127.0.0.1:0", "--etcd", &urls][..],
        &["backup", "--etcd", &urls, "-"],
        &["restore", "--etcd", &urls, "--new-epoch"],
    ] {
        let (status, said) = ends(args);
        let why = "it does not speak HTTP: it needs an https URL, or another program listens there";
        assert_eq!((status, said), (2, format!("telefile: etcd: {url}: {why}; {url}: {why}")));
    }
}

#[test]
fn a_server_to_which_etcd_denies_access_ends_with_a_status_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let body = r#"{"error":"etcdserver: permission denied","code":7}"#;
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let head = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {length}\r\n\r\n");
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    for args in [
        &["serve", "--listen", "127.0.0.1:0", "--etcd", &url][..],
        &["backup", "--etcd", &url, "-"],
        &["restore", "--etcd", &url, "--new-epoch"],
    ] {
        let said = format!("telefile: etcd: {url}: etcdserver: permission denied");
        assert_eq!(ends(args), (8, said));
    }
}

/// A server whose metrics are at a Unix socket.
struct Watched {
    serving: Serving,
    address: String,
    metrics: PathBuf,
}

impl Watched {
    fn start(cluster: &Cluster, folder: &Folder, name: &str) -> Watched {
        let metrics = folder.path().join(name);
        let address = free_addresses(1).remove(0);
        let at = format!("unix:{}", metrics.display());
        let args = ["--listen", &address, "--etcd", &cluster.urls(), "--metrics", &at];
        Watched { serving: Serving::start(&args), address, metrics }
    }

    /// Returns the role, the leader and the failovers.
    fn seen(&self) -> (String, String, f64) {
        let found = metrics(&self.metrics);
        let failovers = found["telefile_failovers_total"].value(&[]);
        (found["telefile_role"].label("role"), found["telefile_leader"].label("leader"), failovers)
    }

    #[track_caller]
    fn becomes(&self, role: &str, leader: &str, failovers: f64) {
        let expected = (role.to_string(), leader.to_string(), failovers);
        eventually(&format!("{expected:?}"), || self.seen() == expected);
    }
}

fn metrics(path: &Path) -> BTreeMap<String, Family> {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    parse(text.split_once("\r\n\r\n").unwrap().1)
}

#[test]
fn the_metrics_of_each_server_have_its_role_and_who_is_active() {
    let Some(mut cluster) = Cluster::start(1) else { return };
    let folder = Folder::new();
    let first = Watched::start(&cluster, &folder, "first");
    first.becomes("active", &first.address, 0.0);
    let second = Watched::start(&cluster, &folder, "second");
    second.becomes("standby", &first.address, 0.0);
    first.serving.stop(Signal::TERM);
    second.becomes("active", &second.address, 1.0);
    let third = Watched::start(&cluster, &folder, "third");
    third.becomes("standby", &second.address, 0.0);
    // Without etcd nobody is active that this server knows of.
    cluster.kill(0);
    second.becomes("cut_off", "unknown", 1.0);
}

#[test]
fn the_log_says_once_that_etcd_is_away_and_that_it_is_back() {
    let Some(mut cluster) = Cluster::start(1) else { return };
    cluster.kill(0);
    let folder = Folder::new();
    let server = Watched::start(&cluster, &folder, "metrics");
    let says = |words: &str, times: usize| {
        eventually(words, || server.serving.log().matches(words).count() == times);
    };
    let away = format!("{}: nobody listens there; trying again", cluster.urls());
    says(&away, 1);
    assert_eq!(server.seen(), ("cut_off".to_string(), "unknown".to_string(), 0.0));
    cluster.start_again(0);
    says("etcd answers again, after ", 1);
    server.becomes("active", &server.address, 0.0);
    // It goes on as a server that was active.
    cluster.kill(0);
    server.becomes("cut_off", "unknown", 0.0);
    says(&away, 2);
    cluster.start_again(0);
    server.becomes("active", &server.address, 1.0);
    says("etcd answers again, after ", 2);
    assert_eq!(server.serving.log().matches("; trying again").count(), 2);
}
