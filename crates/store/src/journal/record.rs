//! Records of the journal.
//!
//! | Bytes | Content, integers little-endian |
//! |---|---|
//! | 0..4 | `SMPJ` |
//! | 4 | 1 message, 2 message with notification, 3 quota marker, 4 removal of a message or marker |
//! | 5 | 1 if the body is sealed with the key of its queue, else 0 |
//! | 6..8 | length of the body, 0 without one |
//! | 8..16 | sequence number: order of messages, kept when a record is moved |
//! | 16..24 | when the message was stored, seconds since 1970 |
//! | 24..48 | recipient ID of the queue |
//! | 48..72 | message ID |
//! | 72..80 | checksum of the body |
//! | 80..88 | checksum of bytes 0..80 |
//! | 88.. | the body |
//!
//! Both checksums have the key of the segment ([`super::format`]). In segments of versions before, bytes 72..76 are a CRC-32 of the
//! body, 76..80 one of bytes 0..76, and the body begins at byte 80.

use smp_protocol::id::{MessageId, RecipientId};
use smp_protocol::message::MAX_STORED_BODY;

use super::format::SegmentKey;
use super::key_table::SEAL_LENGTH;

/// Length of a record without its body.
pub const HEADER_LENGTH: usize = FIELDS_LENGTH + 8;
/// Length of a header without its checksum.
pub const FIELDS_LENGTH: usize = 80;
/// Length of a record without its body in segments of versions before.
pub const UNKEYED_HEADER_LENGTH: usize = 80;
/// What every record begins with.
pub const MAGIC: [u8; 4] = *b"SMPJ";
/// No sequence number is greater. It takes 100,000 years to get there with a million messages a second.
pub const MAX_SEQUENCE: u64 = 1 << 62;
/// Versions before stored fewer messages. Greater numbers are those of records that a sender made up.
const MAX_UNKEYED_SEQUENCE: u64 = 1 << 40;
const UNKEYED_CHECKED: usize = UNKEYED_HEADER_LENGTH - 4;
const BODY_CHECKSUM: usize = 72;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message; whether its sender asked for a notification.
    Message { notify: bool },
    /// The queue was full.
    QuotaMarker,
    /// The message or marker is not in the queue any more.
    Removal,
}

/// A record without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    /// The body is sealed, and 40 bytes longer.
    pub sealed: bool,
    pub body_length: u16,
    pub sequence: u64,
    pub timestamp: i64,
    pub queue: RecipientId,
    pub message: MessageId,
    pub body_checksum: u64,
}

impl Header {
    /// The bytes of a header that is written at `offset`.
    pub fn encode(&self, key: &SegmentKey, offset: u64) -> [u8; HEADER_LENGTH] {
        let mut out = [0; HEADER_LENGTH];
        let fields = self.fields();
        out[..FIELDS_LENGTH].copy_from_slice(&fields);
        out[FIELDS_LENGTH..].copy_from_slice(&key.of_header(offset, &fields).to_le_bytes());
        out
    }

