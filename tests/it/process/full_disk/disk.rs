//! A file system for one server, which a test may fill.

use super::super::{Serving, telefile};
use crate::programs::{program, skipped};
use crate::server::Folder;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use telefile::Client;

pub(super) const MAX_DISK_BYTES: u64 = 192 << 20;

/// Mounts it at `$1`; `$2` is a file that may be its image.
pub(super) const TMPFS: &str = "mount -t tmpfs -o size=64m none \"$1\"";
/// Large enough for the log.
pub(super) const LARGE_EXT4: &str =
    "truncate -s 192m \"$2\" && mkfs.ext4 -q -m 0 \"$2\" && mount -o loop \"$2\" \"$1\"";
pub(super) const LARGE_TMPFS: &str = "mount -t tmpfs -o size=192m none \"$1\"";
pub(super) const EXT4: &str =
    "truncate -s 64m \"$2\" && mkfs.ext4 -q -m 0 \"$2\" && mount -o loop \"$2\" \"$1\"";

/// A file system in a mount namespace, which ends with the process that holds it.
pub(super) struct Disk {
    holder: Child,
    mount: PathBuf,
    folder: Folder,
}

impl Disk {
    /// `None` where mounts are not permitted.
    pub(super) fn new(kind: &str) -> Option<Disk> {
        let folder = Folder::new();
        let (mount, image) = (folder.path().join("disk"), folder.path().join("image"));
        fs::create_dir(&mount).unwrap();
        let mut command = program("unshare");
        // It ends with this process, also if that is killed.
        let script = format!("{kind} && echo mounted && exec cat");
        command.args(["-m", "sh", "-c", &script, "sh"]).arg(&mount).arg(image);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut line = String::new();
        let holder = command.spawn().and_then(|mut holder| {
            BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line)?;
            Ok(holder)
        });
        match holder {
            Ok(holder) if line == "mounted\n" => Some(Disk { holder, mount, folder }),
            other => {
                let _ = other.map(|mut holder| holder.wait());
                skipped(&format!("no mount is permitted: {kind}"));
                None
            }
        }
    }

    fn socket(&self) -> String {
        format!("unix:{}", self.folder.path().join("socket").display())
    }

    /// Starts a server with its data on it.
    pub(super) fn serve(&self) -> Serving {
        let data = self.mount.join("data");
        let serve = telefile(&["serve", "--listen", &self.socket(), "--data"]);
        let mut command = program("nsenter");
        command.args(["-m", "-t", &self.holder.id().to_string()]);
        command.arg(serve.get_program()).args(serve.get_args()).arg(data);
        Serving::from(command)
    }

    pub(super) fn client(&self) -> Client {
        Client::connect(&self.socket()).unwrap()
    }

    /// Its path outside the namespace.
    fn filler(&self) -> PathBuf {
        let mount = self.mount.strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(mount).join("filler")
    }

    /// Fills the disk except for this many bytes.
    pub(super) fn fill(&self, left: u64) {
        let mut filler = File::create(self.filler()).unwrap();
        let mut chunk = &[1; 1 << 20][..];
        while !chunk.is_empty() {
            match filler.write(chunk) {
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::StorageFull => chunk = &chunk[..chunk.len() / 2],
                Err(e) => panic!("{e}"),
            }
        }
        filler.sync_all().unwrap();
        let taken = filler.metadata().unwrap().len();
        filler.set_len(taken - left).unwrap();
        filler.sync_all().unwrap();
    }

    pub(super) fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
