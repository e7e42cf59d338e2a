//! A server that gives a file the versions 1, 2, 3, and begins anew after its deletion: what versions
//! must not do. It stands between a client and the real server.

use super::planted::{Fault, has};
use crate::client::{Client, Error};
use crate::refusal::Refusal;
use crate::version::Version;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

#[derive(Debug, Default)]
pub(in crate::sync) struct Versions {
    /// What is shown in place of a version of a name.
    shown: HashMap<(String, Version), Version>,
    /// The version of each name, and what is shown for it.
    now: HashMap<String, (Version, Version)>,
}

thread_local! {
    static VERSIONS: RefCell<Arc<Mutex<Versions>>> = RefCell::default();
}

/// Shares the versions of a server with this thread.
pub(super) fn share(versions: Arc<Mutex<Versions>>) {
    VERSIONS.set(versions);
}

fn versions() -> Arc<Mutex<Versions>> {
    VERSIONS.with_borrow(Clone::clone)
}

/// Returns what a client sees in place of the version of a file.
pub(in crate::sync) fn shown(name: &str, version: Version) -> Version {
    if !has(Fault::VersionsRestart) {
        return version;
    }
    let versions = versions();
    let versions = versions.lock().unwrap();
    versions.shown.get(&(name.to_string(), version)).copied().unwrap_or(version)
}

/// Writes or deletes a file at the version that was shown.
pub(in crate::sync) fn cas(
    client: &Client,
    name: &str,
    version: Version,
    contents: Option<&[u8]>,
) -> Result<Version, Error> {
    let versions = versions();
    let mut versions = versions.lock().unwrap();
    let (real, shown) = versions.now.get(name).copied().unwrap_or_default();
    if version != shown {
        return Err(Error::Refused { file: None, refusal: Refusal::Version(shown) });
    }
    let Some(contents) = contents else {
        client.delete(name, Some(real))?;
        versions.now.remove(name);
        return Ok(Version::ABSENT);
    };
    let real = client.cas(name, real, contents)?;
    versions.now.insert(name.to_string(), (real, Version(shown.0 + 1)));
    versions.shown.insert((name.to_string(), real), Version(shown.0 + 1));
    Ok(Version(shown.0 + 1))
}