    /// Everything but the checksum.
    pub fn fields(&self) -> [u8; FIELDS_LENGTH] {
        let mut out = [0; FIELDS_LENGTH];
        out[..4].copy_from_slice(&MAGIC);
        out[4] = match self.kind {
            Kind::Message { notify: false } => 1,
            Kind::Message { notify: true } => 2,
            Kind::QuotaMarker => 3,
            Kind::Removal => 4,
        };
        out[5] = self.sealed.into();
        out[6..8].copy_from_slice(&self.body_length.to_le_bytes());
        out[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        out[16..24].copy_from_slice(&self.timestamp.to_le_bytes());
        out[24..48].copy_from_slice(self.queue.as_ref());
        out[48..72].copy_from_slice(self.message.as_ref());
        out[BODY_CHECKSUM..].copy_from_slice(&self.body_checksum.to_le_bytes());
        out
    }

    /// Reads a header at `offset`; `None` if it is none, or damaged.
    pub fn decode(bytes: &[u8; HEADER_LENGTH], key: &SegmentKey, offset: u64) -> Option<Self> {
        Self::of_fields(sound_fields(bytes, key, offset)?)
    }

    /// Length of the body behind a header whose checksum is right, whatever else it says.
    pub fn body_length_of(bytes: &[u8; HEADER_LENGTH], key: &SegmentKey, offset: u64) -> Option<u16> {
        sound_fields(bytes, key, offset).map(body_length)
    }

    /// The same in a segment of a version before.
    pub fn body_length_of_unkeyed(bytes: &[u8; UNKEYED_HEADER_LENGTH]) -> Option<u16> {
        is_sound_unkeyed(bytes).then(|| body_length(bytes))
    }

    /// Reads fields that are known to be as they were written.
    pub fn of_fields(bytes: &[u8; FIELDS_LENGTH]) -> Option<Self> {
        let kind = match bytes[4] {
            1 => Kind::Message { notify: false },
            2 => Kind::Message { notify: true },
            3 => Kind::QuotaMarker,
            4 => Kind::Removal,
            _ => return None,
        };
        let (sealed, added) = match bytes[5] {
            0 => (false, 0),
            1 => (true, SEAL_LENGTH),
            _ => return None,
        };
        let body_length = body_length(bytes);
        let sequence = u64::from_le_bytes(array_at(bytes, 8));
        if usize::from(body_length) > MAX_STORED_BODY + added || sequence > MAX_SEQUENCE {
            return None;
        }
        Some(Self {
            kind,
            sealed,
            body_length,
            sequence,
            timestamp: i64::from_le_bytes(array_at(bytes, 16)),
            queue: array_at::<24>(bytes, 24).into(),
            message: array_at::<24>(bytes, 48).into(),
            body_checksum: u64::from_le_bytes(array_at(bytes, BODY_CHECKSUM)),
        })
    }

    /// The bytes of a header in a segment of a version before.
    pub fn encode_unkeyed(&self) -> [u8; UNKEYED_HEADER_LENGTH] {
        let mut out = self.fields();
        let checksum = crc32fast::hash(&out[..UNKEYED_CHECKED]);
        out[UNKEYED_CHECKED..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads a header of a segment of a version before; `None` if it is none, or damaged. One flipped bit is put right: where a record
    /// whose header is damaged ends, and the next one begins, cannot be told otherwise without trusting bytes that a sender chose.
    pub fn decode_unkeyed(bytes: &[u8; UNKEYED_HEADER_LENGTH]) -> Option<Self> {
        if is_sound_unkeyed(bytes) {
            return Self::of_unkeyed(bytes);
        }
        let mut mended = *bytes;
        for bit in 0..8 * UNKEYED_HEADER_LENGTH {
            mended[bit / 8] ^= 1 << (bit % 8);
            if is_sound_unkeyed(&mended) {
                return Self::of_unkeyed(&mended);
            }
            mended[bit / 8] ^= 1 << (bit % 8);
        }
        None
    }

    /// Reads a header of a segment of a version before whose bytes are known to be as they were written.
    pub fn of_unkeyed(bytes: &[u8; UNKEYED_HEADER_LENGTH]) -> Option<Self> {
        let mut header = Self::of_fields(bytes)?;
        header.body_checksum &= u64::from(u32::MAX);
        (header.sequence <= MAX_UNKEYED_SEQUENCE).then_some(header)
    }
}

fn sound_fields<'a>(bytes: &'a [u8; HEADER_LENGTH], key: &SegmentKey, offset: u64) -> Option<&'a [u8; FIELDS_LENGTH]> {
    let (fields, checksum) = bytes.split_first_chunk()?;
    (fields[..4] == MAGIC && key.of_header(offset, fields).to_le_bytes() == *checksum).then_some(fields)
}

fn body_length(fields: &[u8; FIELDS_LENGTH]) -> u16 {
    u16::from_le_bytes([fields[6], fields[7]])
}

fn is_sound_unkeyed(bytes: &[u8; UNKEYED_HEADER_LENGTH]) -> bool {
    let (checked, checksum) = bytes.split_at(UNKEYED_CHECKED);
    checked[..4] == MAGIC && crc32fast::hash(checked).to_le_bytes() == *checksum
}

fn array_at<const N: usize>(bytes: &[u8; FIELDS_LENGTH], start: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[start..start + N]);
    array
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(kind: Kind, body_length: u16, sequence: u64, timestamp: i64, ids: ([u8; 24], [u8; 24])) -> Header {
        let (queue, message) = (ids.0.into(), ids.1.into());
        Header { kind, sealed: sequence % 2 == 1, body_length, sequence, timestamp, queue, message, body_checksum: 77 }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            body_length in 0..=16088_u16,
            sequence in 0..=MAX_UNKEYED_SEQUENCE,
            timestamp: i64,
            ids: ([u8; 24], [u8; 24]),
            offset: u32,
        ) {
            let (key, _) = SegmentKey::random();
            for kind in [Kind::Message { notify: false }, Kind::Message { notify: true }, Kind::QuotaMarker, Kind::Removal] {
                let header = header(kind, body_length, sequence, timestamp, ids);
                let bytes = header.encode(&key, offset.into());
                prop_assert_eq!(Header::decode(&bytes, &key, offset.into()), Some(header));
                prop_assert_eq!(Header::decode(&bytes, &key, u64::from(offset) + 1), None, "nor anywhere else");
                prop_assert_eq!(Header::decode(&bytes, &SegmentKey::random().0, offset.into()), None, "nor with another key");
                prop_assert_eq!(Header::decode_unkeyed(&header.encode_unkeyed()), Some(header));
            }
        }

