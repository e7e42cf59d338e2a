//! A server as a child process: started on a free port, awaited until it accepts, killed when it is
//! dropped or when this process is told to end. There is one at a time.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The child is here, and not in a [`Process`], for the signal handler to find.
static RUNNING: Mutex<Option<Child>> = Mutex::new(None);

pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
}

impl Process {
    /// Starts what `command` makes of a port.
    pub(crate) fn start(command: impl FnOnce(u16) -> Command) -> io::Result<Self> {
        let address = free_address()?;
        let mut command = command(address.port());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut running = running();
        assert!(running.is_none(), "one server at a time");
        let child = command.spawn()?;
        let pid = child.id();
        *running = Some(child);
        drop(running);
        let process = Process { address, pid }; // from here on its drop ends the child
        process.await_start()?;
        Ok(process)
    }

    /// One that runs on a thread of this process and needs no end.
    pub(crate) fn in_this_process(address: SocketAddr) -> Self {
        Process { address, pid: std::process::id() }
    }

    fn await_start(&self) -> io::Result<()> {
        let deadline = Instant::now() + START;
        while !accepts(self.address) {
            if let Some(status) = running().as_mut().and_then(|c| c.try_wait().transpose()) {
                return Err(io::Error::other(format!("the server ended early: {}", status?)));
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not accept"));
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut running());
    }
}

/// On SIGHUP, SIGINT and SIGTERM ends the server and then this process.
pub(crate) fn end_on_signal() -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let ending = thread::Builder::new().name("signals".to_string()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let mut running = running(); // never given back: no other server is to start now
            end(&mut running);
            std::process::exit(128 + signal); // as a shell shows it
        }
    });
    ending.map(drop)
}

fn running() -> MutexGuard<'static, Option<Child>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nothing is saved, so there is nothing to be polite about.
fn end(running: &mut Option<Child>) {
    if let Some(mut child) = running.take() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A port that the system finds free. Nobody else is given it soon: the system goes round.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// While nobody listens, a connect may be given that very port as its own and then reach itself.
fn accepts(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok_and(|s| s.local_addr().is_ok_and(|own| own != address))
}
