//! A port of this process's own, behind which a server can be killed and started again: no other
//! program gets the port meanwhile.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

/// Forwards each connection to a server on a Unix socket; closes it where nobody listens there.
pub(in crate::process::sync) struct Relay {
    port: u16,
    is_ended: Arc<AtomicBool>,
}

impl Relay {
    pub(in crate::process::sync) fn new(socket: PathBuf) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_ended = Arc::new(AtomicBool::new(false));
        let ended = is_ended.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if ended.load(SeqCst) {
                    return;
                }
                if let (Ok(client), Ok(server)) = (client, UnixStream::connect(&socket)) {
                    forward(client, server).unwrap();
                }
            }
        });
        Relay { port, is_ended }
    }

    pub(in crate::process::sync) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_ended.store(true, SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn forward(client: TcpStream, server: UnixStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (mut from_client, mut to_client) = (client.try_clone()?, client);
    let (mut from_server, mut to_server) = (server.try_clone()?, server);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    Ok(())
}
