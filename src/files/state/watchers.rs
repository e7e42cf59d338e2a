//! The waiters for changes, by what they wait for.

use crate::name::{Fd, Name, NameRef};
use crate::waker::Waker;
use crossbeam_channel::Sender;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Bound::{Included, Unbounded};
use std::sync::{Arc, OnceLock};

/// What a waiter waits for to change.
#[derive(Clone, Debug)]
pub(in crate::files) enum Awaited {
    /// Any name that starts with this.
    Prefix(Box<str>),
    /// This name only.
    Name(Name),
    /// An open file, whatever its name. The waiter has it open, so no other file gets its
    /// descriptor meanwhile.
    File(Fd),
}

/// All waiters, by what they wait for. A change without waiters costs one search, and another for
/// each prefix that starts like the name. A change with a thousand waiters removes them all at once
/// and leaves waking them to another thread.
#[derive(Debug)]
pub(in crate::files) struct Watchers {
    prefixes: BTreeMap<Box<str>, Group>,
    names: HashMap<Name, Group>,
    files: HashMap<Fd, Group>,
    /// To the waking thread. `None` once the table is closed and waiting is no longer possible.
    woken: Option<Sender<Arc<News>>>,
    waiting: u64,
    /// How many waiters a change has woken so far.
    woken_so_far: u64,
}

/// The waiters for one thing, in cohorts that are woken one after the other. While a thousand are
/// woken at once, none of them runs, nor does any other thread on that processor.
#[derive(Debug, Default)]
struct Group(Vec<Cohort>);

#[derive(Debug)]
struct Cohort {
    /// At least 1.
    waiting: usize,
    news: Arc<News>,
}

/// The most waiters that are woken at once.
const MAX_COHORT: usize = 32;

/// The news that all waiters of a cohort wait for. It is set once.
#[derive(Debug)]
pub(in crate::files) struct News {
    pub(in crate::files) waker: Waker,
    /// Set under the table's lock.
    first: OnceLock<First>,
}

/// The first change. The table may forget it before the waiters have read it.
#[derive(Clone, Debug)]
pub(in crate::files) struct First {
    pub(in crate::files) version: u64,
    /// The name that changed; `None` for a change of an open file.
    pub(in crate::files) name: Option<Name>,
    /// The length of the contents, as far as it is known without calling the type. `None` if the
    /// name no longer has a file.
    pub(in crate::files) numbytes: Option<u64>,
}

impl News {
    /// Returns the first change, if there was one.
    pub(in crate::files) fn first(&self) -> Option<&First> {
        self.first.get()
    }
}

impl Group {
    /// Takes a place in the last cohort, if it has one left.
    fn join(&mut self) -> Option<Arc<News>> {
        let cohort = self.0.last_mut().filter(|cohort| cohort.waiting < MAX_COHORT)?;
        cohort.waiting += 1;
        Some(cohort.news.clone())
    }

    /// Releases a place. Returns whether the group is empty.
    fn leave(&mut self, news: &Arc<News>) -> bool {
        if let Some(at) = self.0.iter().position(|cohort| Arc::ptr_eq(&cohort.news, news)) {
            self.0[at].waiting -= 1;
            if self.0[at].waiting == 0 {
                self.0.remove(at);
            }
        }
        self.0.is_empty()
    }
}

impl Watchers {
    /// Creates an empty set of waiters. Cohorts to wake are sent to `woken`.
    pub(in crate::files) fn new(woken: Sender<Arc<News>>) -> Self {
        let (prefixes, names, files) = Default::default();
        Watchers { prefixes, names, files, woken: Some(woken), waiting: 0, woken_so_far: 0 }
    }

