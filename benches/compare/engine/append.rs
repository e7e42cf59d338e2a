//! What the disk allows: threads that append the requests to a file and wait for fdatasync. No
//! server, no network, no table. Threads that arrive during a sync share the next one.

use super::Run;
use crate::dialect::Outcome;
use crate::tally::Tally;
use crate::window::{Phase, Window};
use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The number for which the goals were set, whatever the number of connections.
const MOST_WRITERS: usize = 32;

pub(crate) fn run(run: &Run<'_>, folder: &Path) -> io::Result<(Tally, Window)> {
    let log = Log::create(&folder.join("log"))?;
    let requests = run.load.writes[0].repeat(run.load.depth);
    let drive = |(), tally: &mut Tally, phase: &Phase| {
        while !phase.is_over() {
            let start = Instant::now();
            log.append(&requests)?;
            let latency = start.elapsed();
            if phase.is_measuring() {
                (0..run.load.depth)
                    .for_each(|_| tally.count(Outcome::Done { version: 0 }, latency));
            }
        }
        Ok(())
    };
    Ok(run.measure(vec![(); run.clients.min(MOST_WRITERS)], drive))
}

struct Log {
    file: File,
    state: Mutex<State>,
    synced: Condvar,
}

#[derive(Default)]
struct State {
    /// What the next sync will write.
    waiting: Vec<u8>,
    /// The numbers of syncs that have begun and ended.
    begun: u64,
    done: u64,
}

impl Log {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Log { file: File::create_new(path)?, state: Mutex::default(), synced: Condvar::new() })
    }

    /// Blocks until it is on disk. A thread that finds no sync running does one for all that wait.
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        state.waiting.extend_from_slice(bytes);
        let mine = state.begun + 1;
        while state.done < mine {
            if state.done < state.begun {
                state = self.synced.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.begun += 1;
            let waiting = mem::take(&mut state.waiting);
            drop(state);
            (&self.file).write_all(&waiting)?;
            self.file.sync_data()?;
            state = self.lock();
            state.done += 1;
            self.synced.notify_all();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
