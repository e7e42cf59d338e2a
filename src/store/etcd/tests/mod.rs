//! The store in a real etcd, and in one that loses replies and refuses requests.

mod copies;
mod gate;
mod max_data;
mod model;
mod real;
mod settle;
mod terms;
#[cfg(feature = "etcd-tls")]
mod tls;
mod users;
mod whole;
mod wrong;

use super::term::Term;
use super::{Candidate, Etcd, Options};
use crate::files::store::Store;
use crate::store::tests::model::Model;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Returns a prefix that no other test has.
fn prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("t{}/", NEXT.fetch_add(1, SeqCst))
}

/// Returns a table that nobody has used, in the etcd at a URL.
fn table(url: &str) -> Etcd {
    table_at(url, &prefix())
}

fn table_at(url: &str, prefix: &str) -> Etcd {
    Etcd::new(Options::new([url]).prefix(prefix)).unwrap()
}

/// Begins a term: nobody else is active.
fn term(etcd: &Etcd) -> Arc<Term> {
    etcd.campaign(&Candidate::default()).unwrap().expect("nobody else is active")
}

/// Returns everything that a store has.
fn loaded(store: &dyn Store) -> io::Result<Model> {
    Model::of(store)
}
