//! What is a name, and what is shown of one.

use super::*;

#[test]
fn names_are_text_without_white_space_and_control_characters() {
    for good in
        ["a", "*", "/", "@", "@x", "@1x", "@-1", "a@1", "+3", "ERR_X", "日本", "é", "a\u{200b}b"]
    {
        assert!(NameRef::new(good).is_some(), "{good:?}");
    }
    for bad in
        ["", " ", "a b", "a\tb", "a\u{a0}b", "a\u{3000}", "a\0", "\u{7f}", "\u{85}", "@0", "@007"]
    {
        assert!(NameRef::new(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn a_name_is_its_text_whatever_its_length() {
    use std::hash::BuildHasher;
    let hasher = std::hash::RandomState::new();
    let texts: Vec<_> = (1..60).flat_map(|n| ["x".repeat(n), "é".repeat(n)]).collect();
    for text in &texts {
        let name = NameRef(text).to_name();
        assert_eq!((name.as_str(), name.as_bytes()), (&**text, text.as_bytes()));
        assert_eq!(hasher.hash_one(&name), hasher.hash_one(&**text));
        assert_eq!(Name::allocated(name.as_name_ref()) == 0, text.len() <= SHORT_BYTES);
        for other in &texts {
            let other_name = NameRef(other).to_name();
            assert_eq!(name.cmp(&other_name), text.cmp(other));
            assert_eq!(name == other_name, text == other);
        }
    }
}

#[test]
fn a_log_shows_names_escaped_and_cut() {
    let shown = |text| NameRef::new(text).unwrap().for_log().to_string();
    assert_eq!(shown("a\u{202e}b"), "a\\u{202e}b");
    let long = "é".repeat(40);
    assert_eq!(shown(&long), "é".repeat(32) + "...");
    let secret = format!("s/{}/m", "0123456789abcdef".repeat(2));
    assert_eq!(shown(&secret), "s/01234567...");
    assert_eq!(shown(secret.trim_end_matches("/m")), "s/01234567...");
    for whole in [long, secret] {
        let name: Name = whole.parse().unwrap();
        assert_eq!((name.to_string(), name.as_name_ref().to_string()), (whole.clone(), whole));
    }
}

#[test]
fn the_error_of_an_invalid_name_says_why() {
    for (text, why) in [
        ("", "it is empty"),
        ("@7", "@ and digits are a descriptor"),
        ("a b", "it has white space or a control character"),
        ("@ ", "it has white space or a control character"),
    ] {
        let message = format!("{text:?} is not a name: {why}");
        assert_eq!(Name::try_from(text).unwrap_err().to_string(), message);
        assert_eq!(Name::try_from(text.to_string()).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_name_below_32_hex_digits_is_secret() {
    let id = "0123456789abcdefABCDEF0123456789";
    let whole = format!("s/{id}/");
    for (name, expected) in [
        (format!("s/{id}/"), Some(&*whole)),
        (format!("s/{id}/e/x"), Some(&*whole)),
        (format!("s/{id}"), None),
        (format!("s/{id}0/"), None),
        (format!("s/{}/", &id[1..]), None),
        (format!("s/{}g/", &id[1..]), None),
        (format!("S/{id}/"), None),
        (format!("s/{}é/", &id[2..]), None),
    ] {
        assert_eq!(NameRef(&name).secret(), expected, "{name}");
    }
}

#[test]
fn a_stem_becomes_a_name_with_a_version_behind_it() {
    let longest = "x".repeat(410);
    for good in ["a", "*", "q/", "@x", "7", &longest] {
        let numbered = Stem::new(good).unwrap().numbered(u64::MAX >> 1);
        assert!(NameRef::new(numbered.as_str()).is_some(), "{good:?}");
        assert!(numbered.as_str().len() <= Stem::MAX_NAME_BYTES);
    }
    for bad in ["", "@", "@7", "a b", "a\0", &format!("{longest}x")] {
        assert!(Stem::new(bad).is_none(), "{bad:?}");
    }
}
