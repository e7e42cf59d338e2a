//! Histories that a person can decide, to see that the spec and the tester decide likewise.

use super::history::{Event, History};
use super::spec::Answer::{Contents, Done, NotFound, Ok, Version};
use super::spec::Op::{Advance, Cas, Delete, Read, Touch, Write};
use super::spec::{Answer, Files, Op};
use std::ops::Range;

/// Whether an order is found, from a server without files. Each request has its own thread.
#[track_caller]
fn check(expected: bool, events: impl IntoIterator<Item = (Range<u64>, Op, Answer)>) {
    let event = |(thread, (time, op, answer)): (usize, (Range<u64>, Op, Answer))| {
        let (start, end) = (2 * time.start, 2 * time.end - 1);
        Event { thread, start, end, op, answer, after: None }
    };
    let events = events.into_iter().enumerate().map(event).collect();
    let history = History::new(Files::none(0), events);
    assert_eq!(history.is_linearizable(), expected, "\n{history}");
}

/// After these steps, one after the other, `op` may have any of the answers in `right` and none of
/// those in `wrong`.
#[track_caller]
fn check_after(steps: &[(Op, Answer)], op: Op, right: &[Answer], wrong: &[Answer]) {
    let with = |answer: &Answer| {
        let last = (op.clone(), answer.clone());
        let all = steps.iter().cloned().chain([last]);
        (0..).zip(all).map(|(time, (op, answer))| (time..time + 1, op, answer)).collect::<Vec<_>>()
    };
    right.iter().for_each(|answer| check(true, with(answer)));
    wrong.iter().for_each(|answer| check(false, with(answer)));
}

#[test]
fn a_client_alone_reads_what_was_written() {
    check_after(&[], Read("a"), &[NotFound], &[Contents(1, 5, 0)]);
    let written = [(Write("a", 5, 0), Ok(1))];
    let wrong = [NotFound, Contents(1, 4, 0), Contents(2, 5, 0), Contents(1, 5, 1)];
    check_after(&written, Read("a"), &[Contents(1, 5, 0)], &wrong);
    check_after(&written, Read("b"), &[NotFound], &[Contents(1, 5, 0)]);
}

#[test]
fn each_change_takes_the_next_version() {
    check_after(&[], Write("a", 5, 0), &[Ok(1)], &[Ok(0), Ok(2)]);
    let changes =
        [(Write("a", 5, 0), Ok(1)), (Cas("b", 0, 5, 0), Ok(2)), (Delete("a", None), Done)];
    check_after(&changes, Write("a", 5, 0), &[Ok(4)], &[Ok(1), Ok(2), Ok(3), Ok(5)]);
    let refused = [(Write("a", 5, 0), Ok(1)), (Cas("a", 2, 6, 0), Version(1))];
    check_after(&refused, Write("a", 5, 0), &[Ok(2)], &[Ok(1), Ok(3)]);
}

#[test]
fn a_refusal_has_the_version() {
    check_after(&[], Cas("a", 7, 5, 0), &[Version(0)], &[Ok(1), Ok(8), NotFound, Version(7)]);
    check_after(&[], Delete("a", Some(7)), &[NotFound], &[Done, Version(0)]);
    let written = [(Write("b", 4, 0), Ok(1)), (Write("a", 5, 0), Ok(2))];
    let wrong = [Ok(3), Version(0), Version(1), Version(3), NotFound];
    check_after(&written, Cas("a", 1, 6, 0), &[Version(2)], &wrong);
    check_after(&written, Cas("a", 0, 6, 0), &[Version(2)], &wrong);
    check_after(&written, Delete("a", Some(1)), &[Version(2)], &[Done, NotFound, Version(1)]);
    check_after(&written, Touch("a", 1, 9), &[Version(2)], &wrong);
    check_after(&written, Touch("c", 1, 9), &[NotFound], &[Ok(1), Version(0)]);
}

