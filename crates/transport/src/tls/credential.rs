//! A certificate chain with the private key of its leaf: what a server, or a client service, proves itself with.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use smp_protocol::key::SigningKey;
use thiserror::Error;

use super::chain::{CertificateChain, ChainError};
use super::eddsa::TlsSigningKey;

/// Why a chain and a key do not make a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// The chain itself.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The key is not that of the leaf.
    #[error("the private key does not belong to the first certificate of the chain")]
    KeyMismatch,
}

/// A certificate chain and the private key of its leaf. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Credential {
    chain: CertificateChain,
    key: Arc<SigningKey>,
}

impl Credential {
    /// `certificates` are leaf first: for a server, those of the server certificate file followed by those of the CA file
    /// (wire.md §2.2); 1 to 4. Signatures and dates are not checked, see [`CertificateChain::validate_server`].
    pub fn new(certificates: Vec<CertificateDer<'static>>, key: SigningKey) -> Result<Self, CredentialError> {
        let chain = CertificateChain::new(certificates)?;
        if *chain.leaf_key() != key.verifying_key() {
            return Err(CredentialError::KeyMismatch);
        }
        Ok(Self { chain, key: Arc::new(key) })
    }

    /// The chain, leaf first.
    pub fn chain(&self) -> &CertificateChain {
        &self.chain
    }

    /// The private key of the leaf.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    pub(super) fn certified_key(&self) -> Arc<CertifiedKey> {
        let key = Arc::new(TlsSigningKey(Arc::clone(&self.key)));
        Arc::new(CertifiedKey::new(self.chain.certificates().to_vec(), key))
    }
}
