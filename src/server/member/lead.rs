//! The time during which this server is the active one of a table in etcd, as its sessions see it.

use crate::net::Gate;
use crate::store::etcd::Term;
use crate::token::Token;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// A term. Its sessions may send until it ends.
#[derive(Debug)]
pub(in crate::server) struct Lead {
    pub(in crate::server) term: Arc<Term>,
    /// What a relay has to show. `None` if it could be no token, so that none is admitted.
    secret: Option<Token>,
    is_over: AtomicBool,
}

impl Lead {
    pub(super) fn new(term: Arc<Term>) -> Self {
        let secret = Token::new(term.secret()).ok();
        Lead { term, secret, is_over: AtomicBool::new(false) }
    }

    /// Returns whether a relay that shows this has found the server that it looks for.
    pub(super) fn admits(&self, shown: &[u8]) -> bool {
        self.secret.as_ref().is_some_and(|secret| secret.matches(shown))
    }

    /// Lets nobody be answered any more.
    pub(in crate::server) fn end(&self) {
        self.is_over.store(true, SeqCst);
    }
}

impl Gate for Lead {
    fn is_open(&self) -> bool {
        !self.is_over.load(SeqCst) && self.term.may_answer()
    }
}
