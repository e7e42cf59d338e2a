//! `telefile::framework` from outside: applications made of closures, and peers that send bytes.

mod callbacks;
mod client;
mod flow;
mod stop;
mod wire;
mod workers;

use crate::server::PATIENCE;
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;
use telefile::framework::{Connection, Message, OwnedMessage, Server, ServerApp, ServerConfig};

/// How long an ending connection is kept for a peer that does nothing.
const DRAIN: Duration = Duration::from_secs(5);

/// The callbacks of a [`Puppet`].
#[derive(Clone)]
struct Script {
    new: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    connect: Arc<dyn Fn(&Connection) -> bool + Send + Sync>,
    message: Arc<dyn Fn(OwnedMessage) + Send + Sync>,
    disconnect: Arc<dyn Fn(&Connection) + Send + Sync>,
    drop: Arc<dyn Fn() + Send + Sync>,
}

/// Sends every message back.
impl Default for Script {
    fn default() -> Self {
        Script {
            new: Arc::new(|| Ok(())),
            connect: Arc::new(|_| true),
            message: Arc::new(|OwnedMessage { message, client }| client.send(message)),
            disconnect: Arc::new(|_| {}),
            drop: Arc::new(|| {}),
        }
    }
}

struct Puppet(Script);

impl ServerApp for Puppet {
    type Context = Script;

    fn new(script: Script) -> Result<Self, Box<dyn Error + Send + Sync>> {
        (script.new)()?;
        Ok(Puppet(script))
    }

    fn on_client_connect(&mut self, client: &Connection) -> bool {
        (self.0.connect)(client)
    }

    fn on_client_disconnect(&mut self, client: &Connection) {
        (self.0.disconnect)(client);
    }

    fn on_message(&mut self, message: OwnedMessage) {
        (self.0.message)(message);
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        (self.0.drop)();
    }
}

fn config(script: Script) -> ServerConfig<Puppet> {
    ServerConfig::new(script).listen("127.0.0.1:0".parse().unwrap())
}

fn start(script: Script) -> Server {
    Server::spawn(config(script)).unwrap()
}

/// Records what callbacks do, in order.
#[derive(Clone)]
struct Diary(Sender<String>);

impl Diary {
    fn new() -> (Diary, Receiver<String>) {
        let (sender, lines) = channel();
        (Diary(sender), lines)
    }

    fn note(&self, line: impl Into<String>) {
        let _ = self.0.send(line.into());
    }

    /// Returns a script that records every callback, and sends messages back.
    fn script(&self) -> Script {
        let [connect, message, disconnect, drop] = [(); 4].map(|()| self.clone());
        Script {
            connect: Arc::new(move |_| {
                connect.note("connect");
                true
            }),
            message: Arc::new(move |OwnedMessage { message: received, client }| {
                message.note(format!("message {}", received.id()));
                client.send(received);
            }),
            disconnect: Arc::new(move |_| disconnect.note("disconnect")),
            drop: Arc::new(move || drop.note("drop")),
            ..Script::default()
        }
    }
}

#[track_caller]
fn next<T>(lines: &Receiver<T>) -> T {
    lines.recv_timeout(PATIENCE).expect("a callback in time")
}

/// A client that sends and receives bytes.
struct Raw(TcpStream);

impl Raw {
    fn connect(server: &Server) -> Raw {
        Raw::connect_to(&server.addresses()[0].to_string())
    }

    fn connect_to(address: &str) -> Raw {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Raw(stream)
    }

    #[track_caller]
    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    #[track_caller]
    fn expect(&mut self, bytes: &[u8]) {
        let mut got = vec![0; bytes.len()];
        self.0.read_exact(&mut got).unwrap();
        assert_eq!(got.escape_ascii().to_string(), bytes.escape_ascii().to_string());
    }

    /// Returns what arrives until the end of the stream, or until the connection is reset.
    #[track_caller]
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Err(e) if e.kind() != ErrorKind::ConnectionReset => panic!("no end: {e}"),
            _ => rest,
        }
    }

    fn half_close(&self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends `bytes` on a thread of its own, until the peer takes no more.
    fn flood(&self, bytes: Vec<u8>) {
        let mut stream = self.0.try_clone().unwrap();
        let flood = move || stream.write_all(&bytes);
        thread::Builder::new().name("flood".to_string()).spawn(flood).unwrap();
    }
}

/// Returns a message in its wire format.
fn wire(id: u16, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    [&id.to_le_bytes()[..], &(payload.len() as u32).to_le_bytes(), payload].concat()
}

fn message(id: u16, payload: impl AsRef<[u8]>) -> Message {
    Message::new(id).append(payload)
}
