//! `LogFile`: lines that many clients append. A read returns the newest lines. Older ones are
//! dropped, so an unattended log does not grow without bound.

use crate::budget::{Charge, block};
use crate::contents::Contents;
use crate::files::file::File;
use crate::name::Name;
use crate::refusal::{Limit, Refusal};
use std::collections::VecDeque;

/// The bytes kept, including line ends. No line may be longer.
const MAX_BYTES: usize = 64 << 10;

/// The newest lines that fit into [`MAX_BYTES`].
#[derive(Default)]
pub(super) struct LogFile {
    /// Whole lines, each with its `\n`.
    lines: VecDeque<u8>,
    /// The memory charge for the capacity of `lines`.
    charge: Charge,
}

impl LogFile {
    /// Makes room for `more` bytes, as far as they are kept.
    fn make_room(&mut self, more: usize, charge: impl FnOnce() -> Charge) -> Result<(), Refusal> {
        let (needed, room) = (self.lines.len() + more, self.lines.capacity());
        if needed <= room || room >= MAX_BYTES {
            return Ok(());
        }
        if room == 0 {
            self.charge = charge();
        }
        let larger = needed.next_power_of_two().min(MAX_BYTES);
        self.charge.grow(block(larger) - block(room))?;
        self.lines.reserve_exact(larger - self.lines.len());
        Ok(())
    }
}

impl File for LogFile {
    fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(LogFile::default())
    }

    fn read(&mut self) -> Result<Contents, Refusal> {
        let (front, back) = self.lines.as_slices();
        Ok([front, back].concat().into())
    }

    /// Appends the contents, and a newline if the last line has none. Empty contents append an
    /// empty line.
    ///
    /// # Errors
    /// [`Limit::Contents`] if a single line is longer than the limit. Then nothing is appended:
    /// otherwise the line would push out every other one and could not be read itself.
    /// [`Limit::Memory`] if there is no room for the lines.
    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        let end = if contents.ends_with(b"\n") { b"".as_slice() } else { b"\n" };
        let mut lines = contents.split(|byte| *byte == b'\n');
        if lines.any(|line| line.len() >= MAX_BYTES) {
            return Err(Refusal::Limit(Limit::Contents, MAX_BYTES as u64));
        }
        let newest = last_lines(&contents, MAX_BYTES - end.len());
        self.make_room(newest.len() + end.len(), || contents.same_budget())?;
        if newest.len() < contents.len() {
            self.lines.clear(); // even older than what was just left out
        }
        while self.lines.len() + newest.len() + end.len() > MAX_BYTES {
            let oldest = self.lines.iter().position(|byte| *byte == b'\n');
            self.lines.drain(..=oldest.unwrap_or(self.lines.len() - 1));
        }
        self.lines.extend(newest.iter().chain(end));
        Ok(())
    }
}

/// Returns the end of `text`, starting at the beginning of a line, with at most `max` bytes.
fn last_lines(text: &[u8], max: usize) -> &[u8] {
    let Some(cut) = text.len().checked_sub(max + 1) else { return text };
    // The byte before the first that could stay. If it ends a line, the rest is whole lines.
    let newline = text[cut..].iter().position(|byte| *byte == b'\n');
    newline.map_or(&[], |at| &text[cut + at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(writes: &[&str]) -> LogFile {
        let mut log = LogFile::default();
        for text in writes {
            log.write((*text).into()).unwrap();
        }
        log
    }

    #[track_caller]
    fn check(writes: &[&str], expected: &str) {
        let read = log(writes).read().unwrap();
        assert!(&read[..] == expected.as_bytes(), "{} bytes", read.len());
    }

    fn line(letter: &str, bytes: usize) -> String {
        letter.repeat(bytes - 1) + "\n"
    }

    #[test]
    fn a_write_appends_and_ends_its_line() {
        check(&[], "");
        check(&["a\n", "b", "c\nd"], "a\nb\nc\nd\n");
        check(&["", "\n", "\n\n"], "\n\n\n\n");
        check(&["a\r\n"], "a\r\n");
    }

    #[test]
    fn the_oldest_lines_are_dropped_and_none_is_cut() {
        let (half, rest) = (line("h", MAX_BYTES / 2), line("r", MAX_BYTES / 2));
        check(&[&half, &rest], &(half.clone() + &rest));
        check(&[&half, &rest, ""], &(rest.clone() + "\n"));
        check(&["a", "b", &half, &rest], &(half.clone() + &rest));
        check(&["a\nb\n", &half, &rest[2..]], &("b\n".to_string() + &half + &rest[2..]));
        check(&["a\nb\n", &half, &rest[2..], "c"], &(half.clone() + &rest[2..] + "c\n"));
    }

    #[test]
    fn a_write_over_the_limit_leaves_its_last_lines() {
        let many: String = (0..20_000).map(|i| format!("line {i}\n")).collect();
        let read = log(&["old", &many]).read().unwrap();
        let read = str::from_utf8(&read).unwrap();
        assert!(many.ends_with(read) && read.starts_with("line ") && read.len() > MAX_BYTES - 12);
        let read_unended = log(&["old", many.trim_end()]).read().unwrap();
        assert_eq!(&read_unended[..], read.as_bytes());
    }

    #[test]
    fn a_line_over_the_limit_is_refused_and_changes_nothing() {
        let refusal = Err(Refusal::Limit(Limit::Contents, 65_536));
        let mut log = log(&["old"]);
        for long in [line("x", MAX_BYTES + 1), "x".repeat(MAX_BYTES)] {
            assert_eq!(log.write(long.clone().into()), refusal);
            assert_eq!(log.write(("new\n".to_string() + &long + "\nnewer").into()), refusal);
        }
        assert_eq!(&log.read().unwrap()[..], b"old\n");
        check(&["old", &line("x", MAX_BYTES)], &line("x", MAX_BYTES));
        check(&["old", &"x".repeat(MAX_BYTES - 1)], &line("x", MAX_BYTES));
    }

    #[test]
    fn memory_stays_small_after_any_number_of_writes() {
        let mut log = log(&[]);
        for _ in 0..10_000 {
            log.write("x".repeat(99).into()).unwrap();
        }
        assert_eq!(log.lines.len(), MAX_BYTES / 100 * 100);
        assert_eq!(log.lines.capacity(), MAX_BYTES);
    }
}
