//! Chapter 4, build it: take over the address of a dead server, and of nobody else.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Listens at `path`. Replaces the socket of a dead server, and leaves anything else alone.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if path.exists() {
        fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}

fn main() -> io::Result<()> {
    let folder = std::env::temp_dir().join(format!("telefile-ch04-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let result = std::panic::catch_unwind(|| check(&folder));
    fs::remove_dir_all(&folder)?;
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn check(folder: &Path) -> io::Result<()> {
    let socket = folder.join("socket");
    drop(UnixListener::bind(&socket)?); // dead
    let first = listen(&socket)?;
    let second = listen(&socket).map(drop).map_err(|e| e.kind());
    assert_eq!(second, Err(ErrorKind::AddrInUse), "the first server is alive");
    let _client = UnixStream::connect(&socket)?;
    first.accept()?;

    let letter = folder.join("letter");
    fs::write(&letter, "dear Ann")?;
    assert!(listen(&letter).is_err());
    assert_eq!(fs::read_to_string(&letter)?, "dear Ann", "a file is no dead server");
    println!("the dead were replaced, the living were not");
    Ok(())
}
