//! The secret that a client has to show, if the server requires one.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use subtle::ConstantTimeEq;

/// A token fits on a line with `hello`.
const MAX_TOKEN_BYTES: usize = 400;

/// A secret of 1 to 400 bytes without spaces or control characters.
#[derive(Clone)]
pub struct Token(Vec<u8>);

impl Token {
    /// Reads a token from a file. White space around it, such as a line end, is not part of it.
    ///
    /// # Errors
    /// Those of the file, and [`ErrorKind::InvalidData`] for text that cannot be a token. Each
    /// includes the path, none the file's contents.
    pub fn from_file(path: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        let read = std::fs::File::open(path)
            .and_then(|file| file.take(2 * MAX_TOKEN_BYTES as u64).read_to_end(&mut text));
        let with_path = |kind, why: &dyn fmt::Display| {
            io::Error::new(kind, format!("{}: {why}", path.display()))
        };
        read.map_err(|e| with_path(e.kind(), &e))?;
        Token::new(&text).map_err(|why| with_path(ErrorKind::InvalidData, &why))
    }

    fn new(text: &[u8]) -> Result<Self, &'static str> {
        let token = text.trim_ascii();
        if token.is_empty() {
            return Err("the token is empty");
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err("the token is longer than 400 bytes");
        }
        if token.iter().any(|b| b.is_ascii_whitespace() || b.is_ascii_control()) {
            return Err("the token has a space or control character in it");
        }
        Ok(Token(token.to_vec()))
    }

    /// Returns the secret itself, to show to a server.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether `shown` is this token. A wrong one takes as long as the right one of the
    /// same length, so the time reveals nothing about it.
    pub fn is(&self, shown: &[u8]) -> bool {
        self.0.ct_eq(shown).into()
    }
}

/// Never shows the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_a_token() {
        let token = Token::new(b"  s3cret\r\n").unwrap();
        assert!(
            token.is(b"s3cret") && !token.is(b"s3cre") && !token.is(b"s3creT") && !token.is(b"")
        );
        assert_eq!(format!("{token:?}"), "Token(..)");
        for bad in [&b""[..], b" \n", b"two words", b"nul\0", &[b'x'; 401]] {
            assert!(Token::new(bad).is_err());
        }
    }
}
