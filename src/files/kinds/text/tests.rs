//! Text files, whatever is on the disk and whoever changes it meanwhile.

mod symlinks;

use super::*;
use crate::name::NameRef;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

const MAX_BYTES: u64 = 1 << 20;

/// A folder that contains a root, `files`, and something outside of that, `secret`.
struct Disk(PathBuf);

impl Disk {
    fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("telefile-text-{}-{}", std::process::id(), LAST.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("outside")).unwrap();
        fs::write(path.join("outside/secret"), "secret").unwrap();
        Disk(path)
    }

    /// Makes the root too.
    fn with_root() -> Self {
        let disk = Disk::new();
        fs::create_dir(disk.path("files")).unwrap();
        disk
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn open(&self, name: &str) -> Result<TextFile, Refusal> {
        let root = Arc::new(Root::new(self.path("files"), MAX_BYTES, &Budget::new(u64::MAX)));
        TextFile::create(&NameRef::new(name).unwrap().to_name(), &root)
    }

    fn file(&self, name: &str) -> TextFile {
        self.open(name).unwrap()
    }

    /// Returns what is in the folder, sorted.
    fn list(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[track_caller]
    fn outside_is_untouched(&self) {
        assert_eq!(self.list("outside"), ["secret"]);
        assert_eq!(fs::read(self.path("outside/secret")).unwrap(), b"secret");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(file: &mut TextFile) -> Result<String, Refusal> {
    file.read().map(|contents| String::from_utf8(contents.to_vec()).unwrap())
}

fn write(file: &mut TextFile, text: &str) -> Result<(), Refusal> {
    file.write(text.into())
}

/// Bypasses the capture of the test harness: nobody should think that it was tested.
fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED, {what}");
}

fn is_superuser() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn names_cannot_leave_the_root() {
    let disk = Disk::with_root();
    for name in [
        "..",
        ".",
        "../outside/secret",
        "a/../../outside/secret",
        "/etc/passwd",
        "/",
        "//",
        "a//b",
        "a/",
        "a/./b",
        "./a",
        "a/..",
        ".telefile-",
        ".telefile-0",
        "a/.telefile-x/b",
    ] {
        assert_eq!(disk.open(name).err(), Some(Refusal::Denied), "{name}");
    }
    for name in ["...", "..a", ".a", "a..", "*", "@x", ".telefile", "größe/日本"] {
        let mut file = disk.file(name);
        assert_eq!(write(&mut file, name), Ok(()), "{name}");
        assert_eq!(fs::read_to_string(disk.path("files").join(name)).unwrap(), name);
    }
    disk.outside_is_untouched();
}

#[test]
fn a_name_that_the_disk_rejects_is_denied() {
    let disk = Disk::with_root();
    assert_eq!(disk.open(&"x".repeat(300)).err(), Some(Refusal::Denied));
    assert!(disk.open(&"x".repeat(255)).is_ok());
    fs::write(disk.path("files/plain"), "").unwrap();
    assert_eq!(disk.open("plain/below").err(), Some(Refusal::Denied));
}

#[test]
fn opening_and_reading_create_nothing() {
    let disk = Disk::new();
    let mut file = disk.file("a/b/c");
    assert_eq!(read(&mut file), Ok(String::new()));
    assert!(!file.refresh());
    assert_eq!(disk.list(""), ["outside"]);
}

#[test]
fn the_first_write_creates_folders_and_file() {
    let disk = Disk::new();
    let mut file = disk.file("a/b/c");
    assert_eq!(write(&mut file, "text"), Ok(()));
    assert!(!file.refresh(), "that was us");
    assert_eq!((read(&mut file), file.numbytes()), (Ok("text".into()), 4));
    assert_eq!(fs::read(disk.path("files/a/b/c")).unwrap(), b"text");
    assert_eq!(disk.list("files/a/b"), ["c"]);
    drop(file);
    let mut again = disk.file("a/b/c");
    assert_eq!((again.numbytes(), read(&mut again)), (4, Ok("text".into())));
}

#[test]
fn a_write_keeps_owner_and_permission_bits() {
    let disk = Disk::with_root();
    let path = disk.path("files/f");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4751)).unwrap();
    let chown = || std::os::unix::fs::chown(&path, Some(12_345), Some(54_321)).is_ok();
    let owned = is_superuser() && chown();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4751)).unwrap();
    assert_eq!(write(&mut disk.file("f"), "new"), Ok(()));
    let now = fs::metadata(&path).unwrap();
    assert_eq!(now.mode() & 0o7777, 0o751, "all but set-user-ID");
    match owned {
        true => assert_eq!((now.uid(), now.gid()), (12_345, 54_321)),
        false => skipped("needs root: a write keeps the owner"),
    }
}

