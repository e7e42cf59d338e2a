//! Which lines are requests, which are not, and after which the reader is still in step.

use super::{COMMANDS, MAX_ITEMS, MAX_WATCH_SECONDS, Malformed, Mistake, Request};
use crate::exptime::Exptime;
use crate::name::{Fd, FileRef, NameRef, Stem};
use proptest::prelude::*;

fn check(line: &str, expected: Result<Request<'_>, Malformed>) {
    assert_eq!(Request::parse(line.as_bytes()), expected, "{line:?}");
}

fn malformed(line: &str) -> Malformed {
    Request::parse(line.as_bytes()).expect_err(line)
}

fn named(text: &str) -> FileRef<'_> {
    FileRef::Name(NameRef::new(text).unwrap())
}

#[test]
fn requests() {
    let (file, never) = (named("f"), Exptime::Never);
    check("read f", Ok(Request::Read { file }));
    check("  read   f  ", Ok(Request::Read { file }));
    check("read @0012", Ok(Request::Read { file: FileRef::Descriptor(Fd(12)) }));
    check("stat @x", Ok(Request::Stat { file: named("@x") }));
    check("write f 6", Ok(Request::Write { file, numbytes: 6, exptime: never }));
    check("write f 6 0", Ok(Request::Write { file, numbytes: 6, exptime: never }));
    let exptime = Exptime::Seconds(Exptime::MAX_SECONDS);
    check("write f 6 10000000000", Ok(Request::Write { file, numbytes: 6, exptime }));
    check("cas f 1 7", Ok(Request::Cas { file, version: 1, numbytes: 7, exptime: never }));
    check("delete f", Ok(Request::Delete { file, version: None }));
    check("delete f 9", Ok(Request::Delete { file, version: Some(9) }));
    let name = NameRef::new("f").unwrap();
    check("write f 6 -1", Ok(Request::Write { file, numbytes: 6, exptime: Exptime::Connection }));
    let exptime = Exptime::Seconds(30);
    check(
        "touch @7 3 30",
        Ok(Request::Touch { file: FileRef::Descriptor(Fd(7)), version: 3, exptime }),
    );
    let stem = Stem::new("q/").unwrap();
    check("create q/ 6", Ok(Request::Create { stem, numbytes: 6, exptime: never }));
    check("create q/ 6 30", Ok(Request::Create { stem, numbytes: 6, exptime }));
    check("list *", Ok(Request::List { prefix: "", limit: MAX_ITEMS, after: None }));
    check("list ** 1", Ok(Request::List { prefix: "**", limit: 1, after: None }));
    check(
        "list @3 10001 @3",
        Ok(Request::List { prefix: "@3", limit: MAX_ITEMS, after: Some("@3") }),
    );
    check("watch * 7 0", Ok(Request::Watch { prefix: "", rev: 7, seconds: 0 }));
    check("watch a/ 7 9999999", Ok(Request::Watch { prefix: "a/", rev: 7, seconds: 86_400 }));
    check("wait f 7 60", Ok(Request::Wait { file, version: 7, seconds: 60 }));
    let file = FileRef::Descriptor(Fd(3));
    check("wait @3 0 86401", Ok(Request::Wait { file, version: 0, seconds: 86_400 }));
    check("open f", Ok(Request::Open { name, kind: None }));
    check("open f MyFile", Ok(Request::Open { name, kind: Some("MyFile") }));
    check("close @3", Ok(Request::Close { fd: Fd(3) }));
    let id = "0123456789abcdef0123456789ABCDEF";
    check(&format!("session {id}"), Ok(Request::Session { id: Some(id) }));
    check("session -", Ok(Request::Session { id: None }));
    check("hello", Ok(Request::Hello { token: None }));
    check("hello t", Ok(Request::Hello { token: Some(b"t") }));
    check("quit", Ok(Request::Quit));
}

#[test]
fn the_end_is_known_so_the_connection_goes_on() {
    for line in [
        "read",
        "read a b",
        "read a\tb",
        "delete",
        "delete f x",
        "delete f -1",
        "hello a b",
        "open",
        "open @1",
        "open f T x",
        "close f",
        "close",
        "stats now",
        "session",
        "session 0123",
        "session - -",
        "quit 1",
        "touch f 1",
        "touch f 1 -2",
        "touch f -1 1",
        "touch f 1 1 1",
        "list",
        "list a 0",
        "list a -1",
        "list a 1 b c",
        "wait f",
        "wait f 1",
        "wait f -1 1",
        "wait f 1 x",
        "wait f 1 1 1",
        "wait * 1",
        "watch a 1",
        "watch a 1 -1",
        "watch a x 1",
        "watch a 1 1 1",
        "read \u{a0}",
    ] {
        assert!(matches!(malformed(line), Malformed::InStep { numbytes: None, .. }), "{line}");
    }
    for line in [
        "write a\tb 6",
        "write f 6 -2",
        "write f 6 +1",
        "write f 6 9223372036854775808",
        "write f 6 0 0",
        "cas f x 6",
        "cas f +3 6",
        "cas f 1 6 soon",
        "cas f 1 6 0 0",
        "write f 6 --1",
        "write f 6 -01",
        "create @ 6",
        "create @7 6",
        "create a 6 x",
        "create a 6 0 0",
    ] {
        assert!(matches!(malformed(line), Malformed::InStep { numbytes: Some(6), .. }), "{line}");
    }
}

