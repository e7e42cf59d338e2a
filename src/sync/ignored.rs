//! Which paths are left alone: patterns as in `.gitignore`, from the command line and from a file in
//! the folder.

use super::path::RelPath;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The file with patterns at the top of the folder. It is synchronised like any other.
pub(super) const IGNORE_FILE: &str = ".telefile-ignore";

/// The patterns that are in force.
#[derive(Debug)]
pub(super) struct Ignored(Gitignore);

impl Ignored {
    /// Makes the rules of the lines of an ignore file, and of more patterns, which weigh more.
    ///
    /// # Errors
    /// What is wrong with a pattern.
    pub(super) fn new(file: &[u8], patterns: &[String]) -> Result<Self, String> {
        let mut builder = GitignoreBuilder::new("");
        let text = String::from_utf8_lossy(file);
        for line in text.lines().chain(patterns.iter().map(String::as_str)) {
            builder.add_line(None, line).map_err(|e| format!("{line}: {e}"))?;
        }
        builder.build().map(Ignored).map_err(|e| e.to_string())
    }

    /// Returns whether a path is left alone, if the folders that it is in are not.
    pub(super) fn has(&self, path: &RelPath, is_dir: bool) -> bool {
        self.0.matched(path.as_path(), is_dir).is_ignore()
    }

    /// Returns whether a path, or a folder that it is in, is left alone.
    pub(super) fn has_any_of(&self, path: &RelPath, is_dir: bool) -> bool {
        let mut parent = path.parent();
        while let Some(folder) = parent {
            if self.has(&folder, true) {
                return true;
            }
            parent = folder.parent();
        }
        self.has(path, is_dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_gitignore() {
        let file = b"# build\n*.o\n/target/\n!keep.o\ndocs/**/*.tmp\n\\#x\n";
        let ignored = Ignored::new(file, &["*.bak".to_string(), "!a.bak".to_string()]).unwrap();
        for (path, is_dir, expected) in [
            ("a.o", false, true),
            ("d/a.o", false, true),
            ("keep.o", false, false),
            ("target", true, true),
            ("target", false, false),
            ("d/target", true, false),
            ("target/a/b", false, true),
            ("docs/a/b/c.tmp", false, true),
            ("c.tmp", false, false),
            ("#x", false, true),
            ("b.bak", false, true),
            ("a.bak", false, false),
            ("é", false, false),
        ] {
            let path = RelPath::new(path.as_bytes()).unwrap();
            assert_eq!(ignored.has_any_of(&path, is_dir), expected, "{path}");
        }
        let path = RelPath::new(b"\xff.o").unwrap();
        assert!(ignored.has(&path, false));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let why = Ignored::new(b"", &["[z-a]".to_string()]).unwrap_err();
        assert!(why.starts_with("[z-a]"), "{why}");
    }
}
