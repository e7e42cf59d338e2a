//! What is in a folder.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The mode and the content of each path, without the marker. A folder has no content.
#[derive(PartialEq, Eq)]
pub(in crate::process::sync) struct Tree(BTreeMap<PathBuf, (u32, Option<Vec<u8>>)>);

impl Tree {
    pub(in crate::process::sync) fn of(folder: &Path) -> Tree {
        let mut tree = BTreeMap::new();
        add(folder, folder, &mut tree);
        Tree(tree)
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn contents(&self) -> HashSet<&[u8]> {
        self.0.values().filter_map(|(_, content)| content.as_deref()).collect()
    }

    pub(super) fn difference(&self, other: &Tree) -> String {
        let paths: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let unlike = paths.into_iter().filter(|path| self.0.get(*path) != other.0.get(*path));
        let show = |tree: &Tree, path: &PathBuf| match tree.0.get(path) {
            Some((mode, content)) => {
                format!("{mode:o} {:?}", content.as_deref().map(super::user::start_of))
            }
            None => "nothing".to_string(),
        };
        unlike
            .map(|path| format!("{path:?}: {}, {}\n", show(self, path), show(other, path)))
            .collect()
    }
}

/// A path may vanish while this goes on.
fn add(top: &Path, folder: &Path, tree: &mut BTreeMap<PathBuf, (u32, Option<Vec<u8>>)>) {
    let Ok(items) = fs::read_dir(folder) else { return };
    for path in items.flatten().map(|item| item.path()) {
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let name = path.strip_prefix(top).unwrap().to_path_buf();
        if name == Path::new(".telefile-sync") {
            continue;
        }
        let mode = found.permissions().mode() & 0o777;
        if found.is_dir() {
            tree.insert(name, (mode, None));
            add(top, &path, tree);
        } else if let Ok(content) = fs::read(&path) {
            tree.insert(name, (mode, Some(content)));
        }
    }
}
