//! The targets on random bytes that resemble real ones. A failure prints the bytes.

use super::{header, lines, reply, request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// The dictionary of libFuzzer: a word a line, in quotes, with `\xNN` for other bytes.
fn words() -> Vec<Vec<u8>> {
    let word = |line: &str| {
        let quoted = line.strip_prefix('"')?.strip_suffix('"')?;
        let mut parts = quoted.split("\\x");
        let mut word = parts.next()?.as_bytes().to_vec();
        for part in parts {
            word.push(u8::from_str_radix(&part[..2], 16).expect("two hex digits"));
            word.extend_from_slice(&part.as_bytes()[2..]);
        }
        Some(word)
    };
    include_str!("../../tests/fuzz.dict").lines().filter_map(word).collect()
}

/// A command or reply with numbers behind it, or any mixture.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let number = (0..64_u32, any::<u64>())
        .prop_map(|(shift, number)| format!("{} ", number >> shift).into_bytes());
    let piece = prop_oneof![
        12 => select(words()),
        6 => number,
        2 => vec(any::<u8>(), 0..6),
        1 => (any::<u8>(), 0..600_usize).prop_map(|(byte, n)| vec![byte; n]),
    ];
    prop_oneof![vec(piece.clone(), 0..6), vec(piece, 0..24)].prop_map(|pieces| pieces.concat())
}

/// Fields of a binary format: many of their bytes are small.
fn fields() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![3 => 0..4_u8, 1 => any::<u8>()], 0..80)
}

/// A reply of etcd's gateway, in which anything may be anything else.
#[cfg(feature = "etcd")]
fn of_etcd() -> impl Strategy<Value = Vec<u8>> {
    let atom = prop_oneof![
        6 => select(words()).prop_map(|word| format!("{:?}", String::from_utf8_lossy(&word))),
        2 => any::<i64>().prop_map(|number| format!("\"{number}\"")),
        2 => select(vec!["null", "true", "[]", "{}", "9", "-1", "1e99", "\"\""]).prop_map(String::from),
    ];
    let name = select(words()).prop_map(|word| String::from_utf8_lossy(&word).into_owned());
    let json = atom.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            vec((name.clone(), inner.clone()), 0..5).prop_map(|members| {
                let members = members.iter().map(|(name, value)| format!("{name:?}:{value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
            vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    });
    json.prop_map(String::into_bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_line_that_is_a_request_survives_the_round_trip(line in text()) {
        request(&line);
    }

    #[test]
    fn any_line_that_is_a_reply_survives_the_round_trip(line in text()) {
        reply(&line);
    }

    #[test]
    fn any_stream_is_the_same_however_it_is_cut(how: u8, stream in text()) {
        lines(&[&[how], &stream[..]].concat());
    }

    #[cfg(feature = "durable")]
    #[test]
    fn any_stored_value_that_decodes_is_encoded_the_same(value in fields()) {
        super::stored(&value);
    }

    #[cfg(feature = "etcd")]
    #[test]
    fn any_reply_of_etcd_is_read_as_its_reader_relies_on(reply in of_etcd(), key in text(), value in fields()) {
        super::gateway(&reply);
        super::gateway(&[&key[..], &[0], &value[..]].concat());
    }

    #[test]
    fn any_message_survives_the_round_trip(data in fields(), size in 0..100_u8) {
        header(&data);
        header(&[&[1, 2, size, 0, 0, 0], &data[..]].concat());
    }
}

/// Otherwise the tests above would try little but refusals.
#[test]
fn the_dictionary_has_every_command() {
    let words: Vec<_> = words().into_iter().map(|word| word.trim_ascii().to_vec()).collect();
    for (usage, _) in crate::wire::COMMANDS {
        let command = usage.split(' ').next().expect("a command has a name");
        assert!(words.contains(&command.as_bytes().to_vec()), "{command}");
    }
    assert!(words.contains(&vec![0xff, 0xfb, 0x1f]));
}
