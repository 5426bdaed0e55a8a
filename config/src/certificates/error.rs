//! What can be wrong with certificates and keys.

use std::io;
use std::path::PathBuf;

use smp_protocol::address::KeyHash;

use crate::remedy;
use crate::staged_files::WriteError;

/// A failure to make, read or check the server's credentials. Each message is one line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file is missing or unreadable.
    #[error("cannot read {}: {source}{}", path.display(), remedy::for_reading(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The text around a certificate or key is broken.
    #[error("{}: invalid PEM: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A PEM file without a certificate.
    #[error("No certificate found at {}", .0.display())]
    NoCertificate(PathBuf),
    /// A certificate that is not X.509.
    #[error("{}: invalid certificate: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A certificate with a key or signature that is neither Ed25519 nor Ed448.
    #[error("{}: Unexpected signature algorithm {found}, expected ED25519 or ED448", path.display())]
    Algorithm {
        /// The file.
        path: PathBuf,
        /// Object identifier of what was found.
        found: String,
    },
    /// A private key file without a usable key.
    #[error("{}: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The certificate of the server, or its key, is not usable.
    #[error("{0}; restore the pair or run `smp-server cert`")]
    Leaf(Box<CertificateError>),
    /// The certificate of the CA is not usable.
    #[error("{0}; restore it from a backup: it is the identity of this server")]
    Ca(Box<CertificateError>),
    /// The key of the CA is not usable.
    #[error("{0}; copy it there again from where you keep it")]
    CaKey(Box<CertificateError>),
    /// Key and certificate are not a pair.
    #[error(
        "invalid credential: the key in {} does not belong to the certificate in {}; restore the pair or run `smp-server cert`",
        key.display(), certificate.display()
    )]
    KeyMismatch {
        /// File of the private key.
        key: PathBuf,
        /// File of the certificate.
        certificate: PathBuf,
    },
    /// The key of the CA is that of another one.
    #[error(
        "invalid credential: the key in {} does not belong to the certificate in {}; copy the right one there from where you keep it",
        key.display(), certificate.display()
    )]
    CaMismatch {
        /// File of the private key.
        key: PathBuf,
        /// File of the certificate.
        certificate: PathBuf,
    },
    /// The leaf was not signed by the CA beside it.
    #[error(
        "invalid credential: the certificate in {} was not issued by the one in {}; restore the pair or run `smp-server cert`",
        certificate.display(), issuer.display()
    )]
    NotIssued {
        /// File of the leaf.
        certificate: PathBuf,
        /// File of the CA certificate.
        issuer: PathBuf,
    },
    /// The chain has a shape that no client accepts (wire.md §2.2).
    #[error(
        "invalid credential: {} and {} together must hold the leaf certificate, then the CA certificate, \
         and at most two more; restore the pair or run `smp-server cert`",
        certificate.display(), issuer.display()
    )]
    ChainShape {
        /// File of the leaf.
        certificate: PathBuf,
        /// File of the CA certificate.
        issuer: PathBuf,
    },
    /// The `fingerprint` file does not belong to the CA certificate.
    #[error("Stored fingerprint is invalid.")]
    StoredFingerprint,
    /// The `fingerprint` file is missing or holds no fingerprint. It follows from the CA certificate, but only the operator knows
    /// whether that is the right one.
    #[error(
        "{} holds no fingerprint; if clients know this server as {identity}, run `echo '{identity}' > {}`",
        path.display(), path.display()
    )]
    NoFingerprint {
        /// The file.
        path: PathBuf,
        /// Fingerprint of the CA certificate.
        identity: KeyHash,
    },
    /// Nothing tells the name of the new certificate.
    #[error("no name for the new certificate in {}; give one with `smp-server cert --cn NAME`", .0.display())]
    NoCommonName(PathBuf),
    /// A name that cannot be a common name.
    #[error("invalid certificate name {0:?}: use 1 to 64 characters without control characters")]
    CommonName(String),
    /// `ca.key` is kept elsewhere.
    #[error("CA private key {} not found: copy it there to make a new server certificate, then remove it again", .0.display())]
    NoCaKey(PathBuf),
    /// The serial number file is not a hexadecimal number.
    #[error("{}: invalid serial number; remove the file to continue with a new random one", .0.display())]
    Serial(PathBuf),
    /// The operating system has no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// A certificate library refused.
    #[error("cannot make a certificate: {0}")]
    Issue(String),
}
