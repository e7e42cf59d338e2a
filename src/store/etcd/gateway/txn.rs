//! The JSON of a transaction. It may have a mebibyte of contents: they are written once, into the text that is
//! sent.

use Part::{Bytes, Text};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

const PUT: &str = r#"{"request_put":{"key":"#;
const VALUE: &str = r#","value":"#;
const DELETE: &str = r#"{"request_delete_range":{"key":"#;
const GET: &str = r#"{"request_range":{"key":"#;

/// What a transaction does if its comparisons hold, and what it does otherwise: lists without their
/// brackets.
#[derive(Debug, Default)]
pub(in crate::store::etcd) struct Txn {
    compare: String,
    then: String,
    otherwise: String,
}

/// Appends parts of one element to a list: text as it is, and bytes as a string.
fn append<const N: usize>(list: &mut String, parts: [Part<'_>; N]) {
    if !list.is_empty() {
        list.push(',');
    }
    for part in parts {
        match part {
            Text(text) => list.push_str(text),
            Bytes(bytes) => {
                list.push('"');
                BASE64_STANDARD.encode_string(bytes, list);
                list.push('"');
            }
        }
    }
}

enum Part<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl Txn {
    /// Requires that a key was created at this revision; 0: that it does not exist.
    pub(in crate::store::etcd) fn if_created(mut self, key: &[u8], revision: i64) -> Self {
        let rest = format!(r#","create_revision":"{revision}"}}"#);
        let begin = Text(r#"{"target":"CREATE","result":"EQUAL","key":"#);
        append(&mut self.compare, [begin, Bytes(key), Text(&rest)]);
        self
    }

    /// Requires that a key was last changed at this revision; 0: that it does not exist.
    pub(in crate::store::etcd) fn if_modified(mut self, key: &[u8], revision: i64) -> Self {
        let rest = format!(r#","mod_revision":"{revision}"}}"#);
        let begin = Text(r#"{"target":"MOD","result":"EQUAL","key":"#);
        append(&mut self.compare, [begin, Bytes(key), Text(&rest)]);
        self
    }

    pub(in crate::store::etcd) fn put(&mut self, key: &[u8], value: &[u8]) {
        let parts = [Text(PUT), Bytes(key), Text(VALUE), Bytes(value), Text("}}")];
        append(&mut self.then, parts);
    }

    /// Puts a key that ends with a lease.
    pub(in crate::store::etcd) fn put_on(&mut self, key: &[u8], value: &[u8], lease: i64) {
        let rest = format!(r#","lease":"{lease}"}}}}"#);
        let parts = [Text(PUT), Bytes(key), Text(VALUE), Bytes(value), Text(&rest)];
        append(&mut self.then, parts);
    }

    pub(in crate::store::etcd) fn delete(&mut self, key: &[u8]) {
        append(&mut self.then, [Text(DELETE), Bytes(key), Text("}}")]);
    }

    /// Deletes the keys from one on to another, which stays.
    pub(in crate::store::etcd) fn delete_range(&mut self, from: &[u8], to: &[u8]) {
        let parts = [Text(DELETE), Bytes(from), Text(r#","range_end":"#), Bytes(to), Text("}}")];
        append(&mut self.then, parts);
    }

    /// Reads a key, if the comparisons hold.
    pub(in crate::store::etcd) fn get(&mut self, key: &[u8]) {
        append(&mut self.then, [Text(GET), Bytes(key), Text("}}")]);
    }

    /// Reads a key, if the comparisons do not hold.
    pub(in crate::store::etcd) fn otherwise_get(mut self, key: &[u8]) -> Self {
        append(&mut self.otherwise, [Text(GET), Bytes(key), Text("}}")]);
        self
    }

    pub(super) fn body(self) -> String {
        let Txn { compare, then, otherwise } = self;
        format!(r#"{{"compare":[{compare}],"success":[{then}],"failure":[{otherwise}]}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_transaction_is_the_json_that_etcd_documents() {
        let mut txn = Txn::default().if_created(b"a", 7).if_modified(b"b", 0).otherwise_get(b"a");
        txn.put(b"b", b"\0");
        txn.put_on(b"c", b"", i64::MIN);
        txn.delete(b"d");
        txn.delete_range(b"e", b"f");
        let expected = r#"{
            "compare": [
                {"target": "CREATE", "result": "EQUAL", "key": "YQ==", "create_revision": "7"},
                {"target": "MOD", "result": "EQUAL", "key": "Yg==", "mod_revision": "0"}
            ],
            "success": [
                {"request_put": {"key": "Yg==", "value": "AA=="}},
                {"request_put": {"key": "Yw==", "value": "", "lease": "-9223372036854775808"}},
                {"request_delete_range": {"key": "ZA=="}},
                {"request_delete_range": {"key": "ZQ==", "range_end": "Zg=="}}
            ],
            "failure": [{"request_range": {"key": "YQ=="}}]
        }"#;
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(parsed(&txn.body()), parsed(expected));
        let empty = parsed(r#"{"compare": [], "success": [], "failure": []}"#);
        assert_eq!(parsed(&Txn::default().body()), empty);
    }
}
