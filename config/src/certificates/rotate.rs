//! `cert`: a new leaf key and certificate under the same identity (operations.md §1.6, §3.4).

use std::io;
use std::time::SystemTime;

use super::certificate::Certificate;
use super::chain::NewLeaf;
use super::credentials::{read, read_ca, read_certificates, read_private_key};
use super::profile::CommonName;
use super::serial::Serial;
use super::{CertificateError, PrivateKey, SignAlgorithm};
use crate::paths::Directories;
use crate::settings::Settings;
use crate::staged_files::{Access, StagedFiles};
use smp_protocol::address::KeyHash;

/// What to change in the new leaf; what is `None` is taken from the certificate it replaces, if that is one of this server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Algorithm of the new key.
    pub algorithm: Option<SignAlgorithm>,
    /// Common name of the new certificate.
    pub common_name: Option<String>,
}

/// Makes a new leaf with the CA key in the configuration directory and replaces the old one.
///
/// Everything is read, made and written aside before the first file is replaced. The old leaf, its key and the fingerprint need
/// not be usable: they are what this makes good. Returns the (unchanged) identity.
pub fn rotate(directories: &Directories, rotation: &Rotation) -> Result<KeyHash, CertificateError> {
    let (ca, ca_key) = read_issuer(directories)?;
    let (algorithm, common_name) = of_new_leaf(directories, rotation, &ca)?;
    let leaf = NewLeaf::generate(&ca, &ca_key, algorithm, common_name, next_serial(directories)?, SystemTime::now())?;
    let identity = KeyHash::of_certificate(ca.der());

    let mut staged = StagedFiles::new();
    staged.stage(directories.fingerprint(), Access::Everyone, format!("{identity}\n").as_bytes())?;
    leaf.stage(directories, &mut staged)?;
    staged.commit()?;
    Ok(identity)
}

/// Whether [`rotate`] could use the key of the CA.
pub fn check_ca_key(directories: &Directories) -> Result<(), CertificateError> {
    read_issuer(directories).map(drop)
}

fn read_issuer(directories: &Directories) -> Result<(Certificate, PrivateKey), CertificateError> {
    let ca_path = directories.ca_certificate();
    let ca_key_path = directories.ca_key();
    let ca_key = match read_private_key(&ca_key_path) {
        Err(CertificateError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Err(CertificateError::NoCaKey(ca_key_path));
        }
        Err(unusable @ CertificateError::Key { .. }) => return Err(CertificateError::CaKey(Box::new(unusable))),
        result => result?,
    };
    let ca = read_ca(&ca_path)?.swap_remove(0);
    if ca_key.public_key() != *ca.public_key() {
        return Err(CertificateError::CaMismatch { key: ca_key_path, certificate: ca_path });
    }
    Ok((ca, ca_key))
}

/// What is not given is taken from the present leaf; from the certificate of the CA and from the settings if there is none, or one
/// of somebody else.
fn of_new_leaf(
    directories: &Directories,
    rotation: &Rotation,
    ca: &Certificate,
) -> Result<(SignAlgorithm, CommonName), CertificateError> {
    let path = directories.server_certificate();
    let present = read_certificates(&path).ok().map(|mut found| found.swap_remove(0));
    let present = present.filter(|leaf| leaf.issued_by(ca));
    let algorithm = match rotation.algorithm {
        Some(algorithm) => algorithm,
        None => present
            .as_ref()
            .unwrap_or(ca)
            .signature_algorithm()
            .map_err(|found| CertificateError::Algorithm { path: path.clone(), found })?,
    };
    let name = rotation
        .common_name
        .clone()
        .or_else(|| present.and_then(|leaf| leaf.common_name()))
        .or_else(|| first_host(directories))
        .ok_or(CertificateError::NoCommonName(path))?;
    Ok((algorithm, CommonName::new(&name)?))
}

fn first_host(directories: &Directories) -> Option<String> {
    let (settings, _) = Settings::load(directories).ok()?;
    let host = settings.transport.hosts.first()?.to_string();
    (!host.starts_with('<')).then_some(host)
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
