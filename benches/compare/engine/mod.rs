//! How clients are driven: each way turns a load and a server into a tally and its window.

pub(crate) mod append;
pub(crate) mod churn;
pub(crate) mod epoll;
pub(crate) mod idle;
pub(crate) mod threads;

use crate::client::Client;
use crate::load::Load;
use crate::process::Process;
use crate::tally::Tally;
use crate::window::{Phase, Window};
use std::io;
use std::thread;
use std::time::Duration;

/// A load on a server, and its duration.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) load: &'a Load,
    pub(crate) server: &'a Process,
    pub(crate) clients: usize,
    pub(crate) time: Duration,
    pub(crate) seed: u64,
}

impl<'a> Run<'a> {
    fn connect(&self, index: usize) -> io::Result<Client<'a>> {
        let seed = self.seed * 1_000_003 + index as u64; // a prime, so that no two runs share a sequence
        Client::connect(self.load, self.server.address, seed)
    }

    fn connect_all(&self) -> io::Result<Vec<Client<'a>>> {
        (0..self.clients).map(|i| self.connect(i)).collect()
    }

    /// Drives each of `clients` on a thread of its own with `drive`, through one window.
    fn measure<C: Send>(
        &self,
        clients: Vec<C>,
        drive: impl Fn(C, &mut Tally, &Phase) -> io::Result<()> + Sync,
    ) -> (Tally, Window) {
        const STACK_BYTES: usize = 256 << 10;
        let (phase, drive) = (&Phase::new(), &drive);
        thread::scope(|scope| {
            let mut total = Tally::default();
            let mut running = Vec::new();
            for client in clients {
                let one = move || {
                    let mut tally = Tally::default();
                    if let Err(e) = drive(client, &mut tally, phase) {
                        tally.fail(&e);
                    }
                    tally
                };
                match thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, one) {
                    Ok(thread) => running.push(thread),
                    Err(e) => total.fail(&e),
                }
            }
            let window = phase.pass(self.time, self.server.pid);
            for thread in running {
                match thread.join() {
                    Ok(tally) => total.add(&tally),
                    Err(_) => total.fail(&io::Error::other("a client panicked")),
                }
            }
            (total, window)
        })
    }
}
