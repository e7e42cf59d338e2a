//! A server as a child process: started on a free port, ready when it accepts, and killed when it
//! is dropped or a signal ends this process.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The children are here, and not in a [`Process`], so that the signal handler finds them.
static RUNNING: Mutex<Vec<Child>> = Mutex::new(Vec::new());

pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
}

impl Process {
    /// Starts the command that `command` returns for a port.
    pub(crate) fn start(command: impl FnOnce(u16) -> Command) -> io::Result<Self> {
        let address = free_address()?;
        let process = Process::spawn(address, command(address.port()))?;
        process.await_start()?;
        Ok(process)
    }

    /// Starts a command that will accept connections at `address`.
    pub(crate) fn spawn(address: SocketAddr, mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut running = running();
        let child = command.spawn()?;
        let pid = child.id();
        running.push(child);
        Ok(Process { address, pid }) // from here on, dropping it ends the child
    }

    /// Returns a server that runs on a thread of this process and need not be ended.
    pub(crate) fn in_this_process(address: SocketAddr) -> Self {
        Process { address, pid: std::process::id() }
    }

    pub(crate) fn await_start(&self) -> io::Result<()> {
        let deadline = Instant::now() + START;
        while !accepts(self.address) {
            let ended = running().iter_mut().find(|c| c.id() == self.pid).map(Child::try_wait);
            if let Some(status) = ended.transpose()?.flatten() {
                return Err(io::Error::other(format!("the server ended early: {status}")));
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
        let mut running = running();
        if let Some(at) = running.iter().position(|child| child.id() == self.pid) {
            end(running.swap_remove(at));
        }
    }
}

/// Ends the servers and then this process on SIGHUP, SIGINT and SIGTERM.
pub(crate) fn end_on_signal() -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let ending = thread::Builder::new().name("signals".to_string()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let mut running = running(); // never released, so that no other server starts
            running.drain(..).for_each(end);
            std::process::exit(128 + signal); // the status that a shell reports
        }
    });
    ending.map(drop)
}

fn running() -> MutexGuard<'static, Vec<Child>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the server stores is not used again, so it can be killed.
fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Returns a free port. The system does not assign it again soon, because it goes through all of
/// them.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// While nobody listens, a connect may get the same port as its own and then reach itself.
fn accepts(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok_and(|s| s.local_addr().is_ok_and(|own| own != address))
}
