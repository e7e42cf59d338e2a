//! A blocking thread for each connection, like simple clients. They cost the machine about as much
//! as the server does.

use super::Run;
use crate::client::Client;
use crate::tally::Tally;
use crate::window::{Phase, Window};
use std::io;

pub(crate) fn run(run: &Run<'_>) -> io::Result<(Tally, Window)> {
    Ok(run.measure(run.connect_all()?, drive))
}

/// Sends one batch after the other until the run is over.
pub(super) fn drive(mut client: Client<'_>, tally: &mut Tally, phase: &Phase) -> io::Result<()> {
    while !phase.is_over() {
        client.ask_batch();
        client.finish_batch(tally, phase)?;
    }
    Ok(())
}