    /// Adds a waiter for `awaited`. Returns `None` if the table is closed.
    pub(in crate::files) fn join(&mut self, awaited: &Awaited) -> io::Result<Option<Arc<News>>> {
        if self.woken.is_none() {
            return Ok(None);
        }
        let news = match self.group(awaited).and_then(Group::join) {
            Some(news) => news,
            None => {
                let news = Arc::new(News { waker: Waker::new()?, first: OnceLock::new() });
                let group = match awaited.clone() {
                    Awaited::Prefix(prefix) => self.prefixes.entry(prefix).or_default(),
                    Awaited::Name(name) => self.names.entry(name).or_default(),
                    Awaited::File(fd) => self.files.entry(fd).or_default(),
                };
                group.0.push(Cohort { waiting: 1, news: news.clone() });
                news
            }
        };
        self.waiting += 1;
        Ok(Some(news))
    }

    /// Removes a waiter that has joined.
    pub(in crate::files) fn leave(&mut self, awaited: &Awaited, news: &Arc<News>) {
        self.waiting -= 1;
        // After a wake the group is a new one, or there is none.
        if self.group(awaited).is_some_and(|group| group.leave(news)) {
            match awaited {
                Awaited::Prefix(prefix) => self.prefixes.remove(prefix),
                Awaited::Name(name) => self.names.remove(name),
                Awaited::File(fd) => self.files.remove(fd),
            };
        }
    }

    fn group(&mut self, awaited: &Awaited) -> Option<&mut Group> {
        match awaited {
            Awaited::Prefix(prefix) => self.prefixes.get_mut(prefix),
            Awaited::Name(name) => self.names.get_mut(name),
            Awaited::File(fd) => self.files.get_mut(fd),
        }
    }

    /// Wakes the waiters for this name and its prefixes, and those for the file under it, if `file`
    /// is open and has changed. `numbytes` is the file's, if the name has one now.
    pub(in crate::files) fn changed(
        &mut self,
        name: &Name,
        file: Option<Fd>,
        version: u64,
        numbytes: Option<u64>,
    ) {
        if self.waiting == 0 {
            return; // the usual case, without a hash of the name
        }
        let first = || First { version, name: Some(name.clone()), numbytes };
        if let Some(group) = self.names.remove(name) {
            self.report(group, first());
        }
        if let Some(fd) = file {
            self.file_changed(fd, version);
        }
        self.prefix_changed(name.as_name_ref(), first);
    }

    /// Wakes the waiters for this open file.
    pub(in crate::files) fn file_changed(&mut self, fd: Fd, version: u64) {
        if let Some(group) = self.files.remove(&fd) {
            self.report(group, First { version, name: None, numbytes: None });
        }
    }

    fn prefix_changed(&mut self, name: NameRef<'_>, first: impl Fn() -> First) {
        // Only waiters that know its secret may learn of a secret name.
        let least = name.secret().map_or(0, str::len);
        // The part whose prefixes remain to be found.
        let mut text = name.as_str();
        loop {
            // A watched prefix of the text sorts before or at it, and everything in between starts
            // with that prefix too. So the last watched prefix up to the text starts with it, and
            // only the part that this one has in common with the text remains to be searched.
            let mut up_to_it = self.prefixes.range::<str, _>((Unbounded, Included(text)));
            let Some((prefix, _)) = up_to_it.next_back() else { return };
            let common = common_bytes(prefix, text);
            if common < least {
                return;
            }
            text = &text[..text.floor_char_boundary(common)];
            if common == prefix.len()
                && let Some(group) = self.prefixes.remove(text)
            {
                self.report(group, first());
            }
        }
    }

    /// Wakes all waiters, without news, and rejects new ones.
    pub(in crate::files) fn close(&mut self) {
        let prefixes = std::mem::take(&mut self.prefixes).into_values();
        let names = std::mem::take(&mut self.names).into_values();
        let files = std::mem::take(&mut self.files).into_values();
        prefixes.chain(names).chain(files).for_each(|group| self.wake(group));
        self.woken = None;
    }

    /// Returns the number of waiters.
    pub(in crate::files) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Returns how many waiters a change has woken so far.
    pub(in crate::files) fn woken(&self) -> u64 {
        self.woken_so_far
    }

