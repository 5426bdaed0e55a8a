//! Bulk subscription by a service, addressed to its service ID (wire.md §6.4).

use md5::{Digest, Md5};

use super::Arguments;
use crate::encoding::{Decoded, Encode, Malformed, Reader};
use crate::version::Version;

/// A set of queues by number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueSet {
    /// Number of queues; -1 if the client did not say.
    pub count: i64,
    /// XOR of the MD5 of their IDs.
    pub hash: QueueIdsHash,
}

/// XOR of the MD5 of queue IDs, 16 bytes; zero for no queues. Adding and removing an ID are the same operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueIdsHash(pub [u8; 16]);

impl QueueIdsHash {
    /// Adds an ID that is not in the set, or removes one that is.
    pub fn toggle(&mut self, id: &[u8]) {
        self.combine(Self(Md5::digest(id).into()));
    }

    /// The symmetric difference with another set.
    pub fn combine(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a ^= b);
    }
}

impl QueueSet {
    /// What versions without arguments stand for.
    pub const UNKNOWN: Self = Self { count: -1, hash: QueueIdsHash([0; 16]) };

    /// Reads `i64 ‖ s(hash)`. A hash of another length than 16 differs from every hash of a server; it parses.
    pub(crate) fn decode(input: &mut Reader<'_>) -> Decoded<Self> {
        let count = input.i64()?;
        let bytes = input.short()?;
        let hash = match <[u8; 16]>::try_from(bytes) {
            Ok(hash) => QueueIdsHash(hash),
            Err(_) => QueueIdsHash(Md5::digest(bytes).into()),
        };
        Ok(Self { count, hash })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_i64(self.count);
        out.put_short(&self.hash.0);
    }
}

/// What a service may do with all its queues at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceCommand {
    /// `SUBS`: receive the messages of all queues of the service.
    SubscribeQueues(QueueSet),
    /// `NSUBS`: receive the notifications of all queues of the service.
    SubscribeNotifiers(QueueSet),
}

impl ServiceCommand {
    pub(super) fn parse(tag: &[u8], arguments: Arguments<'_>, version: Version) -> Decoded<Self> {
        let expected = if version >= Version::SERVICE_HASH {
            arguments.parse(QueueSet::decode)
        } else {
            arguments.none(QueueSet::UNKNOWN)
        }?;
        match tag {
            b"SUBS" => Ok(Self::SubscribeQueues(expected)),
            b"NSUBS" => Ok(Self::SubscribeNotifiers(expected)),
            _ => Err(Malformed),
        }
    }

    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let (tag, expected) = match self {
            Self::SubscribeQueues(expected) => (&b"SUBS"[..], expected),
            Self::SubscribeNotifiers(expected) => (&b"NSUBS"[..], expected),
        };
        out.put(tag);
        if version >= Version::SERVICE_HASH {
            out.push(b' ');
            expected.encode(out);
        }
    }
}
