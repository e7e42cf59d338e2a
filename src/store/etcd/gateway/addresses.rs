//! The addresses of the members, looked up once until a request fails.
//!
//! ureq would look them up for each request, also on a connection that it keeps, in a thread that it
//! starts for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The addresses by scheme and host. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses(Arc<Mutex<HashMap<String, ResolvedSocketAddrs>>>);

impl Addresses {
    /// Has all hosts looked up again: one may have moved.
    pub(super) fn forget(&self) {
        self.known().clear();
    }

    pub(super) fn known(&self) -> MutexGuard<'_, HashMap<String, ResolvedSocketAddrs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let key = format!("{}://{host}", uri.scheme_str().unwrap_or_default());
        if let Some(known) = self.known().get(&key) {
            return Ok(known.clone());
        }
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        self.known().insert(key, found.clone());
        Ok(found)
    }
}
