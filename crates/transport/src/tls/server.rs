//! The server's side of TLS on a plain SMP port.
//!
//! The ClientHello is read first and the configuration chosen after it, because ALPN follows the client's order
//! (wire.md §2.3), and because on a port shared with the web site the server name decides who continues.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rustls::server::{Acceptor, ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, server};

use super::credential::Credential;
use super::finished::capture;
use super::provider::{Group, provider};
use super::verifier::OptionalClient;
use super::{TlsError, TlsSession, TlsStream};

/// Accepts TLS connections of SMP clients, with a credential that can be replaced at any time.
#[derive(Debug)]
pub struct TlsServer {
    alpn: Vec<Vec<u8>>,
    groups: Vec<Group>,
    clients: ClientCertificates,
    current: RwLock<Arc<Identity>>,
}

/// Whether clients may prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are asked for a certificate, and may have none.
    Optional,
    /// They are not asked: clients know by this that no services are served.
    Unasked,
}

/// A credential and the configurations made from it.
#[derive(Debug)]
struct Identity {
    credential: Credential,
    /// For clients without ALPN, or with none of our protocols.
    general: Arc<ServerConfig>,
    /// One for each application protocol, in the order of `TlsServer::alpn`.
    by_protocol: Vec<Arc<ServerConfig>>,
}

impl TlsServer {
    /// A server that lists these application protocols; see [`super::SERVER_ALPN`].
    pub fn new(credential: Credential, alpn: &[&[u8]]) -> Self {
        Self::with_groups(credential, alpn, Group::DEFAULT)
    }

    /// The same with or without certificates of clients, which are asked for by default.
    #[must_use]
    pub fn client_certificates(mut self, clients: ClientCertificates) -> Self {
        self.clients = clients;
        self.replace_credential(self.credential());
        self
    }

    /// A server with other key exchange groups than [`Group::DEFAULT`].
    pub fn with_groups(credential: Credential, alpn: &[&[u8]], groups: &[Group]) -> Self {
        let alpn: Vec<_> = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let clients = ClientCertificates::Optional;
        let current = RwLock::new(Arc::new(Identity::new(credential, &alpn, groups, clients)));
        Self { alpn, groups: groups.to_vec(), clients, current }
    }

    /// The credential that new connections get.
    pub fn credential(&self) -> Credential {
        self.current.read().credential.clone()
    }

    /// Connections accepted from now on get this credential; established ones keep theirs.
    pub fn replace_credential(&self, credential: Credential) {
        let identity = Arc::new(Identity::new(credential, &self.alpn, &self.groups, self.clients));
        *self.current.write() = identity;
    }

    /// The whole TLS handshake, within `limit`. A server name sent by the client is ignored.
    ///
    /// The future is a pointer: the state of a handshake is large and must not stay in the future of a session.
    pub fn accept<S>(
        &self,
        stream: S,
        limit: Duration,
    ) -> impl Future<Output = Result<AcceptedTls<TlsStream<S>>, TlsError>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Box::pin(async move { self.greet(stream, limit).await?.accept().await })
    }

    /// Reads the ClientHello, so that the caller can choose by its server name. The whole handshake has to end within
    /// `limit`.
    pub fn greet<S>(&self, stream: S, limit: Duration) -> impl Future<Output = Result<Greeting<S>, TlsError>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Box::pin(async move {
            let deadline = Instant::now() + limit;
            let hello = LazyConfigAcceptor::new(Acceptor::default(), stream);
            let start = timeout_at(deadline, hello).await.map_err(|_| TlsError::Timeout)??;
            Ok(Greeting { start, identity: Arc::clone(&self.current.read()), alpn: self.alpn.clone(), deadline })
        })
    }
}

impl Identity {
    fn new(credential: Credential, alpn: &[Vec<u8>], groups: &[Group], clients: ClientCertificates) -> Self {
        let general = server_config(&credential, groups, clients);
        let with = |protocols: Vec<Vec<u8>>| {
            let mut config = general.clone();
            config.alpn_protocols = protocols;
            Arc::new(config)
        };
        Self {
            by_protocol: alpn.iter().map(|protocol| with(vec![protocol.clone()])).collect(),
            general: with(alpn.to_vec()),
            credential,
        }
    }

