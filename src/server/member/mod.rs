//! A server of a table in etcd: it campaigns to be the active one, serves its term, and campaigns again.
//!
//! A thread of its own does that, and a stop does not wait for it: a request to etcd may hang. Whatever
//! the thread does after a stop, it serves nobody.

mod following;
mod lead;
mod relay;
mod standby;
mod tables;

pub(super) use following::Following;
pub(super) use lead::Lead;
pub(super) use tables::Tables;

use super::host::{Host, Role};
use super::shared::Shared;
use super::threads::Threads;
use crate::net::Address;
use crate::store::etcd::{Candidate, Etcd, Leader, Outage, Term};
use crate::waker::Waker;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The pause after an attempt to become active that etcd was not there for.
const PAUSE: Duration = Duration::from_millis(200);

/// One of the servers of a table in etcd.
#[derive(Debug)]
pub(super) struct Member {
    etcd: Etcd,
    me: Candidate,
    tables: Tables,
    host: Arc<Host>,
    state: Mutex<State>,
    /// For the thread that campaigns.
    outage: Mutex<Outage>,
    /// Ends the wait for another active server.
    stopping: Waker,
}

#[derive(Debug, Default)]
struct State {
    is_stopping: bool,
    /// The term of this server, from its election on.
    term: Option<Arc<Term>>,
    active: Option<Active>,
}

/// What serves in a term.
#[derive(Debug)]
struct Active {
    shared: Arc<Shared>,
    threads: Threads,
}

impl Member {
    pub(super) fn new(
        etcd: Etcd,
        me: &Address,
        tables: Tables,
        host: Arc<Host>,
        outage: Outage,
    ) -> io::Result<Arc<Self>> {
        let me = Candidate { address: Some(me.to_string()) };
        let (state, outage, stopping) = (Mutex::default(), Mutex::new(outage), Waker::new()?);
        Ok(Arc::new(Member { etcd, me, tables, host, state, outage, stopping }))
    }

    /// Starts to campaign. The receiver gets the error that ends this, if one does.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub(super) fn start(self: &Arc<Self>) -> io::Result<Receiver<io::Error>> {
        let (failed, failure) = bounded(1);
        let member = self.clone();
        thread::Builder::new().name("member".to_string()).spawn(move || {
            if let Err(e) = member.run() {
                let _ = failed.send(e);
            }
        })?;
        Ok(failure)
    }

    /// Ends the sessions of this server as the active one, if it is, then its term: the next one is
    /// active at once.
    ///
    /// # Errors
    /// Those of the last commit.
    pub(super) fn stop(&self) -> io::Result<()> {
        let (term, active) = {
            let mut state = self.lock();
            state.is_stopping = true;
            (state.term.take(), state.active.take())
        };
        self.stopping.wake();
        let ended = match active {
            Some(Active { threads, .. }) => threads.close_down(),
            None => {
                self.host.end_arrivals();
                Ok(())
            }
        };
        if let Some(term) = term {
            term.resign();
        }
        ended
    }

    /// Campaigns and serves, until a stop.
    ///
    /// # Errors
    /// Those after which it makes no sense to go on.
    fn run(&self) -> io::Result<()> {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.lock().is_stopping {
            match self.campaign(&mut outage) {
                Ok(()) => {}
                Err(e) if Etcd::is_fatal(&e) => return Err(e),
                Err(e) => {
                    self.host.set_role(Role::CutOff);
                    outage.goes_on(&e);
                    thread::sleep(PAUSE);
                }
            }
        }
        Ok(())
    }

    /// Serves a term, if this server becomes the active one; otherwise relays to the one that is, until
    /// it is no longer active.
    fn campaign(&self, outage: &mut Outage) -> io::Result<()> {
        if let Some(term) = self.etcd.campaign(&self.me)? {
            return self.serve(&term, outage);
        }
        let Some(leader) = self.etcd.leader()? else {
            self.host.set_role(Role::Waiting);
            return Ok(());
        };
        outage.ends();
        log::info!("standby: {} is active", shown(&leader));
        self.host.set_role(Role::Standby(Arc::new(Following::new(leader.clone()))));
        self.etcd.wait(Some(&leader), &self.stopping)?;
        self.host.set_role(Role::Waiting);
        Ok(())
    }

    /// Is the active server until the term is over, or until a stop.
    fn serve(&self, term: &Arc<Term>, outage: &mut Outage) -> io::Result<()> {
        self.lock().term = Some(term.clone());
        let (end, over) = bounded(1);
        let lost = end.clone();
        term.on_over(move || {
            let _ = end.try_send(()); // full: one message is enough
        });
        let served = self.begin(term, lost).map(|()| {
            outage.ends();
            let _ = over.recv(); // a stop ends the term too
        });
        self.host.set_role(Role::Waiting);
        self.lock().term = None;
        let active = self.lock().active.take(); // `None` if a stop has taken it
        if let Some(Active { shared, threads }) = active {
            shared.abandon();
            drop(threads); // they end by themselves, once a commit that hangs does
        }
        if !term.resign() {
            self.host.set_role(Role::CutOff);
        }
        served
    }

    /// Loads the table, and serves it.
    fn begin(&self, term: &Arc<Term>, lost: Sender<()>) -> io::Result<()> {
        let shared = self.tables.load(term)?;
        let mut threads = Threads::new(shared.clone());
        let started = threads.start(move || {
            let _ = lost.try_send(());
        });
        let mut state = self.lock();
        if started.is_err() || state.is_stopping {
            drop(state);
            shared.abandon();
            term.resign();
            return started;
        }
        log::info!("active, with {} files", shared.table.totals().files);
        self.host.set_role(Role::Active(shared.clone()));
        state.active = Some(Active { shared, threads });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how the log names an active server.
fn shown(leader: &Leader) -> &str {
    if leader.address.is_empty() { "another server" } else { &leader.address }
}
