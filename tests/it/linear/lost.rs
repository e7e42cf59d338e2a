//! Requests without an answer, in histories that a person can decide.

use super::history::{Event, History};
use super::spec::Answer::{Contents, Done, Lost, NotFound, Ok, Version};
use super::spec::Op::{Cas, Delete, Expire, Read, Write};
use super::spec::{Answer, Files, Op};

/// Whether an order is found, from a server without files, of whose versions others take some. One request
/// begins after the end of the one before it, unless that has no answer.
#[track_caller]
fn check(expected: bool, steps: &[(Op, Answer)]) {
    let event = |(i, (op, answer)): (usize, &(Op, Answer))| {
        let start = 2 * i as u64;
        let end = if *answer == Lost { u64::MAX } else { start + 1 };
        Event { thread: i, start, end, op: op.clone(), answer: answer.clone(), after: None }
    };
    let history =
        History::new(Files::among_others(), steps.iter().enumerate().map(event).collect());
    assert_eq!(history.is_linearizable(), expected, "\n{history}");
}

#[test]
fn a_write_without_an_answer_happens_once_or_never() {
    let (lost, next) = ((Write("a", 5, 0), Lost), (Write("a", 6, 0), Ok(3)));
    let read = |version, contents| (Read("a"), Contents(version, contents, 0));
    let nothing = (Read("a"), NotFound);
    for (expected, rest) in [
        (true, vec![nothing.clone()]),
        (true, vec![read(7, 5)]),
        (true, vec![nothing.clone(), read(7, 5)]),
        (true, vec![next.clone(), read(3, 6)]),
        (true, vec![next.clone(), read(3, 6), read(7, 5)]),
        (true, vec![read(1, 5), next.clone(), read(3, 6)]),
        (false, vec![read(7, 4)]),
        (false, vec![read(7, 5), nothing]),
        (false, vec![read(7, 5), read(8, 5)]),
        (false, vec![next.clone(), read(7, 5), read(3, 6)]),
        // Its version is not between those before and after it.
        (false, vec![next.clone(), read(2, 5)]),
        (false, vec![read(4, 5), next.clone()]),
        (false, vec![read(1, 5), next, read(7, 5)]),
    ] {
        check(expected, &[&[lost.clone()][..], &rest].concat());
    }
    check(false, &[(Read("a"), Contents(7, 5, 0)), lost]);
}

#[test]
fn its_version_is_known_from_what_others_are_answered() {
    let lost = (Write("a", 5, 0), Lost);
    let refused = |version| (Cas("a", 99, 6, 0), Version(version));
    check(true, &[lost.clone(), refused(7), (Read("a"), Contents(7, 5, 0))]);
    check(false, &[lost.clone(), refused(7), (Read("a"), Contents(8, 5, 0))]);
    check(true, &[lost.clone(), refused(0), refused(7)]);
    check(false, &[lost.clone(), refused(7), refused(0)]);
    check(true, &[lost.clone(), (Cas("a", 7, 6, 0), Ok(8))]);
    check(false, &[lost.clone(), (Cas("a", 7, 6, 0), Ok(7))]);
    check(true, &[lost.clone(), (Delete("a", Some(7)), Done), (Read("a"), NotFound)]);
    check(true, &[lost, (Delete("a", None), Done)]);
    check(false, &[(Delete("a", None), Done)]);
}

#[test]
fn what_is_expected_of_a_request_without_an_answer_is_expected_whenever_it_happens() {
    let written = (Write("a", 5, 0), Ok(3));
    let read = |version, contents| (Read("a"), Contents(version, contents, 0));
    let nothing = (Read("a"), NotFound);
    let cas = |expected| (Cas("a", expected, 6, 0), Lost);
    check(true, &[written.clone(), cas(3), read(3, 5), read(4, 6)]);
    check(false, &[written.clone(), cas(2), read(4, 6)]);
    check(true, &[cas(3), written.clone(), read(4, 6)]);
    let delete = |expected| (Delete("a", expected), Lost);
    check(true, &[written.clone(), delete(Some(3)), read(3, 5), nothing.clone()]);
    check(false, &[written.clone(), delete(Some(2)), nothing.clone()]);
    check(true, &[written.clone(), delete(None), nothing.clone()]);
    check(false, &[written.clone(), delete(None), nothing.clone(), read(3, 5)]);
    check(false, &[written.clone(), nothing.clone()]);
    // Each happens once.
    let again = (Write("a", 7, 0), Ok(9));
    let twice = [written.clone(), delete(None), nothing.clone(), again, nothing.clone()];
    check(false, &twice);
    // A cas of what another request without an answer has written.
    check(true, &[(Write("a", 5, 0), Lost), cas(3), read(8, 6)]);
    check(true, &[(Write("a", 5, 0), Lost), cas(3), read(3, 5), read(8, 6)]);
    check(false, &[(Write("a", 5, 0), Lost), cas(3), read(4, 5), read(8, 6)]);
}

#[test]
fn the_end_of_a_file_comes_at_some_time_and_ends_no_other_contents() {
    let (written, end) = ((Write("a", 5, 0), Ok(3)), (Expire("a", 5), Lost));
    let (alive, gone) = ((Read("a"), Contents(3, 5, 0)), (Read("a"), NotFound));
    check(true, &[written.clone(), end.clone(), alive.clone(), gone.clone()]);
    check(false, &[written.clone(), end.clone(), gone.clone(), alive]);
    check(false, &[written.clone(), gone.clone(), end.clone()]);
    let replaced = [written.clone(), end.clone(), (Cas("a", 3, 6, 0), Ok(4)), gone.clone()];
    check(false, &replaced);
    check(true, &[written, end, gone, (Cas("a", 0, 6, 0), Ok(8))]);
}

#[test]
fn others_take_versions_but_none_comes_back() {
    check(true, &[(Write("a", 5, 0), Ok(3)), (Write("a", 6, 0), Ok(9))]);
    check(false, &[(Write("a", 5, 0), Ok(3)), (Write("a", 6, 0), Ok(3))]);
    check(false, &[(Write("a", 5, 0), Ok(3)), (Write("a", 6, 0), Ok(2))]);
    let deleted = [(Write("a", 5, 0), Ok(3)), (Delete("a", None), Done)];
    check(false, &[&deleted[..], &[(Cas("a", 0, 6, 0), Ok(4))]].concat());
    check(true, &[&deleted[..], &[(Cas("a", 0, 6, 0), Ok(5))]].concat());
}