        #[test]
        fn every_damage_is_noticed(position in 0..HEADER_LENGTH, change in 1..=255_u8) {
            let (key, _) = SegmentKey::random();
            let mut bytes = header(Kind::Removal, 0, 5, 6, ([1; 24], [2; 24])).encode(&key, 64);
            bytes[position] ^= change;
            prop_assert_eq!(Header::decode(&bytes, &key, 64), None);
        }

        #[test]
        fn one_bit_of_an_old_header_is_put_right_and_more_damage_noticed(
            one in 0..8 * UNKEYED_HEADER_LENGTH, other in 0..8 * UNKEYED_HEADER_LENGTH,
        ) {
            let header = header(Kind::Removal, 0, 5, 6, ([1; 24], [2; 24]));
            let mut bytes = header.encode_unkeyed();
            bytes[one / 8] ^= 1 << (one % 8);
            prop_assert_eq!(Header::decode_unkeyed(&bytes), Some(header));
            bytes[other / 8] ^= 1 << (other % 8);
            prop_assert_eq!(Header::decode_unkeyed(&bytes), (one == other).then_some(header));
        }
    }

    #[test]
    fn sequence_numbers_are_bounded() {
        let (key, _) = SegmentKey::random();
        let decoded = |sequence| {
            let header = header(Kind::Removal, 0, sequence, 6, ([1; 24], [2; 24]));
            let keyed = Header::decode(&header.encode(&key, 64), &key, 64).is_some();
            (keyed, Header::decode_unkeyed(&header.encode_unkeyed()).is_some())
        };
        assert_eq!(decoded(MAX_UNKEYED_SEQUENCE), (true, true));
        assert_eq!(decoded(MAX_UNKEYED_SEQUENCE + 1), (true, false));
        assert_eq!(decoded(MAX_SEQUENCE), (true, false));
        for sequence in [MAX_SEQUENCE + 1, u64::MAX - 1, u64::MAX] {
            assert_eq!(decoded(sequence), (false, false));
        }
    }
}
