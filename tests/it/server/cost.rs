//! What the server counts for what it keeps, so that tests can say it exactly. The numbers are those
//! of `src/files/cost.rs`; whether they are true is for `process/footprint.rs`.

use super::{Client, Tables};

/// An entry, and its name's places in the index, among the ordered names and in the change log.
const ENTRY: u64 = 64 + 15 + 5 + 28;
const REMOVAL: u64 = 32 + 15 + 28;
/// Contents that are not short, without their bytes.
const CONTENTS: u64 = 80;

/// A name or contents of at most this many bytes take no memory of their own.
const SHORT_BYTES: usize = 22;

/// An open of a connection.
pub(crate) const OPEN: u64 = 36;

/// The deadline of a file.
pub(crate) const DEADLINE: u64 = 58 + 48;

/// A descriptor.
pub(crate) const DESCRIPTOR: u64 = 36;

/// A file of code, beside [`file`] and what its type keeps.
pub(crate) const CODE: u64 = 96 + 48;

/// What the allocator takes for this many bytes.
fn block(bytes: usize) -> u64 {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) as u64 }
}

fn name(bytes: usize) -> u64 {
    if bytes <= SHORT_BYTES { 0 } else { block(16 + bytes) }
}

/// A file whose name has this many bytes, without contents.
pub(crate) fn file(name_bytes: usize) -> u64 {
    ENTRY + name(name_bytes)
}

/// A name of this many bytes that was removed and is remembered.
pub(crate) fn removal(name_bytes: usize) -> u64 {
    REMOVAL + name(name_bytes)
}

/// Contents of this many bytes.
pub(crate) fn contents(numbytes: usize) -> u64 {
    if numbytes <= SHORT_BYTES {
        return 0;
    }
    let spare = if numbytes < 16 << 10 { 0 } else { 64 };
    CONTENTS + block(numbytes + spare)
}

/// What the database of a table on disk may take, and its log.
#[track_caller]
pub(crate) fn database(client: &mut Client) -> u64 {
    if Tables::asked() != Tables::Disk {
        return 0;
    }
    let cache = (client.stat("memory_max") / 8).min(32 << 20);
    cache + cache / 3
}

/// What all names take that the server remembers as removed, if it shows them.
#[track_caller]
pub(crate) fn removals(client: &mut Client) -> u64 {
    let (_, changes) = client.watch("*", 0, 0);
    changes.iter().filter(|change| !change.1).map(|change| removal(change.2.len())).sum()
}
