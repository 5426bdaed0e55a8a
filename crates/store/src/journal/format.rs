//! How the records of a segment are checked.
//!
//! A segment begins with the same 32 bytes twice, so that one rotten sector of them does not cost all that follows:
//!
//! | Bytes | Content |
//! |---|---|
//! | 0..8 | `SMPJSEG2` |
//! | 8..24 | the key of the segment, random |
//! | 24..32 | checksum of bytes 0..24 |
//!
//! A checksum is the AES-128-GMAC of what it covers, cut to 8 bytes. Its nonce says what that is, and where in the segment: what was
//! written to one place, or another segment, is sound nowhere else. Senders choose bodies but never see a key or a checksum, so that
//! bytes in a body are never taken for a record, wherever reading goes on after damage. Whoever sees a checksum sees the key as
//! well: that a nonce is used again after a write that failed tells nobody anything.
//!
//! Segments of versions before have no such beginning, and CRC-32, which every sender can compute. They are only read.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use smp_protocol::id::fill_random;
use zeroize::Zeroizing;

use super::record::{FIELDS_LENGTH, HEADER_LENGTH, Header, UNKEYED_HEADER_LENGTH};

/// What a segment begins with.
pub const SEGMENT_HEADER_LENGTH: usize = 2 * COPY_LENGTH;
const COPY_LENGTH: usize = 32;
const SEGMENT_MAGIC: &[u8; 8] = b"SMPJSEG2";
const KEY_LENGTH: usize = 16;
const CHECKED: usize = SEGMENT_MAGIC.len() + KEY_LENGTH;
const INDEX_MAGIC: &[u8; 8] = b"SMPJIDX2";
const UNKEYED_INDEX_MAGIC: &[u8; 8] = b"SMPJIDX1";

/// What a checksum covers.
#[derive(Clone, Copy)]
enum Part {
    SegmentHeader = 1,
    RecordHeader = 2,
    Body = 3,
    Index = 4,
}

/// The key of a segment.
pub struct SegmentKey(LessSafeKey);

impl SegmentKey {
    /// A fresh one, and the beginning of its segment.
    pub fn random() -> (Self, Zeroizing<[u8; SEGMENT_HEADER_LENGTH]>) {
        let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
        fill_random(&mut *bytes);
        let key = Self::new(&bytes);
        let mut header = Zeroizing::new([0; SEGMENT_HEADER_LENGTH]);
        for copy in header.chunks_exact_mut(COPY_LENGTH) {
            copy[..SEGMENT_MAGIC.len()].copy_from_slice(SEGMENT_MAGIC);
            copy[SEGMENT_MAGIC.len()..CHECKED].copy_from_slice(&*bytes);
            let checksum = key.checksum(Part::SegmentHeader, 0, &copy[..CHECKED]);
            copy[CHECKED..].copy_from_slice(&checksum.to_le_bytes());
        }
        (key, header)
    }

    fn new(bytes: &[u8; KEY_LENGTH]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, bytes).expect("a key of AES-128 has 16 bytes")))
    }

    /// The key in one copy of the beginning of a segment.
    fn read(copy: &[u8]) -> Option<Self> {
        let key = Self::new(copy.strip_prefix(SEGMENT_MAGIC)?.first_chunk()?);
        let checksum = copy.get(CHECKED..COPY_LENGTH)?;
        (key.checksum(Part::SegmentHeader, 0, &copy[..CHECKED]).to_le_bytes() == *checksum).then_some(key)
    }

    fn checksum(&self, part: Part, offset: u64, bytes: &[u8]) -> u64 {
        let mut nonce = [0; NONCE_LEN];
        nonce[0] = part as u8;
        nonce[4..].copy_from_slice(&offset.to_le_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(bytes), &mut []);
        let tag = tag.expect("files are far shorter than what can be authenticated");
        tag.as_ref().first_chunk().map_or(0, |tag| u64::from_le_bytes(*tag))
    }

    /// Checksum of a body that begins at `offset`.
    pub fn of_body(&self, offset: u64, body: &[u8]) -> u64 {
        self.checksum(Part::Body, offset, body)
    }

    /// Checksum of the fields of a record that begins at `offset`.
    pub fn of_header(&self, offset: u64, fields: &[u8; FIELDS_LENGTH]) -> u64 {
        self.checksum(Part::RecordHeader, offset, fields)
    }
}

/// The form of the records of a segment.
pub enum Format {
    /// With checksums that only this server can make.
    Keyed(Arc<SegmentKey>),
    /// Of a version before.
    Unkeyed,
}

