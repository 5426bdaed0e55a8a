//! Making a server's first credentials.

use std::path::Path;
use std::time::SystemTime;

use super::certificate::Certificate;
use super::profile::{CommonName, Content, Request};
use super::serial::Serial;
use super::{CertificateError, Credentials, PrivateKey, SignAlgorithm, openssl_conf, pem, with_rcgen, with_x509_cert};
use crate::paths::Directories;
use crate::staged_files::{Access, StagedFiles};
use smp_protocol::address::KeyHash;

/// A new CA with its key, and a leaf.
pub struct NewChain {
    ca_key: PrivateKey,
    ca: Certificate,
    leaf: NewLeaf,
}

impl NewChain {
    /// Makes a new identity and a leaf for `common_name` (FQDN or IP address as text), both of `algorithm`.
    pub fn generate(algorithm: SignAlgorithm, common_name: &str) -> Result<Self, CertificateError> {
        let common_name = CommonName::new(common_name)?;
        let now = SystemTime::now();
        let ca_key = PrivateKey::generate(algorithm)?;
        let content = Content::ca(ca_key.public_key(), Serial::random()?, now)?;
        let ca = Certificate::from_der(sign(&content, &ca_key)?, Path::new("CA certificate"))?;
        let leaf = NewLeaf::generate(&ca, &ca_key, algorithm, common_name, Serial::random()?, now)?;
        Ok(Self { ca_key, ca, leaf })
    }

    /// The identity that the CA certificate gives.
    pub fn identity(&self) -> KeyHash {
        KeyHash::of_certificate(self.ca.der())
    }

    /// The credentials a server with this chain has, without going through files.
    pub fn credentials(&self) -> Credentials {
        let chain = vec![self.leaf.certificate.der().to_vec(), self.ca.der().to_vec()];
        Credentials { chain, key: self.leaf.key.clone(), identity: self.identity() }
    }

    /// Writes all files of the configuration directory that belong to certificates; the directory must exist.
    pub fn write(&self, directories: &Directories) -> Result<(), CertificateError> {
        let mut staged = StagedFiles::new();
        self.stage(directories, &mut staged)?;
        Ok(staged.commit()?)
    }

    /// Stages all files of the configuration directory that belong to certificates.
    pub(crate) fn stage(&self, directories: &Directories, staged: &mut StagedFiles) -> Result<(), CertificateError> {
        staged.stage(directories.openssl_ca(), Access::Everyone, openssl_conf::for_ca().as_bytes())?;
        staged.stage(directories.ca_key(), Access::Owner, self.ca_key.to_pkcs8_pem().as_bytes())?;
        let certificate = pem::certificate_text(self.ca.der());
        staged.stage(directories.ca_certificate(), Access::Everyone, certificate.as_bytes())?;
        self.leaf.stage(directories, staged)?;
        let line = format!("{}\n", self.identity());
        staged.stage(directories.fingerprint(), Access::Everyone, line.as_bytes())?;
        Ok(())
    }
}

/// A leaf certificate with its key and everything written beside it.
pub(super) struct NewLeaf {
    common_name: CommonName,
    serial: Serial,
    key: PrivateKey,
    request: Vec<u8>,
    certificate: Certificate,
}

impl NewLeaf {
    /// Makes a key of `algorithm` and has `ca` certify it.
    pub(super) fn generate(
        ca: &Certificate,
        ca_key: &PrivateKey,
        algorithm: SignAlgorithm,
        common_name: CommonName,
        serial: Serial,
        now: SystemTime,
    ) -> Result<Self, CertificateError> {
        let key = PrivateKey::generate(algorithm)?;
        let asked = Request::leaf(&common_name)?;
        let request = with_rcgen::request(&asked, &key).unwrap_or_else(|| with_x509_cert::request(&asked, &key))?;
        let content = Content::leaf(ca, &common_name, key.public_key(), serial, now)?;
        let certificate = Certificate::from_der(sign(&content, ca_key)?, Path::new("leaf certificate"))?;
        if !certificate.issued_by(ca) {
            return Err(CertificateError::Issue(
                "the new certificate does not verify with the CA certificate".to_owned(),
            ));
        }
        Ok(Self { common_name, serial, key, request, certificate })
    }

    /// Stages the files that replace those of the previous leaf.
    pub(super) fn stage(&self, directories: &Directories, staged: &mut StagedFiles) -> Result<(), CertificateError> {
        let configuration = openssl_conf::for_leaf(&self.common_name);
        staged.stage(directories.openssl_server(), Access::Everyone, configuration.as_bytes())?;
        staged.stage(directories.server_request(), Access::Everyone, pem::request_text(&self.request).as_bytes())?;
        staged.stage(directories.ca_serial(), Access::Everyone, self.serial.to_line().as_bytes())?;
        staged.stage(directories.server_key(), Access::Owner, self.key.to_pkcs8_pem().as_bytes())?;
        let certificate = pem::certificate_text(self.certificate.der());
        staged.stage(directories.server_certificate(), Access::Everyone, certificate.as_bytes())?;
        Ok(())
    }
}

/// Encodes and signs a certificate with the library that can: `rcgen`, or `x509-cert` where Ed448 is involved.
fn sign(content: &Content, issuer_key: &PrivateKey) -> Result<Vec<u8>, CertificateError> {
    with_rcgen::certificate(content, issuer_key).unwrap_or_else(|| with_x509_cert::certificate(content, issuer_key))
}
