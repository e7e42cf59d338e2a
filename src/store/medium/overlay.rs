//! A file that is read and never written: writes stay in memory. So a database can be opened, and
//! even repaired after a crash, without changing its file.

use super::Medium;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

const PAGE_BYTES: usize = 4096;

type Page = Box<[u8; PAGE_BYTES]>;

#[derive(Debug)]
pub(in crate::store) struct Overlay {
    file: File,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    len: u64,
    /// How much of the file still counts, at most `len`: what was cut off once reads as zero when
    /// the length grows again.
    of_file: u64,
    /// Written pages, by number.
    pages: BTreeMap<u64, Page>,
}

impl Overlay {
    /// Creates an overlay over a file that is open for reading.
    pub(in crate::store) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let written = Mutex::new(Written { len, of_file: len, pages: BTreeMap::new() });
        Ok(Overlay { file, written })
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    /// Returns a page as it is without the writes to it.
    fn page_of(&self, file: &File, number: u64) -> io::Result<Page> {
        let mut page = Box::new([0; PAGE_BYTES]);
        let at = number * PAGE_BYTES as u64;
        let length = self.of_file.saturating_sub(at).min(PAGE_BYTES as u64) as usize;
        file.read_exact_at(&mut page[..length], at)?;
        Ok(page)
    }
}

/// Returns, for each page that these bytes touch, its number, the offset in it, and the length.
fn parts(mut at: u64, mut length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    std::iter::from_fn(move || {
        if length == 0 {
            return None;
        }
        let from = (at % PAGE_BYTES as u64) as usize;
        let part = (at / PAGE_BYTES as u64, from, length.min(PAGE_BYTES - from));
        at += part.2 as u64;
        length -= part.2;
        Some(part)
    })
}

impl Medium for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().len)
    }

    fn read(&self, at: u64, mut bytes: &mut [u8]) -> io::Result<()> {
        let written = self.lock();
        if at.checked_add(bytes.len() as u64).is_none_or(|end| end > written.len) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        for (number, from, length) in parts(at, bytes.len()) {
            let part = bytes.split_off_mut(..length).expect("the parts are as long as the bytes");
            match written.pages.get(&number) {
                Some(page) => part.copy_from_slice(&page[from..from + length]),
                None => {
                    let page = written.page_of(&self.file, number)?;
                    part.copy_from_slice(&page[from..from + length]);
                }
            }
        }
        Ok(())
    }

    fn write(&self, at: u64, mut bytes: &[u8]) -> io::Result<()> {
        let mut written = self.lock();
        for (number, from, length) in parts(at, bytes.len()) {
            let part = bytes.split_off(..length).expect("the parts are as long as the bytes");
            let mut page = match written.pages.remove(&number) {
                Some(page) => page,
                None => written.page_of(&self.file, number)?,
            };
            page[from..from + length].copy_from_slice(part);
            written.pages.insert(number, page);
            let end = number * PAGE_BYTES as u64 + (from + length) as u64;
            written.len = written.len.max(end);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.lock();
        if len < written.len {
            written.pages.split_off(&len.div_ceil(PAGE_BYTES as u64));
            let (last, from) = (len / PAGE_BYTES as u64, (len % PAGE_BYTES as u64) as usize);
            if let Some(page) = written.pages.get_mut(&last) {
                page[from..].fill(0);
            }
        }
        written.len = len;
        written.of_file = written.of_file.min(len);
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn end(&self) -> io::Result<u64> {
        self.len()
    }

    fn free(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn is_named(&self) -> io::Result<bool> {
        self.file.is_named()
    }

    fn taken(&self) -> io::Result<u64> {
        Medium::taken(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Random;

    /// Compares the overlay with a plain vector of bytes.
    #[test]
    fn it_behaves_like_a_file_and_leaves_the_file_unchanged() {
        let path = std::env::temp_dir().join(format!("telefile-overlay-{}", std::process::id()));
        for seed in 0..40 {
            let mut random = Random(seed);
            let mut bytes: Vec<u8> =
                (0..random.below(30_000)).map(|_| random.next() as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let before = bytes.clone();
            let overlay = Overlay::new(File::open(&path).unwrap()).unwrap();
            for _ in 0..100 {
                let (at, length) = (random.below(40_000), random.below(10_000) as usize);
                match random.below(4) {
                    0 => {
                        overlay.set_len(at).unwrap();
                        bytes.resize(at as usize, 0);
                    }
                    1 => {
                        let new: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
                        overlay.write(at, &new).unwrap();
                        let end = at as usize + length;
                        if length > 0 && end > bytes.len() {
                            bytes.resize(end, 0);
                        }
                        if length > 0 {
                            bytes[at as usize..end].copy_from_slice(&new);
                        }
                    }
                    _ => {
                        let mut read = vec![0; length];
                        let found = overlay.read(at, &mut read).map(|()| &read[..]);
                        let expected = bytes.get(at as usize..).and_then(|b| b.get(..length));
                        assert_eq!(found.ok(), expected, "seed {seed}: {length} at {at}");
                    }
                }
                assert_eq!(overlay.len().unwrap(), bytes.len() as u64);
            }
            assert_eq!(std::fs::read(&path).unwrap(), before, "seed {seed}");
        }
        std::fs::remove_file(path).unwrap();
    }
}
