//! The requests of earlier sessions, in a file that only its user can read. No token is ever in it,
//! and no id of a synchronised folder.

use crate::name::NameRef;
use crate::wire::Request;
use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

/// How many lines are kept. The file may have twice as many before it is cut.
const MAX_LINES: usize = 1000;

/// More of a file is not read: no line is longer than a request.
const MAX_BYTES: u64 = 1 << 20;

/// The file, if there is a place for one and it can be written.
pub(super) struct History(Option<File>);

impl History {
    /// Opens the history of this user, and returns it with its lines. An unusable one is empty.
    pub(super) fn open() -> (Self, Vec<String>) {
        match path().map(|path| open(&path)) {
            Some(Ok((file, lines))) => (History(Some(file)), lines),
            _ => (History(None), Vec::new()),
        }
    }

    /// Adds a request, unless it contains a secret.
    pub(super) fn add(&mut self, line: &str) {
        if let Some(file) = &mut self.0
            && !has_secret(line)
        {
            // At once and in one piece: another session may do the same.
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }
}

/// Returns whether a line may contain a token, or an id of a synchronised folder. A line that is no
/// request may be a slip of one that does.
fn has_secret(line: &str) -> bool {
    match Request::parse(line.as_bytes()) {
        Ok(Request::Hello { .. } | Request::Session { .. }) | Err(_) => true,
        Ok(_) => line.split(' ').filter_map(NameRef::new).any(|name| name.secret().is_some()),
    }
}

/// `$XDG_STATE_HOME/telefile/history`, or in `~/.local/state`.
fn path() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = absolute("XDG_STATE_HOME");
    let state = state.or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("telefile/history"))
}

fn open(path: &std::path::Path) -> io::Result<(File, Vec<String>)> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let open = || File::options().read(true).append(true).create(true).mode(0o600).open(path);
    let mut file = open()?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    file.set_permissions(Permissions::from_mode(0o600))?;
    let start = file.metadata()?.len().saturating_sub(MAX_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    (&file).take(MAX_BYTES).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<_> = text.lines().map(String::from).collect();
    lines.retain(|line| !has_secret(line));
    if lines.len() > 2 * MAX_LINES || start > 0 {
        lines.drain(..lines.len().saturating_sub(MAX_LINES));
        let new = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut shorter = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
        let cut = shorter.write_all((lines.join("\n") + "\n").as_bytes());
        let cut = cut.and_then(|()| fs::rename(&new, path));
        if cut.is_err() {
            let _ = fs::remove_file(&new);
        }
        cut?;
        file = open()?;
    }
    Ok((file, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept() {
        let id = "0123456789abcdef".repeat(2);
        for line in [
            "hello s3cret",
            "hello",
            " hello  s3cret",
            "helo s3cret",
            "hello s3cret x",
            "s3cret",
            &format!("session {id}"),
            &format!("read s/{id}/m"),
            &format!("list s/{id}/ 10"),
            &format!("list * 10 s/{id}/m"),
        ] {
            assert!(has_secret(line), "{line}");
        }
        for line in ["read f", "list s/", "write f 6", "watch * 0 0"] {
            assert!(!has_secret(line), "{line}");
        }
    }
}
