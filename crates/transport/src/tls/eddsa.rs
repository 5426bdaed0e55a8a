//! TLS signatures with Ed25519 and Ed448 keys (RFC 8446 §4.2.3, RFC 8422).

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureAlgorithm, SignatureScheme};
use smp_protocol::key::{Signature, SigningKey, VerifyingKey};

/// The private key of a certificate, as rustls wants it.
#[derive(Debug, Clone)]
pub(super) struct TlsSigningKey(pub(super) Arc<SigningKey>);

impl rustls::sign::SigningKey for TlsSigningKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        let scheme = rustls::sign::Signer::scheme(self);
        offered.contains(&scheme).then(|| Box::new(self.clone()) as _)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(self.0.verifying_key().to_spki().into())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match *self.0 {
            SigningKey::Ed25519(_) => SignatureAlgorithm::ED25519,
            SigningKey::Ed448(_) => SignatureAlgorithm::ED448,
        }
    }
}

impl rustls::sign::Signer for TlsSigningKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        match *self.0 {
            SigningKey::Ed25519(_) => SignatureScheme::ED25519,
            SigningKey::Ed448(_) => SignatureScheme::ED448,
        }
    }
}

/// Checks the signature of a handshake message with the key of the peer's certificate.
pub(super) fn verify_handshake(
    message: &[u8],
    key: &VerifyingKey,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let scheme = match key {
        VerifyingKey::Ed25519(_) => SignatureScheme::ED25519,
        VerifyingKey::Ed448(_) => SignatureScheme::ED448,
    };
    if signed.scheme != scheme {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    let valid = Signature::from_bytes(signed.signature()).is_ok_and(|signature| key.verify(message, &signature));
    valid.then(HandshakeSignatureValid::assertion).ok_or_else(|| CertificateError::BadSignature.into())
}
