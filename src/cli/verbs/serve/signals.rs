//! The signals of a server: SIGINT and SIGTERM stop it, and SIGHUP does so if its terminal may be
//! gone. Without a terminal, as under a service manager, SIGHUP reads the token file again.

use crate::cli::manager;
use crate::cli::signals::{self, INTENTION};
use crate::server::Handle;
use crate::token::Token;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How long the process lasts at most after the first signal.
const LAST_CALL: Duration = Duration::from_millis(1800);

/// Makes signals act on the server from now on. Everything that a stop needs is created here, so it
/// also works when the system has no room for another thread.
pub(super) fn obey(handle: Handle, token_file: Option<PathBuf>) -> io::Result<()> {
    let reload = match signals::has_terminal() {
        true => None,
        false => Some(reloads(handle.clone(), token_file)?),
    };
    let (taken, signals) = mpsc::channel();
    let thread = thread::Builder::new().name("stop".to_string());
    thread.spawn(move || stop_once(&handle, &signals))?;
    signals::each(&[SIGHUP, SIGINT, SIGTERM], move |signal| {
        let _ = match &reload {
            Some(reload) if signal == SIGHUP => reload.send(()).is_ok(),
            _ => taken.send(signal).is_ok(),
        };
    })
}

/// Stops the server at the first signal, and exits immediately at one that demands it.
fn stop_once(handle: &Handle, signals: &Receiver<i32>) {
    if signals.recv().is_err() {
        return;
    }
    let since = Instant::now();
    handle.stop();
    manager::report("STOPPING=1", INTENTION / 2); // signals that come meanwhile must not seem late
    while let Some(left) = LAST_CALL.checked_sub(since.elapsed()) {
        if signals.recv_timeout(left).is_ok() && since.elapsed() > INTENTION {
            process::exit(130); // 128 + SIGINT, as a shell shows it
        }
    }
    // What cannot be ended, or takes long to free, ends with the process.
    process::exit(0);
}

/// Starts a thread that reads the token again each time something is sent. A thread of its own: a
/// file on a network may block, and a stop must not wait for it.
fn reloads(handle: Handle, token_file: Option<PathBuf>) -> io::Result<Sender<()>> {
    let (ask, asked) = mpsc::channel();
    thread::Builder::new().name("reload".to_string()).spawn(move || {
        while asked.recv().is_ok() {
            while asked.try_recv().is_ok() {} // one reading answers all
            match &token_file {
                Some(path) => match read_again(path) {
                    Ok(token) => {
                        handle.set_token(token);
                        log::info!("SIGHUP: {}: the token is read again", path.display());
                    }
                    Err(e) => log::error!("SIGHUP: {e}; the token stays as it was"),
                },
                None => log::info!("SIGHUP: without a token file there is nothing to read again"),
            }
        }
    })?;
    Ok(ask)
}

/// Reads the token from a file that can be read more than once.
fn read_again(path: &Path) -> io::Result<Token> {
    match path.metadata().is_ok_and(|found| !found.is_file()) {
        true => {
            let why = format!("{}: it is no regular file", path.display());
            Err(io::Error::new(ErrorKind::InvalidInput, why))
        }
        false => Token::from_file(path),
    }
}
