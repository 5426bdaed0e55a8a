//! Public keys as they appear in commands, and their DER form (wire.md §12).
//!
//! A key on the wire is a short string holding exactly one SubjectPublicKeyInfo:
//!
//! | Algorithm | raw bytes | DER bytes |
//! |---|---|---|
//! | Ed25519, X25519 | 32 | 44 |
//! | Ed448 | 57 | 69 |

mod dh;
mod signing;

use std::fmt;

pub use dh::{DhPrivateKey, DhPublicKey, DhSecret};
pub use signing::{KeyFormatError, Signature, SigningKey, VerifyingKey};

use crate::encoding::{Decoded, Encode, Malformed, Reader};

/// DER prefix of an Ed25519 public key; 32 raw bytes follow.
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER prefix of an X25519 public key; 32 raw bytes follow.
const X25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];
/// DER prefix of an Ed448 public key; 57 raw bytes follow.
const ED448_SPKI: [u8; 12] = [0x30, 0x43, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x03, 0x3a, 0x00];

/// A key that authorizes commands: a signature key, or an X25519 key for authenticators (wire.md §5.6).
///
/// Any bytes of the right length are accepted; a key that is not a point on its curve authorizes nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum AuthKey {
    /// Ed25519 signatures; 32 bytes.
    Ed25519([u8; 32]),
    /// X25519 authenticators.
    X25519(DhPublicKey),
    /// Ed448 signatures; 57 bytes, boxed because these keys are rare and queue records many.
    Ed448(Box<[u8; 57]>),
}

impl AuthKey {
    /// The key as DER SubjectPublicKeyInfo, 44 or 69 bytes.
    pub fn to_spki(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(raw) => [&ED25519_SPKI[..], raw].concat(),
            Self::X25519(key) => key.to_spki(),
            Self::Ed448(raw) => [&ED448_SPKI[..], &raw[..]].concat(),
        }
    }

    /// Reads exactly one DER SubjectPublicKeyInfo of an algorithm that may authorize commands.
    pub fn from_spki(der: &[u8]) -> Decoded<Self> {
        let (prefix, raw) = der.split_first_chunk().ok_or(Malformed)?;
        match *prefix {
            ED25519_SPKI => raw.try_into().map(Self::Ed25519).map_err(|_| Malformed),
            X25519_SPKI => raw.try_into().map(|raw| Self::X25519(DhPublicKey(raw))).map_err(|_| Malformed),
            ED448_SPKI => {
                let raw: [u8; 57] = raw.try_into().map_err(|_| Malformed)?;
                Ok(Self::Ed448(Box::new(raw)))
            }
            _ => Err(Malformed),
        }
    }

    /// Appends the key as a short string.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_short(&self.to_spki());
    }

    /// Reads a short string holding a key.
    pub fn decode(input: &mut Reader<'_>) -> Decoded<Self> {
        Self::from_spki(input.short()?)
    }
}

/// Keys never reach a log.
impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519(_) => "AuthKey(Ed25519)",
            Self::X25519(_) => "AuthKey(X25519)",
            Self::Ed448(_) => "AuthKey(Ed448)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_round_trips() {
        for key in
            [AuthKey::Ed25519([1; 32]), AuthKey::X25519(DhPublicKey::from([2; 32])), AuthKey::Ed448(Box::new([3; 57]))]
        {
            assert_eq!(AuthKey::from_spki(&key.to_spki()), Ok(key));
        }
        assert!(size_of::<AuthKey>() <= 40);
    }

    #[test]
    fn other_forms_are_malformed() {
        let der = AuthKey::Ed25519([1; 32]).to_spki();
        assert_eq!(AuthKey::from_spki(&[&der[..], b"x"].concat()), Err(Malformed));
        assert_eq!(AuthKey::from_spki(&der[..43]), Err(Malformed));
        assert_eq!(AuthKey::from_spki(b""), Err(Malformed));
        let x448 = [&[0x30, 0x42, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6f, 0x03, 0x39, 0x00][..], &[0; 56]].concat();
        assert_eq!(AuthKey::from_spki(&x448), Err(Malformed));
        assert_eq!(DhPublicKey::from_spki(&der), Err(Malformed));
    }
}
