//! How large the database of etcd may become.

use super::*;
use crate::files::store::{CommitError, Mutation};
use crate::store::etcd::term::Term;

const MAX: u64 = 1 << 30;

/// An active server whose database may be that large.
struct Active {
    term: Arc<Term>,
    store: Arc<dyn Store>,
    model: Model,
}

impl Active {
    fn start() -> Option<Active> {
        let options = Options::new([real::etcd()?]).prefix(prefix()).max_data(Some(MAX));
        let term = term(&Etcd::new(options).unwrap());
        let store = term.store();
        let model = loaded(&*store).unwrap();
        Some(Active { term, store, model })
    }

    fn commit(&mut self, mutation: Mutation) -> Result<(), CommitError> {
        let head = self.model.next();
        self.store.commit(std::slice::from_ref(&mutation), &head)?;
        self.model.apply(&[mutation], head);
        Ok(())
    }

    /// Puts a file while the database has this many bytes.
    fn put_at(&mut self, bytes: u64) -> Result<(), CommitError> {
        self.term.set_database_bytes(bytes);
        self.commit(self.model.put("a", vec![1]))
    }
}

#[test]
fn a_database_that_is_as_large_as_it_may_be_takes_deletions_alone() {
    let Some(mut active) = Active::start() else { return };
    active.commit(active.model.put("a", vec![1])).unwrap();
    // A renewal may set the true size at any moment.
    let refused = (0..1000).find_map(|_| active.put_at(MAX).err());
    assert!(matches!(refused, Some(CommitError::Full(MAX))), "{refused:?}");
    active.term.set_database_bytes(MAX);
    active.commit(active.model.remove("a")).unwrap();
    active.term.resign();
}

#[test]
fn what_is_put_counts_before_etcd_is_asked_for_its_size_again() {
    let Some(mut active) = Active::start() else { return };
    let refused = (0..1000).find_map(|_| {
        active.put_at(MAX - 1).unwrap();
        active.commit(active.model.put("b", vec![1])).err()
    });
    assert!(matches!(refused, Some(CommitError::Full(MAX))), "{refused:?}");
    active.term.resign();
}