#[test]
fn the_latest_exptime_of_a_file_counts() {
    let half = (Advance(1500), Done);
    let lease = [(Write("a", 5, 2), Ok(1)), half.clone()];
    let alive = |left| Contents(1, 5, left);
    check_after(&lease, Read("a"), &[alive(1)], &[alive(0), alive(2), NotFound]);
    for (op, answer, left) in [
        (Touch("a", 1, 3), Ok(1), 2),
        (Touch("a", 1, 0), Ok(1), 0),
        (Cas("a", 1, 5, 3), Ok(2), 2),
        (Write("a", 5, 3), Ok(2), 2),
    ] {
        let version = if answer == Ok(2) { 2 } else { 1 };
        let renewed = [&lease[..], &[(op, answer), half.clone()]].concat();
        check_after(&renewed, Read("a"), &[Contents(version, 5, left)], &[NotFound]);
    }
    for op in [Touch("a", 9, 3), Cas("a", 9, 5, 3)] {
        let refused = [&lease[..], &[(op, Version(1)), (Advance(500), Done)]].concat();
        check_after(&refused, Read("a"), &[NotFound], &[alive(1), alive(2)]);
    }
}

#[test]
fn an_expired_file_is_absent_and_takes_its_version_later() {
    let expired = [(Write("a", 5, 1), Ok(1)), (Advance(1000), Done)];
    check_after(&expired, Read("a"), &[NotFound], &[Contents(1, 5, 1), Contents(1, 5, 0)]);
    check_after(&expired, Cas("a", 1, 6, 0), &[Version(0)], &[Ok(2), Ok(3), Version(1)]);
    check_after(&expired, Delete("a", Some(1)), &[NotFound], &[Done, Version(1)]);
    check_after(&expired, Touch("a", 1, 9), &[NotFound], &[Ok(1), Version(0)]);
    check_after(&expired, Write("b", 6, 0), &[Ok(2), Ok(3)], &[Ok(1), Ok(4)]);
    let numbered = [&expired[..], &[(Write("b", 6, 0), Ok(3))]].concat();
    check_after(&numbered, Write("b", 6, 0), &[Ok(4)], &[Ok(3), Ok(5)]);
}

#[test]
fn concurrent_requests_may_take_effect_in_either_order() {
    for read in [NotFound, Contents(1, 5, 0)] {
        check(true, [(0..2, Write("a", 5, 0), Ok(1)), (1..3, Read("a"), read)]);
    }
    let last = |version, contents| {
        let writes = [(0..2, Write("a", 5, 0), Ok(2)), (1..3, Write("a", 6, 0), Ok(1))];
        writes.into_iter().chain([(3..4, Read("a"), Contents(version, contents, 0))])
    };
    check(true, last(2, 5));
    check(false, last(1, 6));
    check(false, last(2, 6));
}

#[test]
fn a_later_read_does_not_miss_what_an_earlier_one_saw() {
    let reads = |first, second| {
        let write = (0..9, Write("a", 5, 0), Ok(1));
        [write, (1..2, Read("a"), first), (2..3, Read("a"), second)]
    };
    check(true, reads(NotFound, Contents(1, 5, 0)));
    check(false, reads(Contents(1, 5, 0), NotFound));
}

#[test]
fn one_of_two_concurrent_cas_wins() {
    let cas = |first, second| {
        let write = (0..1, Write("a", 5, 0), Ok(1));
        [write, (1..3, Cas("a", 1, 6, 0), first), (2..4, Cas("a", 1, 7, 0), second)]
    };
    check(true, cas(Ok(2), Version(2)));
    check(true, cas(Version(2), Ok(2)));
    check(false, cas(Ok(2), Ok(3)));
    check(false, cas(Ok(2), Ok(2)));
    check(false, cas(Version(2), Version(2)));
    check(false, cas(Ok(2), Version(1)));
}

#[test]
fn a_request_while_time_passes_takes_effect_before_or_after() {
    let cas = |answer, read| {
        let write = (0..1, Write("a", 5, 1), Ok(1));
        let cas = (1..3, Cas("a", 1, 6, 2), answer);
        [write, cas, (2..4, Advance(1000), Done), (4..5, Read("a"), read)]
    };
    check(true, cas(Ok(2), Contents(2, 6, 1)));
    check(true, cas(Version(0), NotFound));
    // Looked at before, and given a life that begins after.
    check(false, cas(Ok(2), Contents(2, 6, 2)));
}
