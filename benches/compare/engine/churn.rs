//! Short connections: connect, read once, close, repeat. Counts connections.

use super::Run;
use crate::dialect::Outcome;
use crate::tally::Tally;
use crate::window::{Phase, Window};
use std::io;
use std::time::Instant;

pub(crate) fn run(run: &Run<'_>) -> io::Result<(Tally, Window)> {
    let drive = |index: usize, tally: &mut Tally, phase: &Phase| {
        for key in (index..).step_by(run.clients) {
            if phase.is_over() {
                break;
            }
            let start = Instant::now();
            let mut client = run.connect(key)?;
            client.read_one(key)?;
            drop(client);
            if phase.is_measuring() {
                tally.count(Outcome::Done { version: 0 }, start.elapsed());
            }
        }
        Ok(())
    };
    Ok(run.measure((0..run.clients).collect(), drive))
}
