//! `TextFile`: a file on the disk, below the server's root, shared with every program of the
//! machine. Names and versions in, system calls out. `folder` finds files and guards the root;
//! `temporary` makes a write all or nothing.

mod folder;
mod temporary;
#[cfg(test)]
mod tests;

use crate::budget::Budget;
use crate::contents::{Contents, Incoming};
use crate::files::file::File;
use crate::name::Name;
use crate::refusal::{Limit, Refusal};
use folder::{Folder, Stamp};
use rustix::io::{Errno, Result as Asked};
use rustix::process::{Resource, getrlimit};
use std::collections::HashSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The folder that contains all text files of a server.
#[derive(Debug)]
pub(in crate::files) struct Root {
    /// Made by the first write. The path to it may contain symlinks: the operator chose it.
    path: PathBuf,
    /// The maximum size: a larger file is not read.
    max_bytes: u64,
    /// The budget for the memory of what is read.
    budget: Arc<Budget>,
    /// How many more operations may use the disk at once.
    turns: Mutex<usize>,
    turn_over: Condvar,
    tidied: Mutex<Tidied>,
}

/// The folders that were cleared of a killed server's temporary files. Clients make folders, so it
/// begins anew where it has many: reading a folder again is little beside the fsyncs of a write.
#[derive(Debug, Default)]
struct Tidied(HashSet<folder::Id>);

impl Tidied {
    /// The most folders that are remembered, in 150 KB.
    const MAX: usize = 4096;

    /// Returns whether the folder is a new one, and remembers it.
    fn insert(&mut self, folder: folder::Id) -> bool {
        let is_new = self.0.insert(folder);
        if is_new && self.0.len() > Self::MAX {
            self.0.clear();
            self.0.insert(folder);
        }
        is_new
    }
}

/// A file below the root. Its bytes are only on the disk; none are kept here.
pub(in crate::files) struct TextFile {
    root: Arc<Root>,
    name: Name,
    /// What the disk showed at the last look or write; `None` means no file.
    seen: Result<Option<Stamp>, Refusal>,
}

impl Root {
    pub(in crate::files) fn new(path: PathBuf, max_bytes: u64, budget: &Arc<Budget>) -> Self {
        let (turns, tidied) = (Mutex::new(MAX_AT_ONCE), Mutex::default());
        let budget = budget.clone();
        Root { path, max_bytes, budget, turns, turn_over: Condvar::new(), tidied }
    }

    /// Blocks until the disk may be used. That needs descriptors, and no more of them than the
    /// server has left over.
    fn turn(&self) -> Turn<'_> {
        let turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = self.turn_over.wait_while(turns, |turns| *turns == 0);
        *turns.unwrap_or_else(PoisonError::into_inner) -= 1;
        Turn(self)
    }

    /// Returns the folder of a path, and its last part; `None` where a folder is missing.
    fn find<'a>(&self, path: &'a str) -> Asked<Option<(Folder, &'a str)>> {
        let (mut folders, name) = split(path);
        let root = Folder::root(&self.path);
        match root.and_then(|root| folders.try_fold(root, |at, name| at.enter(name))) {
            Ok(folder) => Ok(Some((folder, name))),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Does the same, and makes every missing folder.
    fn make<'a>(&self, path: &'a str) -> Asked<(Folder, &'a str)> {
        let (mut folders, name) = split(path);
        let root = Folder::make_root(&self.path)?;
        let folder = folders.try_fold(root, |at, name| at.make(name))?;
        let id = folder.id()?;
        let is_new = self.tidied.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        if is_new {
            temporary::remove_dead(&folder);
        }
        Ok((folder, name))
    }
}

/// The right to use the disk, until it is dropped.
struct Turn<'a>(&'a Root);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.turns.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.turn_over.notify_one();
    }
}

/// Returns whether each part of a path is a name below the one before, and none a temporary file's.
fn stays_inside(path: &str) -> bool {
    path.split('/').all(|part| {
        !part.is_empty() && part != "." && part != ".." && !part.starts_with(temporary::PREFIX)
    })
}

/// Returns the folders of a path, and its last part.
fn split(path: &str) -> (impl Iterator<Item = &str>, &str) {
    let (folders, name) = path.rsplit_once('/').map_or((None, path), |(f, n)| (Some(f), n));
    (folders.into_iter().flat_map(|folders| folders.split('/')), name)
}

impl TextFile {
    fn look(&self) -> Result<Option<Stamp>, Refusal> {
        let _turn = self.root.turn();
        let look = || match self.root.find(self.name.as_str())? {
            Some((folder, name)) => folder.look(name),
            None => Ok(None),
        };
        look().map_err(|e| self.refusal(e))
    }

