//! Batches: the content of every block after the handshake (wire.md §4.2, §4.3).
//!
//! ```text
//! content = u8 count (1..=255) ‖ count × ( u16 length ‖ transmission )
//! ```

use crate::block::BLOCK_SIZE;
use crate::encoding::{Decoded, Malformed, Reader};

/// Most transmissions in a block.
pub const MAX_TRANSMISSIONS: usize = 255;

/// Most bytes, length fields included, that a writer puts behind the count: what fits an encrypted block, in unencrypted
/// blocks too, so that packing does not depend on the connection.
pub const MAX_PACKED: usize = BLOCK_SIZE - 16 - 2 - 1;

/// Bytes of the longest transmission that a writer packs.
pub const MAX_PACKED_TRANSMISSION: usize = MAX_PACKED - 2;

/// Splits the content of a block into its transmissions. Anything but exactly `count` whole items is malformed.
pub fn split(content: &[u8]) -> Decoded<Vec<&[u8]>> {
    let mut input = Reader::new(content);
    let items = input.list(Reader::large)?;
    input.finish()?;
    Ok(items)
}

/// Packs transmissions into the content of one block.
#[derive(Debug)]
pub struct BatchWriter {
    content: Vec<u8>,
    count: u8,
    limit: usize,
}

/// What became of an item given to [`BatchWriter::push`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is in the block.
    Added,
    /// The block has no room for it; the next one has.
    Full,
    /// No block has room for it.
    TooLong,
}

impl Default for BatchWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchWriter {
    /// For blocks that may be encrypted.
    pub fn new() -> Self {
        Self::with_limit(MAX_PACKED)
    }

    /// For blocks known to be unencrypted, which hold 16 bytes more: the longest forward of a version 10 client needs them
    /// (wire.md §13).
    pub fn unencrypted() -> Self {
        Self::with_limit(BLOCK_SIZE - 2 - 1)
    }

    fn with_limit(limit: usize) -> Self {
        let mut content = Vec::with_capacity(1 + limit);
        content.push(0);
        Self { content, count: 0, limit }
    }

    /// Whether there is nothing in the block yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that the next transmission may have.
    pub fn room(&self) -> usize {
        if usize::from(self.count) == MAX_TRANSMISSIONS {
            return 0;
        }
        (1 + self.limit).saturating_sub(self.content.len() + 2)
    }

    /// Appends one transmission; `write` must only append to its buffer.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Pushed {
        let start = self.content.len();
        let room = self.room();
        self.content.extend_from_slice(&[0, 0]);
        write(&mut self.content);
        let length = self.content.len() - start - 2;
        match u16::try_from(length) {
            Ok(prefix) if length <= room => {
                self.content[start..start + 2].copy_from_slice(&prefix.to_be_bytes());
                self.count += 1;
                self.content[0] = self.count;
                Pushed::Added
            }
            _ => {
                self.content.truncate(start);
                if length + 2 > self.limit { Pushed::TooLong } else { Pushed::Full }
            }
        }
    }

    /// The content of the block: what [`split`] reads.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Starts the next block in the same buffer.
    pub fn clear(&mut self) {
        self.content.truncate(1);
        self.content[0] = 0;
        self.count = 0;
    }
}

/// The only transmission of a block; any other number of them is malformed.
pub fn single(content: &[u8]) -> Decoded<&[u8]> {
    match split(content)?[..] {
        [transmission] => Ok(transmission),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn malformed_batches() {
        for content in [&b""[..], b"\x00", b"\x01", b"\x01\x00\x02a", b"\x01\x00\x01ab", b"\x02\x00\x01a"] {
            assert_eq!(split(content), Err(Malformed));
        }
        assert_eq!(split(b"\x01\x00\x00"), Ok(vec![&b""[..]]));
        assert_eq!(single(b"\x02\x00\x01a\x00\x01b"), Err(Malformed));
    }

    #[test]
    fn limits_of_a_block() {
        let mut batch = BatchWriter::new();
        assert_eq!(batch.push(|out| out.resize(out.len() + MAX_PACKED_TRANSMISSION + 1, 0)), Pushed::TooLong);
        assert_eq!(batch.push(|out| out.resize(out.len() + MAX_PACKED_TRANSMISSION, 0)), Pushed::Added);
        assert_eq!(batch.push(|out| out.push(0)), Pushed::Full);
        batch.clear();
        for _ in 0..MAX_TRANSMISSIONS {
            assert_eq!(batch.push(|out| out.push(1)), Pushed::Added);
        }
        assert_eq!(batch.push(|out| out.push(1)), Pushed::Full);
        assert_eq!(split(batch.content()).unwrap().len(), 255);
    }

    proptest! {
        #[test]
        fn what_is_packed_is_split(items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 1..300)) {
            let mut blocks: Vec<Vec<u8>> = Vec::new();
            let mut batch = BatchWriter::new();
            for item in &items {
                if batch.push(|out| out.extend_from_slice(item)) == Pushed::Full {
                    blocks.push(batch.content().to_vec());
                    batch.clear();
                    prop_assert_eq!(batch.push(|out| out.extend_from_slice(item)), Pushed::Added);
                }
            }
            blocks.push(batch.content().to_vec());
            let again: Vec<Vec<u8>> =
                blocks.iter().flat_map(|b| split(b).unwrap()).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(again, items);
        }
    }
}
