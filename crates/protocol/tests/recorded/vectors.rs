//! Reading the files, and the types they share.

use std::fmt;
use std::ops::Deref;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::{DeserializeOwned, Error, IgnoredAny};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::key::{AuthKey, DhPrivateKey, DhPublicKey, DhSecret, SigningKey, VerifyingKey};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<T> {
    #[serde(rename = "about")]
    _about: IgnoredAny,
    vectors: T,
}

/// The vectors of one file.
pub(crate) fn load<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: File<T> = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    file.vectors
}

/// Bytes in hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hex(Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        hex::decode(String::deserialize(input)?).map(Self).map_err(D::Error::custom)
    }
}

impl Deref for Hex {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl PartialEq<[u8]> for Hex {
    fn eq(&self, other: &[u8]) -> bool {
        self.0 == other
    }
}

impl Hex {
    pub(crate) fn array<const N: usize>(&self) -> [u8; N] {
        self.0[..].try_into().expect("a recorded value of fixed length")
    }

    pub(crate) fn secret(&self) -> DhSecret {
        DhSecret::from(self.array::<32>())
    }

    pub(crate) fn dh_public(&self) -> DhPublicKey {
        DhPublicKey::from(self.array::<32>())
    }

    /// An ID of the crate.
    pub(crate) fn id<'a, T: TryFrom<&'a [u8]>>(&'a self) -> T {
        T::try_from(&self.0).ok().expect("a recorded ID")
    }
}

/// A long value: always its length and hash, sometimes the bytes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Long {
    length: usize,
    sha256: Hex,
    base64: Option<String>,
}

impl Long {
    /// Compares with everything that is known of the value.
    #[track_caller]
    pub(crate) fn check(&self, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.length);
        assert_eq!(&self.sha256, &Sha256::digest(bytes)[..]);
    }

    /// The bytes, if they were kept.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let bytes = BASE64_STANDARD.decode(self.base64.as_ref()?).expect("base64");
        self.check(&bytes);
        Some(bytes)
    }
}

/// Bytes that are a long value if there are many of them.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Bytes {
    Whole(Hex),
    Long(Long),
}

impl Bytes {
    #[track_caller]
    pub(crate) fn check(&self, bytes: &[u8]) {
        match self {
            Self::Whole(expected) => assert_eq!(expected, bytes),
            Self::Long(long) => long.check(bytes),
        }
    }

    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Long(long) => long.length,
        }
    }

    /// Whether these are the bytes.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Whole(expected) => *expected == *bytes,
            Self::Long(long) => long.sha256 == Sha256::digest(bytes)[..],
        }
    }

    /// The bytes, if they were kept.
    pub(crate) fn known(&self) -> Option<Vec<u8>> {
        match self {
            Self::Whole(bytes) => Some(bytes.to_vec()),
            Self::Long(long) => long.bytes(),
        }
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Algorithm {
    Ed25519,
    Ed448,
    X25519,
}

/// A key pair.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    algorithm: Algorithm,
    private: Hex,
    public: Hex,
    spki: Hex,
}

impl Key {
    /// The private key, after a check that it has the recorded public key.
    pub(crate) fn auth(&self) -> AuthPrivateKey {
        let key = match self.algorithm {
            Algorithm::Ed25519 => AuthPrivateKey::Signing(SigningKey::ed25519(&self.private.array())),
            Algorithm::Ed448 => AuthPrivateKey::Signing(SigningKey::ed448(&self.private.array())),
            Algorithm::X25519 => AuthPrivateKey::Dh(DhPrivateKey::from_bytes(&self.private.array())),
        };
        assert_eq!(&self.spki, &key.public().to_spki()[..]);
        assert_eq!(AuthKey::from_spki(&self.spki), Ok(key.public()));
        assert!(self.spki.ends_with(&self.public));
        key
    }

    pub(crate) fn signing(&self) -> SigningKey {
        match self.auth() {
            AuthPrivateKey::Signing(key) => key,
            AuthPrivateKey::Dh(_) => panic!("a signature key is recorded here"),
        }
    }

    pub(crate) fn dh(&self) -> DhPrivateKey {
        match self.auth() {
            AuthPrivateKey::Dh(key) => key,
            AuthPrivateKey::Signing(_) => panic!("an X25519 key is recorded here"),
        }
    }
}

/// SHA-256 of a certificate.
pub(crate) fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// The public key of a certificate, found by its DER prefix: nothing else in these certificates looks like one.
pub(crate) fn certificate_key(certificate: &[u8]) -> VerifyingKey {
    let key = |at: usize, length| VerifyingKey::from_spki(certificate.get(at..at + length)?).ok();
    (0..certificate.len()).find_map(|at| key(at, 44).or_else(|| key(at, 69))).expect("a certificate with an EdDSA key")
}
