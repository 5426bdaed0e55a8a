//! Masking of what clients send (RFC 6455 §5.3).

/// Bytes of a key.
const KEY: usize = 4;

/// The mask of one frame, at a position in its payload.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mask {
    /// Turned so that it begins with the byte for the current position. All zero: no mask.
    key: [u8; KEY],
}

impl From<[u8; KEY]> for Mask {
    fn from(key: [u8; KEY]) -> Self {
        Self { key }
    }
}

impl Mask {
    /// Masks, or unmasks, the next bytes of the payload.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(KEY) {
            for (byte, key) in chunk.iter_mut().zip(self.key) {
                *byte ^= key;
            }
        }
        self.skip(bytes.len());
    }

    /// Goes on by so many bytes.
    pub fn skip(&mut self, length: usize) {
        self.key.rotate_left(length % KEY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_masked_like_the_whole() {
        let payload: Vec<u8> = (0..100).collect();
        // RFC 6455 §5.7: "Hello" masked.
        let mut hello = *b"Hello";
        Mask::from([0x37, 0xfa, 0x21, 0x3d]).apply(&mut hello);
        assert_eq!(hello, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);

        let mut whole = payload.clone();
        Mask::from([1, 2, 3, 4]).apply(&mut whole);
        for size in [1, 3, 4, 7, 64] {
            let (mut pieces, mut mask) = (payload.clone(), Mask::from([1, 2, 3, 4]));
            pieces.chunks_mut(size).for_each(|piece| mask.apply(piece));
            assert_eq!(pieces, whole);
        }
    }
}
