//! The signed session key of both hello messages (wire.md §3.3): a public key signed with the key of a certificate.
//!
//! ```text
//! SEQUENCE { SEQUENCE { SubjectPublicKeyInfo }, AlgorithmIdentifier, BIT STRING }
//! ```
//!
//! The signed object is the SubjectPublicKeyInfo inside one *more* SEQUENCE. Only two layouts exist, because the object is
//! always a 44-byte key and the signer Ed25519 (122 bytes in all) or Ed448 (173 bytes).

use thiserror::Error;

use crate::key::{DhPublicKey, Signature, SigningKey, VerifyingKey};

/// DER around a 44-byte key, before the signature: outer header, object, algorithm, bit string header.
struct Layout {
    outer: &'static [u8],
    algorithm_and_bits: &'static [u8],
}

const OBJECT: [u8; 2] = [0x30, 0x2c];
const SPKI_LENGTH: usize = 44;
const OBJECT_LENGTH: usize = OBJECT.len() + SPKI_LENGTH;

const ED25519: Layout =
    Layout { outer: &[0x30, 0x78], algorithm_and_bits: &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00] };
const ED448: Layout = Layout {
    outer: &[0x30, 0x81, 0xaa],
    algorithm_and_bits: &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x03, 0x73, 0x00],
};

impl Layout {
    fn of(signature: &Signature) -> Self {
        match signature {
            Signature::Ed25519(_) => ED25519,
            Signature::Ed448(_) => ED448,
        }
    }
}

/// The bytes are not a key signed by the given certificate key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("session key is not signed by the certificate")]
pub struct BadSignedKey;

/// Signs an X25519 key with the key of the server's leaf certificate: 122 bytes (Ed25519) or 173 bytes (Ed448).
pub fn sign_dh_key(key: &DhPublicKey, signer: &SigningKey) -> Vec<u8> {
    sign(&key.to_spki(), signer)
}

/// Signs an Ed25519 service session key with the key of the service's leaf certificate.
pub fn sign_service_key(key: &ed25519_dalek::VerifyingKey, signer: &SigningKey) -> Vec<u8> {
    sign(&VerifyingKey::Ed25519(key.to_bytes()).to_spki(), signer)
}

/// Checks the signature and returns the X25519 key.
pub fn verify_dh_key(signed: &[u8], signer: &VerifyingKey) -> Result<DhPublicKey, BadSignedKey> {
    DhPublicKey::from_spki(verify(signed, signer)?).map_err(|_| BadSignedKey)
}

/// Checks the signature and returns the 32 bytes of the Ed25519 service session key.
pub fn verify_service_key(signed: &[u8], signer: &VerifyingKey) -> Result<[u8; 32], BadSignedKey> {
    match VerifyingKey::from_spki(verify(signed, signer)?) {
        Ok(VerifyingKey::Ed25519(raw)) => Ok(raw),
        _ => Err(BadSignedKey),
    }
}

fn sign(spki: &[u8], signer: &SigningKey) -> Vec<u8> {
    let object = [&OBJECT[..], spki].concat();
    let signature = signer.sign(&object);
    let layout = Layout::of(&signature);
    [layout.outer, &object, layout.algorithm_and_bits, signature.as_ref()].concat()
}

/// The signed SubjectPublicKeyInfo, 44 bytes.
fn verify<'a>(signed: &'a [u8], signer: &VerifyingKey) -> Result<&'a [u8], BadSignedKey> {
    let layout = match signer {
        VerifyingKey::Ed25519(_) => ED25519,
        VerifyingKey::Ed448(_) => ED448,
    };
    let content = signed.strip_prefix(layout.outer).ok_or(BadSignedKey)?;
    let (object, rest) = content.split_at_checked(OBJECT_LENGTH).ok_or(BadSignedKey)?;
    let signature = rest.strip_prefix(layout.algorithm_and_bits).ok_or(BadSignedKey)?;
    let signature = Signature::from_bytes(signature).map_err(|_| BadSignedKey)?;
    let spki = object.strip_prefix(&OBJECT).ok_or(BadSignedKey)?;
    if signer.verify(object, &signature) { Ok(spki) } else { Err(BadSignedKey) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::DhPrivateKey;

    #[test]
    fn lengths_and_round_trips() {
        for (signer, length) in [(SigningKey::generate_ed25519(), 122), (SigningKey::generate_ed448(), 173)] {
            let key = DhPrivateKey::generate().public();
            let mut signed = sign_dh_key(&key, &signer);
            assert_eq!(signed.len(), length);
            assert_eq!(verify_dh_key(&signed, &signer.verifying_key()), Ok(key));
            assert_eq!(verify_service_key(&signed, &signer.verifying_key()), Err(BadSignedKey));
            signed[30] ^= 1;
            assert_eq!(verify_dh_key(&signed, &signer.verifying_key()), Err(BadSignedKey));
        }
    }

    #[test]
    fn another_signer_is_refused() {
        let (a, b) = (SigningKey::generate_ed25519(), SigningKey::generate_ed448());
        let signed = sign_dh_key(&DhPrivateKey::generate().public(), &a);
        assert_eq!(verify_dh_key(&signed, &b.verifying_key()), Err(BadSignedKey));
        assert_eq!(verify_dh_key(&[], &a.verifying_key()), Err(BadSignedKey));
    }
}
