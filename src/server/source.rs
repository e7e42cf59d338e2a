//! Where the table of a server comes from: it has one until its stop, or one for each of its terms.

#[cfg(feature = "etcd")]
use super::member::Member;
use super::shared::Shared;
use super::threads::Threads;
use crossbeam_channel::Receiver;
use std::io;
use std::sync::Arc;

/// The table, or how to get one.
#[derive(Debug)]
pub(super) enum Source {
    Table(Arc<Shared>),
    #[cfg(feature = "etcd")]
    Etcd(Arc<Member>),
}

/// A source while the server runs.
#[derive(Debug)]
pub(super) enum Served {
    Table(Threads),
    /// With what makes it impossible to go on.
    #[cfg(feature = "etcd")]
    Etcd(Arc<Member>, Option<Receiver<io::Error>>),
}

impl Served {
    pub(super) fn new(source: Source) -> Self {
        match source {
            Source::Table(shared) => Served::Table(Threads::new(shared)),
            #[cfg(feature = "etcd")]
            Source::Etcd(member) => Served::Etcd(member, None),
        }
    }

    /// Starts the threads. `lost` is called if the store of the table fails.
    ///
    /// # Errors
    /// A thread cannot be created.
    pub(super) fn start(&mut self, lost: impl FnOnce() + Send + 'static) -> io::Result<()> {
        match self {
            Served::Table(threads) => threads.start(lost),
            #[cfg(feature = "etcd")]
            Served::Etcd(member, failure) => {
                *failure = Some(member.start()?);
                Ok(())
            }
        }
    }

    /// Blocks until a stop.
    ///
    /// # Errors
    /// What makes it impossible to go on.
    pub(super) fn wait(&self, stopped: &Receiver<()>) -> io::Result<()> {
        match self {
            #[cfg(feature = "etcd")]
            Served::Etcd(_, Some(failure)) => crossbeam_channel::select! {
                recv(stopped) -> _ => Ok(()),
                recv(failure) -> failure => Err(failure.unwrap_or_else(|_| {
                    io::Error::other("the thread that campaigns has panicked")
                })),
            },
            _ => {
                let _ = stopped.recv();
                Ok(())
            }
        }
    }

    /// Ends the sessions and the threads.
    ///
    /// # Errors
    /// Those of the last commit.
    pub(super) fn close_down(self) -> io::Result<()> {
        match self {
            Served::Table(threads) => threads.close_down(),
            #[cfg(feature = "etcd")]
            Served::Etcd(member, _) => member.stop(),
        }
    }
}
