//! A copy of the sources below the target folder, where exercises may change them.

use crate::documents::root;
use crate::programs::program;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard};

const COPIED: [&str; 8] =
    ["Cargo.toml", "Cargo.lock", "README.md", "src", "examples", "benches", "tests", "tutorial"];

/// A setting of the copied crate, which the sources do not have (the default is 256). Cargo tells two builds of a
/// crate apart by its settings and not by its folder; without this, the next build of the sources
/// would find the copy's library and examples newer than themselves, and keep them.
const OF_THE_COPY: &str = "profile.dev.package.telefile.codegen-units = 255";

/// Locked while a test uses the copy.
static IN_USE: Mutex<()> = Mutex::new(());

pub(super) struct Scratch {
    _in_use: MutexGuard<'static, ()>,
    tree: PathBuf,
    target: PathBuf,
}

impl Scratch {
    /// Makes the copy equal to the sources. An equal file is left as it is, so that it is not built again.
    pub(super) fn new() -> Scratch {
        let in_use = IN_USE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let tests = std::env::current_exe().unwrap();
        let target = tests.ancestors().nth(3).unwrap().to_path_buf();
        let tree = target.join("exercises/tree");
        let mut kept = BTreeSet::new();
        for name in COPIED {
            for path in files(root(), Path::new(name)) {
                let (from, to) = (root().join(&path), tree.join(&path));
                let bytes = fs::read(from).unwrap();
                if fs::read(&to).ok().as_ref() != Some(&bytes) {
                    fs::create_dir_all(to.parent().unwrap()).unwrap();
                    fs::write(to, bytes).unwrap();
                }
                kept.insert(path);
            }
        }
        for name in COPIED {
            let surplus = files(&tree, Path::new(name)).into_iter().filter(|p| !kept.contains(p));
            surplus.for_each(|path| fs::remove_file(tree.join(path)).unwrap());
        }
        Scratch { _in_use: in_use, tree, target }
    }

    pub(super) fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.tree.join(path)).map_err(|e| format!("{path}: {e}"))
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        fs::write(self.tree.join(path), text).unwrap();
    }

    /// Runs cargo on the copy. What other crates have compiled to is shared with the sources' own build.
    pub(super) fn cargo(&self, args: &[&str]) -> Output {
        let mut cargo = program(std::env::var("CARGO").unwrap_or("cargo".to_string()));
        cargo.args(["--config", OF_THE_COPY]).args(args).current_dir(&self.tree);
        cargo.env("CARGO_TARGET_DIR", self.target.join("exercises/target"));
        cargo.env("CARGO_BUILD_BUILD_DIR", &self.target);
        cargo.output().unwrap()
    }

    /// Returns a command that runs an example of the copy.
    pub(super) fn example(&self, name: &str) -> Command {
        program(self.target.join("exercises/target/debug/examples").join(name))
    }
}

/// Returns the files at or below a path, by their paths from `root`.
fn files(root: &Path, path: &Path) -> Vec<PathBuf> {
    let full = root.join(path);
    if full.is_file() {
        return vec![path.to_path_buf()];
    }
    let entries = fs::read_dir(full).into_iter().flatten();
    entries.flat_map(|entry| files(root, &path.join(entry.unwrap().file_name()))).collect()
}
