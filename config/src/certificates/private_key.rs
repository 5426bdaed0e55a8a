//! Private keys of certificates, and their PKCS#8 form (wire.md §12).

use std::fmt;

use ed448_goldilocks as goldilocks;
use ed25519_dalek::Signer;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{Decode, Encode};
use pkcs8::{AlgorithmIdentifierRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::{PublicKey, SignAlgorithm};

/// The seed of a private key; wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum PrivateKey {
    /// 32 bytes.
    Ed25519(Zeroizing<[u8; 32]>),
    /// 57 bytes.
    Ed448(Zeroizing<[u8; 57]>),
}

/// Why bytes are not a usable private key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyFormatError {
    #[error("not a PKCS#8 private key")]
    NotPkcs8,
    #[error("unexpected key algorithm {0}, expected Ed25519 or Ed448")]
    Algorithm(String),
}

impl PrivateKey {
    /// A new key from the operating system's random generator.
    pub fn generate(algorithm: SignAlgorithm) -> Result<Self, getrandom::Error> {
        Ok(match algorithm {
            SignAlgorithm::Ed25519 => Self::Ed25519(random_seed()?),
            SignAlgorithm::Ed448 => Self::Ed448(random_seed()?),
        })
    }

    /// The algorithm of the key.
    pub fn algorithm(&self) -> SignAlgorithm {
        match self {
            Self::Ed25519(_) => SignAlgorithm::Ed25519,
            Self::Ed448(_) => SignAlgorithm::Ed448,
        }
    }

    /// The seed, 32 or 57 bytes.
    pub fn seed(&self) -> &[u8] {
        match self {
            Self::Ed25519(seed) => &seed[..],
            Self::Ed448(seed) => &seed[..],
        }
    }

    /// The public key that belongs to it.
    pub fn public_key(&self) -> PublicKey {
        match self {
            Self::Ed25519(seed) => {
                PublicKey::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes())
            }
            Self::Ed448(seed) => PublicKey::Ed448(ed448_key(seed).verifying_key().to_bytes()),
        }
    }

    /// Signs `message`: 64 bytes (Ed25519) or 114 bytes (Ed448).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(seed) => ed25519_dalek::SigningKey::from_bytes(seed).sign(message).to_vec(),
            Self::Ed448(seed) => ed448_key(seed).sign_raw(message).to_bytes().to_vec(),
        }
    }

    /// Version 1 of PKCS#8: OpenSSL 3.0 cannot read version 2, which adds the public key.
    pub(super) fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        const FITS: &str = "a seed of 32 or 57 bytes has a PKCS#8 form";
        let seed = Zeroizing::new(OctetStringRef::new(self.seed()).and_then(|seed| seed.to_der()).expect(FITS));
        let algorithm = AlgorithmIdentifierRef { oid: self.algorithm().oid(), parameters: None };
        let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&seed).expect(FITS));
        let document = SecretDocument::try_from(info).expect(FITS);
        document.to_pem("PRIVATE KEY", LineEnding::LF).expect(FITS)
    }

    /// Reads either version of PKCS#8.
    pub(super) fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyFormatError> {
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyFormatError::NotPkcs8)?;
        let algorithm = SignAlgorithm::from_oid(info.algorithm.oid)
            .ok_or_else(|| KeyFormatError::Algorithm(info.algorithm.oid.to_string()))?;
        let seed =
            <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(|_| KeyFormatError::NotPkcs8)?.as_bytes();
        match algorithm {
            SignAlgorithm::Ed25519 => seed.try_into().map(|seed| Self::Ed25519(Zeroizing::new(seed))),
            SignAlgorithm::Ed448 => seed.try_into().map(|seed| Self::Ed448(Zeroizing::new(seed))),
        }
        .map_err(|_| KeyFormatError::NotPkcs8)
    }
}

/// Prints the algorithm only.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.algorithm())
    }
}

fn random_seed<const N: usize>() -> Result<Zeroizing<[u8; N]>, getrandom::Error> {
    let mut seed = Zeroizing::new([0; N]);
    getrandom::fill(&mut seed[..])?;
    Ok(seed)
}

fn ed448_key(seed: &[u8; 57]) -> goldilocks::SigningKey {
    goldilocks::SigningKey::try_from(&seed[..]).expect("an Ed448 seed is 57 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::pem;

    #[test]
    fn pkcs8_has_the_prefixes_of_the_wire_specification() {
        let prefixes = [
            (SignAlgorithm::Ed25519, "302e020100300506032b657004220420"),
            (SignAlgorithm::Ed448, "3047020100300506032b6571043b0439"),
        ];
        for (algorithm, prefix) in prefixes {
            let key = PrivateKey::generate(algorithm).unwrap();
            let der = pem::private_key_der(key.to_pkcs8_pem().as_bytes()).unwrap();
            assert_eq!(hex::encode(&der[..16]), prefix);
            assert_eq!(&der[16..], key.seed());
            assert!(PrivateKey::from_pkcs8_der(&der).unwrap() == key);
        }
    }

    #[test]
    fn reads_version_2() {
        // RFC 8410 §10.3, the example with attributes and public key
        let der = hex::decode(
            "3072020101300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842\
             a01f301d060a2a864886f70d01090914310f0c0d437572646c6520436861697273\
             81210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1",
        )
        .unwrap();
        let key = PrivateKey::from_pkcs8_der(&der).unwrap();
        assert_eq!(key.public_key().as_bytes(), &der[der.len() - 32..]);
    }

    #[test]
    fn refuses_what_is_not_an_ed25519_or_ed448_key() {
        let mut der = hex::decode("302e020100300506032b656e04220420").unwrap();
        der.extend([7; 32]);
        assert_eq!(PrivateKey::from_pkcs8_der(&der), Err(KeyFormatError::Algorithm("1.3.101.110".to_owned())));
        assert_eq!(PrivateKey::from_pkcs8_der(&der[..30]), Err(KeyFormatError::NotPkcs8));
        der[8] = 0x70;
        der[15] = 0x1f;
        assert_eq!(PrivateKey::from_pkcs8_der(&der), Err(KeyFormatError::NotPkcs8));
    }

    #[test]
    fn signatures_verify_with_the_public_key_only() {
        for algorithm in [SignAlgorithm::Ed25519, SignAlgorithm::Ed448] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let signature = key.sign(b"message");
            assert!(key.public_key().verifies(b"message", &signature));
            assert!(!key.public_key().verifies(b"massage", &signature));
            assert!(!PrivateKey::generate(algorithm).unwrap().public_key().verifies(b"message", &signature));
        }
    }

    #[test]
    fn debug_output_hides_the_seed() {
        assert_eq!(format!("{:?}", PrivateKey::Ed25519(Zeroizing::new([7; 32]))), "PrivateKey(ED25519)");
    }
}
