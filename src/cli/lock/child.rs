//! The command that runs under the lock: started, waited for, and told the signals that come.

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::unistd::Pid;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::env;
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;

const PASSED_ON: [Signal; 6] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// The signals that are for the command, held up so that they do not end this process.
pub(super) struct Signals {
    held: SigSet,
    /// What the command inherits.
    before: SigSet,
}

impl Signals {
    /// Holds them up, in this thread and in those that it starts from now on.
    pub(super) fn hold() -> io::Result<Self> {
        let held = SigSet::from_iter(PASSED_ON);
        let before = held.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Signals { held, before })
    }

    /// Passes them on for ever. What a terminal sends is for all who run in its foreground, so the
    /// command has it already: twice would be another thing to say.
    #[cfg(target_os = "linux")]
    pub(super) fn pass_on(&self, child: Child) -> io::Result<()> {
        use nix::errno::Errno;
        use nix::sys::signalfd::{SfdFlags, SignalFd};
        let signals = SignalFd::with_flags(&self.held, SfdFlags::SFD_CLOEXEC)?;
        loop {
            match signals.read_signal() {
                // A positive code is the kernel's; see sigaction(2).
                Ok(Some(info)) if info.ssi_code <= 0 => {
                    child.signal(Signal::try_from(info.ssi_signo as i32)?);
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Passes them on for ever, but for those that are typed.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn pass_on(&self, child: Child) -> io::Result<()> {
        loop {
            match self.held.wait()? {
                Signal::SIGINT | Signal::SIGQUIT => {}
                signal => child.signal(signal),
            }
        }
    }
}

/// A process that is never reaped, so that its number stays its own until this process ends.
#[derive(Clone, Copy)]
pub(super) struct Child(Pid);

impl Child {
    /// Starts the command in the process group of this process, so that it can use the terminal.
    /// Not with `std::process`: there it would inherit that signals are held up.
    pub(super) fn start(command: &[OsString], token: u64, signals: &Signals) -> io::Result<Self> {
        let mut attributes = PosixSpawnAttr::init()?;
        let flags = PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK;
        attributes.set_flags(flags | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
        attributes.set_sigmask(&signals.before)?;
        // Every program in Rust ignores it.
        attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
        let args = command.iter().cloned().map(c_string).collect::<io::Result<Vec<_>>>()?;
        let others = env::vars_os().filter(|(name, _)| name != TOKEN);
        let token = (OsString::from(TOKEN), OsString::from(token.to_string()));
        let variables = others.chain([token]).map(|(mut variable, value)| {
            variable.push("=");
            variable.push(value);
            c_string(variable)
        });
        let variables = variables.collect::<io::Result<Vec<_>>>()?;
        let actions = PosixSpawnFileActions::init()?;
        Ok(Child(posix_spawnp(&args[0], &actions, &attributes, &args, &variables)?))
    }

    /// Waits for its end; its exit status, or 128 and the signal that ended it, as in a shell.
    pub(super) fn wait(self) -> io::Result<u8> {
        let pid = rustix::process::Pid::from_raw(self.0.as_raw()).ok_or(io::ErrorKind::NotFound)?;
        loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(Some(status)) => {
                    let by_signal = status.terminating_signal().map(|signal| 128 + signal);
                    let status = status.exit_status().or(by_signal).unwrap_or_default();
                    return Ok(u8::try_from(status).unwrap_or(u8::MAX));
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// That it has ended meanwhile is no error.
    pub(super) fn signal(self, signal: Signal) {
        let _ = kill(self.0, signal);
    }
}

/// The environment variable with the fencing token.
const TOKEN: &str = "TELEFILE_TOKEN";

fn c_string(text: OsString) -> io::Result<CString> {
    Ok(CString::new(text.into_vec())?)
}
