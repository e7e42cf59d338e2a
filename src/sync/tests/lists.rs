//! Lists that a hostile server never ends.

use crate::client::Client;
use crate::sync::server::remote::Remote;
use crate::sync::settings::Settings;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// The most bytes of names that a test's client takes, with 64 for each name.
const MAX_BYTES: usize = 1 << 20;

/// How many names are in a page.
const PAGE: usize = 1000;

/// Answers each list with a page of names of this length, each behind the last one; counts the names.
fn serve(stream: UnixStream, length: usize, listed: &AtomicUsize) -> std::io::Result<()> {
    let mut replies = stream.try_clone()?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let words: Vec<_> = line.split(' ').collect();
        let reply = match words[..] {
            ["hello", ..] => "HELLO 1 00000000000000aa 9\r\n".to_string(),
            ["list", prefix, ..] => {
                let mut page = format!("LIST 9 {PAGE} 1\r\n");
                for _ in 0..PAGE {
                    let n = listed.fetch_add(1, SeqCst);
                    let _ = write!(page, "1 1 0 {prefix}{n:0length$}\r\n");
                }
                page
            }
            _ => "ERR_CMD_ERR\r\n".to_string(),
        };
        replies.write_all(reply.as_bytes())?;
    }
    Ok(())
}

#[test]
fn a_list_that_never_ends_fills_no_memory() {
    let folder = std::env::temp_dir().join(format!("telefile-lists-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("socket");
    let address = format!("unix:{}", path.display());
    for length in [8, 300] {
        let listener = UnixListener::bind(&path).unwrap();
        let listed = Arc::new(AtomicUsize::new(0));
        let count = listed.clone();
        let server = thread::spawn(move || serve(listener.accept().unwrap().0, length, &count));
        let client = Client::connect(&address).unwrap();
        let settings = Settings::new(&address, &folder, Duration::from_secs(1));
        let remote = Remote::new(client, &settings, &"a".repeat(32));
        let error = remote.list("e/").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("the server lists more names than fit into memory"), "{text}");
        // It is as an error of the connection: a later round tries again.
        assert!(error.may_pass() && !error.is_of_one_path());
        let taken = MAX_BYTES / (length + 64);
        let listed = listed.load(SeqCst);
        assert!((taken..taken + 2 * PAGE).contains(&listed), "{listed} of {taken}");
        drop(remote);
        server.join().unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
    }
    std::fs::remove_dir(folder).unwrap();
}
