//! The command of a job: finds and starts it as execvp(3) does, waits for it, and
//! sends it signals.

use nix::unistd::{self, getpgid, getpgrp};
use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, kill_process, kill_process_group,
    wait, waitid,
};
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Where commands are looked for without a `PATH`, as execvp(3) does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Runs files that are neither binaries nor begin with `#!`.
const SHELL: &str = "/bin/sh";

/// A started process.
pub(super) struct Child {
    pid: Pid,
    started: Instant,
    /// After reaping, its number may belong to another process, so no signal is sent then.
    is_reaped: Mutex<bool>,
}

impl Child {
    /// Starts the command in the process group of this process, so that it can use the terminal.
    /// As a filter it gets pipes for its stdin and stdout, which are returned.
    pub(super) fn start(
        command: &[OsString],
        variables: &[(&str, String)],
        is_filter: bool,
    ) -> io::Result<(Self, Option<(ChildStdin, ChildStdout)>)> {
        let spawn = |path: &OsStr, arg0: &OsStr, args: &mut dyn Iterator<Item = &OsString>| {
            let mut command = Command::new(path);
            command.arg0(arg0).args(args).envs(variables.iter().cloned());
            if is_filter {
                command.stdin(Stdio::piped()).stdout(Stdio::piped());
            }
            command.spawn()
        };
        let [name, args @ ..] = command else { return Err(ErrorKind::NotFound.into()) };
        let child = find(name, env::var_os("PATH").as_deref(), |path| {
            // Most do not exist, and a check is much cheaper than a process.
            access(Path::new(path), Access::EXISTS)?;
            match spawn(path, name, &mut args.iter()) {
                Err(e) if is(&e, Errno::NOEXEC) => {
                    let script = path.to_os_string();
                    spawn(SHELL.as_ref(), SHELL.as_ref(), &mut [&script].into_iter().chain(args))
                }
                started => started,
            }
        });
        let mut child = child?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let pid = Pid::from_child(&child);
        Ok((Child { pid, started: Instant::now(), is_reaped: Mutex::new(false) }, pipes))
    }

    /// Waits for its end. Returns its exit status, or 128 plus the signal that ended it, as a shell
    /// does. Reaps every other child too: the first process of a container gets orphans.
    pub(super) fn wait(&self) -> io::Result<u8> {
        loop {
            // Without reaping, which must exclude `signal`.
            match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            }
            let mut is_reaped = self.is_reaped();
            match wait(WaitOptions::NOHANG)? {
                Some((pid, status)) if pid == self.pid => {
                    *is_reaped = true;
                    return Ok(code(status));
                }
                _ => {}
            }
        }
    }

    /// Sends the process a signal, unless it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        let is_reaped = self.is_reaped();
        if !*is_reaped {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Signals the whole process group that it has created for itself, or it alone.
    pub(super) fn signal_group(&self, signal: Signal) {
        if self.group() != Some(unistd::Pid::from_raw(self.pid.as_raw_pid())) {
            return self.signal(signal);
        }
        let is_reaped = self.is_reaped();
        if !*is_reaped {
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Returns whether it has what this process's group got at `time`: it ran already, and is still
    /// in the group, which timeout(1), for one, leaves. While it starts, it may have it too.
    pub(super) fn has_what_the_group_got(&self, time: Instant) -> bool {
        self.started <= time && self.group() == Some(getpgrp())
    }

    /// Returns its process group; the number is 0 for one of another PID namespace.
    fn group(&self) -> Option<unistd::Pid> {
        getpgid(Some(unistd::Pid::from_raw(self.pid.as_raw_pid()))).ok()
    }

    fn is_reaped(&self) -> MutexGuard<'_, bool> {
        self.is_reaped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether the system refused to create another process, whatever the program.
pub(super) fn is_lack(e: &io::Error) -> bool {
    [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE].iter().any(|lack| is(e, *lack))
}

fn is(e: &io::Error, errno: Errno) -> bool {
    e.raw_os_error() == Some(errno.raw_os_error())
}

fn code(status: WaitStatus) -> u8 {
    let by_signal = status.terminating_signal().map(|signal| 128 + signal);
    let code = status.exit_status().or(by_signal).unwrap_or_default();
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Calls `start` with the path of a program, or with each candidate until one works. The rules are
/// those of execvp(3), which only learns whether a file is a program by trying it.
fn find<T>(
    name: &OsStr,
    path: Option<&OsStr>,
    mut start: impl FnMut(&OsStr) -> io::Result<T>,
) -> io::Result<T> {
    if name.is_empty() {
        return Err(Errno::NOENT.into());
    }
    if name.as_bytes().contains(&b'/') {
        return start(name);
    }
    let (mut denied, mut last) = (None, io::Error::from(Errno::NOENT));
    for folder in path.unwrap_or(DEFAULT_PATH.as_ref()).as_bytes().split(|b| *b == b':') {
        let folder = if folder.is_empty() { b"." } else { folder };
        let candidate = [folder, b"/", name.as_bytes()].concat();
        match start(OsStr::from_bytes(&candidate)) {
            Err(e) if is(&e, Errno::ACCESS) => denied = Some(e),
            Err(e)
                if [Errno::NOENT, Errno::NOTDIR, Errno::NODEV, Errno::STALE, Errno::TIMEDOUT]
                    .iter()
                    .any(|errno| is(&e, *errno)) =>
            {
                last = e;
            }
            done => return done,
        }
    }
    Err(denied.unwrap_or(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns which paths are tried when trying fails as given, and the result.
    fn tried(name: &str, path: Option<&str>, fails: &[Errno]) -> (Vec<String>, io::Result<()>) {
        let (mut tried, mut fails) = (Vec::new(), fails.iter());
        let found = find(name.as_ref(), path.map(OsStr::new), |path| {
            tried.push(path.to_str().unwrap().to_string());
            fails.next().map_or(Ok(()), |e| Err((*e).into()))
        });
        (tried, found)
    }

    #[test]
    fn a_command_is_looked_for_as_by_execvp() {
        let path = Some("/a::/b");
        for (name, path, fails, expected, end) in [
            ("x", path, &[][..], &["/a/x"][..], None),
            ("x", path, &[Errno::NOENT, Errno::NOTDIR], &["/a/x", "./x", "/b/x"], None),
            ("x", path, &[Errno::ACCESS], &["/a/x", "./x"], None),
            ("x", path, &[Errno::NOENT; 3], &["/a/x", "./x", "/b/x"], Some(Errno::NOENT)),
            (
                "x",
                path,
                &[Errno::ACCESS, Errno::NOENT, Errno::NOENT],
                &["/a/x", "./x", "/b/x"],
                Some(Errno::ACCESS),
            ),
            ("x", path, &[Errno::AGAIN], &["/a/x"], Some(Errno::AGAIN)),
            ("x", None, &[Errno::NOENT], &["/bin/x", "/usr/bin/x"], None),
            ("./x", path, &[Errno::NOENT], &["./x"], Some(Errno::NOENT)),
            ("", path, &[], &[], Some(Errno::NOENT)),
        ] {
            let (tried, found) = tried(name, path, fails);
            assert_eq!(tried, expected, "{name} {path:?} {fails:?}");
            let found = found.err().and_then(|e| e.raw_os_error());
            assert_eq!(found, end.map(Errno::raw_os_error), "{name} {path:?} {fails:?}");
        }
    }
}
