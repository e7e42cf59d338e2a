//! What can go wrong with a request to etcd.

use serde_json::Value;
use std::fmt;
use std::io::{self, ErrorKind};

/// Why a request to etcd has no result.
#[derive(Clone, Debug)]
pub(in crate::store::etcd) enum Trouble {
    /// Whether it was done is unknown: no reply came, or one that does not say.
    Unknown(String),
    /// It was not done, and a later one may be.
    Refused(Refused, String),
    /// This is not the cluster, or not the state of it, that answered before.
    Foreign(String),
    /// No URL leads to an etcd, and trying again does not help.
    Astray(String),
}

/// What etcd has against a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::etcd) enum Refused {
    /// Its database is full.
    Full,
    /// The transaction has more operations than it takes.
    TooManyOperations,
    /// The request has more bytes than it takes.
    TooLarge,
    /// The user, the password, or what the user may do.
    Denied,
    /// The user's token has ended.
    Token,
    /// The revision is compacted.
    Compacted,
    /// The lease has ended.
    NoLease,
    /// Anything else. Another member may answer otherwise.
    Other,
}

/// gRPC's numbers for kinds of errors.
const INVALID_ARGUMENT: u64 = 3;
const NOT_FOUND: u64 = 5;
const PERMISSION_DENIED: u64 = 7;
const RESOURCE_EXHAUSTED: u64 = 8;
const FAILED_PRECONDITION: u64 = 9;
const OUT_OF_RANGE: u64 = 11;
const UNAUTHENTICATED: u64 = 16;

impl Trouble {
    /// Reads an error that etcd reports, at the top of a reply or in a stream.
    pub(in crate::store::etcd) fn of(endpoint: &str, reply: &Value, status: u16) -> Self {
        let error = &reply["error"];
        let inner = if error.is_object() { error } else { reply };
        let number = |key: &str| inner[key].as_u64();
        let code = number("code").or_else(|| number("grpc_code"));
        let text = [&inner["message"], error].into_iter().find_map(Value::as_str);
        let message = match text {
            Some(text) => format!("{endpoint}: {}", printable(text)),
            None => format!("{endpoint}: it answers with the HTTP status {status}"),
        };
        let text = text.unwrap_or_default();
        let says = |part: &str| text.contains(part);
        let refused = match code {
            Some(RESOURCE_EXHAUSTED) if says("database space exceeded") => Refused::Full,
            Some(INVALID_ARGUMENT) if says("too many operations") => Refused::TooManyOperations,
            Some(INVALID_ARGUMENT) if says("request is too large") => Refused::TooLarge,
            Some(UNAUTHENTICATED) => Refused::Token,
            Some(INVALID_ARGUMENT) if says("revision of auth store is old") => Refused::Token,
            Some(PERMISSION_DENIED) => Refused::Denied,
            Some(INVALID_ARGUMENT) if says("invalid user ID or password") => Refused::Denied,
            Some(INVALID_ARGUMENT) if says("user name") => Refused::Denied,
            Some(OUT_OF_RANGE) if says("compacted") => Refused::Compacted,
            Some(NOT_FOUND) if says("lease not found") => Refused::NoLease,
            Some(INVALID_ARGUMENT | NOT_FOUND | FAILED_PRECONDITION | OUT_OF_RANGE) => {
                Refused::Other
            }
            _ => return Trouble::Unknown(message),
        };
        Trouble::Refused(refused, message)
    }

    pub(in crate::store::etcd) fn refused(&self) -> Option<Refused> {
        match self {
            Trouble::Refused(refused, _) => Some(*refused),
            _ => None,
        }
    }

    /// Returns whether asking again, perhaps another member, may help.
    pub(in crate::store::etcd) fn may_pass(&self) -> bool {
        matches!(self, Trouble::Unknown(_) | Trouble::Refused(Refused::Other | Refused::Token, _))
    }
}

/// Returns a peer's text without what could change a terminal, and not too long.
fn printable(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { '?' } else { c }).collect()
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Unknown(why)
            | Trouble::Refused(_, why)
            | Trouble::Foreign(why)
            | Trouble::Astray(why) => {
                write!(f, "etcd: {why}")
            }
        }
    }
}

impl std::error::Error for Trouble {}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> io::Error {
        let kind = match &trouble {
            Trouble::Unknown(_) => ErrorKind::TimedOut,
            Trouble::Foreign(_) => ErrorKind::InvalidData,
            Trouble::Astray(_) => ErrorKind::InvalidInput,
            Trouble::Refused(Refused::Full, _) => ErrorKind::StorageFull,
            Trouble::Refused(Refused::Denied, _) => ErrorKind::PermissionDenied,
            Trouble::Refused(..) => ErrorKind::Other,
        };
        io::Error::new(kind, trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_etcd_reports_is_read_as_what_it_means() {
        let refused = |code: u64, text: &str| {
            let reply = json!({ "error": text, "message": text, "code": code });
            Trouble::of("http://a", &reply, 400).refused()
        };
        for (code, text, expected) in [
            (8, "etcdserver: mvcc: database space exceeded", Some(Refused::Full)),
            (8, "etcdserver: too many requests", None),
            (3, "etcdserver: too many operations in txn request", Some(Refused::TooManyOperations)),
            (3, "etcdserver: request is too large", Some(Refused::TooLarge)),
            (16, "etcdserver: invalid auth token", Some(Refused::Token)),
            (7, "etcdserver: permission denied", Some(Refused::Denied)),
            (3, "etcdserver: user name is empty", Some(Refused::Denied)),
            (
                11,
                "etcdserver: mvcc: required revision has been compacted",
                Some(Refused::Compacted),
            ),
            (5, "etcdserver: requested lease not found", Some(Refused::NoLease)),
            (14, "etcdserver: request timed out", None),
            (13, "something", None),
        ] {
            assert_eq!(refused(code, text), expected, "{text}");
        }
        let in_stream = json!({ "error": { "grpc_code": 7, "message": "no\u{1b}[m" } });
        let trouble = Trouble::of("http://a", &in_stream, 200);
        assert_eq!(trouble.refused(), Some(Refused::Denied));
        assert_eq!(trouble.to_string(), "etcd: http://a: no?[m");
        let other = Trouble::of("http://a", &Value::Null, 502);
        assert!(other.may_pass() && other.to_string().contains("502"));
    }
}
