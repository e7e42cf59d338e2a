//! `Counter`: a number that many clients add to. A write adds, and a read returns the sum. No
//! client reads before it writes, so there is no race.

use crate::contents::Contents;
use crate::files::file::File;
use crate::name::Name;
use crate::refusal::Refusal;

/// The sum of all writes since the file was created, of a magnitude below 2^63.
pub(super) struct Counter(i64);

impl File for Counter {
    fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(Counter(0))
    }

    /// Returns the sum and a newline.
    fn read(&mut self) -> Result<Contents, Refusal> {
        Ok(format!("{}\n", self.0).into())
    }

    /// Adds a signed decimal. Ignores blanks around it, including a line end.
    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        let text = str::from_utf8(contents.trim_ascii()).map_err(|_| Refusal::Denied)?;
        let number = text.parse().ok().filter(is_symmetric).ok_or(Refusal::Denied)?;
        let sum = self.0.checked_add(number).filter(is_symmetric).ok_or(Refusal::Denied)?;
        self.0 = sum;
        Ok(())
    }
}

/// Returns whether the number has a counterpart. -2^63 has none: a client could not undo it.
fn is_symmetric(number: &i64) -> bool {
    *number != i64::MIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NameRef;

    #[track_caller]
    fn check(writes: &[&str], last: Result<(), Refusal>, sum: &str) {
        let mut counter = Counter::create(&NameRef::new("c").unwrap().to_name(), &()).unwrap();
        let results: Vec<_> = writes.iter().map(|text| counter.write((*text).into())).collect();
        assert_eq!(results.last(), Some(&last), "{writes:?}");
        assert_eq!(&counter.read().unwrap()[..], format!("{sum}\n").as_bytes(), "{writes:?}");
    }

    #[test]
    fn a_write_adds() {
        check(&["1"], Ok(()), "1");
        check(&["40", "+3", "-1"], Ok(()), "42");
        check(&["5", "-8"], Ok(()), "-3");
        check(&["-0", "007"], Ok(()), "7");
    }

    #[test]
    fn blanks_around_a_number_do_not_matter() {
        for text in ["7\n", "7\r\n", " 7", "\t7 \n\n"] {
            check(&[text], Ok(()), "7");
        }
    }

    #[test]
    fn anything_but_a_number_is_denied() {
        for text in
            ["", "\n", "-", "+", "- 1", "1 2", "1.0", "0x1", "1e3", "--1", "\u{661}", "\u{a0}1"]
        {
            check(&["9", text], Err(Refusal::Denied), "9");
        }
        let mut counter = Counter(9);
        assert_eq!(counter.write(b"\xff".as_slice().into()), Err(Refusal::Denied));
    }

    #[test]
    fn an_overflow_is_denied_and_changes_nothing() {
        const MAX: &str = "9223372036854775807";
        const MIN: &str = "-9223372036854775807";
        check(&[MAX], Ok(()), MAX);
        check(&[MAX, "1"], Err(Refusal::Denied), MAX);
        check(&[MIN, "-1"], Err(Refusal::Denied), MIN);
        check(&["-1", MIN], Err(Refusal::Denied), "-1");
        check(&[MIN, MAX, "-1"], Ok(()), "-1");
        check(&["3", "9223372036854775808"], Err(Refusal::Denied), "3");
        check(&["3", "-9223372036854775808"], Err(Refusal::Denied), "3");
    }
}
