//! `cert`: a new leaf key and certificate under the same identity (operations.md §1.6, §3.4).

use std::io;
use std::time::SystemTime;

use super::certificate::Certificate;
use super::chain::NewLeaf;
use super::credentials::{read, read_certificates, read_private_key};
use super::profile::CommonName;
use super::serial::Serial;
use super::{CertificateError, SignAlgorithm};
use crate::paths::Directories;
use crate::staged_files::{Access, StagedFiles};
use smp_protocol::address::KeyHash;

/// What to change in the new leaf; what is `None` is taken from the certificate it replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Algorithm of the new key.
    pub algorithm: Option<SignAlgorithm>,
    /// Common name of the new certificate.
    pub common_name: Option<String>,
}

/// Makes a new leaf with the CA key in the configuration directory and replaces the old one.
///
/// Everything is read, made and written aside before the first file is replaced. Returns the (unchanged) identity.
pub fn rotate(directories: &Directories, rotation: &Rotation) -> Result<KeyHash, CertificateError> {
    let ca_path = directories.ca_certificate();
    let ca_key_path = directories.ca_key();
    let ca_key = match read_private_key(&ca_key_path) {
        Err(CertificateError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Err(CertificateError::NoCaKey(ca_key_path));
        }
        result => result?,
    };
    let ca = read_certificates(&ca_path)?.swap_remove(0);
    if ca_key.public_key() != *ca.public_key() {
        return Err(CertificateError::KeyMismatch { key: ca_key_path, certificate: ca_path });
    }
    let (algorithm, common_name) = match rotation {
        Rotation { algorithm: Some(algorithm), common_name: Some(name) } => (*algorithm, CommonName::new(name)?),
        _ => from_current_leaf(directories, rotation)?,
    };
    let leaf = NewLeaf::generate(&ca, &ca_key, algorithm, common_name, next_serial(directories)?, SystemTime::now())?;
    let identity = KeyHash::of_certificate(ca.der());

    let mut staged = StagedFiles::new();
    staged.stage(directories.fingerprint(), Access::Everyone, format!("{identity}\n").as_bytes())?;
    leaf.stage(directories, &mut staged)?;
    staged.commit()?;
    Ok(identity)
}

fn from_current_leaf(
    directories: &Directories,
    rotation: &Rotation,
) -> Result<(SignAlgorithm, CommonName), CertificateError> {
    let path = directories.server_certificate();
    let mut certificates = read_certificates(&path)?;
    if certificates.len() > 1 {
        return Err(CertificateError::TooManyCertificates(path));
    }
    let current: Certificate = certificates.swap_remove(0);
    let algorithm = match rotation.algorithm {
        Some(algorithm) => algorithm,
        None => {
            current.signature_algorithm().map_err(|found| CertificateError::Algorithm { path: path.clone(), found })?
        }
    };
    let common_name = match &rotation.common_name {
        Some(name) => CommonName::new(name)?,
        None => CommonName::new(&current.common_name().ok_or(CertificateError::NoCommonName(path))?)?,
    };
    Ok((algorithm, common_name))
}

/// The stored serial number plus one; a random one when none is stored or the stored one was the last.
fn next_serial(directories: &Directories) -> Result<Serial, CertificateError> {
    let path = directories.ca_serial();
    let line = match read(&path) {
        Err(CertificateError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Serial::random();
        }
        result => result?,
    };
    let stored = str::from_utf8(&line).ok().and_then(Serial::from_line).ok_or(CertificateError::Serial(path))?;
    stored.next().map_or_else(Serial::random, Ok)
}
