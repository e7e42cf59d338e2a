//! What is between a client and its server, and can be cut, hang, be slow, and be switched over.

use super::PATIENCE;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use telefile::Client;
use telefile::client::Error;
use telefile::net::Address;

/// Passes on what comes over TCP. Connections that are made end when it is dropped.
pub(crate) struct Proxy {
    address: Address,
    state: Arc<Mutex<State>>,
}

struct State {
    target: Address,
    streams: Vec<TcpStream>,
    /// Of the connections that pass on what comes.
    passing: Vec<Arc<AtomicBool>>,
    /// How long a request is on its way.
    delay: Duration,
    /// The first word of each request so far.
    asked: Vec<String>,
    /// How many of the next watches are answered with `ERR_COMPACTED`.
    compacts: usize,
    /// What happens before the first of them.
    happens: Option<Box<dyn FnOnce() + Send>>,
    ended: bool,
}

impl Proxy {
    pub(crate) fn new(target: &Address) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let state = State {
            target: target.clone(),
            streams: Vec::new(),
            passing: Vec::new(),
            delay: Duration::ZERO,
            asked: Vec::new(),
            compacts: 0,
            happens: None,
            ended: false,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.lock().unwrap().ended {
                    break;
                }
                serve(client, &shared);
            }
        });
        Proxy { address, state }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn client(&self) -> Client {
        self.try_client().unwrap()
    }

    pub(crate) fn try_client(&self) -> Result<Client, Error> {
        Client::builder().timeout(Some(PATIENCE)).connect_to(&self.address)
    }

    /// Ends all connections; new ones can be made.
    pub(crate) fn cut(&self) {
        for stream in self.state.lock().unwrap().streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Blocks all current connections.
    pub(crate) fn hang(&self) {
        for passes in self.state.lock().unwrap().passing.drain(..) {
            passes.store(false, SeqCst);
        }
    }

    /// Ends all connections, and new ones lead elsewhere.
    pub(crate) fn switch(&self, target: &Address) {
        self.state.lock().unwrap().target = target.clone();
        self.cut();
    }

    /// Delays each request by this time.
    pub(crate) fn slow_down(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// Returns how many requests had this verb.
    pub(crate) fn asked(&self, verb: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|asked| *asked == verb).count()
    }

    /// The next two watches do not learn what has changed; `happens` does so just before.
    pub(crate) fn compacts(&self, happens: impl FnOnce() + Send + 'static) {
        let mut state = self.state.lock().unwrap();
        state.compacts = 2;
        state.happens = Some(Box::new(happens));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.lock().unwrap().ended = true;
        self.cut();
        if let Address::Tcp(address) = self.address {
            let _ = TcpStream::connect(address); // wakes the listener
        }
    }
}

fn serve(client: TcpStream, state: &Arc<Mutex<State>>) {
    let mut locked = state.lock().unwrap();
    let Address::Tcp(target) = locked.target else { panic!("TCP alone") };
    let Ok(server) = TcpStream::connect(target) else { return };
    let clone = |stream: &TcpStream| stream.try_clone().unwrap();
    locked.streams.extend([clone(&client), clone(&server)]);
    let (to_client, to_server) = (clone(&client), clone(&server));
    let passes = Arc::new(AtomicBool::new(true));
    locked.passing.push(passes.clone());
    let (state, passes_too) = (state.clone(), passes.clone());
    thread::spawn(move || pass(server, to_client, &passes, |_| None));
    thread::spawn(move || {
        pass(client, to_server, &passes_too, |request| {
            let delay = state.lock().unwrap().delay;
            thread::sleep(delay);
            state.lock().unwrap().answer(request)
        })
    });
}

/// Passes on what comes, or answers it. A client sends a request at once, and waits for the reply.
fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    passes: &AtomicBool,
    answer: impl Fn(&[u8]) -> Option<String>,
) -> Option<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let bytes = match from.read(&mut buffer) {
            Ok(n) if n > 0 => &buffer[..n],
            _ => return to.shutdown(Shutdown::Both).ok(),
        };
        if !passes.load(SeqCst) {
            continue;
        }
        match answer(bytes) {
            Some(reply) => from.write_all(reply.as_bytes()).ok()?,
            None => to.write_all(bytes).ok()?,
        }
    }
}

impl State {
    fn answer(&mut self, request: &[u8]) -> Option<String> {
        let line = String::from_utf8_lossy(request);
        let verb = line.split([' ', '\r']).next().unwrap_or_default();
        self.asked.push(verb.to_string());
        if verb != "watch" || self.compacts == 0 {
            return None;
        }
        self.compacts -= 1;
        if let Some(happens) = self.happens.take() {
            happens();
        }
        Some(format!("ERR_COMPACTED {}\r\n", self.rev()))
    }

    /// The version of the server's table.
    fn rev(&self) -> u64 {
        let client = Client::builder().timeout(Some(PATIENCE)).connect_to(&self.target).unwrap();
        client.list_page("", 1, None).unwrap().version.0
    }
}
