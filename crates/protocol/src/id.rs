//! Identifiers. The IDs of one queue are unrelated random values, and a `RecipientId` is not a `SenderId`:
//! using one in place of the other is a compile error here and "not found" on the wire (behaviour.md §2.3).

use std::fmt;

use aws_lc_rs::rand;
use sha3::{Digest, Sha3_384};

use crate::encoding::Malformed;

/// Length in bytes of every ID that a server makes.
pub const ID_LENGTH: usize = 24;

/// Cryptographically secure random bytes.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill_random(&mut bytes);
    bytes
}

/// Fills `bytes` with cryptographically secure random bytes.
pub fn fill_random(bytes: &mut [u8]) {
    rand::fill(bytes).expect("the system's random generator works once the process has started");
}

macro_rules! fixed_id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; ID_LENGTH]);

        impl $name {
            /// A fresh random ID.
            pub fn random() -> Self {
                Self(random_bytes())
            }

            /// The 24 bytes.
            pub fn as_bytes(&self) -> &[u8; ID_LENGTH] {
                &self.0
            }
        }

        impl From<[u8; ID_LENGTH]> for $name {
            fn from(bytes: [u8; ID_LENGTH]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = Malformed;

            fn try_from(bytes: &[u8]) -> Result<Self, Malformed> {
                bytes.try_into().map(Self).map_err(|_| Malformed)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl From<$name> for EntityId {
            fn from(id: $name) -> Self {
                Self(ShortBytes::new(&id.0))
            }
        }

        /// IDs never reach a log (behaviour.md I-16), not even through `Debug`.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )+};
}

fixed_id! {
    /// Names a queue to its recipient, 24 bytes.
    RecipientId;
    /// Names a queue to its sender, 24 bytes.
    SenderId;
    /// Names a queue to its notifier, 24 bytes.
    NotifierId;
    /// Names a service certificate, 24 bytes.
    ServiceId;
    /// Names a message and is the nonce of its encryption, 24 bytes.
    MessageId;
}

impl SenderId {
    /// The sender ID that a client may choose in NEW: the first 24 bytes of SHA3-384 of its correlation ID (wire.md §6.2).
    pub fn from_corr_id(corr_id: &CorrId) -> Self {
        let digest = Sha3_384::digest(corr_id.as_ref());
        let mut id = [0; ID_LENGTH];
        id.copy_from_slice(&digest[..ID_LENGTH]);
        Self(id)
    }
}

/// 0 to 255 bytes, without an allocation up to 30.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum ShortBytes {
    Inline { length: u8, bytes: [u8; ShortBytes::INLINE] },
    Heap(Box<[u8]>),
}

impl ShortBytes {
    const INLINE: usize = 30;
    const EMPTY: Self = Self::Inline { length: 0, bytes: [0; Self::INLINE] };

    /// `content` comes from a short string, so that it has at most 255 bytes.
    fn new(content: &[u8]) -> Self {
        match u8::try_from(content.len()) {
            Ok(length) if content.len() <= Self::INLINE => {
                let mut bytes = [0; Self::INLINE];
                bytes[..content.len()].copy_from_slice(content);
                Self::Inline { length, bytes }
            }
            _ => Self::Heap(content.into()),
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Self::Heap(bytes) => bytes,
        }
    }
}

macro_rules! short_id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(ShortBytes);

        impl $name {
            /// No bytes.
            pub const EMPTY: Self = Self(ShortBytes::EMPTY);

            /// Whether there are no bytes.
            pub fn is_empty(&self) -> bool {
                self.as_ref().is_empty()
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = Malformed;

            /// Fails above 255 bytes.
            fn try_from(bytes: &[u8]) -> Result<Self, Malformed> {
                if bytes.len() <= 255 { Ok(Self(ShortBytes::new(bytes))) } else { Err(Malformed) }
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                self.0.as_slice()
            }
        }

        /// IDs never reach a log (behaviour.md I-16), not even through `Debug`.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )+};
}

short_id! {
    /// The ID in a transmission whose kind depends on the command, 0 to 255 bytes as received.
    EntityId;
    /// Correlation ID, 0 to 255 bytes, chosen by the client and echoed unchanged. Events have an empty one.
    CorrId;
    /// Names the link data of a queue, 0 to 255 bytes: contact links are named by the client.
    LinkId;
    /// Names a connection (wire.md §2.5): 32 bytes in TLS 1.3, 12 in TLS 1.2.
    SessionId;
}

impl CorrId {
    /// A fresh random correlation ID of 24 bytes.
    pub fn random() -> Self {
        Self(ShortBytes::new(&random_bytes::<ID_LENGTH>()))
    }

    /// The ID as a nonce: cut to 24 bytes or right-padded with zeros (wire.md §5.2).
    pub fn nonce(&self) -> [u8; 24] {
        let bytes = self.as_ref();
        let n = bytes.len().min(24);
        let mut nonce = [0; 24];
        nonce[..n].copy_from_slice(&bytes[..n]);
        nonce
    }
}

impl LinkId {
    /// A fresh random link ID of 24 bytes.
    pub fn random() -> Self {
        Self(ShortBytes::new(&random_bytes::<ID_LENGTH>()))
    }
}

impl From<SessionId> for EntityId {
    fn from(id: SessionId) -> Self {
        Self(id.0)
    }
}

impl From<LinkId> for EntityId {
    fn from(id: LinkId) -> Self {
        Self(id.0)
    }
}

impl From<EntityId> for LinkId {
    fn from(id: EntityId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_keep_every_length() {
        for n in [0, 1, 24, 30, 31, 255] {
            let bytes = vec![7; n];
            assert_eq!(CorrId::try_from(&bytes[..]).unwrap().as_ref(), &bytes[..]);
        }
        assert!(CorrId::try_from(&[0; 256][..]).is_err());
        assert_eq!(size_of::<EntityId>(), 32);
    }

    #[test]
    fn nonces_are_cut_or_padded() {
        let nonce = |bytes: &[u8]| CorrId::try_from(bytes).unwrap().nonce();
        assert_eq!(nonce(&[9; 40]), [9; 24]);
        let mut padded = [0; 24];
        padded[..4].copy_from_slice(b"abcd");
        assert_eq!(nonce(b"abcd"), padded);
    }

    #[test]
    fn debug_shows_no_bytes() {
        assert_eq!(format!("{:?}", RecipientId::from([1; 24])), "RecipientId");
        assert_eq!(format!("{:?}", CorrId::random()), "CorrId");
    }
}