    /// Returns the refusal for the client. The log has the disk's error.
    fn refusal(&self, e: Errno) -> Refusal {
        let name = self.name.as_name_ref().for_log();
        let at = format_args!("{}: \"{name}\"", self.root.path.display());
        match e {
            // Not accessible, or not a file: anything but a regular file, a symlink, a name that is
            // too long or has characters that the file system rejects.
            Errno::ACCESS
            | Errno::PERM
            | Errno::ROFS
            | Errno::NXIO
            | Errno::NODEV
            | Errno::LOOP
            | Errno::MLINK
            | Errno::NOTDIR
            | Errno::ISDIR
            | Errno::NAMETOOLONG
            | Errno::INVAL
            | Errno::ILSEQ => {
                log::debug!("{at}: {e}");
                Refusal::Denied
            }
            // rename(2): the name is a mount point. A write into the file in place could leave half
            // of the bytes, so a TextFile does not do it.
            Errno::BUSY => {
                log::warn!(
                    "{at}: {e}: a file that is mounted by itself cannot be replaced; mount its \
                     folder instead"
                );
                Refusal::Denied
            }
            e => {
                log::error!("{at}: {e}");
                match getrlimit(Resource::Fsize).current {
                    // `ulimit -f`; without it, the file system does not support files of this size.
                    Some(max) if e == Errno::FBIG => Refusal::Limit(Limit::Contents, max),
                    _ => Refusal::Internal,
                }
            }
        }
    }
}

impl File<Arc<Root>> for TextFile {
    /// Creates the file of this name, whether it is on the disk or not.
    ///
    /// # Errors
    /// [`Refusal::Denied`] if the name leads out of the root, or to something other than a file.
    fn create(name: &Name, root: &Arc<Root>) -> Result<Self, Refusal> {
        if !stays_inside(name.as_str()) {
            return Err(Refusal::Denied);
        }
        let mut file = TextFile { root: root.clone(), name: name.clone(), seen: Ok(None) };
        file.seen = file.look();
        file.seen.clone()?;
        Ok(file)
    }

    /// Returns the bytes on the disk; none if there is no file.
    ///
    /// # Errors
    /// [`Limit::Contents`] for a file that is larger than a write could be.
    fn read(&mut self) -> Result<Contents, Refusal> {
        let _turn = self.root.turn();
        let open = || match self.root.find(self.name.as_str())? {
            Some((folder, name)) => folder.open(name),
            None => Ok(None),
        };
        let Some((file, stamp)) = open().map_err(|e| self.refusal(e))? else {
            return Ok(Contents::from(Vec::new()));
        };
        let (max, over) =
            (self.root.max_bytes, Refusal::Limit(Limit::Contents, self.root.max_bytes));
        if stamp.size() > max {
            return Err(over);
        }
        // The size may be wrong, and the file may grow: memory is taken as bytes come, and the read
        // continues until it finds no more.
        let mut incoming = Incoming::new(stamp.size() as usize + 1, &self.root.budget);
        loop {
            let room = incoming.room()?;
            let free = room.capacity() - room.len();
            let read = (&file).take(free as u64).read_to_end(room);
            match read.map_err(|e| self.refusal(Errno::from_io_error(&e).unwrap_or(Errno::IO)))? {
                n if n < free => break,
                _ if incoming.missing() == 0 => incoming.expect_as_much(),
                _ => {}
            }
            if incoming.arrived() as u64 > max {
                return Err(over);
            }
        }
        // `seen` stays as it was: if these bytes are newer than the version reported with them, the
        // next command has to notice, and a cas of that version has to fail.
        let contents = incoming.end();
        if contents.len() as u64 > max { Err(over) } else { Ok(contents) }
    }

    /// Replaces the bytes on the disk, all or nothing. Makes missing folders and files.
    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        let _turn = self.root.turn();
        let replace = || {
            let (folder, name) = self.root.make(self.name.as_str())?;
            temporary::replace(&folder, name, &contents)
        };
        self.seen = Ok(Some(replace().map_err(|e| self.refusal(e))?));
        Ok(())
    }

    /// Compares inode, size and times. A disk that fails to report them counts as changed: without
    /// a look, no promise of a cas could be kept.
    fn refresh(&mut self) -> bool {
        let now = self.look();
        let changed = now != self.seen || now == Err(Refusal::Internal);
        self.seen = now;
        changed
    }

    fn numbytes(&self) -> u64 {
        self.seen.as_ref().ok().and_then(|seen| *seen).map_or(0, Stamp::size)
    }
}

/// How many operations use the disk at once. Each has up to four descriptors: a folder, the one
/// below it, a file, and one that reads the folder.
const MAX_AT_ONCE: usize = 8;

/// How many descriptors they use.
pub(crate) const MAX_DESCRIPTORS: u64 = 4 * MAX_AT_ONCE as u64;
