//! A table in an etcd cluster, for several servers of which one is active: it has the table, and the
//! others take its place when it dies.
//!
//! Knows etcd and the format of the values; not what a server does with its term. `Etcd` finds the
//! active server and campaigns to become it; a `Term` is the time of being active, and has the store.
//!
//! A server that was paused or cut off may still believe that it is active. Its *writes* change nothing
//! then: each transaction requires that the key `leader` has the revision at which this server
//! created it, and `head` the one of its last commit. Its *reads* end by the clock: it may answer for 8 s
//! after it sent the last renewal of its lease that was acknowledged, and the lease lasts for 10.

mod backup;
mod boottime;
mod changes;
mod cluster;
mod commit;
mod election;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod gateway;
mod keys;
mod leader;
mod options;
mod outage;
mod scan;
mod source;
mod store;
mod term;
#[cfg(test)]
mod tests;

pub use election::Etcd;
pub(crate) use election::Fault;
pub(crate) use leader::{Candidate, Leader};
pub use options::Options;
pub(crate) use outage::Outage;
pub(crate) use term::Term;
