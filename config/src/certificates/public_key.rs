//! Public keys of certificates.

use ed448_goldilocks as goldilocks;
use signature::Verifier;
use x509_cert::der::asn1::BitString;
use x509_cert::der::{Document, Encode};
use x509_cert::spki::{self, AlgorithmIdentifierOwned, EncodePublicKey, SubjectPublicKeyInfoOwned};

use super::SignAlgorithm;

/// A public key found in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// 32 bytes.
    Ed25519([u8; 32]),
    /// 57 bytes.
    Ed448([u8; 57]),
}

impl PublicKey {
    /// Reads the key of a SubjectPublicKeyInfo; `None` if it is of another algorithm or length.
    pub(super) fn from_spki(info: &SubjectPublicKeyInfoOwned) -> Option<Self> {
        let raw = info.subject_public_key.as_bytes()?;
        match SignAlgorithm::from_oid(info.algorithm.oid)? {
            SignAlgorithm::Ed25519 => raw.try_into().map(Self::Ed25519).ok(),
            SignAlgorithm::Ed448 => raw.try_into().map(Self::Ed448).ok(),
        }
    }

    pub(super) fn to_spki(&self) -> SubjectPublicKeyInfoOwned {
        SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned { oid: self.algorithm().oid(), parameters: None },
            subject_public_key: BitString::from_bytes(self.as_bytes()).expect("32 or 57 bytes fit a bit string"),
        }
    }

    /// The algorithm of the key.
    pub fn algorithm(&self) -> SignAlgorithm {
        match self {
            Self::Ed25519(_) => SignAlgorithm::Ed25519,
            Self::Ed448(_) => SignAlgorithm::Ed448,
        }
    }

    /// The raw key, 32 or 57 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(raw) => raw,
            Self::Ed448(raw) => raw,
        }
    }

    /// Whether `signature` (64 or 114 bytes) is this key's signature of `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(raw) => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(raw);
                let signature = ed25519_dalek::Signature::from_slice(signature);
                key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()))
            }
            Self::Ed448(raw) => {
                let key = goldilocks::VerifyingKey::from_bytes(raw);
                let signature = goldilocks::Signature::try_from(signature);
                key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify(message, &signature).is_ok()))
            }
        }
    }
}

impl EncodePublicKey for PublicKey {
    fn to_public_key_der(&self) -> spki::Result<Document> {
        Ok(Document::try_from(self.to_spki().to_der()?)?)
    }
}
