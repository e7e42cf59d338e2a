//! The URLs of the members: which one is asked, and why those that were asked did not answer.

use super::failure::Failure;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Endpoints {
    urls: Vec<String>,
    /// The number of the member that is asked.
    current: AtomicUsize,
    /// Why each member did not answer when it was last asked; `None` if it did.
    failures: Mutex<Vec<Option<Failure>>>,
}

impl Endpoints {
    pub(super) fn new(urls: Vec<String>) -> Self {
        let failures = Mutex::new(vec![None; urls.len()]);
        Endpoints { urls, current: AtomicUsize::new(0), failures }
    }

    pub(super) fn count(&self) -> usize {
        self.urls.len()
    }

    pub(super) fn url(&self, member: usize) -> &str {
        &self.urls[member]
    }

    pub(super) fn current(&self) -> usize {
        self.current.load(SeqCst)
    }

    /// Lets the next member be asked, unless another one is asked by now.
    pub(super) fn advance_from(&self, member: usize) {
        let next = (member + 1) % self.count();
        let _ = self.current.compare_exchange(member, next, SeqCst, SeqCst);
    }

    /// Remembers whether a member has answered.
    pub(super) fn set_failure(&self, member: usize, failure: Option<Failure>) {
        self.lock()[member] = failure;
    }

    /// Returns whether no member was an etcd, and none will be unless somebody changes something.
    pub(super) fn are_all_wrong(&self) -> bool {
        self.lock().iter().all(|f| f.as_ref().is_some_and(|f| !f.may_pass))
    }

    /// Returns why members did not answer, with their URLs; `None` if all did.
    pub(super) fn troubles(&self) -> Option<String> {
        let failures = self.lock();
        let troubles = self.urls.iter().zip(failures.iter());
        let troubles = troubles.filter_map(|(url, f)| Some(format!("{url}: {}", f.as_ref()?.why)));
        Some(troubles.collect::<Vec<_>>().join("; ")).filter(|troubles| !troubles.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Failure>>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
