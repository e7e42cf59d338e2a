//! A gateway between a store and etcd that does to each request what a test wants.

use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is done to a request.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// etcd does it, and the reply passes.
    Pass,
    /// etcd does it, and only this many bytes of the reply pass before the connection ends.
    Cut(usize),
    /// etcd does it, and another reply passes.
    Instead(u16, &'static str),
    /// etcd does it, and nothing passes as long as the client waits.
    Silence,
    /// etcd does it, and the reply passes with a number of its header changed.
    Header(&'static str, &'static str),
    /// etcd gets it with another token.
    Token(&'static str),
    /// etcd gets nothing, and this is the reply.
    Refuse(u16, &'static str),
    /// The connection ends. etcd gets it when the test calls [`Gate::release`].
    Late,
    /// The connection ends, and etcd never gets it.
    Lose,
}

type Script = Box<dyn FnMut(&str, &Value) -> Step + Send>;

/// Listens until the process ends.
#[derive(Clone)]
pub(super) struct Gate(Arc<Shared>);

struct Shared {
    url: String,
    etcd: String,
    script: Mutex<Script>,
    late: Mutex<Vec<Request>>,
    /// The length of the last reply that passed as a whole.
    reply_bytes: Mutex<usize>,
}

struct Request {
    path: String,
    token: Option<String>,
    body: Vec<u8>,
}

impl Gate {
    /// Begins to listen for requests to the etcd at a URL. All pass.
    pub(super) fn start(etcd: &str) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Gate(Arc::new(Shared {
            url: format!("http://{}", listener.local_addr().unwrap()),
            etcd: etcd["http://".len()..].to_string(),
            script: Mutex::new(Box::new(|_, _| Step::Pass)),
            late: Mutex::default(),
            reply_bytes: Mutex::default(),
        }));
        let shared = gate.0.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                // A client that has gone is no matter.
                thread::spawn(move || drop(shared.serve(stream.unwrap())));
            }
        });
        gate
    }

    pub(super) fn url(&self) -> &str {
        &self.0.url
    }

    /// Calls a function with the path and the body of each request from now on.
    pub(super) fn script(&self, script: impl FnMut(&str, &Value) -> Step + Send + 'static) {
        *self.0.script.lock().unwrap() = Box::new(script);
    }

    /// Does these steps to the next transactions, and lets all others pass.
    pub(super) fn steps(&self, steps: impl IntoIterator<Item = Step>) {
        let mut steps: std::collections::VecDeque<_> = steps.into_iter().collect();
        self.script(move |path, _| match path {
            "/v3/kv/txn" => steps.pop_front().unwrap_or(Step::Pass),
            _ => Step::Pass,
        });
    }

    /// Sends the requests that were late, in their order.
    pub(super) fn release(&self) {
        for request in self.0.late.lock().unwrap().drain(..) {
            self.0.forward(&request).unwrap();
        }
    }

    pub(super) fn reply_bytes(&self) -> usize {
        *self.0.reply_bytes.lock().unwrap()
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut writer = stream;
        while let Some(mut request) = Request::read(&mut reader)? {
            let body = serde_json::from_slice(&request.body)?;
            let step = self.script.lock().unwrap()(&request.path, &body);
            match step {
                Step::Pass => {
                    let reply = self.forward(&request)?;
                    *self.reply_bytes.lock().unwrap() = reply.len();
                    writer.write_all(&reply)?;
                }
                Step::Cut(bytes) => {
                    let reply = self.forward(&request)?;
                    return writer.write_all(&reply[..bytes.min(reply.len())]);
                }
                Step::Instead(status, text) => {
                    self.forward(&request)?;
                    writer.write_all(&reply(status, text.as_bytes()))?;
                }
                Step::Silence => {
                    self.forward(&request)?;
                    return reader.read(&mut [0]).map(drop);
                }
                Step::Header(name, number) => {
                    let whole = self.forward(&request)?;
                    let split = whole.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
                    let mut body: Value = serde_json::from_slice(&whole[split..])?;
                    body["header"][name] = number.into();
                    writer.write_all(&reply(200, body.to_string().as_bytes()))?;
                }
                Step::Token(token) => {
                    request.token = Some(token.to_string());
                    writer.write_all(&self.forward(&request)?)?;
                }
                Step::Refuse(status, text) => writer.write_all(&reply(status, text.as_bytes()))?,
                Step::Late => {
                    self.late.lock().unwrap().push(request);
                    return Ok(());
                }
                Step::Lose => return Ok(()),
            }
        }
        Ok(())
    }

    /// Returns etcd's reply, as one that keeps the connection.
    fn forward(&self, request: &Request) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.etcd)?;
        let Request { path, token, body } = request;
        let token = token.as_ref().map_or(String::new(), |t| format!("authorization: {t}\r\n"));
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.0\r\nhost: etcd\r\n{token}content-length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let split = answer.windows(4).position(|window| window == b"\r\n\r\n");
        let split = split.ok_or(io::ErrorKind::UnexpectedEof)? + 4;
        let status = str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        Ok(reply(status, &answer[split..]))
    }
}

fn reply(status: u16, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

impl Request {
    /// Reads one; `None` if the client has closed.
    fn read(from: &mut impl BufRead) -> io::Result<Option<Request>> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let path = line.split(' ').nth(1).unwrap().to_string();
        let (mut length, mut token) = (0, None);
        loop {
            line.clear();
            from.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => token = Some(value.to_string()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body)?;
        Ok(Some(Request { path, token, body }))
    }
}
