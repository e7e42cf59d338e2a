//! The exercise of chapter 20: what to do about a file, from three sides.

use Action::{Conflict, DeleteHere, DeleteThere, Nothing, Send, Take};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Nothing,
    Send,
    Take,
    DeleteHere,
    DeleteThere,
    /// Both have changed: keep both.
    Conflict,
}

/// Decides from the contents that both sides last had in common, and those that they have now. To
/// do: this looks at two of the three.
fn decide(_base: Option<&str>, here: Option<&str>, there: Option<&str>) -> Action {
    match (here, there) {
        (here, there) if here == there => Nothing,
        (None, _) => Take,
        (_, None) => Send,
        _ => Conflict,
    }
}

fn main() {
    let (none, a, b, c) = (None, Some("a"), Some("b"), Some("c"));
    for (base, here, there, expected, what) in [
        (none, a, none, Send, "a new file here"),
        (none, none, a, Take, "a new file there"),
        (a, a, a, Nothing, "nothing has changed"),
        (a, b, a, Send, "an edit here"),
        (a, a, b, Take, "an edit there"),
        (a, none, a, DeleteThere, "a deletion here"),
        (a, a, none, DeleteHere, "a deletion there"),
        (a, none, none, Nothing, "a deletion on both sides"),
        (a, b, b, Nothing, "the same edit on both sides"),
        (a, b, c, Conflict, "two edits"),
        (none, a, b, Conflict, "two new files of one name"),
        (a, none, b, Take, "an edit beats a deletion"),
        (a, b, none, Send, "an edit beats a deletion"),
    ] {
        assert_eq!(decide(base, here, there), expected, "{what}: {base:?} {here:?} {there:?}");
    }
    println!("each case is decided");
}
