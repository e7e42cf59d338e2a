//! Locks, leases, elections and the like, for programs that coordinate. They are made of the
//! protocol's commands.
//!
//! | recipe | for |
//! |---|---|
//! | [`Lock`] | one at a time |
//! | [`Lease`] | one at a time, and a holder may lose its connection |
//! | [`FairLock`] | one at a time, in the order of the requests |
//! | [`Semaphore`] | a few at a time, in the order of the requests |
//! | [`Election`] | one leads, and all know which |
//! | [`LeasedElection`] | the same, and a leader that stops or hangs is replaced |
//! | [`Barrier`] | all wait for all |
//! | [`Queue`] | each item for one worker, at most or at least once |
//!
//! ```
//! # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
//! # let address = server.addresses()[0].clone();
//! use telefile::{Client, client::recipes::Lock};
//!
//! let (ann, bob) = (Client::connect_to(&address)?, Client::connect_to(&address)?);
//! let guard = Lock::new(&ann, "lock/backup").lock()?;
//! assert!(Lock::new(&bob, "lock/backup").try_lock()?.is_none());
//! drop(guard);
//! let guard = Lock::new(&bob, "lock/backup").lock()?;
//! println!("Bob's fencing token is {}", guard.token()); // greater than Ann's
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! They take names unchanged, and make files with that name, or with `/` and more after it. They
//! block: a waiting thread keeps its client busy, and others that share the client wait too, so
//! give each waiting thread its own client. Above all, a thread that waits for a lock held by
//! another thread of the same client prevents it from releasing the lock, without bound.
//!
//! # What a lock over a network can promise
//!
//! That no two clients hold it at once **as the server sees it**. A holder can believe in its lock
//! longer than the server does: it sleeps, its machine is suspended, its network is cut, and
//! somebody else gets the lock meanwhile. No lock service can prevent that. The remedy: every
//! holder shows its **token** to the protected resource, and that refuses a token smaller than the
//! greatest it has seen. A holder that reads, thinks and writes shows its token before the read
//! too, or a late write of the previous holder comes between the two and is lost. Every recipe here
//! has such a token: the version of the change that acquired it. Versions are never reused and only grow.
//! `examples/fenced.rs` is a file type that checks the token.
//!
//! When the connection is lost, every guard made with that client is useless: its calls fail with
//! [`Error::Lost`](super::Error::Lost), and nothing is acquired again automatically. (A [`Lease`]
//! makes a new connection, and goes on if the server's table is the same; so does a
//! [`LeasedElection`]'s leader.)
//!
//! A server that keeps its files in memory has none after a restart, so everything is free, and the
//! epoch is another one; versions begin at 1 again. A token is valid within one epoch. A server
//! with `--data` keeps its files and its epoch, and versions continue: ephemeral files are deleted,
//! leases keep their remaining time, and no token is reused.

mod barrier;
mod deadline;
mod election;
mod lease;
mod leased_election;
mod lock;
mod queue;
mod semaphore;
mod token;
mod waiters;

pub use barrier::Barrier;
pub use election::{Election, Leader};
pub use lease::{Lease, LeaseEvent, LeaseGuard};
pub use leased_election::{Leadership, LeasedElection};
pub use lock::{Guard, Lock};
pub use queue::{Queue, Taken};
pub use semaphore::{FairLock, Semaphore};
pub use token::FencingToken;
#[cfg(feature = "cli")]
pub(crate) use {deadline::Deadline, lock::Notice, lock::check, lock::not_a_lock};
