//! A file of the system as a medium.

use super::{Medium, fill};
use rustix::fs::{SeekFrom, fstatvfs, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};

impl Medium for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, at)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            match fallocate(self, FallocateFlags::empty(), 0, len) {
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {} // NFS before 4.2, and some of FUSE
                done => return Ok(done?),
            }
        }
        fill(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn end(&self) -> io::Result<u64> {
        let mut end = 0;
        loop {
            match seek(self, SeekFrom::Data(end)).and_then(|at| seek(self, SeekFrom::Hole(at))) {
                Ok(hole) => end = hole,
                Err(Errno::NXIO) => return Ok(end), // only a hole up to the end
                Err(_) => return Medium::len(self), // a file system that does not say
            }
        }
    }

    fn free(&self) -> io::Result<u64> {
        if !self.is_named()? {
            let why = "it was removed while it was in use";
            return Err(io::Error::new(ErrorKind::NotFound, why));
        }
        match fstatvfs(self) {
            Ok(system) if system.f_blocks > 0 => {
                Ok(system.f_bavail.saturating_mul(system.f_frsize))
            }
            _ => Ok(u64::MAX), // a file system that does not say: the writes themselves will
        }
    }

    fn is_named(&self) -> io::Result<bool> {
        Ok(self.metadata()?.nlink() > 0)
    }

    fn taken(&self) -> io::Result<u64> {
        Ok(self.metadata()?.blocks() * 512) // stat(2): 512 bytes each, whatever the system's size
    }
}
