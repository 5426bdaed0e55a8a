//! The client's side of TLS: towards relays, and in tests.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::client::{ClientConnection, ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::credential::Credential;
use super::finished::capture;
use super::provider::{Group, provider};
use super::verifier::PinnedServer;
use super::{ALPN_SMP, TlsError, TlsSession, TlsStream};

/// How to connect to servers. The default is what a proxy does: TLS 1.3 or 1.2, `smp/1`, a key share for X448, no
/// certificate, no server name (wire.md §3.7).
#[derive(Debug, Clone)]
pub struct TlsClient {
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static SupportedProtocolVersion>,
    alpn: Vec<Vec<u8>>,
    credential: Option<Credential>,
    server_name: Option<ServerName<'static>>,
}

impl Default for TlsClient {
    fn default() -> Self {
        Self {
            provider: provider(Group::DEFAULT),
            versions: vec![&TLS13, &TLS12],
            alpn: vec![ALPN_SMP.to_vec()],
            credential: None,
            server_name: None,
        }
    }
}

impl TlsClient {
    /// Offers these application protocols, most preferred first; none leaves the extension out.
    #[must_use]
    pub fn alpn(mut self, protocols: &[&[u8]]) -> Self {
        self.alpn = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        self
    }

    /// Offers these groups, with a key share for the first.
    #[must_use]
    pub fn groups(mut self, groups: &[Group]) -> Self {
        self.provider = provider(groups);
        self
    }

    /// Offers TLS 1.2 only.
    #[must_use]
    pub fn tls12_only(mut self) -> Self {
        self.versions = vec![&TLS12];
        self
    }

    /// Presents this certificate chain when asked: the client is a service.
    #[must_use]
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    /// Sends a server name (SNI).
    #[must_use]
    pub fn server_name(mut self, name: ServerName<'static>) -> Self {
        self.server_name = Some(name);
        self
    }

    /// The whole TLS handshake, within `limit`, with the server whose identity certificate has the fingerprint `identity`
    /// (32 bytes; others match no server).
    ///
    /// The future is a pointer: the state of a handshake is large and must not stay in the future of a session.
    pub fn connect<S>(
        &self,
        stream: S,
        identity: &[u8],
        limit: Duration,
    ) -> impl Future<Output = Result<ConnectedTls<TlsStream<S>>, TlsError>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Box::pin(async move {
            let handshake = self.handshake(stream, identity);
            timeout(limit, handshake).await.map_err(|_| TlsError::Timeout)?
        })
    }

    async fn handshake<S>(&self, stream: S, identity: &[u8]) -> Result<ConnectedTls<TlsStream<S>>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let asked = Arc::new(AtomicBool::new(false));
        let connector = TlsConnector::from(Arc::new(self.config(identity, Arc::clone(&asked))));
        // An address is never sent as a server name.
        let unnamed = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
        let name = self.server_name.clone().unwrap_or(unnamed);
        let (stream, captured) = capture(async { connector.connect(name, stream).into_fallible().await }).await;
        let stream = match stream {
            Ok(stream) => stream,
            Err((error, mut socket)) => {
                // Sends what is left, the alert, before the socket closes.
                let _ = socket.shutdown().await;
                return Err(error.into());
            }
        };
        let connection: &ClientConnection = stream.get_ref().1;
        let tls = TlsSession::new(connection, captured)?;
        // A server that asks for no certificate serves no services: the client goes on as an ordinary one.
        let credential = self.credential.clone().filter(|_| asked.load(Ordering::Relaxed));
        Ok(ConnectedTls { stream: stream.into(), tls, identity: identity.into(), credential })
    }

    fn config(&self, identity: &[u8], asked: Arc<AtomicBool>) -> ClientConfig {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&self.versions)
            .expect("the provider has a suite for both versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PinnedServer::new(identity)))
            .with_client_cert_resolver(Arc::new(MaybeCertificate {
                certificate: self.credential.as_ref().map(Credential::certified_key),
                asked,
            }));
        config.alpn_protocols.clone_from(&self.alpn);
        config.resumption = Resumption::disabled();
        config
    }
}

/// An established TLS connection to a server.
#[derive(Debug)]
pub struct ConnectedTls<S = TlsStream> {
    /// The encrypted stream.
    pub stream: S,
    /// What was agreed.
    pub tls: TlsSession,
    /// The fingerprint of the server's identity certificate.
    pub identity: Arc<[u8]>,
    /// What the client proved itself with, for the SMP handshake that follows.
    pub credential: Option<Credential>,
}

/// The certificate of a service, or none, and whether the server asked for it.
#[derive(Debug)]
struct MaybeCertificate {
    certificate: Option<Arc<CertifiedKey>>,
    asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for MaybeCertificate {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.certificate.clone()
    }

    fn has_certs(&self) -> bool {
        self.certificate.is_some()
    }
}
