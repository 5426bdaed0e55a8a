//! A certificate that was read, with the parts this crate looks at.

use std::path::Path;
use std::time::SystemTime;

use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, Reader, SliceReader};
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::ext::pkix::name::DirectoryString;
use x509_cert::name::Name;

use super::{CertificateError, PublicKey, SignAlgorithm};

/// An X.509 certificate with an Ed25519 or Ed448 key.
pub(super) struct Certificate {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
    public_key: PublicKey,
}

impl Certificate {
    /// Reads a certificate; `path` is named in errors.
    pub(super) fn from_der(der: Vec<u8>, path: &Path) -> Result<Self, CertificateError> {
        let parsed = x509_cert::Certificate::from_der(&der)
            .map_err(|error| CertificateError::Certificate { path: path.to_owned(), reason: error.to_string() })?;
        let info = parsed.tbs_certificate().subject_public_key_info();
        let public_key = PublicKey::from_spki(info).ok_or_else(|| CertificateError::Algorithm {
            path: path.to_owned(),
            found: info.algorithm.oid.to_string(),
        })?;
        Ok(Self { der, parsed, public_key })
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn into_der(self) -> Vec<u8> {
        self.der
    }

    pub(super) fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    pub(super) fn subject(&self) -> &Name {
        self.parsed.tbs_certificate().subject()
    }

    /// From when and until when it is valid.
    pub(super) fn validity(&self) -> [SystemTime; 2] {
        let validity = self.parsed.tbs_certificate().validity();
        [validity.not_before.to_system_time(), validity.not_after.to_system_time()]
    }

    /// Algorithm of the signature on this certificate, or its object identifier.
    pub(super) fn signature_algorithm(&self) -> Result<SignAlgorithm, String> {
        let oid = self.parsed.signature_algorithm().oid;
        SignAlgorithm::from_oid(oid).ok_or_else(|| oid.to_string())
    }

    /// The first common name of the subject.
    pub(super) fn common_name(&self) -> Option<String> {
        let name = self.subject().common_name().ok()??;
        Some(match name {
            DirectoryString::PrintableString(text) => text.to_string(),
            DirectoryString::TeletexString(text) => text.to_string(),
            DirectoryString::Utf8String(text) => text,
            DirectoryString::BmpString(_) => return None,
        })
    }

    /// The subject key identifier extension.
    pub(super) fn key_identifier(&self) -> Option<SubjectKeyIdentifier> {
        let extensions = self.parsed.tbs_certificate().extensions()?;
        let extension = extensions.iter().find(|extension| extension.extn_id == SubjectKeyIdentifier::OID)?;
        SubjectKeyIdentifier::from_der(extension.extn_value.as_bytes()).ok()
    }

    /// Whether `issuer` is named as the issuer of this certificate and its key verifies the signature.
    pub(super) fn issued_by(&self, issuer: &Self) -> bool {
        let named = self.parsed.tbs_certificate().issuer() == issuer.subject();
        let signature = self.parsed.signature().as_bytes();
        named
            && self
                .signed_bytes()
                .is_some_and(|bytes| signature.is_some_and(|signature| issuer.public_key.verifies(bytes, signature)))
    }

    /// The bytes under the signature, exactly as they were issued.
    fn signed_bytes(&self) -> Option<&[u8]> {
        let mut outer = SliceReader::new(&self.der).ok()?;
        outer
            .sequence(|inner| -> Result<_, x509_cert::der::Error> {
                let signed = inner.tlv_bytes()?;
                inner.drain(inner.remaining_len())?;
                Ok(signed)
            })
            .ok()
    }
}
