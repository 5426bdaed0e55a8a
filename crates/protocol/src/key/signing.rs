//! Ed25519 and Ed448 signatures (RFC 8032): certificates, session keys, commands.

use std::fmt;

use crrl::ed448;
use ed25519_dalek::{Signer, Verifier};
use thiserror::Error;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{AuthKey, ED448_SPKI, ED25519_SPKI};
use crate::encoding::{Decoded, Malformed};
use crate::id::fill_random;

/// PKCS#8 version 1 prefix of an Ed25519 private key; the 32 bytes of the seed follow (wire.md §12).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// PKCS#8 version 1 prefix of an Ed448 private key; the 57 bytes of the seed follow.
const ED448_PKCS8: [u8; 16] =
    [0x30, 0x47, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x04, 0x3b, 0x04, 0x39];

/// A private key file that is not an Ed25519 or Ed448 key in PKCS#8 version 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an Ed25519 or Ed448 private key in PKCS#8 form")]
pub struct KeyFormatError;

/// A private signature key.
#[derive(Clone)]
pub enum SigningKey {
    /// Ed25519.
    Ed25519(Box<ed25519_dalek::SigningKey>),
    /// Ed448.
    Ed448(Box<Ed448Key>),
}

/// The seed is kept because the expanded key of the library is not wiped when dropped.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Ed448Key {
    seed: [u8; 57],
}

impl Ed448Key {
    fn expand(&self) -> ed448::PrivateKey {
        ed448::PrivateKey::from_seed(&self.seed)
    }
}

impl SigningKey {
    /// A fresh Ed25519 key.
    pub fn generate_ed25519() -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        fill_random(&mut *seed);
        Self::ed25519(&seed)
    }

    /// A fresh Ed448 key.
    pub fn generate_ed448() -> Self {
        let mut seed = Zeroizing::new([0; 57]);
        fill_random(&mut *seed);
        Self::ed448(&seed)
    }

    /// The Ed25519 key with this 32-byte seed.
    pub fn ed25519(seed: &[u8; 32]) -> Self {
        Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed)))
    }

    /// The Ed448 key with this 57-byte seed.
    pub fn ed448(seed: &[u8; 57]) -> Self {
        Self::Ed448(Box::new(Ed448Key { seed: *seed }))
    }

    /// Reads PKCS#8 version 1 DER: 48 bytes Ed25519, 73 bytes Ed448.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyFormatError> {
        let (prefix, seed) = der.split_first_chunk().ok_or(KeyFormatError)?;
        match *prefix {
            ED25519_PKCS8 => seed.try_into().map(Self::ed25519).map_err(|_| KeyFormatError),
            ED448_PKCS8 => seed.try_into().map(Self::ed448).map_err(|_| KeyFormatError),
            _ => Err(KeyFormatError),
        }
    }

    /// The key as PKCS#8 version 1 DER, which every OpenSSL reads.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Ed25519(key) => [&ED25519_PKCS8[..], &key.to_bytes()].concat(),
            Self::Ed448(key) => [&ED448_PKCS8[..], &key.seed].concat(),
        })
    }

    /// The public key.
    pub fn verifying_key(&self) -> VerifyingKey {
        match self {
            Self::Ed25519(key) => VerifyingKey::Ed25519(key.verifying_key().to_bytes()),
            Self::Ed448(key) => VerifyingKey::Ed448(key.expand().public_key.encode()),
        }
    }

    /// Signs `message` (pure EdDSA, empty context).
    pub fn sign(&self, message: &[u8]) -> Signature {
        match self {
            Self::Ed25519(key) => Signature::Ed25519(key.sign(message).to_bytes()),
            Self::Ed448(key) => Signature::Ed448(key.expand().sign_raw(message)),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519(_) => "SigningKey(Ed25519)",
            Self::Ed448(_) => "SigningKey(Ed448)",
        })
    }
}

/// An EdDSA signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// 64 bytes.
    Ed25519([u8; 64]),
    /// 114 bytes.
    Ed448([u8; 114]),
}

impl Signature {
    /// Tells the algorithm by the length.
    pub fn from_bytes(bytes: &[u8]) -> Decoded<Self> {
        match bytes.len() {
            64 => bytes.try_into().map(Self::Ed25519).map_err(|_| Malformed),
            114 => bytes.try_into().map(Self::Ed448).map_err(|_| Malformed),
            _ => Err(Malformed),
        }
    }
}

impl AsRef<[u8]> for Signature {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Ed25519(bytes) => bytes,
            Self::Ed448(bytes) => bytes,
        }
    }
}

/// A public signature key: that of a certificate, or of a service session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyingKey {
    /// 32 bytes.
    Ed25519([u8; 32]),
    /// 57 bytes.
    Ed448([u8; 57]),
}

impl VerifyingKey {
    /// Reads exactly one DER SubjectPublicKeyInfo, 44 or 69 bytes.
    pub fn from_spki(der: &[u8]) -> Decoded<Self> {
        let (prefix, raw) = der.split_first_chunk().ok_or(Malformed)?;
        match *prefix {
            ED25519_SPKI => raw.try_into().map(Self::Ed25519).map_err(|_| Malformed),
            ED448_SPKI => raw.try_into().map(Self::Ed448).map_err(|_| Malformed),
            _ => Err(Malformed),
        }
    }

    /// The key as DER SubjectPublicKeyInfo, 44 or 69 bytes.
    pub fn to_spki(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(raw) => [&ED25519_SPKI[..], raw].concat(),
            Self::Ed448(raw) => [&ED448_SPKI[..], raw].concat(),
        }
    }

    /// Whether `signature` of `message` was made with the private half of this key. A signature of the other algorithm
    /// was not.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        match (self, signature) {
            (Self::Ed25519(key), Signature::Ed25519(signature)) => ed25519_dalek::VerifyingKey::from_bytes(key)
                .is_ok_and(|key| key.verify(message, &signature.into()).is_ok()),
            (Self::Ed448(key), Signature::Ed448(signature)) => {
                ed448::PublicKey::decode(key).is_some_and(|key| key.verify_raw(signature, message))
            }
            _ => false,
        }
    }
}

impl From<VerifyingKey> for AuthKey {
    fn from(key: VerifyingKey) -> Self {
        match key {
            VerifyingKey::Ed25519(raw) => Self::Ed25519(raw),
            VerifyingKey::Ed448(raw) => Self::Ed448(Box::new(raw)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_pkcs8_and_spki() {
        for key in [SigningKey::generate_ed25519(), SigningKey::generate_ed448()] {
            let again = SigningKey::from_pkcs8(&key.to_pkcs8()).unwrap();
            let signature = again.sign(b"message");
            assert!(key.verifying_key().verify(b"message", &signature));
            assert!(!key.verifying_key().verify(b"massage", &signature));
            assert_eq!(VerifyingKey::from_spki(&key.verifying_key().to_spki()), Ok(key.verifying_key()));
            assert_eq!(Signature::from_bytes(signature.as_ref()), Ok(signature));
        }
    }

    #[test]
    fn algorithms_do_not_mix() {
        let signature = SigningKey::generate_ed448().sign(b"m");
        assert!(!SigningKey::generate_ed25519().verifying_key().verify(b"m", &signature));
    }

    #[test]
    fn version_2_and_other_algorithms_are_refused() {
        let mut der = SigningKey::generate_ed25519().to_pkcs8();
        der[4] = 1;
        assert_eq!(SigningKey::from_pkcs8(&der).unwrap_err(), KeyFormatError);
        assert_eq!(SigningKey::from_pkcs8(&[]).unwrap_err(), KeyFormatError);
    }
}