#[test]
fn the_end_is_not_known() {
    for line in [
        "write",
        "write f",
        "write f -1",
        "write f +3",
        "write f 99999999999999999999",
        "cas f 1",
        "create q",
        "create q x",
        "cas f 1 x",
        "READ f",
        "Read f",
        "OK 1",
        "CONTENTS 1 6 0",
        "\tread f",
        "read\tf",
        "re",
        "\0",
    ] {
        assert!(matches!(malformed(line), Malformed::OutOfStep(_)), "{line}");
    }
}

#[test]
fn each_mistake_has_its_reason() {
    for (line, expected) in [
        ("", Mistake::UnknownCommand),
        ("READ f", Mistake::UnknownCommand),
        ("read", Mistake::TooFewFields),
        ("write f", Mistake::TooFewFields),
        ("cas f 1", Mistake::TooFewFields),
        ("watch a 1", Mistake::TooFewFields),
        ("read a b", Mistake::TooManyFields),
        ("write f 6 0 0", Mistake::TooManyFields),
        ("stats now", Mistake::TooManyFields),
        ("write f six", Mistake::Number("numbytes")),
        ("create q 9223372036854775808", Mistake::Number("numbytes")),
        ("cas f +3 6", Mistake::Number("version")),
        ("delete f x", Mistake::Number("version")),
        ("wait f 1 1.5", Mistake::Number("seconds")),
        ("watch a x 1", Mistake::Number("rev")),
        ("list a all", Mistake::Number("limit")),
        ("list a 0", Mistake::ZeroLimit),
        ("write f 6 soon", Mistake::Exptime),
        ("touch f 1 -2", Mistake::Exptime),
        ("read a\tb", Mistake::File),
        ("open @1", Mistake::Name),
        ("close f", Mistake::Descriptor),
        ("create @ 6", Mistake::Stem),
    ] {
        let (Malformed::InStep { why, .. } | Malformed::OutOfStep(why)) = malformed(line);
        assert_eq!(why, expected, "{line}");
    }
    let not_utf8 = Malformed::InStep { numbytes: None, why: Mistake::Text };
    assert_eq!(Request::parse(b"list \xff"), Err(not_utf8));
    assert_eq!(Mistake::Number("rev").to_string(), "rev is no number below 2^63");
}

#[test]
fn a_log_line_never_shows_a_token() {
    let hello = Request::Hello { token: Some(b"secret") };
    assert_eq!(hello.to_string(), "hello");
}

#[test]
fn help_lists_exactly_the_commands_that_parse() {
    for (usage, _) in COMMANDS {
        let mut line = usage.replace(['[', ']', '<', '>'], "");
        for number in ["numbytes", "version", "exptime", "fd", "limit", "rev", "seconds"] {
            line = line.replace(number, "1");
        }
        line = line.replace("session id", "session -");
        assert!(Request::parse(line.as_bytes()).is_ok(), "{line}");
    }
}

fn any_request() -> impl Strategy<Value = (String, u64, u64, u64, usize)> {
    let number = 0..(1_u64 << 63);
    ("[a-z*/@é]{2,40}", number.clone(), number, 0..=Exptime::MAX_SECONDS, 0_usize..22)
}

proptest! {
    #[test]
    fn what_is_written_parses_to_the_same((text, version, numbytes, exptime, which) in any_request()) {
        let (file, exptime) = (named(&text), Exptime::from_seconds(exptime));
        let request = [
            Request::Read { file },
            Request::Write { file, numbytes, exptime },
            Request::Cas { file, version, numbytes, exptime },
            Request::Delete { file, version: Some(version) },
            Request::Delete { file: FileRef::Descriptor(Fd(version)), version: None },
            Request::Stat { file },
            Request::Hello { token: Some(text.as_bytes()) },
            Request::Open { name: NameRef::new(&text).unwrap(), kind: Some("T") },
            Request::Touch { file, version, exptime },
            Request::Touch { file, version, exptime: Exptime::Connection },
            Request::Create { stem: Stem::new(&text).unwrap(), numbytes, exptime },
            Request::List { prefix: &text, limit: version % MAX_ITEMS + 1, after: None },
            Request::List { prefix: "", limit: MAX_ITEMS, after: Some(&text) },
            Request::Watch { prefix: "", rev: version, seconds: numbytes % MAX_WATCH_SECONDS },
            Request::Wait { file, version, seconds: numbytes % MAX_WATCH_SECONDS },
            Request::Close { fd: Fd(version) },
            Request::Types,
            Request::Stats,
            Request::Backup,
            Request::Quit,
            Request::Session { id: None },
            Request::Session { id: Some("0123456789abcdef0123456789abcdef") },
        ][which];
        let mut line = Vec::new();
        request.write_to(&mut line);
        prop_assert_eq!(Request::parse(line.strip_suffix(b"\r\n").unwrap()), Ok(request));
    }

    #[test]
    fn any_bytes_parse_without_panic(line in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = Request::parse(&line);
    }
}
