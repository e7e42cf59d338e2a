//! A client that follows the changes over all starts of the server, without a gap.

use super::book::Book;
use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;
use telefile::client::{Change, Error, Page};
use telefile::{Client, Version};

#[derive(Default)]
pub(super) struct Mirror {
    rev: Version,
    /// Version and length by name.
    files: BTreeMap<String, (Version, u64)>,
    /// The changes since the last check: versions and names.
    received: Vec<(Version, String)>,
}

impl Mirror {
    /// Follows until the connection is lost.
    pub(super) fn go(&mut self, client: &Client) {
        loop {
            match self.follow(client, Duration::from_secs(60)) {
                Ok(_) => {}
                Err(Error::Lost(_)) => return,
                Err(e) => panic!("watch from {}: {e}", self.rev),
            }
        }
    }

    /// Receives changes. Returns whether there were any.
    fn follow(&mut self, client: &Client, time: Duration) -> Result<bool, Error> {
        let news = client.watch("", self.rev, time)?;
        let came = !news.changes.is_empty();
        for change in news.changes {
            assert!(self.rev < change.version, "not behind {}: {change:?}", self.rev);
            self.rev = change.version;
            self.take(change);
        }
        assert!(self.rev <= news.version, "the rev went back, {} to {}", self.rev, news.version);
        self.rev = news.version;
        Ok(came)
    }

    fn take(&mut self, change: Change) {
        self.received.push((change.version, change.name.clone()));
        let _ = match change.numbytes {
            Some(numbytes) => self.files.insert(change.name, (change.version, numbytes)),
            None => self.files.remove(&change.name),
        };
    }

    /// Follows to the end, and compares itself with a list.
    pub(super) fn catch_up(&mut self, client: &Client, list: &Page) {
        while self.follow(client, Duration::ZERO).unwrap_or_else(|e| panic!("{e}")) {}
        let listed = list.files.iter();
        let listed = listed.map(|file| (file.name.clone(), (file.version, file.numbytes)));
        assert_eq!(self.files, listed.collect(), "watch and list at {}", list.version);
        assert_eq!(self.rev, list.version);
    }

    /// Compares the received changes with those of the writers.
    pub(super) fn check(&mut self, book: &mut Book) {
        for (version, name) in mem::take(&mut self.received) {
            book.see(version, &name, None);
        }
    }
}
