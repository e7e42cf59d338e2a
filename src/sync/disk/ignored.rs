//! Which paths are left alone: patterns as in `.gitignore`, from the command line and from a file in
//! the folder.

use crate::sync::path::RelPath;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The file with patterns at the top of the folder. It is synchronised like any other.
pub(in crate::sync) const IGNORE_FILE: &str = ".telefile-ignore";

/// The patterns that are in force.
#[derive(Debug)]
pub(in crate::sync) struct Ignored(Gitignore);

/// A line of the ignore file that is skipped.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sync) struct BadLine {
    /// From 1.
    pub(in crate::sync) number: usize,
    pub(in crate::sync) why: String,
}

impl Ignored {
    /// Parses the lines of an ignore file and further patterns, which take precedence. Lines
    /// that make no sense are skipped: returns which ones, and why.
    ///
    /// # Errors
    /// What is wrong with one of `patterns`, or with all lines together.
    pub(in crate::sync) fn new(
        file: &[u8],
        patterns: &[String],
    ) -> Result<(Self, Vec<BadLine>), String> {
        let mut builder = GitignoreBuilder::new("");
        let mut bad = Vec::new();
        for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let why = match str::from_utf8(line) {
                Ok(line) => builder.add_line(None, line).err().map(|e| e.to_string()),
                Err(_) if line.starts_with(b"#") => None,
                Err(_) => Some("it is not UTF-8".to_string()),
            };
            bad.extend(why.map(|why| BadLine { number, why }));
        }
        for pattern in patterns {
            // They are kept one in a line.
            if pattern.contains('\n') {
                return Err(format!("{}: it has a line end", pattern.escape_debug()));
            }
            builder.add_line(None, pattern).map_err(|e| format!("{pattern}: {e}"))?;
        }
        Ok((Ignored(builder.build().map_err(|e| e.to_string())?), bad))
    }

    /// Returns whether a path is left alone, if the folders that it is in are not.
    pub(in crate::sync) fn has(&self, path: &RelPath, is_dir: bool) -> bool {
        self.0.matched(path.as_path(), is_dir).is_ignore()
    }

    /// Returns whether a path, or a folder that it is in, is left alone.
    pub(in crate::sync) fn has_any_of(&self, path: &RelPath, is_dir: bool) -> bool {
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
        let patterns = ["*.bak".to_string(), "!a.bak".to_string()];
        let (ignored, bad) = Ignored::new(file, &patterns).unwrap();
        assert_eq!(bad, []);
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
    fn a_bad_line_is_skipped_and_a_bad_pattern_is_refused() {
        let file = b"*.o\r\n[z-a]\n# \xff\n\na\xff\n{b\n/c";
        let (ignored, bad) = Ignored::new(file, &[]).unwrap();
        let lines: Vec<_> = bad.iter().map(|line| line.number).collect();
        assert_eq!(lines, [2, 5, 6], "{bad:?}");
        assert!(bad[0].why.contains("[z-a]"), "{bad:?}");
        for (path, expected) in [("x.o", true), ("c", true), ("d/c", false), ("b", false)] {
            let path = RelPath::new(path.as_bytes()).unwrap();
            assert_eq!(ignored.has(&path, false), expected, "{path}");
        }
        let why = Ignored::new(b"", &["[z-a]".to_string()]).unwrap_err();
        assert!(why.starts_with("[z-a]"), "{why}");
        let why = Ignored::new(b"", &["a\nb".to_string()]).unwrap_err();
        assert!(why.ends_with("it has a line end"), "{why}");
    }
}
