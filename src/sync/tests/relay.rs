//! Passes bytes between clients and a server, and counts those of the clients.

use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    lines: AtomicU64,
}

/// Ends with the process.
pub(super) struct Relay {
    path: PathBuf,
    counts: Arc<Counts>,
}

impl Relay {
    /// Starts a relay to a Unix socket.
    pub(super) fn to(server: &str) -> Relay {
        let server = PathBuf::from(server.strip_prefix("unix:").unwrap());
        let name = format!("relay-{:x}", RandomState::new().hash_one(0));
        let path = server.with_file_name(name);
        let listener = UnixListener::bind(&path).unwrap();
        let counts = Arc::new(Counts::default());
        let counted = counts.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                // A client whose server has stopped is disconnected.
                let Ok(server) = UnixStream::connect(&server) else { continue };
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let counts = counted.clone();
                thread::spawn(move || pass(from, to, Some(&counts)));
                thread::spawn(move || pass(server, client, None));
            }
        });
        Relay { path, counts }
    }

    pub(super) fn address(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    pub(super) fn sent_bytes(&self) -> u64 {
        self.counts.bytes.load(SeqCst)
    }

    pub(super) fn sent_lines(&self) -> u64 {
        self.counts.lines.load(SeqCst)
    }
}

/// Passes bytes until one of the two ends.
fn pass(mut from: UnixStream, mut to: UnixStream, counts: Option<&Counts>) {
    let mut buffer = [0; 64 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if let Some(counts) = counts {
            counts.bytes.fetch_add(n as u64, SeqCst);
            let lines = buffer[..n].iter().filter(|b| **b == b'\n').count();
            counts.lines.fetch_add(lines as u64, SeqCst);
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
