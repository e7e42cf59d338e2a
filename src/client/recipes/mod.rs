//! Locks, leases, elections and the like, made of the protocol's commands: what more than one
//! program agrees on.
//!
//! | recipe | for |
//! |---|---|
//! | [`Lock`] | one at a time |
//! | [`Lease`] | one at a time, and a holder may lose its connection |
//! | [`FairLock`] | one at a time, in the order of asking |
//! | [`Semaphore`] | a few at a time, in the order of asking |
//! | [`Election`] | one leads, and all know who |
//! | [`Barrier`] | all wait for all |
//! | [`Queue`] | each item for one worker, at most or at least once |
//!
//! They take names as you give them, and make files called so or with `/` and more behind it. They
//! are blocking: a thread that waits keeps its client busy, and others that share the client wait
//! too, so give each waiting thread a client of its own. Above all, a thread that waits for a lock
//! which another thread of the same client holds keeps that from giving it back, without bound.
//!
//! # What a lock over a network can promise
//!
//! That no two hold it at once **as the server sees it**. A holder can believe in its lock longer
//! than the server does: it sleeps, its machine is suspended, its network is cut, and somebody else
//! gets the lock meanwhile. No lock service can prevent that. What can be done is to have every
//! holder show its **token** to whatever the lock protects, and that refuse one that is smaller
//! than the greatest it has seen. Who reads, thinks and writes shows it before it reads too, or a
//! late write of the holder before comes between the two and is lost. Every recipe here has such a
//! token: the version that taking it took, of which none comes twice and later ones are greater.
//! `examples/fenced.rs` is a file type that checks it.
//!
//! When the connection is lost, every guard made with that client is of no use: its calls fail with
//! [`Error::Lost`](super::Error::Lost), and nothing is taken again behind the program's back. (A
//! [`Lease`] makes a new connection, and goes on if the server's table is the same.)
//!
//! A server that lives in memory has no files when it is started again, so everything is free, and
//! the epoch is another one; versions begin at 1 again. A token is good within one epoch. One with
//! `--data` has its files and its epoch still, and versions go on: what lived as long as a
//! connection is free, leases have the time left that they had, and no token comes twice.

mod barrier;
mod election;
mod lease;
mod lock;
mod place;
mod queue;
mod semaphore;
mod wait;

pub use barrier::Barrier;
pub use election::{Election, Leader};
pub use lease::{Lease, LeaseGuard};
pub use lock::{Guard, Lock};
pub use queue::{Queue, Taken};
pub use semaphore::{FairLock, Semaphore};
#[cfg(feature = "cli")]
pub(crate) use {lock::acquire, lock::not_a_lock, wait::Until};
