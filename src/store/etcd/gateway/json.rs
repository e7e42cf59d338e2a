//! The JSON of etcd's gateway: bytes are base64, and numbers of 64 bits are strings.

use super::trouble::Trouble;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// A key with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store::etcd) struct KeyValue {
    pub(in crate::store::etcd) key: Vec<u8>,
    pub(in crate::store::etcd) value: Vec<u8>,
    pub(in crate::store::etcd) created: i64,
    pub(in crate::store::etcd) modified: i64,
}

/// A reply, parsed only as far as it is JSON.
#[derive(Debug)]
pub(in crate::store::etcd) struct Reply {
    pub(super) endpoint: String,
    pub(super) value: Value,
}

/// What is read in one go.
#[derive(Debug)]
pub(in crate::store::etcd) struct Range<'a> {
    pub(in crate::store::etcd) key: &'a [u8],
    /// Reads the keys below this one, too; otherwise the one key.
    pub(in crate::store::etcd) end: Option<&'a [u8]>,
    /// At most this many; 0 for all.
    pub(in crate::store::etcd) limit: u64,
    /// The state to read; 0 for the latest.
    pub(in crate::store::etcd) revision: i64,
    /// Leaves out the values.
    pub(in crate::store::etcd) keys_only: bool,
}

impl<'a> Range<'a> {
    /// Returns the latest state of one key.
    pub(in crate::store::etcd) fn one(key: &'a [u8]) -> Self {
        Range { key, end: None, limit: 0, revision: 0, keys_only: false }
    }
}

fn encode(bytes: &[u8]) -> Value {
    Value::String(BASE64_STANDARD.encode(bytes))
}

impl Range<'_> {
    pub(super) fn body(&self) -> String {
        let mut body = json!({
            "key": encode(self.key),
            "limit": self.limit.to_string(),
            "revision": self.revision.to_string(),
            "keys_only": self.keys_only,
        });
        if let Some(end) = self.end {
            body["range_end"] = encode(end);
        }
        body.to_string()
    }
}

impl Reply {
    #[cfg(any(test, fuzzing))]
    pub(in crate::store::etcd) fn new(endpoint: &str, value: Value) -> Self {
        Reply { endpoint: endpoint.to_string(), value }
    }

    fn bad(&self, what: &str) -> Trouble {
        Trouble::Unknown(format!("{}: its reply has no valid {what}", self.endpoint))
    }

    /// Returns a number of the reply; 0 if it is missing, as in all of this JSON.
    pub(in crate::store::etcd) fn number(&self, name: &str) -> Result<i64, Trouble> {
        number(&self.value[name]).ok_or_else(|| self.bad(name))
    }

    pub(in crate::store::etcd) fn text(&self, name: &str) -> Option<&str> {
        self.value[name].as_str()
    }

    /// Returns the revision of the state that the reply is about.
    pub(in crate::store::etcd) fn revision(&self) -> Result<i64, Trouble> {
        number(&self.value["header"]["revision"])
            .filter(|revision| *revision > 0)
            .ok_or_else(|| self.bad("revision"))
    }

    pub(in crate::store::etcd) fn cluster(&self) -> Option<&str> {
        self.value["header"]["cluster_id"].as_str()
    }

    /// Returns whether the comparisons of a transaction did hold.
    pub(in crate::store::etcd) fn has_succeeded(&self) -> Result<bool, Trouble> {
        match &self.value["succeeded"] {
            Value::Bool(succeeded) => Ok(*succeeded),
            // A valid reply has a revision, and leaves out what is false.
            Value::Null => self.revision().map(|_| false),
            _ => Err(self.bad("outcome")),
        }
    }

    /// Returns what a transaction that reads just these keys has found.
    pub(in crate::store::etcd) fn found<const N: usize>(
        &self,
        keys: [&[u8]; N],
    ) -> Result<[Option<KeyValue>; N], Trouble> {
        let found = self.found_all(&keys)?;
        found.try_into().map_err(|_| self.bad("responses"))
    }

