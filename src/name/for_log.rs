//! Names as logs show them: escaped, cut, and without the secret that some begin with.

use std::fmt;

/// A name, a part of one, or what was meant to be one, as logs show it.
pub(crate) struct ForLog<'a>(pub(crate) &'a str);

impl fmt::Display for ForLog<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_SHOWN_BYTES: usize = 64;
        const SECRET_SHOWN_BYTES: usize = 10;
        let max =
            if secret_digits(self.0).is_some() { SECRET_SHOWN_BYTES } else { MAX_SHOWN_BYTES };
        let shown = &self.0[..self.0.floor_char_boundary(max)];
        let dots = if shown.len() < self.0.len() { "..." } else { "" };
        write!(f, "{}{dots}", shown.escape_debug())
    }
}

/// The id of a folder's synchronisation, or what was meant to be one, as logs show it: at most 8
/// bytes of it.
pub(crate) struct IdForLog<'a>(pub(crate) &'a str);

impl fmt::Display for IdForLog<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_BYTES: usize = 8;
        let shown = &self.0[..self.0.floor_char_boundary(SHOWN_BYTES)];
        let dots = if shown.len() < self.0.len() { "..." } else { "" };
        write!(f, "{}{dots}", shown.escape_debug())
    }
}

const SECRET_DIGITS: usize = 32;

/// Returns whether the text is the id of a folder's synchronisation: 32 hex digits.
pub(crate) fn is_session_id(text: &str) -> bool {
    text.len() == SECRET_DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Returns `s/`, 32 hex digits and `/`, if the text begins with them.
pub(super) fn secret_of(text: &str) -> Option<&str> {
    let length = secret_digits(text)? + "/".len();
    text.get(..length).filter(|secret| secret.ends_with('/'))
}

/// Returns the length of `s/` and 32 hex digits if the text begins with them, whatever follows.
fn secret_digits(text: &str) -> Option<usize> {
    let digits = text.strip_prefix("s/")?.as_bytes().get(..SECRET_DIGITS)?;
    digits.iter().all(u8::is_ascii_hexdigit).then_some("s/".len() + SECRET_DIGITS)
}
