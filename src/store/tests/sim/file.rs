//! One file of the disk in memory.

use super::state::{Change, State, put};
use super::{Fault, Sim};
use crate::store::medium::{Medium, fill};
use std::fmt;
use std::io::{self, ErrorKind};

/// A file of the disk, by its number. It goes on without its name.
pub(super) struct SimFile(Sim, usize);

impl SimFile {
    pub(super) fn open(sim: &Sim, number: usize) -> SimFile {
        sim.lock().files[number].handles += 1;
        SimFile(sim.clone(), number)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let Ok(mut state) = self.0.0.lock() else { return };
        state.files[self.1].handles -= 1;
        state.forget(self.1);
    }
}

impl Medium for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().files[self.1].bytes.len() as u64)
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        state.reads += 1;
        if state.broken_reads > 0 {
            state.broken_reads -= 1;
            return Err(io::Error::other("a bad sector"));
        }
        let at = usize::try_from(at).unwrap();
        let end = at.checked_add(bytes.len());
        let found = end.and_then(|end| state.files[self.1].bytes.get(at..end));
        bytes.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        let at = usize::try_from(at).unwrap();
        let fault = state.operate(|fault| !matches!(fault, Fault::Sync(_)))?;
        let more = (at + bytes.len()).saturating_sub(state.files[self.1].end);
        if more > 0 && state.taken() + more as u64 > state.capacity {
            return Err(ErrorKind::StorageFull.into());
        }
        match fault {
            Some(Fault::Write(kind)) => Err(kind.into()),
            Some(Fault::Short(kind)) => {
                state.change(self.1, Change::Write(at, bytes[..bytes.len() / 3].to_vec()));
                Err(kind.into())
            }
            _ => {
                state.change(self.1, Change::Write(at, bytes.to_vec()));
                Ok(())
            }
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        if let Some(Fault::Write(kind)) =
            state.operate(|f| matches!(f, Fault::Write(_) | Fault::Power))?
        {
            return Err(kind.into());
        }
        state.change(self.1, Change::Length(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        fill(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        if let Some(Fault::Sync(kind)) =
            state.operate(|f| matches!(f, Fault::Sync(_) | Fault::Power))?
        {
            return Err(kind.into());
        }
        let State { files, pending, .. } = &mut *state;
        for (number, change) in pending.extract_if(.., |(number, _)| *number == self.1) {
            let synced = &mut files[number].synced;
            match change {
                Change::Write(at, data) => put(synced, at, &data),
                Change::Length(length) => synced.resize(length, 0),
            }
        }
        Ok(())
    }

    fn end(&self) -> io::Result<u64> {
        Ok(self.0.lock().files[self.1].end as u64)
    }

    fn free(&self) -> io::Result<u64> {
        let state = self.0.lock();
        if !state.is_named(self.1) {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(state.says_free.unwrap_or(state.capacity.saturating_sub(state.taken())))
    }

    fn is_named(&self) -> io::Result<bool> {
        Ok(self.0.lock().is_named(self.1))
    }

    fn taken(&self) -> io::Result<u64> {
        self.end()
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimFile")
    }
}

/// The file that is the database at the time.
impl Medium for Sim {
    fn len(&self) -> io::Result<u64> {
        self.current().len()
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.current().read(at, bytes)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.current().write(at, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.current().set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.current().allocate(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.current().sync()
    }

    fn end(&self) -> io::Result<u64> {
        self.current().end()
    }

    fn free(&self) -> io::Result<u64> {
        self.current().free()
    }

    fn is_named(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn taken(&self) -> io::Result<u64> {
        self.end()
    }
}
