//! The folder `.telefile-sync` at the top of a synchronised one: its id, a lock, temporary files and
//! the trash. It is on the same file system, so that files can be renamed out of it and into it.

use super::root::{Root, sync_file};
use super::trash::{Ages, Look};
use crate::name::is_session_id;
use crate::sync::error::Error;
use crate::sync::lock::Lock;
use crate::sync::path::{MARKER, RelPath};
use crate::sync::time::Utc;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

/// The file with the id.
pub(in crate::sync) const ID: &str = "id";

/// The most ids in a marker: 32 digits and a line end.
const MAX_ID_BYTES: u64 = 64;

/// The folders in a marker.
pub(super) const TEMPORARY: &str = "tmp";
pub(super) const TRASH: &str = "trash";

const DAMAGED: &str = ".telefile-sync/id is damaged: remove that file, and give the id with --new; \
                       nothing is deleted";

/// The file with the patterns of the last start that had any.
const PATTERNS: &str = "ignore";
const MAX_PATTERNS_BYTES: u64 = 1 << 20;

/// The file that says how long each folder of the trash has been there.
const AGES: &str = "trash-ages";
const MAX_AGES_BYTES: u64 = 64 << 20;

/// The marker of a folder that this process has locked.
#[derive(Debug)]
pub(in crate::sync) struct Marker {
    /// The synchronised folder.
    folder: Root,
    root: Root,
    /// For temporary files.
    pub(in crate::sync) temporary: Root,
    trash: Root,
    /// Held until this is dropped.
    _lock: Lock,
}

impl Marker {
    /// Opens or makes the marker, and locks the folder.
    pub(in crate::sync) fn open(root: &Root) -> Result<Self, Error> {
        let marker = open_or_make(root, MARKER).map_err(Error::about(MARKER))?;
        let lock = marker.open_or_create("lock").map_err(Error::about("lock"))?;
        let lock = Lock::of(lock).map_err(Error::about("lock"))?.ok_or_else(|| {
            Error::Refused("another process synchronises this folder".to_string())
        })?;
        let temporary = open_or_make(&marker, TEMPORARY).map_err(Error::about(TEMPORARY))?;
        let trash = open_or_make(&marker, TRASH).map_err(Error::about(TRASH))?;
        let folder = root.open_root(".").map_err(Error::about("the folder"))?;
        Ok(Marker { folder, root: marker, temporary, trash, _lock: lock })
    }

    /// Returns whether this marker is still in the folder.
    pub(in crate::sync) fn is_at(&self, folder: &Root) -> bool {
        is_in(folder, MARKER, &self.root)
    }

    /// Returns whether somebody has removed a part of it.
    pub(in crate::sync) fn is_damaged(&self) -> bool {
        [(TEMPORARY, &self.temporary), (TRASH, &self.trash)]
            .iter()
            .any(|(name, held)| !is_in(&self.root, name, held))
    }

