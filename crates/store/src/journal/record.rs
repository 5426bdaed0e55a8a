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
//! | 72..76 | CRC-32 of the body |
//! | 76..80 | CRC-32 of bytes 0..76 |
//! | 80.. | the body |

use smp_protocol::id::{MessageId, RecipientId};
use smp_protocol::message::MAX_STORED_BODY;

use super::key_table::SEAL_LENGTH;

/// Length of a record without its body.
pub const HEADER_LENGTH: usize = 80;
/// What every record begins with.
pub const MAGIC: [u8; 4] = *b"SMPJ";
const CHECKED: usize = HEADER_LENGTH - 4;

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
    pub body_checksum: u32,
}

impl Header {
    /// The bytes of the header.
    pub fn encode(&self) -> [u8; HEADER_LENGTH] {
        let mut out = [0; HEADER_LENGTH];
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
        out[72..CHECKED].copy_from_slice(&self.body_checksum.to_le_bytes());
        let checksum = crc32fast::hash(&out[..CHECKED]);
        out[CHECKED..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads a header; `None` if it is none, or damaged.
    pub fn decode(bytes: &[u8; HEADER_LENGTH]) -> Option<Self> {
        if bytes[..4] != MAGIC || crc32fast::hash(&bytes[..CHECKED]) != u32_at(bytes, CHECKED) {
            return None;
        }
        Self::decode_sound(bytes)
    }

    /// Reads a header whose bytes are known to be as they were written.
    pub fn decode_sound(bytes: &[u8; HEADER_LENGTH]) -> Option<Self> {
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
        let body_length = u16::from_le_bytes([bytes[6], bytes[7]]);
        if usize::from(body_length) > MAX_STORED_BODY + added {
            return None;
        }
        Some(Self {
            kind,
            sealed,
            body_length,
            sequence: u64::from_le_bytes(array_at(bytes, 8)),
            timestamp: i64::from_le_bytes(array_at(bytes, 16)),
            queue: array_at::<24>(bytes, 24).into(),
            message: array_at::<24>(bytes, 48).into(),
            body_checksum: u32_at(bytes, 72),
        })
    }

    /// Length of the record with its body.
    pub fn record_length(&self) -> usize {
        HEADER_LENGTH + usize::from(self.body_length)
    }
}

fn array_at<const N: usize>(bytes: &[u8; HEADER_LENGTH], start: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[start..start + N]);
    array
}

fn u32_at(bytes: &[u8; HEADER_LENGTH], start: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, start))
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
        fn what_is_written_is_read(body_length in 0..=16088_u16, sequence: u64, timestamp: i64, ids: ([u8; 24], [u8; 24])) {
            for kind in [Kind::Message { notify: false }, Kind::Message { notify: true }, Kind::QuotaMarker, Kind::Removal] {
                let header = header(kind, body_length, sequence, timestamp, ids);
                prop_assert_eq!(Header::decode(&header.encode()), Some(header));
            }
        }

        #[test]
        fn every_damage_is_noticed(position in 0..HEADER_LENGTH, change in 1..=255_u8) {
            let mut bytes = header(Kind::Removal, 0, 5, 6, ([1; 24], [2; 24])).encode();
            bytes[position] ^= change;
            prop_assert_eq!(Header::decode(&bytes), None);
        }
    }
}
