//! What a certificate says to people.

use std::path::Path;
use std::time::SystemTime;

use super::CertificateError;
use super::credentials::read_certificates;

/// Whom a certificate is for, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// First common name of its subject.
    pub common_name: Option<String>,
    /// Valid from this time on.
    pub not_before: SystemTime,
    /// Valid until this time.
    pub not_after: SystemTime,
}

impl CertificateFacts {
    /// Those of the first certificate in a PEM file, which has an Ed25519 or Ed448 key.
    pub fn read(path: &Path) -> Result<Self, CertificateError> {
        let certificates = read_certificates(path)?;
        let [not_before, not_after] = certificates[0].validity();
        Ok(Self { common_name: certificates[0].common_name(), not_before, not_after })
    }
}
