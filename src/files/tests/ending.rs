//! Files that end by time or with a client, many at once, where nobody sweeps.

use super::watching::{MAX, del};
use super::{SECOND, fixture};
use crate::files::{ClientId, Table};

/// More than is removed at once.
const MANY: u64 = 1000;

fn names(table: &Table, prefix: &str) -> Vec<String> {
    let listing = table.list(prefix, MAX, None);
    listing.files.iter().map(|file| file.name.as_str().to_string()).collect()
}

#[test]
fn what_has_expired_is_removed_by_a_list_and_by_a_watch() {
    let f = fixture();
    f.write("a", 2);
    f.write("b", 0);
    f.write("c", 2);
    f.clock.advance(2 * SECOND);
    let listing = f.table.list("b", 1, None);
    assert_eq!((listing.rev, listing.files.len(), listing.more), (5, 1, false));
    assert_eq!(names(&f.table, ""), ["b"]);
    f.write("a", 1);
    f.clock.advance(SECOND);
    assert_eq!(f.look("b", 2, MAX), Ok((7, vec![])), "in its rev, also if it shows others");
    assert_eq!(f.look("", 6, MAX), Ok((7, vec![del(7, "a")])));
    f.write("a", 1);
    f.clock.advance(SECOND);
    assert_eq!(f.look("a", 9, MAX), Ok((9, vec![])), "a version that the removal has taken");
}

#[test]
fn more_than_fit_into_one_turn_expire_before_a_list() {
    let f = fixture();
    for i in 0..MANY {
        f.write(&format!("f{i}"), 1);
    }
    f.write("stays", 0);
    f.clock.advance(SECOND);
    assert_eq!(names(&f.table, ""), ["stays"]);
    assert_eq!(f.table.totals().version, 2 * MANY + 1);
    assert_eq!(f.look("", 0, MAX).unwrap().1.len() as u64, MANY + 1);
}

#[test]
fn all_files_of_one_client_end_with_it_and_no_others() {
    let f = fixture();
    for i in 0..MANY {
        f.ephemeral(&format!("e{i}"), 1);
    }
    f.ephemeral("other", 2);
    f.ephemeral("taken", 1);
    f.ephemeral("taken", 2);
    f.write("stays", 0);
    f.ephemeral("kept", 1);
    f.write("kept", 0);
    let rev = f.table.totals().version;
    f.table.end_client(ClientId::new(1));
    assert_eq!(names(&f.table, ""), ["kept", "other", "stays", "taken"]);
    let (now, gone) = f.look("", rev, MAX).unwrap();
    assert_eq!(now, rev + MANY, "a version for each");
    assert!(gone.iter().map(|line| line.0).eq(rev + 1..=now));
    f.table.end_client(ClientId::new(1));
    f.table.end_client(ClientId::new(3));
    assert_eq!(f.table.totals().version, now);
    f.table.end_client(ClientId::new(2));
    assert_eq!(names(&f.table, ""), ["kept", "stays"]);
    let state = f.table.lock().state;
    assert!(state.ends.next().is_none() && format!("{:?}", state.ends).contains("by_client: {}"));
}
