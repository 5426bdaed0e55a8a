//! Blocks: the unit of everything on a connection, always 16384 bytes (wire.md §4.1).

use thiserror::Error;

use crate::encoding::{Decoded, Malformed};

/// Bytes of a block on the wire.
pub const BLOCK_SIZE: usize = 16384;
/// Most bytes of content in an unencrypted block.
pub const MAX_PLAIN_CONTENT: usize = BLOCK_SIZE - 2;
/// Bytes of the padded content in an encrypted block.
pub const SEALED_CONTENT: usize = BLOCK_SIZE - crate::crypto::secret_box::TAG_LENGTH;
/// Most bytes of content in an encrypted block.
pub const MAX_SEALED_CONTENT: usize = SEALED_CONTENT - 2;

const PAD: u8 = b'#';

/// Content that does not fit its padded size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("content of {length} bytes does not fit {size} padded bytes")]
pub struct ContentTooLong {
    /// Bytes of the content.
    pub length: usize,
    /// Bytes after padding.
    pub size: usize,
}

/// Fills `padded` with `u16 length ‖ content ‖ '#'…`.
pub fn pad_into(content: &[u8], padded: &mut [u8]) -> Result<(), ContentTooLong> {
    let too_long = ContentTooLong { length: content.len(), size: padded.len() };
    let length = u16::try_from(content.len()).map_err(|_| too_long)?;
    let (head, rest) = padded.split_first_chunk_mut().ok_or(too_long)?;
    let (body, padding) = rest.split_at_mut_checked(content.len()).ok_or(too_long)?;
    *head = length.to_be_bytes();
    body.copy_from_slice(content);
    padding.fill(PAD);
    Ok(())
}

/// `content` padded to `size` bytes.
pub fn pad(content: &[u8], size: usize) -> Result<Vec<u8>, ContentTooLong> {
    let mut padded = vec![0; size];
    pad_into(content, &mut padded)?;
    Ok(padded)
}

/// Pads what begins at `start` of a buffer with two bytes for the length and then the content: for content that is assembled in
/// place.
///
/// # Panics
///
/// If that is shorter than 2 bytes or longer than `size`, or `size` above 65537: the caller assembled it.
pub(crate) fn finish_padding(buffer: &mut Vec<u8>, start: usize, size: usize) {
    let padded = buffer.len() - start;
    let length = u16::try_from(padded - 2).expect("content fits its length field");
    assert!(padded <= size, "content fits its padded size");
    buffer[start..start + 2].copy_from_slice(&length.to_be_bytes());
    buffer.resize(start + size, PAD);
}

/// The content of padded bytes; what follows the content is not looked at.
pub fn unpad(padded: &[u8]) -> Decoded<&[u8]> {
    let (head, rest) = padded.split_first_chunk().ok_or(Malformed)?;
    rest.get(..usize::from(u16::from_be_bytes(*head))).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_exact() {
        assert_eq!(pad(b"abc", 5).unwrap(), b"\x00\x03abc");
        assert_eq!(pad(b"abc", 7).unwrap(), b"\x00\x03abc##");
        assert!(pad(b"abc", 4).is_err());
        assert!(pad(b"", 1).is_err());
        assert!(pad(&vec![0; 65536], 70_000).is_err());
    }

    #[test]
    fn unpadding_ignores_the_padding() {
        assert_eq!(unpad(b"\x00\x01ab"), Ok(&b"a"[..]));
        assert_eq!(unpad(b"\x00\x03ab"), Err(Malformed));
        assert_eq!(unpad(b"\x00"), Err(Malformed));
    }
}
