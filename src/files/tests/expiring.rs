//! Files with a deadline: what replaces it, and what it costs.

use super::*;

#[test]
fn a_write_replaces_the_deadline() {
    let f = fixture();
    f.write("a", 2);
    f.clock.advance(SECOND);
    assert_eq!(f.write("a", 5), 2);
    f.clock.advance(4 * SECOND);
    assert_eq!(f.stat("a"), Some((2, 1)));
    f.write("a", 0);
    f.clock.advance(100 * SECOND);
    assert_eq!(f.stat("a"), Some((3, 0)));
}

#[test]
fn a_file_made_again_is_not_removed_by_the_old_deadline() {
    let f = fixture();
    f.write("a", 2);
    f.table.delete(name("a"), None).unwrap().seen().unwrap();
    f.write("a", 0);
    f.clock.advance(3 * SECOND);
    assert_eq!(f.stat("a"), Some((3, 0)));
}

#[test]
fn expiry_is_a_change_of_its_own_and_happens_once() {
    let f = fixture();
    f.write("a", 2);
    f.clock.advance(2 * SECOND);
    assert_eq!(f.stat("a"), None);
    assert_eq!(f.stat("a"), None);
    assert_eq!(f.table.totals().version, 2);
    f.write("a", 1);
    f.clock.advance(SECOND);
    assert_eq!(f.cas("a", 3, 0), Err(Refusal::Version(Version(0))));
    assert_eq!(f.table.totals().version, 4);
    assert_eq!(f.cas("a", 0, 1), Ok(5));
    f.clock.advance(SECOND);
    assert_eq!(f.write("a", 0), 7);
}

#[test]
fn a_million_renewals_of_one_lease_take_no_memory() {
    let f = fixture();
    f.write("lease", 30);
    let used = f.budget.used();
    for _ in 0..1_000_000 {
        f.clock.advance(Duration::from_micros(1));
        f.write("lease", 30);
    }
    assert_eq!(f.budget.used(), used);
    let mut state = f.table.lock().state;
    let at = state.ends.next().unwrap();
    state.ends.remove(End::At(at), 1_000_001, &owned("lease"));
    assert_eq!(state.ends.next(), None, "one deadline is kept");
}

#[test]
fn the_sweeper_gives_memory_back_while_nobody_asks() {
    let f = fixture();
    std::thread::scope(|scope| {
        scope.spawn(|| f.table.sweep());
        for i in 0..1000 {
            f.write(&format!("f{i}"), 1 + i % 3);
        }
        f.write("stays", 0);
        f.clock.advance(3 * SECOND);
        while f.table.totals().files > 1 {
            std::thread::yield_now();
        }
        f.table.close();
    });
    let Totals { files, bytes, version, .. } = f.table.totals();
    assert_eq!((files, bytes, version), (1, 5, 2001));
    let removals: u64 = (0..1000).map(|i| removal_cost(&owned(&format!("f{i}")))).sum();
    assert_eq!(f.budget.used(), file_cost("stays") + removals);
}
