//! A real etcd of one member, for all tests of the process.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// How long etcd may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts etcd, and ends it when its standard input does: with this process, however that ends.
const SCRIPT: &str = r#"
[ -w /dev/shm ] && TMPDIR=/dev/shm # without waiting for a disk
export TMPDIR
dir=$(mktemp -d) || exit
client=$1 peer=$2 metrics=$3
shift 3
etcd --name a --data-dir "$dir" --log-level error --listen-client-urls "$client" \
    --advertise-client-urls "$client" --listen-peer-urls "$peer" \
    --initial-advertise-peer-urls "$peer" --initial-cluster "a=$peer" \
    --listen-metrics-urls "$metrics" "$@" >"$dir/log" 2>&1 &
echo started
read -r end
kill -9 $!
wait $! 2>/dev/null
rm -rf "$dir"
"#;

/// Returns the URL of an etcd that takes 128 operations in a transaction; `None`, with a line that says
/// so, where etcd is not installed.
pub(super) fn etcd() -> Option<String> {
    static STARTED: OnceLock<Option<Etcd>> = OnceLock::new();
    STARTED.get_or_init(|| Etcd::start(128)).as_ref().map(|etcd| etcd.url.clone())
}

pub(super) struct Etcd {
    pub(super) url: String,
    /// URLs of it that are not for clients: for the other members, and for metrics.
    pub(super) others: [String; 2],
    /// Ends it when this is dropped.
    script: Mutex<Child>,
}

impl Etcd {
    pub(super) fn start(max_txn_ops: usize) -> Option<Etcd> {
        Etcd::start_with("http", &["--max-txn-ops", &max_txn_ops.to_string()])
    }

    /// Starts one that is reached over https, with the certificates in a folder.
    #[cfg(feature = "etcd-tls")]
    pub(super) fn start_with_tls(folder: &std::path::Path) -> Option<Etcd> {
        let path = |name: &str| folder.join(name).display().to_string();
        let (ca, cert, key) = (path("ca.pem"), path("etcd.pem"), path("etcd.key"));
        let options = ["--client-cert-auth", "--trusted-ca-file", &ca, "--cert-file", &cert];
        Etcd::start_with("https", &[&options[..], &["--key-file", &key]].concat())
    }

    fn start_with(scheme: &str, options: &[&str]) -> Option<Etcd> {
        let installed = Command::new("etcd").arg("--version").stdout(Stdio::null()).status();
        if !installed.is_ok_and(|status| status.success()) {
            eprintln!("\nSKIPPED: etcd is not installed: the tests of the store in etcd need it\n");
            return None;
        }
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            // Somebody else may take a port before etcd does.
            let [client, peer, metrics] = free_ports();
            let client = format!("{scheme}://127.0.0.1:{client}");
            let [peer, metrics] = [peer, metrics].map(|port| format!("http://127.0.0.1:{port}"));
            let script = Command::new("sh")
                .args(["-c", SCRIPT, "sh", &client, &peer, &metrics])
                .args(options)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn();
            let others = [peer, metrics.clone()];
            let mut etcd = Etcd { url: client, others, script: Mutex::new(script.unwrap()) };
            let said = etcd.script.get_mut().unwrap().stdout.take().unwrap();
            BufReader::new(said).read_line(&mut String::new()).unwrap();
            let started = Instant::now();
            while started.elapsed() < PATIENCE / 4 {
                if is_healthy(&metrics) {
                    return Some(etcd);
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("etcd does not start");
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let script = self.script.get_mut().unwrap();
        drop(script.stdin.take());
        let _ = script.wait();
    }
}

fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn is_healthy(url: &str) -> bool {
    let answer = send(url, "GET /health HTTP/1.0\r\n\r\n");
    answer.is_ok_and(|answer| answer.contains("\"true\""))
}

/// Sends a request that must succeed.
pub(super) fn post(url: &str, path: &str, body: &str) {
    let length = body.len();
    let request = format!("POST {path} HTTP/1.0\r\ncontent-length: {length}\r\n\r\n{body}");
    let answer = send(url, &request).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{path}: {answer}");
}

fn send(url: &str, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(&url["http://".len()..])?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
