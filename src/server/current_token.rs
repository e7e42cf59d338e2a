//! The token that clients have to send, which may change while the server runs.

use crate::token::Token;
use std::sync::{Arc, PoisonError, RwLock};

/// The token of a server; its clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct CurrentToken(Arc<RwLock<Option<Token>>>);

impl CurrentToken {
    pub(super) fn new(token: Option<Token>) -> Self {
        CurrentToken(Arc::new(RwLock::new(token)))
    }

    pub(super) fn set(&self, token: Token) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }

    /// Returns whether clients have to send a token at all.
    pub(super) fn is_required(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Returns whether a client that sends this may be served: always, if no token is required.
    pub(super) fn admits(&self, sent: &[u8]) -> bool {
        let token = self.0.read().unwrap_or_else(PoisonError::into_inner);
        token.as_ref().is_none_or(|token| token.matches(sent))
    }
}
