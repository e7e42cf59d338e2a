//! Who waits for which prefix to change.

use crate::name::NameRef;
use crate::waker::Waker;
use crossbeam_channel::Sender;
use std::collections::BTreeMap;
use std::io;
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The waiting watches, by their prefixes. A change that nobody waits for costs one search, and
/// another for each prefix that looks like the name at first; one that a thousand wait for takes
/// them all out at once, and leaves it to another thread to wake them.
#[derive(Debug)]
pub(super) struct Watchers {
    groups: BTreeMap<Box<str>, Group>,
    /// To the thread that wakes; `None` when the table is closed, and nobody may wait any more.
    woken: Option<Sender<Arc<News>>>,
    waiting: u64,
}

/// Who waits for a prefix, in batches that are woken one after the other: while a thousand are
/// woken at once, not one of them runs, nor does anybody else on that processor.
#[derive(Debug, Default)]
struct Group(Vec<Batch>);

#[derive(Debug)]
struct Batch {
    /// At least 1.
    waiting: usize,
    news: Arc<News>,
}

/// So many are woken at once.
const BATCH: usize = 32;

/// What all of a batch wait for. It comes once.
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
        Watchers { groups: BTreeMap::new(), woken: Some(woken), waiting: 0 }
    }

    /// Takes one more who waits for `prefix`; `None` if the table is closed.
    pub(super) fn join(&mut self, prefix: &str) -> io::Result<Option<Arc<News>>> {
        if self.woken.is_none() {
            return Ok(None);
        }
        let last = self.groups.get_mut(prefix).and_then(|group| group.0.last_mut());
        let news = match last.filter(|batch| batch.waiting < BATCH) {
            Some(batch) => {
                batch.waiting += 1;
                batch.news.clone()
            }
            None => {
                let news = Arc::new(News { waker: Waker::new()?, first: AtomicU64::new(0) });
                let batch = Batch { waiting: 1, news: news.clone() };
                self.groups.entry(prefix.into()).or_default().0.push(batch);
                news
            }
        };
        self.waiting += 1;
        Ok(Some(news))
    }

    /// One who joined waits no longer.
    pub(super) fn leave(&mut self, prefix: &str, news: &Arc<News>) {
        self.waiting -= 1;
        // If they were woken, the group of this prefix is another one, or there is none.
        let Some(Group(batches)) = self.groups.get_mut(prefix) else { return };
        let Some(at) = batches.iter().position(|b| Arc::ptr_eq(&b.news, news)) else { return };
        batches[at].waiting -= 1;
        if batches[at].waiting == 0 {
            batches.remove(at);
        }
        if batches.is_empty() {
            self.groups.remove(prefix);
        }
    }

    /// Wakes those who wait for this name.
    pub(super) fn changed(&mut self, name: NameRef<'_>, version: u64) {
        // A secret name is for those alone who know its secret.
        let least = name.secret().map_or(0, str::len);
        // Prefixes of this are still to be found.
        let mut text = name.as_str();
        loop {
            // Whatever is watched and is a prefix of the text comes before it, and nothing comes
            // between that is not longer and begins the same. So it begins the last one up to the
            // text, too, and what the text and that have in common is left to be searched.
            let mut up_to_it = self.groups.range::<str, _>((Unbounded, Included(text)));
            let Some((prefix, _)) = up_to_it.next_back() else { return };
            let common = common_bytes(prefix, text);
            if common < least {
                return;
            }
            text = &text[..text.floor_char_boundary(common)];
            if common == prefix.len()
                && let Some(group) = self.groups.remove(text)
            {
                group.0.iter().for_each(|batch| batch.news.first.store(version, Relaxed));
                self.wake(group);
            }
        }
    }

    /// Wakes all who wait, without news, and lets nobody wait any more.
    pub(super) fn close(&mut self) {
        for (_, group) in std::mem::take(&mut self.groups) {
            self.wake(group);
        }
        self.woken = None;
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    fn wake(&self, group: Group) {
        if let Some(woken) = &self.woken {
            for batch in group.0 {
                let _ = woken.send(batch.news); // the other end lives as long as the table
            }
        }
    }
}

/// How long a beginning is the same.
fn common_bytes(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the watched prefixes a change of `name` wakes, in byte order.
    fn woken_by(name: &str, watched: &[&str]) -> Vec<String> {
        let mut watchers = Watchers::new(crossbeam_channel::unbounded().0);
        for prefix in watched {
            watchers.join(prefix).unwrap().unwrap();
        }
        watchers.changed(NameRef::new(name).unwrap(), 1);
        let still = |prefix: &&&str| !watchers.groups.contains_key(**prefix);
        let mut woken: Vec<_> = watched.iter().filter(still).map(|p| p.to_string()).collect();
        woken.sort();
        woken
    }

    #[test]
    fn a_change_wakes_all_prefixes_of_its_name_and_no_others() {
        let watched = ["", "a", "a/", "a/b", "a/b/c", "a/bc", "a/a", "a/c", "b", "a/b!", "\u{e9}"];
        assert_eq!(woken_by("a/b", &watched), ["", "a", "a/", "a/b"]);
        assert_eq!(woken_by("a/bb", &watched), ["", "a", "a/", "a/b"]);
        assert_eq!(woken_by("z", &watched), [""]);
        assert_eq!(woken_by("z", &watched[1..]), [""; 0]);
        // The first bytes of these letters are the same.
        assert_eq!(woken_by("\u{ea}x", &watched), [""]);
        assert_eq!(woken_by("\u{e9}x", &watched), ["", "\u{e9}"]);
    }

    #[test]
    fn many_wait_in_batches_of_which_none_is_left_when_all_have_left() {
        let (wake, woken) = crossbeam_channel::unbounded();
        let mut watchers = Watchers::new(wake);
        let mut join =
            |n| -> Vec<_> { (0..n).map(|_| watchers.join("a").unwrap().unwrap()).collect() };
        let (many, more) = (join(3 * BATCH), join(1));
        assert_eq!(watchers.groups["a"].0.len(), 4);
        many.iter().for_each(|news| watchers.leave("a", news));
        assert_eq!(watchers.groups["a"].0.len(), 1);
        watchers.changed(NameRef::new("ab").unwrap(), 7);
        assert!(watchers.groups.is_empty());
        assert_eq!(woken.try_iter().map(|news| news.first()).collect::<Vec<_>>(), [Some(7)]);
        watchers.leave("a", &more[0]);
        let again = watchers.join("a").unwrap().unwrap();
        watchers.leave("a", &again);
        assert!(watchers.groups.is_empty() && watchers.waiting() == 0);
    }

    #[test]
    fn a_secret_name_wakes_those_alone_who_know_its_secret() {
        let secret = format!("s/{}/", "0123456789abcdef".repeat(2));
        let (file, other) = (format!("{secret}file"), format!("{secret}other"));
        let watched = ["", "s/", &secret[..34], &secret, &file, &other];
        assert_eq!(woken_by(&file, &watched), [&*secret, &*file]);
    }
}
