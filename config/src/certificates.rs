//! The server's credentials: a self-signed CA certificate, which is its identity, and a leaf certificate signed by it,
//! which is its TLS credential (operations.md §3, wire.md §2.2).
//!

mod algorithm;
mod certificate;
mod chain;
mod credentials;
mod error;
mod facts;
mod openssl_conf;
mod pem;
mod private_key;
mod profile;
mod public_key;
mod rotate;
mod serial;
mod with_rcgen;
mod with_x509_cert;

pub use algorithm::{SignAlgorithm, UnknownSignAlgorithm};
pub use chain::NewChain;
pub use credentials::Credentials;
pub use error::CertificateError;
pub use facts::CertificateFacts;
pub use private_key::PrivateKey;
pub use public_key::PublicKey;
pub use rotate::{Rotation, check_ca_key, rotate};

#[cfg(test)]
mod tests;
