//! Randomness from the system, for what nobody may guess and for what no two tables may share.
//!
//! std draws the keys of its hashers too, but takes what it gets: early in the start of a machine they
//! may be guessed. Hash tables, pauses and names that are tried once more live with that, and nothing else.

use rustix::rand::{GetRandomFlags, getrandom};
use std::fs::File;
use std::io::{self, Read};

/// Returns 64 random bits. Blocks until the system has randomness.
///
/// # Errors
/// The system has none to give.
pub(crate) fn draw() -> io::Result<u64> {
    const DEVICE: &str = "/dev/urandom";
    let mut bytes = [0; 8];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(filled) => debug_assert_eq!(filled, bytes.len()), // up to 256 bytes come whole
        // A system or container without the call has the device.
        Err(_) => {
            let read = File::open(DEVICE).and_then(|mut file| file.read_exact(&mut bytes));
            read.map_err(|e| io::Error::new(e.kind(), format!("{DEVICE}: {e}")))?;
        }
    }
    Ok(u64::from_ne_bytes(bytes))
}

/// Returns 128 random bits, as 32 hex digits.
///
/// # Errors
/// Those of [`draw`].
pub(crate) fn draw_secret() -> io::Result<String> {
    Ok(format!("{:016x}{:016x}", draw()?, draw()?))
}
