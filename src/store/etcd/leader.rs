//! What the key `leader` says of the active server.

use super::gateway::KeyValue;
use crate::random;
use std::fmt;
use std::io::{self, ErrorKind};

/// A server that wants to be active.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidate {
    /// Where the other servers reach it; none if they cannot.
    pub(crate) address: Option<String>,
}

/// The active server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Leader {
    /// Where the other servers reach it; empty if they cannot.
    pub(crate) address: String,
    /// What a relay shows it first, so that no other server takes it.
    pub(crate) secret: String,
    /// The revision at which it became active: no two terms have the same.
    pub(crate) revision: i64,
}

/// Does not show the secret.
impl fmt::Debug for Leader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leader { address, revision, .. } = self;
        let mut shown = f.debug_struct("Leader");
        shown.field("address", address).field("revision", revision).finish_non_exhaustive()
    }
}

impl Leader {
    /// Returns a server that becomes active: its address and a new secret.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(super) fn new(me: &Candidate) -> io::Result<Self> {
        let address = me.address.clone().unwrap_or_default();
        Ok(Leader { address, secret: random::draw_secret()?, revision: 0 })
    }

    /// Returns the value of the key.
    pub(super) fn encode(&self) -> Vec<u8> {
        format!("{} {}", self.secret, self.address).into_bytes()
    }

    /// # Errors
    /// Another program has put the key.
    pub(super) fn decode(found: KeyValue) -> io::Result<Leader> {
        let text = str::from_utf8(&found.value).ok().and_then(|text| text.split_once(' '));
        // Both go into lines: the secret to the server, the address to the log and to `stats`.
        let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        match text {
            Some((secret, address))
                if !secret.is_empty() && is_word(secret) && is_word(address) =>
            {
                let (address, secret) = (address.to_string(), secret.to_string());
                Ok(Leader { address, secret, revision: found.created })
            }
            _ => {
                let key = String::from_utf8_lossy(&found.key).into_owned();
                let why = format!("etcd: the key {key} was not put by a telefile server");
                Err(io::Error::new(ErrorKind::InvalidData, why))
            }
        }
    }
}
