//! The fuzz target of what etcd answers; see `src/fuzz.rs`.

use super::gateway::{KeyValue, Reply, Trouble};
use super::keys::Keys;
use super::leader::Leader;
use super::scan::{self, Scan};
use crate::store::format::Stamp;

const URL: &str = "http://a";
const PREFIX: &str = "t/";

/// Checks that no reply makes a server panic, and that what is read from one is what its reader relies
/// on. The bytes are a reply, and also what follows the prefix in a key, a zero, and the key's value.
pub fn gateway(bytes: &[u8]) {
    let keys = Keys::new(PREFIX);
    let (rest, value) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[][..]),
    };
    let key = [PREFIX.as_bytes(), rest].concat();
    check_value(&keys, &KeyValue { key, value: value.to_vec(), created: 7, modified: 9 });

    let Ok(json) = serde_json::from_slice(bytes) else { return };
    let said = Trouble::of(URL, &json, 500).to_string();
    assert!(said.len() < 1000 && !said.contains(char::is_control), "{said:?}");
    let reply = Reply::new(URL, json);
    drop((reply.has_succeeded(), reply.cluster(), reply.text("token")));
    drop(["ID", "TTL", "dbSize"].map(|name| reply.number(name)));
    assert!(reply.revision().is_ok_and(|revision| revision > 0) || reply.revision().is_err());
    let (leader, head) = (keys.leader(), keys.head());
    if let Ok(found) = reply.found([&leader, &head]) {
        let expected = [&leader, &head];
        assert!(found.iter().zip(expected).all(|(kv, key)| kv.iter().all(|kv| kv.key == *key)));
        found.iter().flatten().for_each(|kv| check_value(&keys, kv));
    }
    if let Ok(Some(found)) = reply.one(&leader) {
        check_value(&keys, &found);
    }
    for range in [keys.files(), keys.removals()] {
        check_pages(&keys, range, &reply);
    }
}

/// Checks that what decodes belongs to its key, and is encoded the same.
fn check_value(keys: &Keys, found: &KeyValue) {
    if let Ok(leader) = Leader::decode(found.clone()) {
        let is_line = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        assert!(is_line(&leader.secret) && is_line(&leader.address));
        assert_eq!(leader.encode(), found.value);
    }
    if let Ok(row) = scan::row(keys, found) {
        assert_eq!(keys.file(row.name.as_bytes()), found.key);
    }
    if let Ok((version, _)) = scan::removal(keys, found) {
        assert_eq!(keys.removal(version), found.key);
    }
    if let Ok(stamp) = Stamp::decode(&found.value) {
        assert_eq!(Stamp::decode(&stamp.encode()).expect("it is one"), stamp);
    }
}

/// Checks that a scan has each key once, and goes on behind the last: the same page again is no page.
fn check_pages(keys: &Keys, range: (Vec<u8>, Vec<u8>), reply: &Reply) {
    let mut scan = Scan::new(range.clone(), 0);
    let Ok(page) = scan.accept(reply) else { return };
    assert!(page.is_sorted_by(|a, b| a.key < b.key), "{page:?}");
    assert!(page.iter().all(|kv| range.0 <= kv.key && kv.key < range.1), "{page:?}");
    page.iter().for_each(|kv| check_value(keys, kv));
    assert!(page.is_empty() || scan.accept(reply).map_or(true, |again| again.is_empty()));
}
