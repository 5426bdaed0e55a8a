//! One X.509 certificate and the questions that path validation asks about it.

use rustls::pki_types::UnixTime;
use smp_protocol::key::{Signature, VerifyingKey};
use thiserror::Error;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{self, Decode, Encode, Header, Reader, SliceReader};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName, SubjectKeyIdentifier,
};

/// The extensions that may be critical: they are enforced here, or say nothing that matters for an identity that is
/// pinned by hash.
const KNOWN_EXTENSIONS: [ObjectIdentifier; 6] = [
    BasicConstraints::OID,
    KeyUsage::OID,
    ExtendedKeyUsage::OID,
    SubjectAltName::OID,
    SubjectKeyIdentifier::OID,
    AuthorityKeyIdentifier::OID,
];

/// Why a certificate cannot be part of a valid chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CertificateProblem {
    /// Not the DER form of a certificate.
    #[error("is not a DER-encoded X.509 certificate")]
    Malformed,
    /// The key is neither Ed25519 nor Ed448.
    #[error("has a key that is neither Ed25519 nor Ed448")]
    UnsupportedKey,
    /// A leaf of version 1 or 2.
    #[error("is not of X.509 version 3")]
    NotVersion3,
    /// The end of its validity has passed.
    #[error("has expired")]
    Expired,
    /// The start of its validity is in the future.
    #[error("is not valid yet")]
    NotYetValid,
    /// A critical extension that is not understood.
    #[error("has an unknown critical extension")]
    UnknownCriticalExtension,
    /// An issuer without `CA = true`.
    #[error("is not a certificate authority")]
    NotAnAuthority,
    /// An issuer whose path length does not allow the certificates below it.
    #[error("does not allow this many certificates below it")]
    PathTooLong,
    /// The key usage excludes what the key was used for.
    #[error("does not allow this use of its key")]
    WrongKeyUsage,
    /// The next certificate of the chain is not its issuer.
    #[error("was not issued by the next certificate of the chain")]
    UnknownIssuer,
    /// The signature of the issuer is wrong.
    #[error("has an invalid signature")]
    BadSignature,
}

/// A parsed certificate.
pub(super) struct Certificate<'a> {
    /// The signed part, as received.
    tbs: &'a [u8],
    parsed: x509_cert::Certificate,
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, CertificateProblem> {
        let parse = || -> der::Result<Self> {
            Ok(Self { parsed: x509_cert::Certificate::from_der(der)?, tbs: first_element(der)? })
        };
        parse().map_err(|_| CertificateProblem::Malformed)
    }

    /// The public key.
    pub(super) fn key(&self) -> Result<VerifyingKey, CertificateProblem> {
        let spki = self.parsed.tbs_certificate().subject_public_key_info();
        let der = spki.to_der().map_err(|_| CertificateProblem::Malformed)?;
        VerifyingKey::from_spki(&der).map_err(|_| CertificateProblem::UnsupportedKey)
    }

    /// Fails unless `now` lies in the period of validity. Dates up to the year 9999 are understood.
    pub(super) fn check_validity(&self, now: UnixTime) -> Result<(), CertificateProblem> {
        let validity = self.parsed.tbs_certificate().validity();
        if now.as_secs() < validity.not_before.to_unix_duration().as_secs() {
            return Err(CertificateProblem::NotYetValid);
        }
        if now.as_secs() > validity.not_after.to_unix_duration().as_secs() {
            return Err(CertificateProblem::Expired);
        }
        Ok(())
    }

    /// Fails if an extension is critical and not known.
    pub(super) fn check_extensions(&self) -> Result<(), CertificateProblem> {
        let extensions = self.parsed.tbs_certificate().extensions().map_or(&[][..], Vec::as_slice);
        let unknown = extensions.iter().any(|e| e.critical && !KNOWN_EXTENSIONS.contains(&e.extn_id));
        if unknown { Err(CertificateProblem::UnknownCriticalExtension) } else { Ok(()) }
    }

    /// Fails unless the certificate is of version 3.
    pub(super) fn check_version(&self) -> Result<(), CertificateProblem> {
        let v3 = self.parsed.tbs_certificate().version() == x509_cert::certificate::Version::V3;
        if v3 { Ok(()) } else { Err(CertificateProblem::NotVersion3) }
    }

    /// Fails unless the certificate may issue others with `below` more issuers between itself and the leaf.
    pub(super) fn check_authority(&self, below: usize) -> Result<(), CertificateProblem> {
        let constraints = self.extension::<BasicConstraints>()?.filter(|constraints| constraints.ca);
        let constraints = constraints.ok_or(CertificateProblem::NotAnAuthority)?;
        if constraints.path_len_constraint.is_some_and(|length| usize::from(length) < below) {
            return Err(CertificateProblem::PathTooLong);
        }
        match self.extension::<KeyUsage>()? {
            Some(usage) if !usage.key_cert_sign() => Err(CertificateProblem::WrongKeyUsage),
            _ => Ok(()),
        }
    }

    /// Fails if the key usage is restricted and does not include digital signatures.
    pub(super) fn check_digital_signature(&self) -> Result<(), CertificateProblem> {
        match self.extension::<KeyUsage>()? {
            Some(usage) if !usage.digital_signature() => Err(CertificateProblem::WrongKeyUsage),
            _ => Ok(()),
        }
    }

    /// Fails unless `issuer` has the name that this certificate gives, and signed it.
    pub(super) fn check_issuer(&self, issuer: &Certificate<'_>) -> Result<(), CertificateProblem> {
        if self.parsed.tbs_certificate().issuer() != issuer.parsed.tbs_certificate().subject() {
            return Err(CertificateProblem::UnknownIssuer);
        }
        let signature = self.parsed.signature().as_bytes().and_then(|bytes| Signature::from_bytes(bytes).ok());
        let key = issuer.key()?;
        let valid = signature.is_some_and(|signature| key.verify(self.tbs, &signature));
        if valid { Ok(()) } else { Err(CertificateProblem::BadSignature) }
    }

    fn extension<'e, T: Decode<'e, Error = der::Error> + AssociatedOid>(
        &'e self,
    ) -> Result<Option<T>, CertificateProblem> {
        let extension = self.parsed.tbs_certificate().get_extension::<T>();
        Ok(extension.map_err(|_| CertificateProblem::Malformed)?.map(|(_, value)| value))
    }
}

/// The first element of a DER sequence, with its header.
fn first_element(sequence: &[u8]) -> der::Result<&[u8]> {
    let mut reader = SliceReader::new(sequence)?;
    Header::decode(&mut reader)?;
    reader.tlv_bytes()
}
