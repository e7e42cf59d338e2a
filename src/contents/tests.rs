//! Contents that arrive in pieces, and what they cost.

use super::*;
use crate::refusal::Limit;

fn arrive(announced: usize, step: usize, budget: &Arc<Budget>) -> Result<Contents, Refusal> {
    let mut incoming = Incoming::new(announced, budget);
    let mut next = 0;
    while incoming.missing() > 0 {
        let missing = incoming.missing();
        let room = incoming.room()?;
        let n = step.min(missing).min(room.capacity() - room.len());
        room.extend((next..next + n).map(|i| i as u8));
        next += n;
        let ahead = budget.used() - next as u64;
        assert!(ahead <= (MAX_AHEAD_BYTES + 2 * SPARE_BYTES) as u64, "{ahead} bytes ahead");
    }
    Ok(incoming.finish())
}

#[test]
fn what_arrives_is_what_is_held_and_counted_until_the_last_clone_goes() {
    let budget = Budget::new(64 << 20);
    for announced in [
        0,
        1,
        SHORT_BYTES,
        SHORT_BYTES + 1,
        100,
        LARGE_BYTES - 1,
        LARGE_BYTES,
        65_536,
        65_537,
        3_000_001,
    ] {
        for step in [7_001, 1 << 20] {
            let contents = arrive(announced, step, &budget).unwrap();
            assert!(contents.iter().enumerate().all(|(i, b)| *b == i as u8));
            assert_eq!(contents.len(), announced);
            let clone = contents.clone();
            drop(contents);
            let spare = if announced < LARGE_BYTES { 0 } else { SPARE_BYTES };
            assert_eq!(budget.used(), Contents::cost(announced + spare));
            drop(clone);
            assert_eq!(budget.used(), 0);
        }
    }
}

#[test]
fn what_a_type_gives_is_counted_if_nobody_else_has_it() {
    let text = |bytes| "x".repeat(bytes);
    let budget = Budget::new(Contents::cost(30));
    let given = Contents::from(text(30)).charged(&budget).unwrap();
    let clone = given.clone();
    drop(given);
    assert_eq!(budget.used(), budget.max());
    assert!(Contents::from(text(SHORT_BYTES + 1)).charged(&budget).is_err());
    drop(clone);
    let kept_by_the_type = Contents::from(text(40));
    kept_by_the_type.clone().charged(&budget).unwrap();
    Contents::from(text(SHORT_BYTES)).charged(&budget).unwrap();
    assert_eq!(budget.used(), 0);
}

#[test]
fn what_a_type_gets_has_its_budget_however_short_it_is() {
    let budget = Budget::new(1 << 20);
    for bytes in [0, 1, SHORT_BYTES, SHORT_BYTES + 1] {
        let got = arrive(bytes, 1000, &budget).unwrap().counted(&budget).unwrap();
        assert_eq!(got.len(), bytes);
        assert!(got.same_budget().budget().is_some() && budget.used() > 0);
        drop(got);
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn an_announcement_takes_no_memory() {
    let budget = Budget::new(1 << 30);
    let mut incoming = Incoming::new(1 << 29, &budget);
    assert_eq!(budget.used(), 0);
    incoming.room().unwrap();
    assert_eq!(budget.used(), block(FIRST_AHEAD_BYTES + SPARE_BYTES));
}

#[test]
fn over_the_budget_is_refused_and_given_back() {
    let max = block(100_000 + SPARE_BYTES);
    let budget = Budget::new(max);
    let refusal = arrive(100_016, 1_000, &budget).unwrap_err();
    assert_eq!(refusal, Refusal::Limit(Limit::Memory, max));
    assert_eq!(budget.used(), 0);
    assert_eq!(arrive(100_000, 1_000, &budget).unwrap().len(), 100_000);
}
