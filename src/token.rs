//! The secret that a server may require from its clients. A common word: imports nothing from this
//! crate.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use subtle::ConstantTimeEq;

/// A secret of 1 to 400 bytes without white space or control characters, so that it fits on a line
/// with `hello`.
///
/// ```
/// use telefile::{InvalidToken, Token};
///
/// let token = Token::new("s3cret\n")?;
/// assert!(token.matches(b"s3cret") && !token.matches(b"S3cret"));
/// assert_eq!(format!("{token:?}"), "Token(..)");
/// assert_eq!(Token::new("two words").unwrap_err(), InvalidToken::Separator);
/// # Ok::<(), InvalidToken>(())
/// ```
#[derive(Clone)]
pub struct Token(Vec<u8>);

/// The length of the longest file of a token: as much white space as token.
const MAX_FILE_BYTES: u64 = 2 * Token::MAX_BYTES as u64;

impl Token {
    /// The length of the longest token, in bytes.
    pub const MAX_BYTES: usize = 400;

    /// Makes a token of a text. White space around it, such as a line end, is not part of it.
    ///
    /// # Errors
    /// The text cannot be a token.
    pub fn new(text: impl AsRef<[u8]>) -> Result<Self, InvalidToken> {
        let token = text.as_ref().trim_ascii();
        if token.is_empty() {
            return Err(InvalidToken::Empty);
        }
        if token.len() > Token::MAX_BYTES {
            return Err(InvalidToken::TooLong);
        }
        if token.iter().any(|b| b.is_ascii_whitespace() || b.is_ascii_control()) {
            return Err(InvalidToken::Separator);
        }
        Ok(Token(token.to_vec()))
    }

    /// Reads a token from a file of at most 800 bytes, whose text is as for [`new`](Token::new).
    ///
    /// # Errors
    /// Those of the file, and [`ErrorKind::InvalidData`] for a longer file, and for text that cannot
    /// be a token. Each includes the path, none the file's contents.
    pub fn from_file(path: &Path) -> io::Result<Self> {
        let with_path = |kind, why: &dyn fmt::Display| {
            io::Error::new(kind, format!("{}: {why}", path.display()))
        };
        let mut text = Vec::new();
        // One byte more shows that a file is too long. A device may have no end.
        let read = std::fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text));
        let length = read.map_err(|e| with_path(e.kind(), &e))?;
        if length as u64 > MAX_FILE_BYTES {
            let why = format!("a token file has at most {MAX_FILE_BYTES} bytes");
            return Err(with_path(ErrorKind::InvalidData, &why));
        }
        Token::new(&text).map_err(|why| with_path(ErrorKind::InvalidData, &why))
    }

    /// Returns the secret itself, to send it to a server.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether `sent` is this token. A wrong one takes as long as the right one of the same
    /// length, so the time reveals nothing about it.
    pub fn matches(&self, sent: &[u8]) -> bool {
        self.0.ct_eq(sent).into()
    }
}

/// Never shows the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The reason why a text cannot be a [`Token`]. It never has the text in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidToken {
    /// The text is empty, or only white space.
    Empty,
    /// The text has more than [`Token::MAX_BYTES`] bytes.
    TooLong,
    /// The text has white space or a control character in it.
    Separator,
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidToken::Empty => f.write_str("the token is empty"),
            InvalidToken::TooLong => {
                write!(f, "the token is longer than {} bytes", Token::MAX_BYTES)
            }
            InvalidToken::Separator => {
                f.write_str("the token has a space or control character in it")
            }
        }
    }
}

impl Error for InvalidToken {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_of_at_most_400_bytes() {
        let token = Token::new(b"  s3cret\r\n").unwrap();
        assert_eq!(token.as_bytes(), b"s3cret");
        for wrong in [&b""[..], b"s3cre", b"s3creT", b"s3crets"] {
            assert!(!token.matches(wrong));
        }
        assert!(token.matches(b"s3cret") && Token::new([b'x'; 400]).is_ok());
        for (bad, why) in [
            (&b""[..], InvalidToken::Empty),
            (b" \n", InvalidToken::Empty),
            (b"two words", InvalidToken::Separator),
            (b"nul\0", InvalidToken::Separator),
            (&[b'x'; 401], InvalidToken::TooLong),
        ] {
            assert_eq!(Token::new(bad).unwrap_err(), why);
        }
    }

    #[test]
    fn the_whole_text_of_a_file_counts() {
        let path = std::env::temp_dir().join(format!("telefile-token-{}", std::process::id()));
        let read = |text: String| {
            std::fs::write(&path, text).unwrap();
            Token::from_file(&path)
        };
        assert_eq!(read(format!("s3cret{}", "\n".repeat(794))).unwrap().as_bytes(), b"s3cret");
        for text in [
            format!("s3cret{}", "\n".repeat(795)),
            format!("s3cret{}another", " ".repeat(794)),
            format!("{}s3cret", "\n".repeat(800)),
            " ".repeat(100_000),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert!(error.to_string().ends_with("at most 800 bytes"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
