//! The user of etcd that asks.

use std::fmt;
use std::sync::Mutex;

/// Who asks.
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
    /// What etcd gave for the password.
    pub(super) token: Mutex<Option<String>>,
}

/// Does not show the password.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}
