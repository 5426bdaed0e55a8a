//! How each side judges the certificates of the other.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use smp_protocol::key::VerifyingKey;
use subtle::ConstantTimeEq;

use super::chain::{CertificateChain, ChainError};
use super::eddsa::verify_handshake;
use super::provider::SIGNATURE_SCHEMES;

fn chain(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<CertificateChain, ChainError> {
    let certificates = std::iter::once(leaf).chain(others);
    CertificateChain::new(certificates.map(|certificate| certificate.clone().into_owned()).collect())
}

fn leaf_key(leaf: &CertificateDer<'_>) -> Result<VerifyingKey, ChainError> {
    Ok(*chain(leaf, &[])?.leaf_key())
}

/// Both verifiers check handshake signatures alike, in both versions of TLS.
macro_rules! handshake_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            leaf: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_handshake(message, &leaf_key(leaf)?, signed)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            leaf: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_handshake(message, &leaf_key(leaf)?, signed)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            SIGNATURE_SCHEMES.to_vec()
        }
    };
}

/// Accepts the server whose identity certificate has this fingerprint (wire.md §2.2). Host names do not matter.
#[derive(Debug)]
pub(super) struct PinnedServer {
    identity: Arc<[u8]>,
}

impl PinnedServer {
    pub(super) fn new(identity: &[u8]) -> Self {
        Self { identity: identity.into() }
    }
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = chain(leaf, others)?;
        if !bool::from(chain.identity().ct_eq(&self.identity)) {
            return Err(ChainError::WrongIdentity.into());
        }
        chain.validate_server(now)?;
        Ok(ServerCertVerified::assertion())
    }

    handshake_signatures!();
}

/// Asks every client for a certificate and accepts clients without one (wire.md §2.4).
#[derive(Debug)]
pub(super) struct OptionalClient;

impl ClientCertVerifier for OptionalClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        chain(leaf, others)?.validate_client(now)?;
        Ok(ClientCertVerified::assertion())
    }

    handshake_signatures!();
}
