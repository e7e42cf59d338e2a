//! Listing files.

use super::{PAUSE, SHORT, Table};
use crate::budget::block;
use crate::files::stat::Stat;
use crate::files::state::changes::hides;
use crate::files::state::cost;
use crate::name::Name;
use std::ops::Bound::{Excluded, Included};
use std::thread;

/// Files in byte order of their names, as they were at one version of the table.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// The table's version; a watch from it misses nothing.
    pub(crate) rev: u64,
    /// The files.
    pub(crate) files: Vec<Listed>,
    /// Whether there are more files after the last one.
    pub(crate) more: bool,
}

impl Listing {
    /// Returns the memory it takes, including names that may have no other holder any more.
    pub(crate) fn bytes(&self) -> u64 {
        let names = self.files.iter().map(|file| cost::name(file.name.as_name_ref()));
        block(self.files.capacity() * size_of::<Listed>()) + names.sum::<u64>()
    }
}

/// A file in a list.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// Its name.
    pub(crate) name: Name,
    /// Everything else about it.
    pub(crate) stat: Stat,
}

impl Table {
    /// Returns the first `limit` files whose names begin with `prefix` and sort after `after`, byte
    /// by byte. A name with a [secret](crate::NameRef::secret) is included only if the prefix has
    /// the secret too.
    pub(crate) fn list(&self, prefix: &str, limit: usize, after: Option<&str>) -> Listing {
        let mut listing = self.list_now(prefix, limit.min(SHORT), after);
        if limit > SHORT && listing.more {
            drop(listing);
            let _turn = self.take_turn();
            listing = self.list_now(prefix, limit, after);
            thread::sleep(PAUSE);
        }
        listing.files.shrink_to_fit();
        listing
    }

    fn list_now(&self, prefix: &str, limit: usize, after: Option<&str>) -> Listing {
        let (mut table, _) = self.lock_swept();
        let now = table.now();
        let state = &*table.state;
        let mut listing = Listing { rev: state.version, files: Vec::new(), more: false };
        let mut from = match after {
            Some(after) if after >= prefix => Excluded(after.to_string()),
            _ => Included(prefix.to_string()),
        };
        loop {
            let files = state.files.from(from.as_ref().map(String::as_bytes));
            let mut hidden = None;
            for (name, entry) in files {
                if !name.as_bytes().starts_with(prefix.as_bytes()) {
                    break;
                }
                hidden = hides(prefix, name.as_name_ref());
                if hidden.is_some() {
                    break;
                }
                if listing.files.len() == limit {
                    listing.more = true;
                    return listing;
                }
                // An expired file may remain if there was no room to write its removal down.
                if !entry.is_over(now) {
                    listing.files.push(Listed { name: name.clone(), stat: entry.stat(now) });
                }
            }
            // Skip all names of this secret in one step. They end with `/`, and `0` is next.
            let Some(secret) = hidden else { return listing };
            from = Included(format!("{}0", secret.trim_end_matches('/')));
        }
    }
}
