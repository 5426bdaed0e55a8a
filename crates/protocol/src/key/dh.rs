//! X25519 (RFC 7748): session keys, queue secrets, authenticators.

use std::fmt;

use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::X25519_SPKI;
use crate::encoding::{Decoded, Encode, Malformed, Reader};
use crate::id::random_bytes;

/// An X25519 public key, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DhPublicKey(pub(super) [u8; 32]);

impl DhPublicKey {
    /// The raw 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key as DER SubjectPublicKeyInfo, 44 bytes.
    pub fn to_spki(&self) -> Vec<u8> {
        [&X25519_SPKI[..], &self.0].concat()
    }

    /// Reads exactly one DER SubjectPublicKeyInfo of an X25519 key.
    pub fn from_spki(der: &[u8]) -> Decoded<Self> {
        let raw = der.strip_prefix(&X25519_SPKI).ok_or(Malformed)?;
        raw.try_into().map(Self).map_err(|_| Malformed)
    }

    /// Appends the key as a short string, 45 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_short(&self.to_spki());
    }

    /// Reads a short string holding an X25519 key.
    pub fn decode(input: &mut Reader<'_>) -> Decoded<Self> {
        Self::from_spki(input.short()?)
    }
}

impl From<[u8; 32]> for DhPublicKey {
    fn from(raw: [u8; 32]) -> Self {
        Self(raw)
    }
}

/// Keys never reach a log.
impl fmt::Debug for DhPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DhPublicKey")
    }
}

/// An X25519 private key with its public key.
pub struct DhPrivateKey {
    private: agreement::PrivateKey,
    public: DhPublicKey,
}

impl DhPrivateKey {
    /// A fresh key pair.
    pub fn generate() -> Self {
        let raw = Zeroizing::new(random_bytes::<32>());
        Self::from_bytes(&raw)
    }

    /// The key with these 32 private bytes.
    pub fn from_bytes(raw: &[u8; 32]) -> Self {
        const LENGTH: &str = "an X25519 private key is any 32 bytes";
        let private = agreement::PrivateKey::from_private_key(&X25519, raw).expect(LENGTH);
        let mut public = [0; 32];
        public.copy_from_slice(private.compute_public_key().expect(LENGTH).as_ref());
        Self { private, public: DhPublicKey(public) }
    }

    /// The public key.
    pub fn public(&self) -> DhPublicKey {
        self.public
    }

    /// The shared secret with `peer`.
    pub fn agree(&self, peer: &DhPublicKey) -> DhSecret {
        let peer = UnparsedPublicKey::new(&X25519, peer.0);
        let secret = agreement::agree(&self.private, peer, (), |raw| {
            let mut secret = [0; 32];
            secret.copy_from_slice(raw);
            Ok(DhSecret(secret))
        });
        // The library refuses exactly the points that give an all-zero secret; the protocol accepts them (wire.md
        // §10.2): whoever sends such a key harms only the secrecy of what is encrypted for itself.
        secret.unwrap_or(DhSecret([0; 32]))
    }
}

impl fmt::Debug for DhPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DhPrivateKey")
    }
}

/// A shared X25519 secret, 32 bytes; also any other 32-byte key of the box construct (wire.md §10.1).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct DhSecret([u8; 32]);

impl DhSecret {
    /// The raw 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for DhSecret {
    fn from(raw: [u8; 32]) -> Self {
        Self(raw)
    }
}

impl fmt::Debug for DhSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DhSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree() {
        let (a, b) = (DhPrivateKey::generate(), DhPrivateKey::generate());
        assert!(a.agree(&b.public()) == b.agree(&a.public()));
    }

    #[test]
    fn low_order_point_gives_the_zero_secret() {
        assert!(DhPrivateKey::generate().agree(&DhPublicKey([0; 32])) == DhSecret([0; 32]));
    }
}
