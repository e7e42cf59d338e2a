//! The log of a server, written by a thread of its own: a stderr that nobody drains, a stopped
//! terminal for one, must not hold up the clients.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use env_logger::{Builder, Env, Target};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// So many lines wait for stderr; more are dropped and counted.
const MAX_WAITING: usize = 10_000;

/// How long the end of the program waits for the last lines.
const PATIENCE: Duration = Duration::from_millis(200);

enum Message {
    Line(Vec<u8>),
    /// Answered when all before it is written.
    Flush(Sender<()>),
}

/// The way to the thread that writes.
pub(super) struct Log(Sender<Message>);

impl Log {
    /// Starts logging, at level `info` if RUST_LOG does not say otherwise.
    pub(super) fn start() -> io::Result<Self> {
        let (lines, waiting) = bounded(MAX_WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let queue = Queue { lines: lines.clone(), dropped: dropped.clone() };
        thread::Builder::new().name("log".to_string()).spawn(move || write(&waiting, &dropped))?;
        let target = Target::Pipe(Box::new(queue));
        Builder::from_env(Env::new().default_filter_or("info")).target(target).init();
        Ok(Log(lines))
    }
}

/// What was logged is written, if stderr takes it.
impl Drop for Log {
    fn drop(&mut self) {
        let (done, wait) = bounded(1);
        if self.0.send_timeout(Message::Flush(done), PATIENCE).is_ok() {
            let _ = wait.recv_timeout(PATIENCE);
        }
    }
}

/// Where the logger writes: each line comes in one piece.
struct Queue {
    lines: Sender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Message::Line(line.to_vec())) {
            self.dropped.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(waiting: &Receiver<Message>, dropped: &AtomicU64) {
    // That nobody reads the log is no failure.
    for message in waiting {
        let mut stderr = io::stderr().lock();
        match message {
            Message::Line(line) => {
                let _ = stderr.write_all(&line);
            }
            Message::Flush(done) => {
                let _ = done.send(());
            }
        }
        match dropped.swap(0, Relaxed) {
            0 => {}
            n => {
                let _ = writeln!(stderr, "telefile: {n} lines of the log were dropped");
            }
        }
    }
}
