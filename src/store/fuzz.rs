//! The fuzz target of the stored format; see `src/fuzz.rs`.

use super::format::{
    PART_END_BYTES, Record, Stamp, decode_part, decode_removal, encode_removal, part_end, seal,
};
use crate::files::store::Head;
use std::time::Duration;

const NAME: &[u8] = b"name";
const KEY: (u64, u32) = (7, 1);
const VERSION: u64 = 9;

/// Checks that no value makes decoding panic, and that one that decodes is encoded to the same
/// bytes. Decodes each value as it is, and with the checksum that it should have.
pub fn stored(value: &[u8]) {
    for value in [value.to_vec(), sealed(value, NAME)] {
        if let Ok(record) = Record::decode(NAME, &value) {
            assert_eq!(record.encode(NAME), value);
        }
    }
    for value in [value.to_vec(), sealed(value, &VERSION.to_le_bytes())] {
        if let Ok(name) = decode_removal(VERSION, &value) {
            assert_eq!(encode_removal(VERSION, &name), value);
        }
    }
    let stamp = [&stamp_start()[..], value].concat();
    for value in [value.to_vec(), sealed(value, &[]), sealed(&stamp, &[])] {
        if let Ok(stamp) = Stamp::decode(&value) {
            assert_eq!(Stamp::decode(&stamp.encode()).expect("it is one"), stamp);
        }
    }
    if let Ok((bytes, later)) = decode_part(KEY, value) {
        assert_eq!(part_end(bytes, KEY, later), value[bytes.len()..]);
    }
    let part = [value, &part_end(value, KEY, VERSION)].concat();
    assert_eq!(part.len(), value.len() + PART_END_BYTES);
    assert_eq!(decode_part(KEY, &part).expect("it has its checksum"), (value, VERSION));
}

fn sealed(value: &[u8], key: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    seal(&mut value, key);
    value
}

/// Returns what every head begins with: the magic and the format.
fn stamp_start() -> [u8; 12] {
    let head = Head { epoch: 0, version: 0, time: Duration::ZERO, forgotten: 0 };
    *Stamp { batch: 0, head, sum: 0 }.encode().first_chunk().expect("a head is longer")
}
