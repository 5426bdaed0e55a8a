//! Encoding primitives (wire.md §1): a bounds-checked [`Reader`] over received bytes and the [`Encode`]
//! functions that append to a growing buffer.
//!
//! | Form | Bytes |
//! |---|---|
//! | `u16`, `u32`, `i64` | big-endian, fixed width |
//! | Bool | `T` or `F` |
//! | optional | `0`, or `1` and the value |
//! | short string | `u8` length (0..=255) and the bytes |
//! | large string | `u16` length (0..=65535) and the bytes |
//! | non-empty list | `u8` count (1..=255) and the items |
//! | tail | the rest of the input |

use thiserror::Error;

/// The input does not have the expected form.
///
/// Deliberately without detail: what a peer learns about its malformed bytes is decided by the level at
/// which decoding failed (wire.md §5.4), not by the byte that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("malformed input")]
pub struct Malformed;

/// Result of decoding.
pub type Decoded<T> = Result<T, Malformed>;

/// A cursor over received bytes; every read is checked against the end of the input.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `input`.
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Fails unless everything has been read.
    pub fn finish(&self) -> Decoded<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    /// Exactly `n` bytes.
    pub fn take(&mut self, n: usize) -> Decoded<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    /// Exactly `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Decoded<u8> {
        self.array::<1>().map(|[b]| b)
    }

    /// Big-endian `u16`.
    pub fn u16(&mut self) -> Decoded<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Big-endian `i64`.
    pub fn i64(&mut self) -> Decoded<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// `T` or `F`.
    pub fn bool(&mut self) -> Decoded<bool> {
        match self.u8()? {
            b'T' => Ok(true),
            b'F' => Ok(false),
            _ => Err(Malformed),
        }
    }

    /// The single space that separates arguments.
    pub fn space(&mut self) -> Decoded<()> {
        self.literal(b" ")
    }

    /// Exactly these bytes.
    pub fn literal(&mut self, expected: &[u8]) -> Decoded<()> {
        if self.take(expected.len())? == expected { Ok(()) } else { Err(Malformed) }
    }

    /// `0`, or `1` followed by what `item` reads.
    pub fn optional<T>(&mut self, item: impl FnOnce(&mut Self) -> Decoded<T>) -> Decoded<Option<T>> {
        match self.u8()? {
            b'0' => Ok(None),
            b'1' => item(self).map(Some),
            _ => Err(Malformed),
        }
    }

    /// Short string: `u8` length and that many bytes.
    pub fn short(&mut self) -> Decoded<&'a [u8]> {
        let n = self.u8()?;
        self.take(n.into())
    }

    /// Large string: `u16` length and that many bytes.
    pub fn large(&mut self) -> Decoded<&'a [u8]> {
        let n = self.u16()?;
        self.take(n.into())
    }

    /// Non-empty list: `u8` count, 1..=255, and that many items.
    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Decoded<T>) -> Decoded<Vec<T>> {
        let n = self.u8()?;
        if n == 0 {
            return Err(Malformed);
        }
        (0..n).map(|_| item(self)).collect()
    }

    /// All remaining bytes.
    pub fn tail(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

/// A string too long for its length field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{length} bytes do not fit a string of at most {limit} bytes")]
pub struct TooLong {
    /// Bytes that were to be written.
    pub length: usize,
    /// The most that fit.
    pub limit: usize,
}

/// Appends encoded values to a buffer.
pub trait Encode {
    /// Big-endian `u16`.
    fn put_u16(&mut self, value: u16);
    /// Big-endian `i64`.
    fn put_i64(&mut self, value: i64);
    /// `T` or `F`.
    fn put_bool(&mut self, value: bool);
    /// Bytes as they are.
    fn put(&mut self, bytes: &[u8]);
    /// Short string of a value known to have at most 255 bytes: longer ones are cut in release builds, which no
    /// caller in this crate can reach because their types bound the length.
    fn put_short(&mut self, bytes: &[u8]);
    /// Short string of bytes whose length is not known.
    fn try_put_short(&mut self, bytes: &[u8]) -> Result<(), TooLong>;
    /// Large string of bytes whose length is not known.
    fn try_put_large(&mut self, bytes: &[u8]) -> Result<(), TooLong>;
    /// `0`, or `1` followed by what `item` writes.
    fn put_optional<T>(&mut self, value: Option<T>, item: impl FnOnce(&mut Self, T));
}

impl Encode for Vec<u8> {
    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_i64(&mut self, value: i64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_bool(&mut self, value: bool) {
        self.push(if value { b'T' } else { b'F' });
    }

    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn put_short(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= 255, "short string of {} bytes", bytes.len());
        let n = bytes.len().min(255);
        self.push(u8::try_from(n).unwrap_or(u8::MAX));
        self.extend_from_slice(&bytes[..n]);
    }

    fn try_put_short(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let n = u8::try_from(bytes.len()).map_err(|_| TooLong { length: bytes.len(), limit: 255 })?;
        self.push(n);
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn try_put_large(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let n = u16::try_from(bytes.len()).map_err(|_| TooLong { length: bytes.len(), limit: 65535 })?;
        self.put_u16(n);
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn put_optional<T>(&mut self, value: Option<T>, item: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.push(b'0'),
            Some(v) => {
                self.push(b'1');
                item(self, v);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_big_endian() {
        let mut out = Vec::new();
        out.put_i64(1_234_567_890_123_456_789);
        assert_eq!(out, [0x11, 0x22, 0x10, 0xf4, 0x7d, 0xe9, 0x81, 0x15]);
        out.clear();
        out.put_i64(-1);
        assert_eq!(out, [0xff; 8]);
        assert_eq!(Reader::new(&out).i64(), Ok(-1));
    }

    #[test]
    fn short_input_is_malformed() {
        assert_eq!(Reader::new(b"").u8(), Err(Malformed));
        assert_eq!(Reader::new(b"\x01").u16(), Err(Malformed));
        assert_eq!(Reader::new(b"\x03ab").short(), Err(Malformed));
        assert_eq!(Reader::new(b"\x00\x03ab").large(), Err(Malformed));
        assert_eq!(Reader::new(b"\x00").list(Reader::u8), Err(Malformed));
        assert_eq!(Reader::new(b"\x02a").list(Reader::u8), Err(Malformed));
    }

    #[test]
    fn optional_needs_its_digit() {
        assert_eq!(Reader::new(b"0").optional(Reader::u8), Ok(None));
        assert_eq!(Reader::new(b"1x").optional(Reader::u8), Ok(Some(b'x')));
        assert_eq!(Reader::new(b"2x").optional(Reader::u8), Err(Malformed));
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let mut out = Vec::new();
        assert!(out.try_put_short(&[0; 256]).is_err());
        assert!(out.try_put_large(&vec![0; 65536]).is_err());
        assert!(out.is_empty());
        assert!(out.try_put_short(&[7; 255]).is_ok());
        assert_eq!(Reader::new(&out).short(), Ok(&[7; 255][..]));
    }
}
