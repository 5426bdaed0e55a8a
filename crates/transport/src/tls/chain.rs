//! Certificate chains: who is who in them, and whether they are valid (wire.md §2.2, §2.4).
//!
//! | Certificates | leaf | identity | anchor |
//! |---|---|---|---|
//! | 1 (services only) | 0 | 0 | 0 |
//! | 2 | 0 | 1 | 1 |
//! | 3 | 0 | 1 | 2 |
//! | 4 | 0 | 1 | 3 |
//!
//! Each certificate must be issued by the next one. (The reference looks for issuers by name and can skip the identity
//! certificate: a chain of somebody's own leaf and root with a foreign identity between them would pass for the foreign
//! server.)

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, OtherError};
use sha2::{Digest, Sha256};
use smp_protocol::handshake::MAX_CHAIN;
use smp_protocol::key::VerifyingKey;
use thiserror::Error;

use super::certificate::{Certificate, CertificateProblem};

/// SHA-256 of the DER form of a certificate, 32 bytes.
pub type Fingerprint = [u8; 32];

/// Why a certificate chain is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChainError {
    /// Too few or too many certificates.
    #[error("the certificate chain has {0} certificates; servers need 2 to 4, client services 1 to 4")]
    Length(usize),
    /// The identity certificate is not the expected one.
    #[error("the identity certificate does not have the fingerprint of the server address")]
    WrongIdentity,
    /// One of the certificates is the problem.
    #[error("certificate {} of the chain {problem}", position + 1)]
    Certificate {
        /// Its position, 0 for the leaf.
        position: usize,
        /// What is wrong with it.
        problem: CertificateProblem,
    },
}

/// The alerts of wire.md §2.4: `certificate_expired`, `unknown_ca`, otherwise `certificate_unknown`.
impl From<ChainError> for rustls::Error {
    fn from(error: ChainError) -> Self {
        use CertificateProblem::{Expired, NotYetValid, UnknownIssuer};
        match error {
            ChainError::Certificate { problem: Expired, .. } => CertificateError::Expired,
            ChainError::Certificate { problem: NotYetValid, .. } => CertificateError::NotValidYet,
            ChainError::WrongIdentity | ChainError::Certificate { problem: UnknownIssuer, .. } => {
                CertificateError::UnknownIssuer
            }
            other => CertificateError::Other(OtherError(Arc::new(other))),
        }
        .into()
    }
}

/// SHA-256 of the DER form of a certificate.
pub fn fingerprint(certificate: &[u8]) -> Fingerprint {
    Sha256::digest(certificate).into()
}

/// A chain of 1 to 4 certificates, leaf first, as sent in TLS and repeated in the SMP handshake.
#[derive(Debug, Clone)]
pub struct CertificateChain {
    certificates: Arc<[CertificateDer<'static>]>,
    leaf_key: VerifyingKey,
}

impl CertificateChain {
    /// Reads the leaf's key; says nothing about signatures and dates.
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Self, ChainError> {
        let leaf = certificates.first().filter(|_| certificates.len() <= MAX_CHAIN);
        let leaf = leaf.ok_or(ChainError::Length(certificates.len()))?;
        let leaf_key = Certificate::parse(leaf).and_then(|leaf| leaf.key()).map_err(at(0))?;
        Ok(Self { certificates: certificates.into(), leaf_key })
    }

    /// The certificates in DER form, leaf first.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// The certificates as the SMP handshake carries them.
    pub fn to_der(&self) -> Vec<Vec<u8>> {
        self.certificates.iter().map(|certificate| certificate.to_vec()).collect()
    }

    /// The public key of the leaf.
    pub fn leaf_key(&self) -> &VerifyingKey {
        &self.leaf_key
    }

    /// The fingerprint of the identity certificate: the "key hash" of a server, the identity of a service.
    pub fn identity(&self) -> Fingerprint {
        fingerprint(self.certificates.get(1).unwrap_or(&self.certificates[0]))
    }

    /// Path validation of a server's chain: 2 to 4 certificates.
    pub fn validate_server(&self, now: UnixTime) -> Result<(), ChainError> {
        if self.certificates.len() == 1 {
            return Err(ChainError::Length(1));
        }
        self.validate(now)
    }

    /// Path validation of a client's chain: 1 to 4 certificates, the leaf of which may make signatures.
    pub fn validate_client(&self, now: UnixTime) -> Result<(), ChainError> {
        self.validate(now)?;
        let leaf = Certificate::parse(&self.certificates[0]).map_err(at(0))?;
        leaf.check_digital_signature().map_err(at(0))
    }

    fn validate(&self, now: UnixTime) -> Result<(), ChainError> {
        let mut parsed = Vec::with_capacity(MAX_CHAIN);
        for (position, der) in self.certificates.iter().enumerate() {
            parsed.push(Certificate::parse(der).map_err(at(position))?);
        }
        parsed[0].check_version().map_err(at(0))?;
        let anchor = parsed.len() - 1;
        // The dates and extensions of the anchor do not matter, unless it is the leaf as well.
        for position in 0..anchor.max(1) {
            let issuer = &parsed[(position + 1).min(anchor)];
            check_issued(&parsed[position], issuer, position, now).map_err(at(position))?;
        }
        Ok(())
    }
}

/// Checks a certificate that is not the anchor, or is the only one.
fn check_issued(
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    position: usize,
    now: UnixTime,
) -> Result<(), CertificateProblem> {
    certificate.check_validity(now)?;
    certificate.check_extensions()?;
    if let Some(issuers_below) = position.checked_sub(1) {
        certificate.check_authority(issuers_below)?;
    }
    certificate.check_issuer(issuer)
}

fn at(position: usize) -> impl Fn(CertificateProblem) -> ChainError {
    move |problem| ChainError::Certificate { position, problem }
}
