//! Chapter 4: the same server, with and without a network.

use std::fs;
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use telefile::net::{Address, Listener, Stream};

/// Carries a word from a client to a server at this address. Returns the listener.
fn carry(address: &str) -> io::Result<Listener> {
    let address: Address = address.parse()?;
    let listener = Listener::bind(&address)?.remove(0);
    let client = Stream::connect(listener.address(), None)?;
    let server = listener.accept()?;
    client.send_now(&[IoSlice::new(b"hello")])?;
    let mut buffer = [0; 10];
    let n = server.receive(&mut buffer)?;
    println!("{}: {} from {server}", listener.address(), buffer[..n].escape_ascii());
    assert_eq!(&buffer[..n], b"hello");
    Ok(listener)
}

/// Removes a folder at the end, also when a check fails.
struct Removed<'a>(&'a Path);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0);
    }
}

fn main() -> io::Result<()> {
    let folder = std::env::temp_dir().join(format!("telefile-ch04-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let _removed = Removed(&folder);
    std::env::set_current_dir(&folder)?;

    carry("127.0.0.1:0")?;
    let listener = carry("unix:ch04.socket")?;

    // The address is a file, so the file's owner decides who may connect.
    let file = fs::symlink_metadata("ch04.socket")?;
    let mode = file.permissions().mode() & 0o777;
    println!("ch04.socket is a socket: {}, mode {mode:o}", file.file_type().is_socket());
    assert_eq!(mode, 0o600);
    let ss = Command::new("ss").arg("-Hxl").output();
    let text = ss.map_or(String::new(), |ss| String::from_utf8_lossy(&ss.stdout).into_owned());
    if let Some(line) = text.lines().find(|line| line.contains(" ch04.socket ")) {
        println!("ss: {}", line.split_whitespace().take(5).collect::<Vec<_>>().join(" "));
    }
    drop(listener);
    assert!(!fs::exists("ch04.socket")?, "telefile's listener removes its file");

    // The file of a server that was killed stays, and nobody answers behind it.
    drop(UnixListener::bind("ch04.socket")?);
    let refused = Stream::connect(&"unix:ch04.socket".parse()?, None).map(drop).unwrap_err();
    println!("connect to what is left: {}", refused.kind());
    let in_use = UnixListener::bind("ch04.socket").map(drop).unwrap_err();
    println!("bind over what is left: {}", in_use.kind());
    assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
    carry("unix:ch04.socket")?;
    println!("only the address was different");
    Ok(())
}
