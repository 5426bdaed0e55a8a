//! Reading the server's credentials at start.

use std::fs;
use std::io;
use std::path::Path;

use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::{CertificateError, PrivateKey, pem};
use crate::paths::Directories;
use smp_protocol::address::KeyHash;

/// What a running server needs to prove its identity.
#[derive(Debug)]
pub struct Credentials {
    /// DER of the certificates sent in TLS and in the server hello: leaf, CA, and at most two more.
    pub chain: Vec<Vec<u8>>,
    /// Private key of the leaf.
    pub key: PrivateKey,
    /// Fingerprint of the CA certificate.
    pub identity: KeyHash,
}

impl Credentials {
    /// Reads `server.crt`, `server.key`, `ca.crt` and `fingerprint`, and checks that they belong together.
    ///
    /// The stored fingerprint is checked first, as the reference does.
    pub fn load(directories: &Directories) -> Result<Self, CertificateError> {
        let ca_path = directories.ca_certificate();
        let certificate_path = directories.server_certificate();
        let ca = read_ca(&ca_path)?;
        let identity = KeyHash::of_certificate(ca[0].der());
        check_fingerprint(&directories.fingerprint(), identity)?;

        let mut chain = read_certificates(&certificate_path).map_err(of_leaf)?;
        let key_path = directories.server_key();
        let key = read_private_key(&key_path).map_err(of_leaf)?;
        if key.public_key() != *chain[0].public_key() {
            return Err(CertificateError::KeyMismatch { key: key_path, certificate: certificate_path });
        }
        chain.extend(ca);
        if chain.len() > 4 || KeyHash::of_certificate(chain[1].der()) != identity {
            return Err(CertificateError::ChainShape { certificate: certificate_path, issuer: ca_path });
        }
        if !chain[1..].iter().any(|issuer| chain[0].issued_by(issuer)) {
            return Err(CertificateError::NotIssued { certificate: certificate_path, issuer: ca_path });
        }
        Ok(Self { chain: chain.into_iter().map(Certificate::into_der).collect(), key, identity })
    }
}

/// What is not a fingerprint is as good as none: it can only be the identity of another server if it is one.
fn check_fingerprint(path: &Path, identity: KeyHash) -> Result<(), CertificateError> {
    let missing = || Err(CertificateError::NoFingerprint { path: path.to_owned(), identity });
    let stored = match read(path) {
        Err(CertificateError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => return missing(),
        stored => stored?,
    };
    let first_line = stored.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    match str::from_utf8(first_line).ok().and_then(|line| line.parse::<KeyHash>().ok()) {
        Some(stored) if stored == identity => Ok(()),
        Some(_) => Err(CertificateError::StoredFingerprint),
        None => missing(),
    }
}

/// The identity: nothing but a copy of it can replace it.
pub(super) fn read_ca(path: &Path) -> Result<Vec<Certificate>, CertificateError> {
    read_certificates(path).map_err(|error| match error {
        readable @ CertificateError::Read { .. } => readable,
        error => CertificateError::Ca(Box::new(error)),
    })
}

/// A missing file has its own words in the reference, and who may not read one needs no other.
fn of_leaf(error: CertificateError) -> CertificateError {
    match error {
        readable @ CertificateError::Read { .. } => readable,
        error => CertificateError::Leaf(Box::new(error)),
    }
}

pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    fs::read(path).map(Zeroizing::new).map_err(|source| CertificateError::Read { path: path.to_owned(), source })
}

/// The certificates of a file: at least one.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<Certificate>, CertificateError> {
    let found =
        pem::certificates(&read(path)?).map_err(|reason| CertificateError::Pem { path: path.to_owned(), reason })?;
    if found.is_empty() {
        return Err(CertificateError::NoCertificate(path.to_owned()));
    }
    found.into_iter().map(|der| Certificate::from_der(der, path)).collect()
}

pub(super) fn read_private_key(path: &Path) -> Result<PrivateKey, CertificateError> {
    let unusable = |reason: String| CertificateError::Key { path: path.to_owned(), reason };
    let der = pem::private_key_der(&read(path)?).map_err(|error| unusable(error.to_string()))?;
    PrivateKey::from_pkcs8_der(&der).map_err(|error| unusable(error.to_string()))
}
