//! A user who changes a folder at random, and knows exactly which contents that replaced or deleted.

use super::tree::Tree;
use crate::random::Random;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The names of files. The last one leaves no room for the mark of a conflict copy.
const FILES: [&[u8]; 9] = [
    b"a",
    b"b.txt",
    b"with space, comma",
    b"-dash\"'\\",
    b"new\nline",
    b"\xff\xfe.bin",
    b"~%41",
    "\u{fc}mlaut.tar.gz".as_bytes(),
    &[b'x'; 255],
];

/// The names of folders; one is that of a file, too.
const FOLDERS: [&[u8]; 3] = [b"d", b"e f", b"a"];

pub(super) struct User {
    number: usize,
    folder: PathBuf,
    /// A folder on the same disk, outside.
    outside: PathBuf,
    /// How many contents were written.
    written: u64,
    /// The contents that this user wrote and neither replaced nor deleted, and where.
    owned: HashMap<Vec<u8>, PathBuf>,
}

impl User {
    pub(super) fn new(number: usize, home: &Path) -> User {
        let (folder, outside) = (home.join("folder"), home.join("outside"));
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(&outside).unwrap();
        User { number, folder, outside, written: 0, owned: HashMap::new() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a change, or fails to: another side may have been there before.
    pub(super) fn act(&mut self, random: &mut Random) {
        let path = self.any_path(random);
        let _: io::Result<()> = match random.below(16) {
            0..4 => self.create(&path, random),
            4..6 => self.overwrite(&path, random),
            6 => self.append(&path, random),
            7 | 8 => self.save(&path, random),
            9 => self.delete(&path),
            10 | 11 => self.rename(&path, random),
            12 => fs::create_dir(&path),
            13 => fs::remove_dir(&path),
            14 => self.change_mode(&path, random),
            _ => self.change_kind(&path, random),
        };
    }

    /// Writes a file of a name that is not used otherwise.
    pub(super) fn write_arrival(&mut self, name: &str) {
        let content = self.content(false);
        let path = self.folder.join(name);
        fs::write(&path, &content).unwrap();
        self.owned.insert(content, path);
    }

    /// Checks that every content is in the tree or in the trash of this folder. Returns how many.
    pub(super) fn account(&self, tree: &Tree) -> usize {
        let trash = Tree::of(&self.folder.join(".telefile-sync/trash"));
        let (there, thrown) = (tree.contents(), trash.contents());
        for (content, path) in &self.owned {
            let is_kept = there.contains(&content[..]) || thrown.contains(&content[..]);
            let content = start_of(content);
            assert!(is_kept, "lost: {content:?} of user {}, last at {path:?}", self.number);
        }
        self.owned.len()
    }

    /// Returns one of few paths, so that users meet, or one that exists.
    fn any_path(&self, random: &mut Random) -> PathBuf {
        if random.below(3) == 0 {
            let paths = Tree::of(&self.folder).paths();
            if !paths.is_empty() {
                return self.folder.join(&paths[random.below(paths.len())]);
            }
        }
        let mut path = self.folder.clone();
        for _ in 0..random.below(3) {
            path.push(OsStr::from_bytes(FOLDERS[random.below(FOLDERS.len())]));
        }
        path.join(OsStr::from_bytes(FILES[random.below(FILES.len())]))
    }

    /// Returns a content that there never was. A large one is sent in chunks.
    fn content(&mut self, is_large: bool) -> Vec<u8> {
        self.written += 1;
        let start = format!("user {} content {}\n", self.number, self.written);
        let mut random = Random(self.written << 8 | self.number as u64);
        let more = (0..if is_large { 40_000 } else { 0 }).flat_map(|_| random.next().to_le_bytes());
        start.into_bytes().into_iter().chain(more).collect()
    }

    fn any_content(&mut self, random: &mut Random) -> Vec<u8> {
        self.content(random.below(6) == 0)
    }

    fn create(&mut self, path: &Path, random: &mut Random) -> io::Result<()> {
        let mut file = File::create_new(path)?;
        let content = self.any_content(random);
        file.write_all(&content)?;
        self.owned.insert(content, path.to_path_buf());
        Ok(())
    }

    /// Truncates a file and writes it.
    fn overwrite(&mut self, path: &Path, random: &mut Random) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let old = read(&mut file)?;
        file.set_len(0)?;
        file.rewind()?;
        self.owned.remove(&old);
        let content = self.any_content(random);
        file.write_all(&content)?;
        self.owned.insert(content, path.to_path_buf());
        Ok(())
    }

    fn append(&mut self, path: &Path, random: &mut Random) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).open(path)?;
        let old = read(&mut file)?;
        let more = self.any_content(random);
        file.write_all(&more)?;
        self.owned.remove(&old);
        self.owned.insert([old, more].concat(), path.to_path_buf());
        Ok(())
    }

    /// Writes a new file and renames it over the old one, as editors do.
    fn save(&mut self, path: &Path, random: &mut Random) -> io::Result<()> {
        let (new, content) = (self.outside.join("new"), self.any_content(random));
        fs::write(&new, &content)?;
        let renamed = match path.is_file() {
            true => renameat_with(CWD, &new, CWD, path, RenameFlags::EXCHANGE),
            false => renameat_with(CWD, &new, CWD, path, RenameFlags::NOREPLACE),
        };
        if renamed.is_ok() {
            self.owned.insert(content, path.to_path_buf());
        } else {
            fs::remove_file(&new)?;
        }
        self.throw_away(&new)
    }

    fn delete(&mut self, path: &Path) -> io::Result<()> {
        let old = self.outside.join("old");
        renameat_with(CWD, path, CWD, &old, RenameFlags::NOREPLACE)?;
        self.throw_away(&old)
    }

    fn rename(&mut self, path: &Path, random: &mut Random) -> io::Result<()> {
        let to = self.any_path(random);
        Ok(renameat_with(CWD, path, CWD, &to, RenameFlags::NOREPLACE)?)
    }

    fn change_mode(&self, path: &Path, random: &mut Random) -> io::Result<()> {
        let modes = if path.is_dir() { [0o755, 0o700, 0o750] } else { [0o644, 0o600, 0o755] };
        fs::set_permissions(path, Permissions::from_mode(modes[random.below(3)]))
    }

    fn change_kind(&mut self, path: &Path, random: &mut Random) -> io::Result<()> {
        let is_dir = path.is_dir();
        self.delete(path)?;
        if is_dir { self.create(path, random) } else { fs::create_dir(path) }
    }

    /// Removes what is outside now, and notes which contents that were.
    fn throw_away(&mut self, path: &Path) -> io::Result<()> {
        if !fs::symlink_metadata(path)?.is_dir() {
            self.owned.remove(&fs::read(path)?);
            return fs::remove_file(path);
        }
        // The client may still put files into it.
        loop {
            for content in Tree::of(path).contents() {
                self.owned.remove(content);
            }
            match fs::remove_dir_all(path) {
                Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                removed => return removed,
            }
        }
    }
}

fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// Returns the lines that say who wrote a content.
pub(super) fn start_of(content: &[u8]) -> String {
    let start = content.iter().position(|b| *b == b'\n').unwrap_or(content.len());
    format!("{} ({} bytes)", String::from_utf8_lossy(&content[..start]), content.len())
}
