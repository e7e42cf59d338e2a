//! Where random numbers come from: `random`, unless it does not matter that somebody could guess them.

use super::imports::imports;
use super::sources;

/// What uses the keys of std's hashers, and why it may.
const HASHERS: &[(&str, &str)] = &[
    ("client/follow/backoff.rs", "the length of a pause"),
    ("files/kinds/text/temporary.rs", "a name, and the next one if it exists"),
    ("files/state/files/directory.rs", "a hash table"),
    ("files/state/files/index.rs", "a hash table"),
    ("files/state/journal.rs", "a hash table"),
    ("store/tree/writer.rs", "tells a batch from the one before"),
];

#[test]
fn what_nobody_may_guess_comes_from_the_system() {
    let sources = sources();
    let is_test = |file: &str| file.trim_end_matches(".rs").split('/').any(|part| part == "tests");
    let users = sources.iter().filter(|(file, text)| !is_test(file) && uses_hashers(text));
    let users: Vec<_> = users.map(|(file, _)| &file[..]).collect();
    let listed: Vec<_> = HASHERS.iter().map(|(file, _)| *file).collect();
    assert_eq!(users, listed);
}

#[test]
fn planted_keys_of_hashers_are_found() {
    for text in [
        "use std::hash::RandomState;",
        "use std::hash::{BuildHasher, RandomState};",
        "use std::collections::hash_map::RandomState;",
        "fn f() { std::hash::RandomState::new() }",
        "use std::hash::DefaultHasher;",
    ] {
        assert!(uses_hashers(text), "{text}");
    }
    let in_tests = "use std::io;\n#[cfg(test)]\nmod tests {\n    use std::hash::RandomState;\n}\n";
    assert!(!uses_hashers(in_tests) && !uses_hashers("// RandomState::new()"));
}

fn uses_hashers(text: &str) -> bool {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let is_hasher = |name: &String| ["RandomState", "DefaultHasher"].contains(&&name[..]);
    imports(code).iter().any(|import| import.path.iter().any(is_hasher))
}
