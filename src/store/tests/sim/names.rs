//! The files of the disk by name.

use super::file::SimFile;
use super::state::Bytes;
use super::{Fault, Sim};
use crate::store::medium::{FileSet, Medium};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

impl FileSet for Sim {
    fn path(&self, name: &str) -> PathBuf {
        Path::new("sim").join(name)
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Medium>>> {
        let number = self.lock().names.get(name).copied();
        Ok(number.map(|number| Box::new(SimFile::open(self, number)) as Box<dyn Medium>))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Medium>> {
        let mut state = self.lock();
        state.operate(|fault| fault == Fault::Power)?;
        if state.refuses_removals && state.names.contains_key(name) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let number = state.files.len();
        state.files.push(Bytes::default());
        state.names.insert(name.to_string(), number);
        drop(state);
        Ok(Box::new(SimFile::open(self, number)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.operate(|fault| fault == Fault::Power)?;
        if state.refuses_removals {
            return Err(ErrorKind::PermissionDenied.into());
        }
        state.names.remove(name);
        let numbers = 0..state.files.len();
        numbers.for_each(|number| state.forget(number));
        Ok(())
    }

    fn replace_database(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        if let Some(Fault::Write(kind)) =
            state.operate(|fault| matches!(fault, Fault::Write(_) | Fault::Power))?
        {
            return Err(kind.into());
        }
        let number = state.names.remove(name).ok_or(ErrorKind::NotFound)?;
        state.replaced = Some(std::mem::replace(&mut state.database, number));
        let then = state.when_replaced.take();
        drop(state);
        then.into_iter().for_each(|then| then());
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.lock();
        if let Some(Fault::Sync(kind)) =
            state.operate(|fault| matches!(fault, Fault::Sync(_) | Fault::Power))?
        {
            return Err(kind.into());
        }
        if let Some(old) = state.replaced.take() {
            state.forget(old);
        }
        Ok(())
    }
}
