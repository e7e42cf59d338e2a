//! The standard streams of a command, and what std hides about them: that one is closed, or is not
//! open for its purpose.

use super::failure::{Failure, Outcome};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::{process, thread};

/// Returns stdin for a command that needs it.
///
/// As a file, because `std::io::Stdin` reads a descriptor that is not open for reading (`nohup`
/// leaves one) as an empty one.
///
/// # Errors
/// A stdin that was closed when the program started, as with `<&-`. Before `main` std opens
/// `/dev/null` in its place, for reading and writing, so that `telefile write config <&-` would
/// empty a file. A shell's `</dev/null` and service managers open it for reading only. A few
/// programs pass on `/dev/null` as std does: daemon(3), Python's `DEVNULL`, a container without
/// `-i`. There nobody chose the empty input either, so it is refused too, with a way out.
///
/// The same test of stdout would break correct uses: Python's `DEVNULL` and Node's `ignore` are how
/// programs drop an output on purpose, and they look the same as `>&-`. What is lost there is
/// output, and no file.
pub(super) fn stdin() -> Result<File, Failure> {
    let stdin = io::stdin();
    let failed = |e: io::Error| Failure::failed(format!("stdin: {e}"));
    if is_reopened(&stdin).map_err(|e| failed(e.into()))? {
        return Err(Failure::failed("stdin is closed; for an empty input write </dev/null"));
    }
    Ok(File::from(stdin.as_fd().try_clone_to_owned().map_err(failed)?))
}

/// Returns whether std may have opened it because it was closed.
fn is_reopened(stream: impl AsFd) -> rustix::io::Result<bool> {
    let mode = fcntl_getfl(&stream)? & OFlags::RWMODE;
    Ok(mode == OFlags::RDWR && fstat(&stream)?.st_rdev == stat("/dev/null")?.st_rdev)
}

/// Reads all of stdin, which may be endless.
pub(super) fn contents(max: u64) -> Result<Vec<u8>, Failure> {
    let mut contents = Vec::new();
    let read = stdin()?.take(max.saturating_add(1)).read_to_end(&mut contents);
    match read.map_err(|e| Failure::failed(format!("stdin: {e}")))? {
        n if n as u64 > max => {
            let why = format!("stdin: more than {max} bytes; --max-contents raises that");
            Err(Failure::failed(why))
        }
        _ => Ok(contents),
    }
}

/// Writes to stdout, and returns whether it still has a reader. A reader that is gone is not a
/// failure; bytes that cannot be stored, on a full disk, are one.
///
/// As a file, because `std::io::Stdout` drops what a descriptor open only for reading rejects.
pub(super) fn put_some(bytes: &[u8]) -> Result<bool, Failure> {
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    match stdout.and_then(|mut stdout| stdout.write_all(bytes)) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Failure::failed(format!("stdout: {e}"))),
    }
}

/// Writes to stdout.
pub(super) fn put(text: impl AsRef<[u8]>) -> Outcome {
    put_some(text.as_ref()).map(drop)
}

/// Writes a line, the result of a change, to stdout. A failure message says that the change was made.
pub(super) fn put_change(line: &str) -> Outcome {
    put(line).map_err(|failure| {
        let line = line.trim_end();
        Failure::failed(format!("{}; the change was made: {line}", failure.message))
    })
}

/// Writes to stdout what nobody needs to read.
pub(super) fn say(text: &str) {
    let _ = put(text);
}

/// Ends the process, with status 0, once stdout has no reader any more. For a command that prints
/// again and again: a write would show that too, but there may be none for a long time.
pub(super) fn end_when_unread() -> Outcome {
    let started = thread::Builder::new().spawn(|| {
        if wait_unread().is_ok() {
            process::exit(0);
        }
    });
    started.map(drop).map_err(Failure::no_thread)
}

fn wait_unread() -> io::Result<()> {
    let stdout = io::stdout();
    loop {
        // No events are requested: an error and a hang-up are always reported.
        match poll(&mut [PollFd::new(&stdout, PollFlags::empty())], None) {
            Err(rustix::io::Errno::INTR) | Ok(0) => {}
            ended => return Ok(ended.map(drop)?),
        }
    }
}
