//! The exercise of chapter 19: read a log whose last record may be torn.

/// A record is its length in four bytes, a checksum in four, and its bytes.
fn append(log: &mut Vec<u8>, record: &[u8]) {
    log.extend_from_slice(&(record.len() as u32).to_le_bytes());
    log.extend_from_slice(&checksum(record).to_le_bytes());
    log.extend_from_slice(record);
}

/// FNV-1a, of 32 bits.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, b| (sum ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

/// Returns the records of a log. To do: end at the first one that is not whole and sound.
fn recover(mut log: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while let Some((head, rest)) = log.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (record, rest) = rest.split_at(length.min(rest.len()));
        records.push(record);
        log = rest;
    }
    records
}

fn main() {
    let written: [&[u8]; 3] = [b"write foo", b"", b"delete foo"];
    let (mut log, mut ends) = (Vec::new(), Vec::new());
    for record in written {
        append(&mut log, record);
        ends.push(log.len());
    }
    // The file may end behind what has reached the disk, or go on with anything.
    for rest in ["", "\0\0\0\0\0\0\0\0\0", "an old record"] {
        for cut in 0..=log.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let bytes = [&log[..cut], rest.as_bytes()].concat();
            let (found, expected) = (texts(&recover(&bytes)), texts(&written[..whole]));
            let torn = format!("{cut} of {} bytes, then {rest:?}", log.len());
            assert!(found == expected, "{torn}: expected {expected:?}, found {found:?}");
        }
    }
    println!("each log gives its whole records, and nothing else");
}

/// Returns records as texts that can be printed.
fn texts(records: &[&[u8]]) -> Vec<String> {
    records.iter().map(|record| record.escape_ascii().to_string()).collect()
}
