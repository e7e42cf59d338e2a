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
    for cut in 0..=log.len() {
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(recover(&log[..cut]), written[..whole], "after {cut} bytes of {}", log.len());
        // The file has its length already, and the last bytes never reached the disk.
        let mut torn = log[..cut].to_vec();
        torn.resize(log.len(), 0xff);
        let recovered = recover(&torn);
        assert!(written.starts_with(&recovered) && recovered.len() >= whole, "torn at {cut}");
    }
    println!("each log gives its whole records, and nothing else");
}
