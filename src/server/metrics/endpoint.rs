//! The address where Prometheus reads the metrics, over HTTP/1.1.
//!
//! Nothing here changes anything. It has threads, connections and limits of its own, so that whatever
//! comes here takes nothing from the clients of the server. Each connection is for one request.

use super::prometheus;
use super::request::{Head, MAX_LINE_BYTES, Status};
use crate::net::{BufferedStream, Listener, Live, Pool, Stream};
use crate::server::host::Host;
use crate::server::shared::LINGER_BYTES;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many connections there may be at once; more are closed without an answer.
pub(in crate::server) const MAX_CONNECTIONS: usize = 16;

/// How long a peer may take to send its request, and again to receive the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may take to close its end.
const LINGER: Duration = Duration::from_secs(1);

/// The listeners for metrics, and their connections.
#[derive(Debug)]
pub(in crate::server) struct Endpoint {
    pub(in crate::server) listeners: Vec<Listener>,
    live: Live<Arc<Stream>>,
}

impl Endpoint {
    pub(in crate::server) fn new(listeners: Vec<Listener>) -> Self {
        Endpoint { listeners, live: Live::default() }
    }

    /// Returns the threads that answer.
    pub(in crate::server) fn pool(self: &Arc<Self>, host: &Arc<Host>) -> Pool<Arc<Stream>> {
        let (endpoint, host) = (self.clone(), host.clone());
        Pool::new(
            "metrics",
            MAX_CONNECTIONS,
            host.settings.stack_bytes,
            move |stream: &Arc<Stream>, _| {
                let Some(_registration) = endpoint.live.register(stream.clone()) else { return };
                match answer(stream, || prometheus::text(&host.report())) {
                    Ok(status) => log::debug!("{stream} asks for metrics: {}", status.words()),
                    Err(e) => log::debug!("{stream} asks for metrics: {e}"),
                }
            },
        )
    }

    /// Hands each connection to a thread of `pool`, until [`close`](Endpoint::close).
    pub(in crate::server) fn accept_loop(&self, listener: &Listener, pool: &Pool<Arc<Stream>>) {
        self.live.accept_all(listener, |stream| {
            let _ = pool.submit(Arc::new(stream)); // or closed by the drop
        });
    }

    /// Ends all connections, and lets no more in.
    pub(in crate::server) fn close(&self) {
        self.live.close();
        self.listeners.iter().for_each(Listener::close);
        self.live.each(|stream| stream.shutdown(Shutdown::Both));
    }
}

/// Reads a request and answers it; `text` makes the metrics.
///
/// # Errors
/// Those of the stream. The peer gets no answer then.
fn answer(stream: &Arc<Stream>, text: impl Fn() -> String) -> io::Result<Status> {
    let mut connection = BufferedStream::new(stream.clone(), MAX_LINE_BYTES, TIMEOUT);
    connection.set_deadline(Some(Instant::now() + TIMEOUT));
    let mut head = Head::default();
    let status = read(&mut connection, &mut head)?;
    connection.set_deadline(None);
    let body = match status {
        Status::Ok => text(),
        status => format!("{}\n", status.words()),
    };
    let kind = if status == Status::Ok { prometheus::CONTENT_TYPE } else { "text/plain" };
    let allow = if status == Status::MethodNotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    let (words, length) = (status.words(), body.len());
    let response = format!(
        "HTTP/1.1 {words}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{allow}\
         Connection: close\r\n\r\n"
    );
    connection.output().extend_from_slice(response.as_bytes());
    if !head.is_head() {
        connection.output().extend_from_slice(body.as_bytes());
    }
    connection.close(LINGER, LINGER_BYTES)?;
    Ok(status)
}

/// Reads the head of a request.
fn read(connection: &mut BufferedStream, head: &mut Head) -> io::Result<Status> {
    let mut line = Vec::new();
    loop {
        match connection.read_line(&mut line) {
            Ok(true) => {}
            Ok(false) => return Err(ErrorKind::UnexpectedEof.into()),
            // The line is still in the data: it is too long, unless a CR is in it.
            Err(e) if e.kind() == ErrorKind::InvalidData => {
                let has_cr = connection.data().iter().take(MAX_LINE_BYTES).any(|b| *b == b'\r');
                return Ok(if has_cr { Status::BadRequest } else { head.too_long() });
            }
            Err(e) => return Err(e),
        }
        if let Some(status) = head.add(&line) {
            return Ok(status);
        }
    }
}
