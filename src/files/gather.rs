//! What a commit may wait for.

use std::time::Duration;

/// How the next commit waits for the clients that the last one answers, so that what they change next is
/// in it, and not in commits of their own: see [`Store::gather`](crate::store::Store::gather).
/// It waits until as many clients have come, or none comes for half of `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gather {
    /// How long it waits at most.
    pub longest: Duration,
    /// It does not wait if more than this many changes are expected.
    pub changes: usize,
}
