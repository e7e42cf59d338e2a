//! Writes what is pulled, behind what is received: while the server sends some chunks, those before
//! them are hashed, written and flushed. It knows nothing of the server.

use crate::contents::Contents;
use crate::sync::error::Error;
use crate::sync::hash::{Hash, Hasher};
use crate::sync::path::RelPath;
use std::fs::File;
use std::io::{self, Write};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};

/// Contents up to this are written by the thread that receives them.
const SHORT_BYTES: u64 = if cfg!(test) { 64 << 10 } else { 4 << 20 };

/// How many chunks wait to be written, at most.
const MAX_WAITING: usize = 8;

/// How much is written between two flushes. Otherwise the disk would be idle until the end.
const FLUSH_BYTES: usize = if cfg!(test) { 256 << 10 } else { 32 << 20 };

/// Calls `fetch` with a function that takes the next bytes of a file, until that returns false, and
/// writes them. Returns the hash of all of them; `None` if `fetch` returns false.
///
/// # Errors
/// Those of `fetch`, and those of the file at `path`. Either way what was fetched is written.
pub(in crate::sync) fn write_behind(
    mut file: &File,
    path: &RelPath,
    size: u64,
    fetch: impl FnOnce(&mut dyn FnMut(Contents) -> Result<bool, Error>) -> Result<bool, Error>,
) -> Result<Option<Hash>, Error> {
    if size <= SHORT_BYTES {
        let mut hasher = Hasher::default();
        let is_whole = fetch(&mut |bytes| {
            hasher.update(&bytes);
            file.write_all(&bytes).map_err(Error::at(path))?;
            Ok(true)
        })?;
        return Ok(is_whole.then(|| hasher.finish()));
    }
    scope(|scope| {
        let (give, chunks) = sync_channel(MAX_WAITING);
        let writer = spawn(scope, "sync-write", move || write(file, &chunks));
        let writer = writer.map_err(Error::about("a thread"))?;
        let fetched = fetch(&mut |bytes| Ok(give.send(bytes).is_ok()));
        drop(give);
        let hash = join(writer).map_err(Error::at(path))?;
        Ok(fetched?.then_some(hash))
    })
}

fn write(mut file: &File, chunks: &Receiver<Contents>) -> io::Result<Hash> {
    scope(|scope| {
        let (flush, asked) = sync_channel(1);
        let flush_each = move || asked.iter().try_for_each(|()| file.sync_data());
        let flusher = spawn(scope, "sync-flush", flush_each)?;
        let (mut hasher, mut unflushed) = (Hasher::default(), 0);
        let written = chunks.iter().try_for_each(|bytes| {
            hasher.update(&bytes);
            file.write_all(&bytes)?;
            unflushed += bytes.len();
            if unflushed >= FLUSH_BYTES {
                unflushed = 0;
                // If one is asked for already, it will flush this as well.
                let _ = flush.try_send(());
            }
            Ok(())
        });
        drop(flush);
        // An error is reported once: the flush at the end may not see it.
        join(flusher).and(written).map(|()| hasher.finish())
    })
}

fn spawn<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    name: &str,
    run: impl FnOnce() -> T + Send + 's,
) -> io::Result<ScopedJoinHandle<'s, T>> {
    Builder::new().name(name.to_string()).spawn_scoped(scope, run)
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