impl Format {
    /// The format of a segment that begins with these bytes; `None` if that cannot be told.
    pub fn of(start: &[u8]) -> Option<Self> {
        if let Some(key) = start.chunks_exact(COPY_LENGTH).take(2).find_map(SegmentKey::read) {
            return Some(Self::Keyed(Arc::new(key)));
        }
        let header = start.first_chunk()?;
        Header::decode_unkeyed(header).map(|_| Self::Unkeyed)
    }

    /// Where the first record begins.
    pub fn first_record(&self) -> u64 {
        match self {
            Self::Keyed(_) => SEGMENT_HEADER_LENGTH as u64,
            Self::Unkeyed => 0,
        }
    }

    /// Length of a record without its body.
    pub fn header_length(&self) -> usize {
        match self {
            Self::Keyed(_) => HEADER_LENGTH,
            Self::Unkeyed => UNKEYED_HEADER_LENGTH,
        }
    }

    /// Length of a record with its body.
    pub fn record_length(&self, header: &Header) -> u64 {
        self.header_length() as u64 + u64::from(header.body_length)
    }

    /// The header that begins with these bytes, at `offset` in the segment; `None` if it is none, or damaged.
    pub fn header(&self, offset: u64, bytes: &[u8]) -> Option<Header> {
        match self {
            Self::Keyed(key) => Header::decode(bytes.first_chunk()?, key, offset),
            Self::Unkeyed => Header::decode_unkeyed(bytes.first_chunk()?),
        }
    }

    /// Length of a record whose header is as it was written, and says what no version would say now: it is passed over.
    pub fn length_of_unknown(&self, offset: u64, bytes: &[u8]) -> Option<u64> {
        let body_length = match self {
            Self::Keyed(key) => Header::body_length_of(bytes.first_chunk()?, key, offset)?,
            Self::Unkeyed => Header::body_length_of_unkeyed(bytes.first_chunk()?)?,
        };
        Some(self.header_length() as u64 + u64::from(body_length))
    }

    /// A header as the index holds it.
    pub fn indexed(&self, header: &Header) -> [u8; FIELDS_LENGTH] {
        match self {
            Self::Keyed(_) => header.fields(),
            Self::Unkeyed => header.encode_unkeyed(),
        }
    }

    /// The header in a sound index.
    pub fn of_index(&self, bytes: &[u8; FIELDS_LENGTH]) -> Option<Header> {
        match self {
            Self::Keyed(_) => Header::of_fields(bytes),
            Self::Unkeyed => Header::of_unkeyed(bytes),
        }
    }

    /// Checksum of a body that begins at `offset`.
    pub fn body_checksum(&self, offset: u64, body: &[u8]) -> u64 {
        match self {
            Self::Keyed(key) => key.of_body(offset, body),
            Self::Unkeyed => crc32fast::hash(body).into(),
        }
    }

    /// What an index begins with.
    pub fn index_magic(&self) -> &'static [u8; 8] {
        match self {
            Self::Keyed(_) => INDEX_MAGIC,
            Self::Unkeyed => UNKEYED_INDEX_MAGIC,
        }
    }

    /// What an index with these entries ends with.
    pub fn index_checksum(&self, entries: &[u8]) -> Vec<u8> {
        match self {
            Self::Keyed(key) => key.checksum(Part::Index, 0, entries).to_le_bytes().to_vec(),
            Self::Unkeyed => {
                let mut checksum = crc32fast::Hasher::new();
                checksum.update(UNKEYED_INDEX_MAGIC);
                checksum.update(entries);
                checksum.finalize().to_le_bytes().to_vec()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_damage_of_either_copy_and_not_of_both() {
        let (key, header) = SegmentKey::random();
        let body = key.of_body(64, b"body");
        let found = |header: &[u8]| match Format::of(header)? {
            Format::Keyed(key) => Some(key.of_body(64, b"body") == body),
            Format::Unkeyed => None,
        };
        for bit in 0..8 * SEGMENT_HEADER_LENGTH {
            let mut header = *header;
            header[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(found(&header), Some(true), "bit {bit}");
            header[(bit / 8 + COPY_LENGTH) % SEGMENT_HEADER_LENGTH] ^= 1;
            assert_eq!(found(&header), None, "bit {bit} and the same byte of the other copy");
        }
        assert_eq!(found(&header[..COPY_LENGTH - 1]), None);
    }

    #[test]
    fn a_checksum_is_of_one_place_and_one_segment() {
        let (key, other) = (SegmentKey::random().0, SegmentKey::random().0);
        let body = [7; FIELDS_LENGTH];
        assert_eq!(key.of_body(64, &body), key.of_body(64, &body));
        assert_ne!(key.of_body(64, &body), key.of_body(65, &body));
        assert_ne!(key.of_body(64, &body), key.of_header(64, &body));
        assert_ne!(key.of_body(64, &body), other.of_body(64, &body));
    }
}
