//! The server's side of the handshake.

use std::time::Duration;

use smp_protocol::error::TransportError;
use smp_protocol::handshake::{CertChainPubKey, ClientHello, ClientService, ServerHello, ServiceResponse, ServiceRole};
use smp_protocol::id::{ServiceId, SessionId};
use smp_protocol::key::{DhPrivateKey, DhPublicKey};
use smp_protocol::signed_key::{sign_dh_key, verify_service_key};
use smp_protocol::version::{Version, VersionRange};
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::{BAD_AUTH, BAD_SERVICE, HandshakeFailure, Messages, Reader, Writer, block_chains};
use crate::block::close;
use crate::tls::{AcceptedTls, CertificateChain, Credential, Fingerprint, TlsSession, TlsStream};

/// What a server offers.
#[derive(Debug, Clone, Copy)]
pub struct ServerHandshake {
    /// Versions offered to clients that negotiated an application protocol. Others get version 6.
    pub versions: VersionRange,
    /// Limit for the whole handshake, close included.
    pub limit: Duration,
}

/// A service that has proved its certificate and asks for its ID.
#[derive(Debug, Clone)]
pub struct ServiceRequest {
    /// What the service wants to be.
    pub role: ServiceRole,
    /// SHA-256 of the identity certificate.
    pub fingerprint: Fingerprint,
    /// The chain proved in TLS.
    pub chain: CertificateChain,
}

/// The service of a session.
#[derive(Debug, Clone)]
pub struct AcceptedService {
    /// Its ID.
    pub id: ServiceId,
    /// Its role.
    pub role: ServiceRole,
    /// SHA-256 of its identity certificate.
    pub fingerprint: Fingerprint,
    /// Verifies the service signatures of this session: an Ed25519 key, 32 bytes.
    pub session_key: [u8; 32],
}

/// A session with a client, on the server.
#[derive(Debug)]
pub struct ServerSession<S = TlsStream> {
    /// The version agreed on.
    pub version: Version,
    /// Identifies the connection.
    pub session_id: SessionId,
    /// The server's key for this session.
    pub session_key: DhPrivateKey,
    /// The client's key, if it sent one.
    pub peer_key: Option<DhPublicKey>,
    /// The client is a proxy.
    pub is_proxy: bool,
    /// The client is a service.
    pub service: Option<AcceptedService>,
    /// Blocks from the client.
    pub reader: Reader<S>,
    /// Blocks to the client.
    pub writer: Writer<S>,
}

impl ServerHandshake {
    /// Does the handshake. `identify` finds or makes the ID of a service; without one the service is refused with
    /// `BAD_SERVICE`.
    ///
    /// The future is a pointer: the state of a handshake is large and must not stay in the future of a session.
    pub fn run<S, F>(
        &self,
        accepted: AcceptedTls<S>,
        identify: F,
    ) -> impl Future<Output = Result<ServerSession<S>, HandshakeFailure>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        F: AsyncFnOnce(ServiceRequest) -> Option<ServiceId>,
    {
        Box::pin(async move {
            let exchange = self.exchange(accepted, identify);
            timeout(self.limit, exchange).await.map_err(|_| HandshakeFailure::Timeout)?
        })
    }

    async fn exchange<S, F>(&self, accepted: AcceptedTls<S>, identify: F) -> Result<ServerSession<S>, HandshakeFailure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        F: AsyncFnOnce(ServiceRequest) -> Option<ServiceId>,
    {
        let AcceptedTls { stream, tls, credential } = accepted;
        let versions = if tls.alpn.is_some() { self.versions } else { VersionRange::single(Version::MIN) };
        let session_key = DhPrivateKey::generate();
        let mut messages = Messages::new(stream);
        messages.send(&server_hello(versions, &tls, &credential, &session_key)?).await?;

        let hello = ClientHello::decode(&messages.receive().await?).map_err(|_| HandshakeFailure::MALFORMED)?;
        if !bool::from(credential.chain().identity().ct_eq(&hello.key_hash)) {
            return Err(HandshakeFailure::WRONG_IDENTITY);
        }
        if !versions.contains(hello.version) {
            return Err(HandshakeFailure::NO_COMMON_VERSION);
        }
        let service = match hello.service {
            Some(service) => match accept_service(service, tls.peer_chain, identify).await {
                Ok(service) => Some(service),
                Err(error) => return Err(refuse(messages, error).await),
            },
            None => None,
        };
        if let Some(service) = &service {
            messages.send(&response(&ServiceResponse::Accepted(service.id))).await?;
        }

        let chains = block_chains(hello.version, hello.proxy, &session_key, hello.key.as_ref(), &tls.session_id);
        let (to_client, to_server) = chains.map(|c| (c.server_to_client, c.client_to_server)).unzip();
        let (reader, writer) = messages.into_halves(to_server, to_client);
        Ok(ServerSession {
            version: hello.version,
            session_id: tls.session_id,
            session_key,
            peer_key: hello.key,
            is_proxy: hello.proxy,
            service,
            reader,
            writer,
        })
    }
}

fn server_hello(
    versions: VersionRange,
    tls: &TlsSession,
    credential: &Credential,
    session_key: &DhPrivateKey,
) -> Result<Vec<u8>, HandshakeFailure> {
    let key = (versions.max() >= Version::IMPLICIT_SESSION_ID).then(|| CertChainPubKey {
        chain: credential.chain().to_der(),
        signed_key: sign_dh_key(&session_key.public(), credential.key()),
    });
    let mut message = Vec::new();
    ServerHello { versions, session_id: tls.session_id.clone(), key }.encode(&mut message)?;
    Ok(message)
}

/// The checks of wire.md §3.4, in its order.
async fn accept_service<F>(
    service: ClientService,
    proved: Option<CertificateChain>,
    identify: F,
) -> Result<AcceptedService, TransportError>
where
    F: AsyncFnOnce(ServiceRequest) -> Option<ServiceId>,
{
    let chain = proved.filter(|chain| chain.to_der() == service.key.chain).ok_or(BAD_AUTH)?;
    let session_key = verify_service_key(&service.key.signed_key, chain.leaf_key()).map_err(|_| BAD_AUTH)?;
    let (role, fingerprint) = (service.role, chain.identity());
    let id = identify(ServiceRequest { role, fingerprint, chain }).await.ok_or(BAD_SERVICE)?;
    Ok(AcceptedService { id, role, fingerprint, session_key })
}

/// Tells the service why, and closes.
async fn refuse<S>(mut messages: Messages<S>, error: TransportError) -> HandshakeFailure
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match messages.send(&response(&ServiceResponse::Refused(error))).await {
        Ok(()) => {
            let (reader, writer) = messages.into_halves(None, None);
            close(reader, writer).await;
            HandshakeFailure::Refused(error)
        }
        Err(failure) => failure,
    }
}

fn response(response: &ServiceResponse) -> Vec<u8> {
    let mut message = Vec::new();
    response.encode(&mut message);
    message
}
