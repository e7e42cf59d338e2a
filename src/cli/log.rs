//! The log of a server, written by a thread of its own: a stderr that nobody drains, such as a
//! stopped terminal, must not delay the clients.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use env_logger::{Builder, Env, Target};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// The most lines that wait for stderr; further ones are dropped and counted.
const MAX_WAITING: usize = 10_000;

/// The most lines that one call writes.
const MAX_AT_ONCE: usize = 100;

/// How long the end of the program waits for the last lines.
const PATIENCE: Duration = Duration::from_millis(200);

enum Message {
    Line(Vec<u8>),
    /// Answered once everything before it is written.
    Flush(Sender<()>),
}

/// The sending end to the thread that writes.
pub(super) struct Log(Sender<Message>);

impl Log {
    /// Starts logging, at level `info` unless RUST_LOG says otherwise.
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

/// Writes what was logged, if stderr takes it.
impl Drop for Log {
    fn drop(&mut self) {
        let (done, wait) = bounded(1);
        if self.0.send_timeout(Message::Flush(done), PATIENCE).is_ok() {
            let _ = wait.recv_timeout(PATIENCE);
        }
    }
}

/// The logger's output: each line arrives in one piece.
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

/// Writes the waiting lines, several at once if several wait. A log that nobody reads is not a
/// failure.
fn write(waiting: &Receiver<Message>, dropped: &AtomicU64) {
    let mut text = Vec::new();
    while let Ok(first) = waiting.recv() {
        let mut flushed = None;
        for message in [first].into_iter().chain(waiting.try_iter().take(MAX_AT_ONCE)) {
            match message {
                Message::Line(line) => text.extend_from_slice(&line),
                Message::Flush(done) => flushed = Some(done),
            }
        }
        let lost = dropped.swap(0, Relaxed);
        if lost > 0 {
            text.extend(format!("telefile: {lost} lines of the log were dropped\n").bytes());
        }
        let _ = io::stderr().write_all(&text);
        text.clear();
        if let Some(done) = flushed {
            let _ = done.send(());
        }
    }
}
