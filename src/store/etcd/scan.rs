//! Reads all keys of one kind, page by page, as they were at one revision.

use super::cluster::Cluster;
use super::election::PATIENCE;
use super::gateway::{KeyValue, Range, Reply};
use super::keys::Keys;
use crate::files::store::{Row, RowContents};
use crate::name::Name;
use crate::store::error::{at, damaged};
use crate::store::format::{self, Body, Record, decode_name, decode_part};
use redb::Error;
use std::io;
use std::path::Path;

/// The size of a page, in bytes, about. Its number of keys is between `LEAST_KEYS` and `MOST_KEYS`; the
/// values of the fewest have less than 4 KiB each.
const PAGE_BYTES: usize = 1 << 20;
const LEAST_KEYS: usize = 64;
const MOST_KEYS: usize = 8192;
const FIRST_KEYS: usize = 512;

/// A range of keys, read from its begin to its end.
pub(super) struct Scan {
    /// The first key that is not read yet; `None` if all are.
    next: Option<Vec<u8>>,
    end: Vec<u8>,
    /// The state that is read; 0: the latest, when the first page is read.
    revision: i64,
    /// How many keys the next page has.
    keys: usize,
}

impl Scan {
    pub(super) fn new((begin, end): (Vec<u8>, Vec<u8>), revision: i64) -> Self {
        Scan { next: Some(begin), end, revision, keys: FIRST_KEYS }
    }

    /// Returns the state that is read; 0 before the first page.
    pub(super) fn revision(&self) -> i64 {
        self.revision
    }

    /// Returns the next keys, in their order. None are left if there are none.
    ///
    /// # Errors
    /// Also if etcd has compacted the revision.
    pub(super) fn page(&mut self, cluster: &Cluster) -> io::Result<Vec<KeyValue>> {
        let Some(key) = &self.next else { return Ok(Vec::new()) };
        let (limit, revision) = (self.keys as u64, self.revision);
        let end = Some(&self.end[..]);
        let range = Range { key, end, limit, revision, keys_only: false };
        self.accept(&cluster.gateway.range(&range, PATIENCE)?)
    }

    /// Takes the next page from a reply, and checks its keys.
    pub(super) fn accept(&mut self, reply: &Reply) -> io::Result<Vec<KeyValue>> {
        let Some(key) = &self.next else { return Ok(Vec::new()) };
        let (found, has_more) = reply.range()?;
        if self.revision == 0 {
            self.revision = reply.revision()?;
        }
        let is_sorted = found.is_sorted_by(|a, b| a.key < b.key);
        let is_within = found.iter().all(|kv| *key <= kv.key && kv.key < self.end);
        if !(is_sorted && is_within) || (has_more && found.is_empty()) {
            return Err(located(damaged("a page has other keys than it should")));
        }
        let bytes: usize = found.iter().map(|kv| kv.key.len() + kv.value.len()).sum();
        self.keys = (self.keys * PAGE_BYTES / bytes.max(1)).clamp(LEAST_KEYS, MOST_KEYS);
        self.next = found.last().filter(|_| has_more).map(|last| [&last.key[..], b"\0"].concat());
        Ok(found)
    }
}

/// Returns an error of a value.
pub(super) fn located(error: Error) -> io::Error {
    at(Path::new("etcd"), error)
}

/// Returns an error of the value of a key, which any program may have put.
pub(super) fn in_key(key: &[u8], error: Error) -> io::Error {
    at(Path::new(&format!("etcd: the key {}", key.escape_ascii())), error)
}

/// Reads a file.
pub(super) fn row(keys: &Keys, found: &KeyValue) -> io::Result<Row> {
    let key = keys.name(&found.key).unwrap_or_default();
    let damaged = |e| in_key(&found.key, e);
    let Record { version, life, body } = Record::decode(key, &found.value).map_err(damaged)?;
    let contents = match body {
        Body::Code => RowContents::Code,
        Body::Inline(bytes) => RowContents::Inline(bytes.into()),
        Body::Stored(numbytes) => RowContents::Stored(numbytes),
    };
    Ok(Row { name: decode_name(key).map_err(damaged)?, version, life, contents })
}

/// Reads a removal.
pub(super) fn removal(keys: &Keys, found: &KeyValue) -> io::Result<(u64, Name)> {
    let located = |e| in_key(&found.key, e);
    let version = keys.version(&found.key);
    let version = version.ok_or_else(|| located(damaged("it has no version")))?;
    Ok((version, format::decode_removal(version, &found.value).map_err(located)?))
}

/// Reads the large contents of a version, in the state of a revision, 0 for the latest; `None` if
/// there are none.
pub(super) fn contents(
    cluster: &Cluster,
    version: u64,
    revision: i64,
) -> io::Result<Option<Vec<u8>>> {
    let key = cluster.keys.contents(version);
    let range = Range { revision, ..Range::one(&key) };
    let found = cluster.gateway.range(&range, PATIENCE)?.one(&key)?;
    let Some(found) = found else { return Ok(None) };
    match decode_part((version, 0), &found.value).map_err(|e| in_key(&key, e))? {
        (bytes, 0) => Ok(Some(bytes.to_vec())),
        _ => Err(in_key(&key, damaged("a part of the contents is missing"))),
    }
}
