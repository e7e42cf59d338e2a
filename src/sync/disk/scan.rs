//! Looks at what is in the folder. A file whose `Stat` is that of its row counts as unchanged.

use super::ignored::Ignored;
use super::root::{Root, list, stat_in};
use super::stat::{FileKind, Stat};
use crate::sync::decide::{Kind, Thing};
use crate::sync::error::{Error, is_gone};
use crate::sync::path::{MARKER, RelPath};
use crate::sync::state::index::{Index, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;

/// Why a folder with a marker of its own is blocked.
const NESTED: &str = "it is synchronised by itself";

/// What is at a path. Its content is read only on demand.
#[derive(Clone, Copy, Debug)]
pub(in crate::sync) struct Found {
    pub(in crate::sync) stat: Stat,
    pub(in crate::sync) thing: Option<Thing>,
}

/// What was found.
#[derive(Debug, Default)]
pub(in crate::sync) struct Scan {
    pub(in crate::sync) found: BTreeMap<RelPath, Found>,
    /// Paths about which nothing can be said, nor about what is below: they could not be read, are
    /// of a kind that is not synchronised, or are just being changed. Why.
    pub(in crate::sync) blocked: BTreeMap<RelPath, String>,
    /// Folders with ignored names in them.
    with_ignored: BTreeSet<RelPath>,
    /// Folders with names in them that are too long for a path, and are left out.
    pub(in crate::sync) too_long: BTreeSet<RelPath>,
}

impl Scan {
    /// Scans everything, or what is at and below some paths.
    pub(in crate::sync) fn of(
        root: &Root,
        ignored: &Ignored,
        index: &Index,
        paths: Option<&BTreeSet<RelPath>>,
    ) -> Result<Self, Error> {
        let mut scan = Scan::default();
        let device = root.stat_self().map_err(Error::about("the folder"))?.device;
        let mut todo = Vec::new();
        match paths {
            None => scan.look_into(root, ignored, index, device, None, &mut todo),
            Some(paths) => {
                let mut roots = BTreeMap::new();
                for path in paths {
                    match nested_root(root, path, &mut roots) {
                        Some(folder) => scan.block(folder, NESTED),
                        None => scan.look_at(root, ignored, index, device, path, &mut todo),
                    }
                }
            }
        }
        while let Some(folder) = todo.pop() {
            scan.look_into(root, ignored, index, device, Some(folder), &mut todo);
        }
        Ok(scan)
    }

    /// Returns why nothing can be said about a path, if so.
    pub(in crate::sync) fn why_blocked(&self, path: &RelPath) -> Option<&str> {
        if self.blocked.is_empty() {
            return None;
        }
        let mut at = Some(path.clone());
        while let Some(path) = at {
            if let Some(why) = self.blocked.get(&path) {
                return Some(why);
            }
            at = path.parent();
        }
        None
    }

    /// Returns whether a folder has ignored names in it, and nothing else but such folders.
    pub(in crate::sync) fn has_only_ignored(&self, folder: &RelPath) -> bool {
        if self.with_ignored.is_empty() {
            return false;
        }
        // What is below, and `a.b`, which is between `a` and `a/b`.
        let begins = |path: &&RelPath| path.as_bytes().starts_with(folder.as_bytes());
        let from = || folder.clone()..;
        let mut blocked = self.blocked.range(from()).map(|(path, _)| path).take_while(begins);
        if blocked.any(|path| path.is_below(folder)) {
            return false;
        }
        let below = self.found.range(from()).take_while(|(path, _)| begins(path));
        let below = below.filter(|(path, _)| path.is_below(folder));
        let (mut folders, mut full) = (vec![folder.clone()], BTreeSet::new());
        for (path, found) in below {
            if found.stat.kind != FileKind::Dir {
                return false;
            }
            folders.push(path.clone());
        }
        // The deepest first.
        for path in folders.iter().rev() {
            if !self.with_ignored.contains(path) && !full.contains(path) {
                return false;
            }
            full.extend(path.parent());
        }
        true
    }

    fn look_at(
        &mut self,
        root: &Root,
        ignored: &Ignored,
        index: &Index,
        device: u64,
        path: &RelPath,
        todo: &mut Vec<RelPath>,
    ) {
        match root.stat(path) {
            Ok(Some(stat)) if !ignored.has_any_of(path, stat.kind == FileKind::Dir) => {
                self.add(index, device, path.clone(), stat, todo);
            }
            Ok(_) => {}
            Err(e) => self.block(path.clone(), e),
        }
    }

    fn block(&mut self, path: RelPath, why: impl ToString) {
        self.blocked.insert(path, why.to_string());
    }

    /// Looks at what is in a folder; `None` is the top.
    fn look_into(
        &mut self,
        root: &Root,
        ignored: &Ignored,
        index: &Index,
        device: u64,
        folder: Option<RelPath>,
        todo: &mut Vec<RelPath>,
    ) {
        let opened = root.open_dir(folder.as_ref()).and_then(|dir| Ok((dir.try_clone()?, dir)));
        let listed = opened.and_then(|(clone, dir)| Ok((list(clone)?, dir)));
        let (names, dir) = match (listed, &folder) {
            (Ok(listed), _) => listed,
            // It has just been removed: it, too, is not there.
            (Err(e), Some(folder)) if is_gone(&e) => {
                self.found.remove(folder);
                return;
            }
            (Err(e), Some(folder)) if e.kind() == ErrorKind::CrossesDevices => {
                return self.block(folder.clone(), "it is another mount");
            }
            (Err(e), Some(folder)) => return self.block(folder.clone(), e),
            // Nothing is known of anything then.
            (Err(e), None) => {
                let tops = index.rows().keys().filter(|path| path.parent().is_none());
                let tops: Vec<_> = tops.cloned().collect();
                tops.into_iter().for_each(|top| self.block(top, &e));
                return;
            }
        };
        if let Some(folder) = &folder
            && names.iter().any(|name| name == MARKER.as_bytes())
        {
            return self.block(folder.clone(), NESTED);
        }
        for name in names {
            let path = match &folder {
                Some(folder) => folder.join(&name),
                None => RelPath::new(&name),
            };
            let Some(path) = path else {
                // The marker at the top has no path either.
                self.too_long.extend(folder.clone());
                continue;
            };
            match stat_in(&dir, OsStr::from_bytes(&name)) {
                Ok(Some(stat)) if !ignored.has(&path, stat.kind == FileKind::Dir) => {
                    self.add(index, device, path, stat, todo);
                }
                Ok(Some(_)) => self.with_ignored.extend(folder.clone()),
                Ok(None) => {}
                Err(e) => self.block(path, e),
            }
        }
    }

    fn add(
        &mut self,
        index: &Index,
        device: u64,
        path: RelPath,
        stat: Stat,
        todo: &mut Vec<RelPath>,
    ) {
        let thing = match stat.kind {
            _ if stat.device != device => return self.block(path, "it is on another file system"),
            FileKind::Other => return self.block(path, "it is neither a file nor a folder"),
            FileKind::Dir => {
                todo.push(path.clone());
                Some(Thing { kind: Kind::Dir, mode: stat.mode })
            }
            FileKind::File => {
                let is_file = |row: &&Row| matches!(row.thing.kind, Kind::File(_));
                let row = index.get(&path).filter(is_file).filter(|row| row.stat == stat);
                row.map(|row| row.thing)
            }
        };
        self.found.insert(path, Found { stat, thing });
    }
}

/// Returns the outermost folder above a path that has a marker of its own. `known` says of folders
/// whether they have one.
fn nested_root(
    root: &Root,
    path: &RelPath,
    known: &mut BTreeMap<RelPath, bool>,
) -> Option<RelPath> {
    let folder = path.parent()?;
    if let Some(above) = nested_root(root, &folder, known) {
        return Some(above);
    }
    let is_root = *known.entry(folder.clone()).or_insert_with(|| {
        let found = root.open_dir(Some(&folder)).and_then(|dir| stat_in(dir, OsStr::new(MARKER)));
        found.is_ok_and(|found| found.is_some())
    });
    is_root.then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_folder_with_its_own_marker_is_left_out_of_every_scan() {
        let home = std::env::temp_dir().join(format!("telefile-scan-{}", std::process::id()));
        fs::create_dir_all(home.join("a/b/.telefile-sync")).unwrap();
        fs::create_dir_all(home.join("a/b/c")).unwrap();
        for file in ["a/x", "a/b/x", "a/b/c/x"] {
            fs::write(home.join(file), file).unwrap();
        }
        let path = |text: &str| RelPath::new(text.as_bytes()).unwrap();
        let root = Root::open(&home).unwrap();
        let (ignored, index) = (Ignored::new(b"", &[]).unwrap().0, Index::in_memory());
        let scan = |paths: &[&str]| {
            let paths: BTreeSet<_> = paths.iter().map(|text| path(text)).collect();
            let paths = Some(&paths).filter(|paths| !paths.is_empty());
            let scan = Scan::of(&root, &ignored, &index, paths).unwrap();
            let found: Vec<_> = scan.found.keys().map(RelPath::to_string).collect();
            let blocked: Vec<_> = scan.blocked.keys().map(RelPath::to_string).collect();
            (found.join(" "), blocked.join(" "))
        };
        let expected = |found: &str, blocked: &str| (found.to_string(), blocked.to_string());
        let whole = scan(&[]);
        assert_eq!(whole.1, "a/b");
        assert!(!whole.0.contains("a/b/"), "{whole:?}");
        assert_eq!(scan(&["a/x"]), expected("a/x", ""));
        assert_eq!(scan(&["a/b/x"]), expected("", "a/b"));
        assert_eq!(scan(&["a/b/c/x", "a/b/gone", "a/x"]), expected("a/x", "a/b"));
        fs::remove_dir_all(home).unwrap();
    }
}
