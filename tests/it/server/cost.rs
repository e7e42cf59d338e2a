//! What the server counts for what it keeps, so that tests can say it exactly. The numbers are those
//! of `src/files/cost.rs`; whether they are true is for `process/footprint.rs`.

use super::{Client, kept};

const ENTRY: u64 = 96 + 41 + 36 + 50;
const REMOVAL: u64 = 50 + 41;
/// Contents, without their bytes.
pub(crate) const CONTENTS: u64 = 80;

/// An open of a connection.
pub(crate) const OPEN: u64 = 36;

/// The deadline of a file.
pub(crate) const DEADLINE: u64 = 79;

/// A descriptor.
pub(crate) const DESCRIPTOR: u64 = 60;

/// A file of code, beside [`file`] and what its type keeps.
pub(crate) const CODE: u64 = 96;

/// What the allocator takes for so many bytes.
fn block(bytes: usize) -> u64 {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) as u64 }
}

fn name(bytes: usize) -> u64 {
    block(16 + bytes)
}

/// A file whose name has so many bytes, without contents.
pub(crate) fn file(name_bytes: usize) -> u64 {
    ENTRY + name(name_bytes)
}

/// A name of so many bytes that was removed and is remembered.
pub(crate) fn removal(name_bytes: usize) -> u64 {
    REMOVAL + name(name_bytes)
}

/// Contents.
pub(crate) fn contents(numbytes: usize) -> u64 {
    let spare = if numbytes < 16 << 10 { 0 } else { 64 };
    CONTENTS + block(numbytes + spare)
}

/// What the database of a table that is kept may take.
#[track_caller]
pub(crate) fn database(client: &mut Client) -> u64 {
    if kept() { (client.stat("memory_max") / 8).min(64 << 20) } else { 0 }
}

/// What all names take that the server remembers as removed, if it shows them.
#[track_caller]
pub(crate) fn removals(client: &mut Client) -> u64 {
    let (_, changes) = client.watch("*", 0, 0);
    changes.iter().filter(|change| !change.1).map(|change| removal(change.2.len())).sum()
}