    /// Makes again what somebody has removed; returns the names.
    pub(in crate::sync) fn mend(&mut self) -> Result<Vec<&'static str>, Error> {
        let mut made = Vec::new();
        for (name, held) in [(TEMPORARY, &mut self.temporary), (TRASH, &mut self.trash)] {
            if !is_in(&self.root, name, held) {
                *held = open_or_make(&self.root, name).map_err(Error::of_marker(name))?;
                made.push(name);
            }
        }
        Ok(made)
    }

    /// Returns text that differs for a copy of the marker, such as one from a backup, wherever the file
    /// system knows when a file was made.
    pub(in crate::sync) fn identity(&self) -> Result<String, Error> {
        let found = self.root.metadata().map_err(Error::about(MARKER))?;
        let made = found.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Ok(format!("{} {}", found.ino(), made.unwrap_or_default().as_nanos()))
    }

    /// Returns the id that the folder is synchronised under; `None` in a new marker.
    pub(in crate::sync) fn id(&self) -> Result<Option<String>, Error> {
        let text = self.read_note(ID, MAX_ID_BYTES).map_err(Error::about("the marker's id"))?;
        let Some(text) = text else { return Ok(None) };
        let id = text.trim_end().to_string();
        match is_session_id(&id) {
            true => Ok(Some(id)),
            false => Err(Error::Refused(DAMAGED.to_string())),
        }
    }

    /// Writes the id down, on the disk, unless it is there. A crash leaves the old id or the new one.
    pub(in crate::sync) fn set_id(&self, id: &str) -> Result<(), Error> {
        if self.id()?.as_deref() == Some(id) {
            return Ok(());
        }
        self.write_note(ID, &format!("{id}\n")).map_err(Error::about("the marker's id"))
    }

    /// Returns the patterns of paths that are left alone, as they were last set.
    pub(in crate::sync) fn patterns(&self) -> Result<Vec<String>, Error> {
        let text = self.read_note(PATTERNS, MAX_PATTERNS_BYTES);
        let text = text.map_err(Error::of_marker(PATTERNS))?;
        Ok(text.unwrap_or_default().split_terminator('\n').map(String::from).collect())
    }

    /// Writes the patterns down, on the disk, unless they are there.
    pub(in crate::sync) fn set_patterns(&self, patterns: &[String]) -> Result<(), Error> {
        // One that cannot be read is replaced.
        if self.patterns().is_ok_and(|kept| kept == patterns) {
            return Ok(());
        }
        let text: String = patterns.iter().map(|pattern| format!("{pattern}\n")).collect();
        self.write_note(PATTERNS, &text).map_err(Error::of_marker(PATTERNS))
    }

    /// Returns the text of a small file; `None` if there is none.
    fn read_note(&self, text: &str, max_bytes: u64) -> io::Result<Option<String>> {
        let file = match self.root.open_file(&name(text)) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = String::new();
        file.take(max_bytes).read_to_string(&mut text)?;
        Ok(Some(text))
    }

    /// Replaces a small file. A crash leaves the old text or the new one.
    fn write_note(&self, name: &str, text: &str) -> io::Result<()> {
        let new = format!("{name}.new");
        let mut file = self.replace_own_file(&new)?;
        file.write_all(text.as_bytes())?;
        sync_file(&file)?;
        self.root.replace(&new, name)?;
        self.root.sync_file_system()
    }

    fn replace_own_file(&self, text: &str) -> io::Result<File> {
        match self.root.remove_file(&name(text)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => self.root.create_file(text),
        }
    }

    /// Opens a file for writing, whose close the watcher should see.
    pub(in crate::sync) fn open_probe(&self, name: &str) -> io::Result<File> {
        self.root.open_or_create(name)
    }

    /// Makes a folder in the trash for what goes there now.
    pub(in crate::sync) fn new_trash(&self) -> io::Result<Root> {
        let now = Utc::now();
        for n in 0.. {
            let name = if n == 0 { now.to_string() } else { format!("{now}-{n}") };
            match self.trash.make_own_dir(&name) {
                Ok(()) => return self.trash.open_root(&name),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    /// Removes what has been seen in the trash for seven days.
    pub(in crate::sync) fn empty_old_trash(&self, now: Look) -> io::Result<()> {
        let is_stamp = |name: &String| name.get(..16).and_then(Utc::parse).is_some();
        let names = self.trash.names(None)?.into_iter().filter_map(|n| String::from_utf8(n).ok());
        let names: Vec<_> = names.filter(|name| is_stamp(name) && !name.contains('\n')).collect();
        let mut text = String::new();
        match self.root.open_file(&name(AGES)) {
            // Half of it is as good as none.
            Ok(file) => drop(file.take(MAX_AGES_BYTES).read_to_string(&mut text)),
            Err(e) if e.kind() == ErrorKind::NotFound && names.is_empty() => return Ok(()),
            Err(_) => {}
        }
        let mut ages = Ages::parse(&text).look(names.into_iter(), now);
        let old: Vec<_> = ages.take_old().collect();
        let removed = old.iter().try_for_each(|old| remove_all(&self.trash, &name(old)));
        // It is not flushed: what a power loss takes back makes the folders younger.
        let mut file = self.replace_own_file("trash-ages.new")?;
        file.write_all(ages.to_string().as_bytes())?;
        self.root.replace("trash-ages.new", AGES)?;
        removed
    }
}

/// Removes a marker without an id: nothing was synchronised, because the server refused or the run
/// was dry. A marker with files in it stays.
impl Drop for Marker {
    fn drop(&mut self) {
        let remove = || {
            self.root.remove_dir(&name(TEMPORARY))?;
            self.root.remove_dir(&name(TRASH))?;
            self.root.remove_file(&name("lock"))?;
            self.folder.remove_own_dir(MARKER)
        };
        if matches!(self.root.stat(&name(ID)), Ok(None)) {
            let _: io::Result<()> = remove();
        }
    }
}

/// Opens a folder of ours, or makes it.
fn open_or_make(root: &Root, name: &str) -> io::Result<Root> {
    match root.make_own_dir(name) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
        _ => root.open_root(name),
    }
}

/// Returns whether a name in a folder still leads to what was opened there.
fn is_in(root: &Root, text: &str, held: &Root) -> bool {
    let identity = |root: &Root| root.stat_self().ok().map(|stat| (stat.device, stat.inode));
    root.open_root(text).ok().is_some_and(|there| identity(&there) == identity(held))
}

/// Removes a folder and everything in it.
fn remove_all(root: &Root, path: &RelPath) -> io::Result<()> {
    for name in root.names(Some(path))? {
        let Some(path) = path.join(&name) else { continue };
        match root.remove_file(&path) {
            Err(e) if e.kind() == ErrorKind::IsADirectory => remove_all(root, &path)?,
            removed => removed?,
        }
    }
    root.remove_dir(path)
}

fn name(text: &str) -> RelPath {
    RelPath::new(text.as_bytes()).expect("one of ours")
}
