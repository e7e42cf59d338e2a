//! Who waits for which prefix to change.

use crate::name::NameRef;
use crate::waker::Waker;
use crossbeam_channel::Sender;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The waiting watches, by their prefixes. A change that nobody waits for costs a look at each
/// length that a watched prefix has; one that a thousand wait for takes them all out at once, and
/// leaves it to another thread to wake them.
#[derive(Debug)]
pub(super) struct Watchers {
    groups: HashMap<Box<str>, Group>,
    /// How many groups there are of each length of prefix.
    lengths: BTreeMap<usize, usize>,
    /// To the thread that wakes; `None` when the table is closed, and nobody may wait any more.
    woken: Option<Sender<Arc<News>>>,
    waiting: u64,
}

#[derive(Debug)]
struct Group {
    waiting: usize,
    news: Arc<News>,
}

/// What all who wait for a prefix wait for. It comes once.
#[derive(Debug)]
pub(super) struct News {
    pub(super) waker: Waker,
    /// The version of the first change; 0 while there is none. Changed under the table's lock.
    first: AtomicU64,
}

impl News {
    /// The version of the first change, if there was one.
    pub(super) fn first(&self) -> Option<u64> {
        Some(self.first.load(Relaxed)).filter(|version| *version > 0)
    }
}

impl Watchers {
    /// Those who are woken go to `woken`.
    pub(super) fn new(woken: Sender<Arc<News>>) -> Self {
        let (groups, lengths) = Default::default();
        Watchers { groups, lengths, woken: Some(woken), waiting: 0 }
    }

    /// Takes one more who waits for `prefix`; `None` if the table is closed.
    pub(super) fn join(&mut self, prefix: &str) -> io::Result<Option<Arc<News>>> {
        if self.woken.is_none() {
            return Ok(None);
        }
        if !self.groups.contains_key(prefix) {
            let news = Arc::new(News { waker: Waker::new()?, first: AtomicU64::new(0) });
            self.groups.insert(prefix.into(), Group { waiting: 0, news });
            *self.lengths.entry(prefix.len()).or_default() += 1;
        }
        self.waiting += 1;
        Ok(self.groups.get_mut(prefix).map(|group| {
            group.waiting += 1;
            group.news.clone()
        }))
    }

    /// One who joined waits no longer.
    pub(super) fn leave(&mut self, prefix: &str, news: &Arc<News>) {
        self.waiting -= 1;
        // If they were woken, the group of this prefix is another one, or there is none.
        if let Some(group) = self.groups.get_mut(prefix)
            && Arc::ptr_eq(&group.news, news)
        {
            group.waiting -= 1;
            if group.waiting == 0 {
                self.remove(prefix);
            }
        }
    }

    /// Wakes those who wait for this name.
    pub(super) fn changed(&mut self, name: NameRef<'_>, version: u64) {
        if self.groups.is_empty() {
            return;
        }
        let text = name.as_str();
        // A secret name is for those alone who know its secret.
        let mut from = name.secret().map_or(0, str::len);
        while let Some((&length, _)) = self.lengths.range(from..).next()
            && length <= text.len()
        {
            from = length + 1;
            let Some(prefix) = text.get(..length) else { continue };
            if let Some(group) = self.remove(prefix) {
                group.news.first.store(version, Relaxed);
                self.wake(group);
            }
        }
    }

    /// Wakes all who wait, without news, and lets nobody wait any more.
    pub(super) fn close(&mut self) {
        for (_, group) in std::mem::take(&mut self.groups) {
            self.wake(group);
        }
        self.lengths.clear();
        self.woken = None;
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    fn wake(&self, group: Group) {
        if let Some(woken) = &self.woken {
            let _ = woken.send(group.news); // the other end lives as long as the table
        }
    }

    fn remove(&mut self, prefix: &str) -> Option<Group> {
        let group = self.groups.remove(prefix)?;
        if let Some(groups) = self.lengths.get_mut(&prefix.len()) {
            *groups -= 1;
            if *groups == 0 {
                self.lengths.remove(&prefix.len());
            }
        }
        Some(group)
    }
}
