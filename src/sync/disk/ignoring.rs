//! The ignore file in the folder, which comes from other machines like any file: nothing in it ends a
//! round.

use super::ignored::{BadLine, IGNORE_FILE, Ignored};
use crate::sync::folder::Folder;
use crate::sync::path::RelPath;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};

/// The largest ignore file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// How many bad lines are named at most.
const MAX_BAD_LINES: usize = 20;

impl Folder<'_> {
    /// Reads the ignore file again. Returns what is wrong with it. If there is nothing that can be read,
    /// the patterns stay as they were: nothing is deleted for being ignored, and what is no longer
    /// ignored is merged, but the user may not want it on other machines.
    pub(in crate::sync) fn load_ignored(&mut self) -> BTreeMap<RelPath, String> {
        let path = RelPath::new(IGNORE_FILE.as_bytes()).expect("a name");
        let ignored =
            self.read_ignore_file(&path).and_then(|text| Ignored::new(&text, &self.patterns));
        let (ignored, bad) = match ignored {
            Ok(ignored) => ignored,
            Err(why) => {
                let why = format!("the patterns stay as they were: {why}");
                return BTreeMap::from([(path, why)]);
            }
        };
        self.ignored = ignored;
        let mut wrong = BTreeMap::new();
        for BadLine { number, why } in bad.iter().take(MAX_BAD_LINES) {
            let line = RelPath::new(format!("{IGNORE_FILE}:{number}").as_bytes()).expect("a name");
            wrong.insert(line, why.clone());
        }
        if bad.len() > MAX_BAD_LINES {
            wrong.insert(path, format!("{} lines of it make no sense", bad.len()));
        }
        wrong
    }

    fn read_ignore_file(&self, path: &RelPath) -> Result<Vec<u8>, String> {
        let mut text = Vec::new();
        let read = match self.root.open_file(path) {
            Ok(file) => file.take(MAX_BYTES + 1).read_to_end(&mut text).map(drop),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        };
        read.map_err(|e| e.to_string())?;
        match text.len() as u64 > MAX_BYTES {
            true => Err(format!("the file is larger than {MAX_BYTES} bytes")),
            false => Ok(text),
        }
    }
}
