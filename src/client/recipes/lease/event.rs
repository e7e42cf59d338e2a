//! What happens to a lease that is kept.

use crate::client::Error;
use std::time::Instant;

/// What happens to a lease while a thread [keeps](super::LeaseGuard::kept) it.
#[derive(Debug)]
#[non_exhaustive]
pub enum LeaseEvent {
    /// The lease is renewed.
    Renewed {
        /// When it ends unless it is renewed again.
        valid_until: Instant,
    },
    /// The lease is still valid, but could not be renewed. The thread tries again.
    Retrying(Error),
    /// The lease is over, and the thread ends. [`Error::OtherTable`] or a refusal means that the
    /// server has no such lease any more. After any other error the lease was not renewed in time.
    Lost(Error),
}