    fn report(&mut self, group: Group, first: First) {
        for cohort in &group.0 {
            self.woken_so_far += cohort.waiting as u64;
            let _ = cohort.news.first.set(first.clone()); // set once, because the group is removed
        }
        self.wake(group);
    }

    fn wake(&self, group: Group) {
        if let Some(woken) = &self.woken {
            for cohort in group.0 {
                let _ = woken.send(cohort.news); // the other end lives as long as the table
            }
        }
    }
}

/// Returns the length of the common prefix, in bytes.
fn common_bytes(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Awaited {
        Awaited::Prefix(text.into())
    }

    fn name(text: &str) -> Name {
        NameRef::new(text).unwrap().to_name()
    }

    fn version(news: &News) -> Option<u64> {
        news.first().map(|first| first.version)
    }

    /// Returns the watched prefixes that a change of `changed` wakes, in byte order.
    fn woken_by(changed: &str, watched: &[&str]) -> Vec<String> {
        let mut watchers = Watchers::new(crossbeam_channel::unbounded().0);
        for watched in watched {
            watchers.join(&prefix(watched)).unwrap().unwrap();
        }
        watchers.changed(&name(changed), None, 1, None);
        let still = |prefix: &&&str| !watchers.prefixes.contains_key(**prefix);
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
    fn a_cohort_is_removed_when_all_its_waiters_have_left() {
        let (wake, woken) = crossbeam_channel::unbounded();
        let mut watchers = Watchers::new(wake);
        let mut join = |n| -> Vec<_> {
            (0..n).map(|_| watchers.join(&prefix("a")).unwrap().unwrap()).collect()
        };
        let (many, more) = (join(3 * MAX_COHORT), join(1));
        assert_eq!(watchers.prefixes["a"].0.len(), 4);
        many.iter().for_each(|news| watchers.leave(&prefix("a"), news));
        assert_eq!(watchers.prefixes["a"].0.len(), 1);
        watchers.changed(&name("ab"), None, 7, None);
        assert!(watchers.prefixes.is_empty());
        assert_eq!(woken.try_iter().map(|news| version(&news)).collect::<Vec<_>>(), [Some(7)]);
        watchers.leave(&prefix("a"), &more[0]);
        let again = watchers.join(&prefix("a")).unwrap().unwrap();
        watchers.leave(&prefix("a"), &again);
        assert!(watchers.prefixes.is_empty() && watchers.waiting() == 0);
    }

    #[test]
    fn only_its_own_name_wakes_a_name_and_only_its_own_file_a_file() {
        let (wake, woken) = crossbeam_channel::unbounded();
        let mut watchers = Watchers::new(wake);
        let mut join = |awaited| watchers.join(&awaited).unwrap().unwrap();
        let db = join(Awaited::Name(name("lock/db")));
        let file = join(Awaited::File(Fd(3)));
        for other in ["lock/db/x", "lock/d", "lock/", "lock/db2"] {
            watchers.changed(&name(other), Some(Fd(4)), 1, None);
        }
        watchers.file_changed(Fd(4), 1);
        assert!(woken.try_recv().is_err() && db.first().is_none() && file.first().is_none());
        watchers.changed(&name("lock/db"), None, 5, None);
        assert_eq!((version(&db), version(&file)), (Some(5), None));
        watchers.changed(&name("other"), Some(Fd(3)), 6, None);
        assert_eq!((version(&db), version(&file)), (Some(5), Some(6)));
        assert_eq!(woken.try_iter().count(), 2);
        assert!(watchers.names.is_empty() && watchers.files.is_empty());
    }

    #[test]
    fn a_secret_name_wakes_only_prefixes_that_have_its_secret() {
        let secret = format!("s/{}/", "0123456789abcdef".repeat(2));
        let (file, other) = (format!("{secret}file"), format!("{secret}other"));
        let watched = ["", "s/", &secret[..34], &secret, &file, &other];
        assert_eq!(woken_by(&file, &watched), [&*secret, &*file]);
    }
}
