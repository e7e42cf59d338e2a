//! A small process in the process group of this process and its command. It shows which signals
//! are sent to the whole group.
//!
//! A signal says who sent it, but not whether it went to one process or to its group. timeout(1)
//! does both, systemd signals each process of a unit, a terminal those in the foreground. The
//! command already has what this process gets; passed on, it would be a second signal.

use super::relay::PASSED_ON;
use crate::cli::failure::{Failure, Outcome, program};
use crate::cli::signals;
use rustix::process::{Pid, Signal, kill_process};
use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The command that runs as a witness. Not listed: it has no other use.
pub(crate) const WITNESS: &str = "lock-witness";

/// Sent when every signal will be visible; no signal has this number.
const READY: u8 = 0;

/// A running witness. It ends when this is dropped, or when this process ends.
pub(super) struct Witness {
    child: Child,
}

/// The signals that a witness gets.
pub(super) struct Seen(ChildStdout);

impl Witness {
    /// Starts a witness in the process group of this process, and waits until it sees every signal.
    pub(super) fn start() -> io::Result<(Self, Seen)> {
        let mut command = Command::new(own_program()?);
        command.arg0(program()).arg(WITNESS);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take();
        let witness = Witness { child };
        let mut seen = Seen(stdout.ok_or(io::ErrorKind::BrokenPipe)?);
        seen.next()?;
        Ok((witness, seen))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It may be stopped, with the rest of the group.
        let _ = kill_process(Pid::from_child(&self.child), Signal::CONT);
        // As an orphan it would stay a zombie where nothing reaps those. Or it is already reaped.
        let _ = self.child.wait();
    }
}

impl Seen {
    /// Waits for the next signal.
    pub(super) fn next(&mut self) -> io::Result<i32> {
        let mut signal = [READY];
        self.0.read_exact(&mut signal)?;
        Ok(signal[0].into())
    }
}

/// Returns the path of this program. The file may have been replaced since the start, say by an
/// upgrade; on Linux this is the running one.
fn own_program() -> io::Result<OsString> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    env::current_exe().map(OsString::from)
}

/// Runs as a witness until stdin ends.
pub(crate) fn witness() -> Outcome {
    signals::each(&PASSED_ON, say).map_err(Failure::failed)?;
    say(READY.into());
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    Ok(())
}

fn say(signal: i32) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(&[signal as u8]).and_then(|()| stdout.flush());
}
