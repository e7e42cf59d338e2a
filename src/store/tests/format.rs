//! Values of the database: encoding and decoding agree, and damage is detected.

use super::model::name;
use crate::files::store::{BOUND, Head, Life};
use crate::store::format::{
    Body, FORMAT, Record, Stamp, decode_part, decode_removal, encode_removal, part_end,
};
use proptest::prelude::*;
use std::time::Duration;

fn number() -> impl Strategy<Value = u64> {
    0..BOUND
}

fn time() -> impl Strategy<Value = Duration> {
    (number(), 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos))
}

fn life() -> impl Strategy<Value = Life> {
    prop_oneof![Just(Life::Unlimited), time().prop_map(Life::Until), Just(Life::Connection)]
}

/// Checks that a value truncated anywhere, or with a changed byte anywhere, is an error.
fn is_guarded(value: &[u8], decode: impl Fn(&[u8]) -> bool) -> bool {
    let cut = (0..value.len()).all(|n| !decode(&value[..n]));
    let flipped = (0..value.len()).all(|i| {
        let mut value = value.to_vec();
        value[i] ^= 0x10;
        !decode(&value)
    });
    cut && flipped && !decode(&[value, &[0]].concat())
}

proptest! {
    #[test]
    fn a_file_is_read_as_it_was_written(
        version in number(), life in life(), kind in 0..3_u8, numbytes in number(), bytes: Vec<u8>,
    ) {
        let body = match kind {
            0 => Body::Code,
            1 => Body::Inline(&bytes),
            _ => Body::Stored(numbytes),
        };
        let record = Record { version, life, body };
        let value = record.encode(b"name");
        prop_assert_eq!(Record::decode(b"name", &value).unwrap(), record);
        prop_assert!(Record::decode(b"mane", &value).is_err(), "another's");
        prop_assert!(is_guarded(&value, |value| Record::decode(b"name", value).is_ok()));
    }

    #[test]
    fn the_head_is_read_as_it_was_written(
        batch in number(), epoch: u64, version in number(), time in time(), forgotten in number(), sum: u32,
    ) {
        let stamp = Stamp { batch, head: Head { epoch, version, time, forgotten }, sum };
        let value = stamp.encode();
        prop_assert_eq!(Stamp::decode(&value).unwrap(), stamp);
        prop_assert!(is_guarded(&value, |value| Stamp::decode(value).is_ok()));
    }

    #[test]
    fn parts_and_removals_are_read_as_they_were_written(
        bytes: Vec<u8>, key: (u64, u32), later in number(), version: u64,
    ) {
        let value = [&bytes[..], &part_end(&bytes, key, later)].concat();
        prop_assert_eq!(decode_part(key, &value).unwrap(), (&bytes[..], later));
        prop_assert!(decode_part((key.0, key.1 ^ 1), &value).is_err(), "another's");
        prop_assert!(is_guarded(&value, |value| decode_part(key, value).is_ok()));
        let value = encode_removal(version, &name("größe"));
        prop_assert_eq!(decode_removal(version, &value).unwrap(), name("größe"));
        prop_assert!(decode_removal(version ^ 1, &value).is_err(), "another's");
        prop_assert!(is_guarded(&value, |value| decode_removal(version, value).is_ok()));
    }
}

/// A value with a correct checksum, from somebody who wants to upset the table.
#[test]
fn a_number_that_a_table_cannot_add_to_is_damage() {
    let head = Head { epoch: u64::MAX, version: 2, time: Duration::from_secs(3), forgotten: 1 };
    let last = BOUND - 1;
    let at = |seconds| Duration::new(seconds, 999_999_999);
    let stamps = |n: u64| {
        [
            Stamp { batch: n, head, sum: 0 },
            Stamp { batch: 0, head: Head { version: n, ..head }, sum: 0 },
            Stamp { batch: 0, head: Head { time: at(n), ..head }, sum: 0 },
            Stamp { batch: 0, head: Head { forgotten: n, ..head }, sum: 0 },
        ]
    };
    let records = |n: u64| {
        let record = Record { version: 1, life: Life::Unlimited, body: Body::Code };
        [
            Record { version: n, ..record },
            Record { life: Life::Until(at(n)), ..record },
            Record { body: Body::Stored(n), ..record },
        ]
    };
    for (n, is_sound) in [(last, true), (BOUND, false), (u64::MAX, false)] {
        for stamp in stamps(n) {
            assert_eq!(Stamp::decode(&stamp.encode()).is_ok(), is_sound, "{stamp:?}");
        }
        for record in records(n) {
            assert_eq!(Record::decode(b"f", &record.encode(b"f")).is_ok(), is_sound, "{record:?}");
        }
        assert_eq!(decode_part((1, 0), &part_end(b"", (1, 0), n)).is_ok(), is_sound, "{n}");
    }
}

#[test]
fn a_later_format_is_not_reported_as_damage() {
    let head = Head { epoch: 1, version: 2, time: Duration::ZERO, forgotten: 0 };
    let mut value = Stamp { batch: 0, head, sum: 0 }.encode();
    value[8] += 1;
    value.truncate(12); // whatever follows
    let error = Stamp::decode(&value).unwrap_err().to_string();
    assert!(error.contains(&format!("format {}", FORMAT + 1)), "{error}");
    assert!(!error.contains("corrupted"), "{error}");
}