    /// Does the same for any number of keys.
    pub(in crate::store::etcd) fn found_all(
        &self,
        keys: &[&[u8]],
    ) -> Result<Vec<Option<KeyValue>>, Trouble> {
        let responses = self.value["responses"].as_array().ok_or_else(|| self.bad("responses"))?;
        let reads = responses.iter().map(|response| &response["response_range"]);
        let reads: Vec<_> = reads.filter(|read| read.is_object()).collect();
        if reads.len() != keys.len() {
            return Err(self.bad("responses"));
        }
        reads.iter().zip(keys).map(|(read, key)| self.only(key, read)).collect()
    }

    /// Returns what the range of this key has found.
    pub(in crate::store::etcd) fn one(&self, key: &[u8]) -> Result<Option<KeyValue>, Trouble> {
        self.only(key, &self.value)
    }

    /// Returns the one key that a range can have, if it has it.
    fn only(&self, key: &[u8], range: &Value) -> Result<Option<KeyValue>, Trouble> {
        let mut found = self.key_values(range)?;
        match (found.pop(), found.is_empty()) {
            (None, _) => Ok(None),
            (Some(found), true) if found.key == key => Ok(Some(found)),
            _ => Err(self.bad("key")),
        }
    }

    /// Returns what a range has, and whether there is more of it.
    pub(in crate::store::etcd) fn range(&self) -> Result<(Vec<KeyValue>, bool), Trouble> {
        let has_more = self.value["more"].as_bool().unwrap_or(false);
        Ok((self.key_values(&self.value)?, has_more))
    }

    fn key_values(&self, range: &Value) -> Result<Vec<KeyValue>, Trouble> {
        let Some(kvs) = range["kvs"].as_array() else { return Ok(Vec::new()) };
        let parsed: Option<Vec<_>> = kvs.iter().map(key_value).collect();
        parsed.ok_or_else(|| self.bad("keys and values"))
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Null => Some(0),
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64(),
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Null => Some(Vec::new()),
        value => BASE64_STANDARD.decode(value.as_str()?).ok(),
    }
}

fn key_value(value: &Value) -> Option<KeyValue> {
    Some(KeyValue {
        key: bytes(&value["key"])?,
        value: bytes(&value["value"])?,
        created: number(&value["create_revision"])?,
        modified: number(&value["mod_revision"])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply::new("http://a", serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_reply_is_read_without_what_it_leaves_out_and_nothing_else_is_believed() {
        let done = reply(r#"{"header": {"revision": "9", "cluster_id": "1"}, "succeeded": true}"#);
        assert_eq!((done.revision().unwrap(), done.cluster()), (9, Some("1")));
        assert!(done.has_succeeded().unwrap());
        let failed = reply(
            r#"{"header": {"revision": "9"}, "responses": [
                {"response_range": {"kvs": [{"key": "YQ==", "create_revision": "3", "mod_revision": "4"}]}},
                {"response_range": {}}
            ]}"#,
        );
        assert!(!failed.has_succeeded().unwrap());
        let leader = KeyValue { key: b"a".to_vec(), value: Vec::new(), created: 3, modified: 4 };
        assert_eq!(failed.found([b"a", b"b"]).unwrap(), [Some(leader), None]);
        assert!(failed.found([b"b", b"b"]).is_err(), "it has another key");
        assert!(failed.found([b"a"]).is_err() && failed.found([b"a", b"b", b"c"]).is_err());
        let one = reply(r#"{"kvs": [{"key": "YQ=="}]}"#);
        assert!(one.one(b"a").unwrap().is_some() && one.one(b"b").is_err());
        assert!(reply(r#"{"kvs": [{"key": "YQ=="}, {"key": "YQ=="}]}"#).one(b"a").is_err());
        assert_eq!(reply("{}").one(b"a").unwrap(), None);
        for text in [
            "{}",
            "[]",
            r#"{"succeeded": 1, "header": {"revision": "9"}}"#,
            r#"{"header": {"revision": "x"}}"#,
        ] {
            assert!(reply(text).has_succeeded().is_err(), "{text}");
        }
        assert!(reply(r#"{"kvs": [{"key": "%"}]}"#).range().is_err());
        assert!(reply(r#"{"kvs": [{"key": 1}]}"#).range().is_err());
    }
}