    /// The configuration that selects the first protocol of the client's list that is known here. Without one, the
    /// general configuration refuses with `no_application_protocol`.
    fn config_for(&self, hello: &ClientHello<'_>, known: &[Vec<u8>]) -> Arc<ServerConfig> {
        let offered = hello.alpn().into_iter().flatten();
        let mut positions = offered.filter_map(|protocol| known.iter().position(|ours| ours == protocol));
        let config = positions.next().map_or(&self.general, |position| &self.by_protocol[position]);
        Arc::clone(config)
    }
}

fn server_config(credential: &Credential, groups: &[Group], clients: ClientCertificates) -> ServerConfig {
    let builder = ServerConfig::builder_with_provider(provider(groups))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("the provider has a suite for both versions");
    let builder = match clients {
        ClientCertificates::Optional => builder.with_client_cert_verifier(Arc::new(OptionalClient)),
        ClientCertificates::Unasked => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(OneCertificate(credential.certified_key())));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}

/// The same certificate for every client.
#[derive(Debug)]
struct OneCertificate(Arc<CertifiedKey>);

impl ResolvesServerCert for OneCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A connection whose ClientHello has been read.
pub struct Greeting<S> {
    start: StartHandshake<S>,
    identity: Arc<Identity>,
    alpn: Vec<Vec<u8>>,
    deadline: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Greeting<S> {
    /// The server name (SNI). Reference SMP clients never send one.
    pub fn server_name(&self) -> Option<String> {
        self.start.client_hello().server_name().map(str::to_owned)
    }

    /// Continues as an SMP connection.
    pub fn accept(self) -> impl Future<Output = Result<AcceptedTls<TlsStream<S>>, TlsError>> {
        Box::pin(async move {
            let deadline = self.deadline;
            timeout_at(deadline, self.finish()).await.map_err(|_| TlsError::Timeout)?
        })
    }

    /// Continues as something else than SMP, with another certificate.
    pub async fn accept_with(self, config: Arc<ServerConfig>) -> Result<server::TlsStream<S>, TlsError> {
        let stream = timeout_at(self.deadline, self.start.into_stream(config)).await;
        Ok(stream.map_err(|_| TlsError::Timeout)??)
    }

    async fn finish(self) -> Result<AcceptedTls<TlsStream<S>>, TlsError> {
        let config = self.identity.config_for(&self.start.client_hello(), &self.alpn);
        let start = self.start;
        // rustls answers the ClientHello, and computes its own Finished, already when the connection is made.
        let (stream, captured) = capture(async { start.into_stream(config).into_fallible().await }).await;
        let stream = match stream {
            Ok(stream) => stream,
            Err((error, mut socket)) => {
                // Sends what is left, the alert, before the socket closes.
                let _ = socket.shutdown().await;
                return Err(error.into());
            }
        };
        let connection: &ServerConnection = stream.get_ref().1;
        let tls = TlsSession::new(connection, captured)?;
        Ok(AcceptedTls { stream: stream.into(), tls, credential: self.identity.credential.clone() })
    }
}

/// An established TLS connection of a client. Before the SMP handshake another stream can be put on top of `stream`, such as
/// a WebSocket (wire.md §11).
#[derive(Debug)]
pub struct AcceptedTls<S = TlsStream> {
    /// The encrypted stream.
    pub stream: S,
    /// What was agreed.
    pub tls: TlsSession,
    /// What the server proved itself with, for the SMP handshake that follows.
    pub credential: Credential,
}

impl<S> AcceptedTls<S> {
    /// The same connection with another stream on top.
    pub fn map_stream<T>(self, on_top: impl FnOnce(S) -> T) -> AcceptedTls<T> {
        AcceptedTls { stream: on_top(self.stream), tls: self.tls, credential: self.credential }
    }
}
