//! What is not a regular file below the root: no symlink is followed, whoever makes it and when.

use super::{Disk, read, skipped, write};
use crate::files::kinds::text::temporary;
use crate::refusal::Refusal;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

#[test]
fn symlinks_are_denied_anywhere_in_a_path() {
    let disk = Disk::with_root();
    symlink(disk.path("outside"), disk.path("files/folder")).unwrap();
    symlink(disk.path("outside/secret"), disk.path("files/file")).unwrap();
    symlink("../outside/new", disk.path("files/dangling")).unwrap();
    fs::write(disk.path("files/inside"), "").unwrap();
    symlink("inside", disk.path("files/to_inside")).unwrap();
    for name in ["folder", "folder/secret", "folder/new/x", "file", "dangling", "to_inside"] {
        assert_eq!(disk.open(name).err(), Some(Refusal::Denied), "{name}");
    }
    // Symlinks that appear when the file is already open.
    for (name, target) in
        [("late", "outside/secret"), ("later", "outside"), ("last", "outside/new")]
    {
        let mut file = disk.file(name);
        symlink(disk.path(target), disk.path("files").join(name)).unwrap();
        assert_eq!(read(&mut file), Err(Refusal::Denied), "{name}");
        assert_eq!(write(&mut file, "evil"), Err(Refusal::Denied), "{name}");
    }
    let mut file = disk.file("away/secret");
    symlink(disk.path("outside"), disk.path("files/away")).unwrap();
    assert_eq!(read(&mut file), Err(Refusal::Denied));
    assert_eq!(write(&mut file, "evil"), Err(Refusal::Denied));
    disk.outside_is_untouched();
}

#[test]
fn only_regular_files_are_opened_and_no_open_blocks() {
    let disk = Disk::with_root();
    fs::create_dir(disk.path("files/folder")).unwrap();
    let _socket = UnixListener::bind(disk.path("files/socket")).unwrap();
    let make = |program: &str, args: &[&str]| {
        let status = Command::new(program).args(args).current_dir(disk.path("files")).status();
        status.is_ok_and(|status| status.success())
    };
    let mut names = vec!["folder", "socket"];
    for (name, made) in
        [("fifo", make("mkfifo", &["fifo"])), ("zero", make("mknod", &["zero", "c", "1", "5"]))]
    {
        match made {
            true => names.push(name),
            false => skipped(&format!("cannot be made here: {name}")),
        }
    }
    for name in names {
        assert_eq!(disk.open(name).err(), Some(Refusal::Denied), "{name}");
        let mut file = disk.file("f");
        fs::rename(disk.path("files").join(name), disk.path("files/f")).unwrap();
        assert_eq!(read(&mut file), Err(Refusal::Denied), "{name}");
        assert_eq!(write(&mut file, "x"), Err(Refusal::Denied), "{name}");
        fs::rename(disk.path("files/f"), disk.path("files").join(name)).unwrap();
    }
    let left = disk.list("files").into_iter().filter(|name| name.starts_with(temporary::PREFIX));
    assert_eq!(left.count(), 0);
}

/// Somebody replaces the folder by a symlink and back, while we read and write.
#[test]
fn a_folder_that_becomes_a_symlink_meanwhile_leads_nowhere() {
    let disk = Disk::with_root();
    let (folder, away) = (disk.path("files/d"), disk.path("files/away"));
    fs::create_dir(&folder).unwrap();
    let mut file = disk.file("d/secret");
    write(&mut file, "inside").unwrap();
    let done = AtomicBool::new(false);
    let [mut inside, mut denied, mut written] = [0; 3];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // While the folder is away, outside/secret is what its path leads to.
            while !done.load(Relaxed) {
                fs::rename(&folder, &away).unwrap();
                let linked = symlink(disk.path("outside"), &folder).is_ok();
                std::thread::yield_now();
                if linked {
                    fs::remove_file(&folder).unwrap();
                }
                while fs::rename(&away, &folder).is_err() {
                    // A write has just made it again, and perhaps is still in it.
                    let _ = fs::remove_dir_all(&folder);
                }
            }
        });
        let _done = Done(&done);
        let end = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < end || inside == 0 || denied == 0 || written == 0 {
            assert!(Instant::now() < end + Duration::from_secs(30), "{inside} {denied} {written}");
            match read(&mut file).as_deref() {
                Ok("inside") => inside += 1,
                Ok("") => {} // neither folder nor link at that moment
                Err(Refusal::Denied) => denied += 1,
                other => panic!("{other:?}"),
            }
            match write(&mut file, "inside") {
                Ok(()) => written += 1,
                Err(Refusal::Denied) => denied += 1,
                Err(Refusal::Internal) => {} // the folder went away between two steps
                other => panic!("{other:?}"),
            }
        }
    });
    disk.outside_is_untouched();
}

/// Set when dropped, including by a panic.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// The name alternates between a file and a symlink, without a gap.
#[test]
fn a_name_that_becomes_a_symlink_between_look_and_open_leads_nowhere() {
    let disk = Disk::with_root();
    let [real, next, path] = ["real", "next", "f"].map(|name| disk.path("files").join(name));
    fs::write(&real, "inside").unwrap();
    fs::write(&path, "inside").unwrap();
    let mut file = disk.file("f");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                symlink(disk.path("outside/secret"), &next).unwrap();
                fs::rename(&next, &path).unwrap();
                fs::hard_link(&real, &next).unwrap();
                fs::rename(&next, &path).unwrap();
            }
        });
        let _done = Done(&done);
        let end = Instant::now() + Duration::from_secs(1);
        let [mut inside, mut denied] = [0; 2];
        while Instant::now() < end || inside == 0 || denied == 0 {
            assert!(Instant::now() < end + Duration::from_secs(30), "{inside} {denied}");
            match read(&mut file).as_deref() {
                Ok("inside") => inside += 1,
                Err(Refusal::Denied) => denied += 1,
                other => panic!("{other:?}"),
            }
        }
    });
}
