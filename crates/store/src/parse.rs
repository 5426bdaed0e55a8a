//! Fields of one line of a state file: base64url, decimal numbers, literals (operations.md §6.1).

use base64_simd::{AsOut, Base64, URL_SAFE, URL_SAFE_NO_PAD};
use memchr::memchr2;
use thiserror::Error;

/// Most bytes that [`Fields::short_base64`] decodes.
const SHORT: usize = 96;

/// A line that does not have the form of its file. Tells where and what was expected, never what is there: lines hold
/// IDs and secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{expected} expected at byte {position}")]
pub struct ParseError {
    /// What should be there.
    pub expected: &'static str,
    /// Offset in the line, from 0.
    pub position: usize,
}

/// A cursor over one line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    line: &'a [u8],
    position: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(line: &'a [u8]) -> Self {
        Self { line, position: 0 }
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.line[self.position..]
    }

    pub(crate) fn error(&self, expected: &'static str) -> ParseError {
        ParseError { expected, position: self.position }
    }

    /// Moves past `n` bytes of [`Self::rest`].
    pub(crate) fn skip(&mut self, n: usize) {
        self.position = (self.position + n).min(self.line.len());
    }

    /// Moves past `literal` if it comes next.
    pub(crate) fn accept(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal.as_bytes());
        if found {
            self.position += literal.len();
        }
        found
    }

    pub(crate) fn require(&mut self, literal: &'static str) -> Result<(), ParseError> {
        if self.accept(literal) {
            return Ok(());
        }
        Err(self.error(if literal == " " { "a space" } else { literal.trim() }))
    }

    /// Fails unless the line was read to its end.
    pub(crate) fn finish(&self) -> Result<(), ParseError> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.error("end of line")) }
    }

    /// Bytes up to a space, a comma or the end.
    pub(crate) fn token(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let n = memchr2(b' ', b',', rest).unwrap_or(rest.len());
        self.position += n;
        &rest[..n]
    }

    /// One byte as `convert` understands it.
    pub(crate) fn letter<T, E>(
        &mut self,
        expected: &'static str,
        convert: impl FnOnce(u8) -> Result<T, E>,
    ) -> Result<T, ParseError> {
        let &letter = self.rest().first().ok_or_else(|| self.error(expected))?;
        let value = convert(letter).map_err(|_| self.error(expected))?;
        self.position += 1;
        Ok(value)
    }

    /// Signed decimal.
    pub(crate) fn integer(&mut self, expected: &'static str) -> Result<i64, ParseError> {
        let start = *self;
        let text = str::from_utf8(self.token()).map_err(|_| start.error(expected))?;
        text.parse().map_err(|_| start.error(expected))
    }

    /// Base64url of exactly `N` bytes.
    pub(crate) fn base64<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], ParseError> {
        let start = *self;
        self.short_base64(expected, |bytes| bytes.try_into()).map_err(|_| start.error(expected))
    }

    /// Base64url of at most 96 bytes as `convert` understands them.
    pub(crate) fn short_base64<T, E>(
        &mut self,
        expected: &'static str,
        convert: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<T, ParseError> {
        let start = *self;
        let (mut decoded, token) = ([0; SHORT], self.token());
        if token.len() > URL_SAFE.encoded_length(SHORT) {
            return Err(start.error(expected));
        }
        let decoded = form_of(token).decode(token, decoded[..].as_out()).map_err(|_| start.error(expected))?;
        convert(decoded).map_err(|_| start.error(expected))
    }

    /// Base64url of any number of bytes, none included.
    pub(crate) fn long_base64(&mut self, expected: &'static str) -> Result<Vec<u8>, ParseError> {
        let start = *self;
        let token = self.token();
        form_of(token).decode_to_vec(token).map_err(|_| start.error(expected))
    }
}

/// Padding is always written, and optional when read.
fn form_of(text: &[u8]) -> Base64 {
    if text.ends_with(b"=") { URL_SAFE } else { URL_SAFE_NO_PAD }
}

/// Appends base64url with padding.
pub(crate) fn put_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    URL_SAFE.encode_append(bytes, out);
}

/// Appends a signed decimal.
pub(crate) fn put_integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(value.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_written_and_optional_when_read() {
        let mut out = Vec::new();
        put_base64(&mut out, b"fixed");
        assert_eq!(out, b"Zml4ZWQ=");
        for text in ["Zml4ZWQ=", "Zml4ZWQ"] {
            assert_eq!(Fields::new(text.as_bytes()).base64(""), Ok(*b"fixed"));
        }
        for text in ["Zml4ZWR=", "Zml4ZW==", "Zml4ZWQ+", "Z", "=", "Zml4ZWQ=="] {
            assert!(Fields::new(text.as_bytes()).base64::<5>("").is_err(), "{text}");
        }
    }

    #[test]
    fn any_length_is_decoded_safely() {
        for n in 0..400 {
            let bytes = vec![7; n];
            let mut text = Vec::new();
            put_base64(&mut text, &bytes);
            assert_eq!(Fields::new(&text).long_base64(""), Ok(bytes));
            let short = Fields::new(&text).short_base64("", |b| if b.len() == n { Ok(()) } else { Err(()) });
            assert_eq!(short.is_ok(), n <= SHORT, "{n}");
        }
    }

    #[test]
    fn errors_tell_where() {
        let mut fields = Fields::new(b"TIME abc");
        fields.require("TIME ").unwrap();
        let error = fields.integer("date").unwrap_err();
        assert_eq!(error.to_string(), "date expected at byte 5");
    }
}
