//! Commands of whoever holds a link, addressed to a link ID (wire.md §6.3).

use super::Arguments;
use crate::encoding::{Decoded, Encode, Malformed};
use crate::key::AuthKey;

/// What the holder of a link may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkCommand {
    /// `LKEY`: secure a messaging queue and read its link data.
    SecureAndGet(AuthKey),
    /// `LGET`: read the link data of a contact queue.
    Get,
}

impl LinkCommand {
    pub(super) fn parse(tag: &[u8], arguments: Arguments<'_>) -> Decoded<Self> {
        match tag {
            b"LKEY" => arguments.parse(AuthKey::decode).map(Self::SecureAndGet),
            b"LGET" => arguments.none(Self::Get),
            _ => Err(Malformed),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::SecureAndGet(key) => {
                out.put(b"LKEY ");
                key.encode(out);
            }
            Self::Get => out.put(b"LGET"),
        }
    }
}
