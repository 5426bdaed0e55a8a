//! TLS as SMP uses it (wire.md §2): pinned Ed25519 and Ed448 certificates, one cipher suite per version, no resumption,
//! and the session ID that the SMP handshake binds itself to.

mod certificate;
mod chain;
mod client;
mod credential;
mod eddsa;
mod finished;
mod provider;
mod server;
mod verifier;
mod x448;

use std::io;

use rustls::{CommonState, HandshakeKind, ProtocolVersion};
use smp_protocol::id::SessionId;
use thiserror::Error;
use tokio::net::TcpStream;

pub use certificate::CertificateProblem;
pub use chain::{CertificateChain, ChainError, Fingerprint, fingerprint};
pub use client::{ConnectedTls, TlsClient};
pub use credential::{Credential, CredentialError};
pub use provider::Group;
pub use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
pub use server::{AcceptedTls, ClientCertificates, Greeting, TlsServer};

/// The ALPN protocol of SMP.
pub const ALPN_SMP: &[u8] = b"smp/1";
/// What a server lists by default: SMP clients on port 443 offer `http/1.1` (wire.md §2.3).
pub const SERVER_ALPN: &[&[u8]] = &[ALPN_SMP, b"h2", b"http/1.1"];

/// An encrypted stream, of either side.
pub type TlsStream<S = TcpStream> = tokio_rustls::TlsStream<S>;

/// Why there is no TLS connection.
#[derive(Debug, Error)]
pub enum TlsError {
    /// Not established within the limit given by the caller.
    #[error("TLS handshake not finished in time")]
    Timeout,
    /// The peer went away, or the network failed.
    #[error("TLS handshake interrupted: {0}")]
    Io(#[source] io::Error),
    /// One side broke the rules of the other; what the peer was told is in the alert.
    #[error("TLS handshake failed: {0}")]
    Tls(#[source] rustls::Error),
    /// The Finished messages were not seen as expected, so there is no session ID.
    #[error("TLS handshake gave no session ID")]
    NoSessionId,
}

impl TlsError {
    /// The certificate of the peer was refused, or is that of another server.
    pub fn is_certificate_error(&self) -> bool {
        matches!(self, Self::Tls(rustls::Error::InvalidCertificate(_)))
    }
}

impl From<io::Error> for TlsError {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Self::Tls(tls.clone()),
            None => Self::Io(error),
        }
    }
}

/// What a TLS handshake agreed on.
#[derive(Debug, Clone)]
pub struct TlsSession {
    /// The client's Finished: 32 bytes in TLS 1.3, 12 in TLS 1.2.
    pub session_id: SessionId,
    /// The application protocol, if the client offered any.
    pub alpn: Option<Vec<u8>>,
    /// Certificates of the peer, leaf first, validated. `None`: an ordinary client.
    pub peer_chain: Option<CertificateChain>,
}

impl TlsSession {
    fn new(connection: &CommonState, captured: finished::Captured) -> Result<Self, TlsError> {
        let expected = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => 2,
            Some(ProtocolVersion::TLSv1_2) => 1,
            _ => return Err(TlsError::NoSessionId),
        };
        if !matches!(connection.handshake_kind(), Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest))
        {
            return Err(TlsError::NoSessionId);
        }
        let finished = captured.client_finished(expected).ok_or(TlsError::NoSessionId)?;
        let session_id = SessionId::try_from(&finished[..]).map_err(|_| TlsError::NoSessionId)?;
        let peer_chain = connection.peer_certificates().map(own_chain).transpose();
        Ok(Self {
            session_id,
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            peer_chain: peer_chain.map_err(|error| TlsError::Tls(error.into()))?,
        })
    }
}

fn own_chain(certificates: &[CertificateDer<'static>]) -> Result<CertificateChain, ChainError> {
    CertificateChain::new(certificates.to_vec())
}