#[test]
fn a_change_by_another_program_is_noticed_once() {
    let disk = Disk::with_root();
    let mut file = disk.file("f");
    fs::write(disk.path("files/f"), "one").unwrap();
    assert_eq!((file.refresh(), file.refresh(), file.numbytes()), (true, false, 3));
    fs::write(disk.path("files/f"), "longer").unwrap();
    assert_eq!((file.refresh(), file.refresh()), (true, false));
    fs::write(disk.path("files/new"), "longer").unwrap();
    fs::rename(disk.path("files/new"), disk.path("files/f")).unwrap();
    assert_eq!((file.refresh(), file.refresh()), (true, false));
    fs::remove_file(disk.path("files/f")).unwrap();
    assert_eq!((file.refresh(), file.refresh(), file.numbytes()), (true, false, 0));
    symlink(disk.path("outside/secret"), disk.path("files/f")).unwrap();
    assert_eq!((file.refresh(), file.refresh(), file.numbytes()), (true, false, 0));
}

#[test]
fn bytes_newer_than_the_reported_version_are_a_change_for_the_next_command() {
    let disk = Disk::with_root();
    let mut file = disk.file("f");
    write(&mut file, "old").unwrap();
    assert!(!file.refresh());
    fs::write(disk.path("files/f"), "between").unwrap();
    assert_eq!(read(&mut file), Ok("between".into()));
    assert!(file.refresh());
}

#[test]
fn permissions_of_the_disk_deny() {
    if is_superuser() {
        return skipped("root may do everything: permissions_of_the_disk_deny");
    }
    let disk = Disk::with_root();
    let forbid = |path: &str, mode| {
        fs::set_permissions(disk.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::write(disk.path("files/f"), "old").unwrap();
    let mut file = disk.file("f");
    forbid("files/f", 0o444);
    assert_eq!(write(&mut file, "new"), Err(Refusal::Denied));
    forbid("files/f", 0o222);
    assert_eq!(read(&mut file), Err(Refusal::Denied));
    forbid("files/f", 0o644);
    forbid("files", 0o555);
    assert_eq!(write(&mut file, "new"), Err(Refusal::Denied));
    assert_eq!(write(&mut disk.file("a/b"), "new"), Err(Refusal::Denied));
    forbid("files", 0o755);
    assert_eq!(read(&mut file), Ok("old".into()));
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let disk = Disk::with_root();
    let mut file = disk.file("f");
    let sparse =
        OpenOptions::new().create_new(true).write(true).open(disk.path("files/f")).unwrap();
    let over = Err(Refusal::Limit(Limit::Contents, MAX_BYTES));
    for (bytes, fits) in [(MAX_BYTES, true), (MAX_BYTES + 1, false), (1 << 40, false)] {
        sparse.set_len(bytes).unwrap();
        let length = file.read().map(|contents| contents.len() as u64);
        assert_eq!(length, if fits { Ok(bytes) } else { over.clone() });
    }
}

#[test]
fn only_leftovers_of_a_killed_server_are_removed() {
    let disk = Disk::with_root();
    fs::create_dir(disk.path("files/.telefile-folder")).unwrap();
    fs::write(disk.path("files/.telefile-dead"), "half").unwrap();
    symlink(disk.path("outside/secret"), disk.path("files/.telefile-link")).unwrap();
    let alive = fs::File::create(disk.path("files/.telefile-alive")).unwrap();
    alive.lock().unwrap();
    let mut file = disk.file("f");
    assert!(disk.list("files").contains(&".telefile-dead".to_string()), "until it writes");
    write(&mut file, "x").unwrap();
    assert_eq!(disk.list("files"), [".telefile-alive", ".telefile-folder", ".telefile-link", "f"]);
    disk.outside_is_untouched();
}

/// Clients can make any number of folders.
#[test]
fn no_number_of_folders_takes_more_memory() {
    let mut tidied = Tidied::default();
    for inode in 0..50_000 {
        assert!(tidied.insert((1, inode)), "{inode} is new");
        assert!(!tidied.insert((1, inode)), "{inode} is known");
    }
    assert!(tidied.0.capacity() < 2 * Tidied::MAX, "{}", tidied.0.capacity());
}
