//! The client's side of the handshake.

use std::time::Duration;

use smp_protocol::error::TransportError;
use smp_protocol::handshake::{CertChainPubKey, ClientHello, ClientService, ServerHello, ServiceResponse, ServiceRole};
use smp_protocol::id::{ServiceId, SessionId};
use smp_protocol::key::{DhPrivateKey, DhPublicKey, SigningKey};
use smp_protocol::signed_key::{sign_service_key, verify_dh_key};
use smp_protocol::version::{Version, VersionRange};
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::{HandshakeFailure, Messages, Reader, Writer, block_chains};
use crate::tls::{CertificateChain, ConnectedTls, Credential, Fingerprint, TlsStream};

/// Highest version that a proxy asks for at relays that do not know its flag: below block encryption (wire.md §3.7).
const MAX_WITHOUT_PROXY_FLAG: Version = Version(10);

/// What a client asks for.
#[derive(Debug, Clone, Copy)]
pub struct ClientHandshake {
    /// Versions the client speaks; the highest common one is used.
    pub versions: VersionRange,
    /// Send a session key, if the server has one: without it no block encryption and no X25519 authenticators.
    pub send_key: bool,
    /// The client is a proxy.
    pub is_proxy: bool,
    /// The client is a service with this role, provided that TLS was done with a credential and the version agreed on has
    /// services.
    pub service: Option<ServiceRole>,
    /// Limit for the whole handshake.
    pub limit: Duration,
}

/// The service that a client is in its session.
#[derive(Debug, Clone)]
pub struct OwnService {
    /// The ID that the server gave.
    pub id: ServiceId,
    /// The role.
    pub role: ServiceRole,
    /// SHA-256 of the identity certificate, which authorizations in this session cover.
    pub fingerprint: Fingerprint,
    /// Makes the service signatures of this session; Ed25519.
    pub session_key: SigningKey,
}

/// A session with a server, on the client.
#[derive(Debug)]
pub struct ClientSession<S = TlsStream> {
    /// The version agreed on.
    pub version: Version,
    /// The versions that both sides speak.
    pub versions: VersionRange,
    /// Identifies the connection.
    pub session_id: SessionId,
    /// The client's key for this session.
    pub session_key: DhPrivateKey,
    /// The server's key, proved by its certificates. Servers have one from version 7.
    pub peer_key: Option<DhPublicKey>,
    /// The certificates and the signed key that the server sent: what a proxy passes on to its clients.
    pub server_key: Option<CertChainPubKey>,
    /// The client is a service.
    pub service: Option<OwnService>,
    /// Blocks from the server.
    pub reader: Reader<S>,
    /// Blocks to the server.
    pub writer: Writer<S>,
}

impl ClientHandshake {
    /// Does the handshake.
    ///
    /// The future is a pointer: the state of a handshake is large and must not stay in the future of a session.
    pub fn run<S>(&self, connected: ConnectedTls<S>) -> impl Future<Output = Result<ClientSession<S>, HandshakeFailure>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Box::pin(async move {
            let exchange = self.exchange(connected);
            timeout(self.limit, exchange).await.map_err(|_| HandshakeFailure::Timeout)?
        })
    }

    async fn exchange<S>(&self, connected: ConnectedTls<S>) -> Result<ClientSession<S>, HandshakeFailure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let ConnectedTls { stream, tls, identity, credential } = connected;
        let mut messages = Messages::new(stream);
        let hello = ServerHello::decode(&messages.receive().await?).map_err(|_| HandshakeFailure::MALFORMED)?;
        if !bool::from(hello.session_id.as_ref().ct_eq(tls.session_id.as_ref())) {
            return Err(HandshakeFailure::Refused(TransportError::Session));
        }
        let versions = self.common_versions(hello.versions).ok_or(HandshakeFailure::NO_COMMON_VERSION)?;
        let version = versions.max();
        let verify = |key: &CertChainPubKey| verify_server_key(key, tls.peer_chain.as_ref(), &identity);
        let peer_key = hello.key.as_ref().map(verify).transpose()?;

        let session_key = DhPrivateKey::generate();
        let sent_key = peer_key.filter(|_| self.send_key && version >= Version::IMPLICIT_SESSION_ID);
        let service = self.service.zip(credential).filter(|_| version >= Version::SERVICES);
        let service = service.map(|(role, credential)| PendingService::new(role, credential));
        let mut message = Vec::new();
        let own = ClientHello {
            version,
            key_hash: identity.to_vec(),
            key: sent_key.map(|_| session_key.public()),
            proxy: self.is_proxy && version >= Version::PROXY_FLAG,
            service: service.as_ref().map(PendingService::hello),
        };
        own.encode(&mut message)?;
        messages.send(&message).await?;
        let service = match service {
            Some(service) => Some(service.confirm(&messages.receive().await?)?),
            None => None,
        };

        let chains = block_chains(version, own.proxy, &session_key, sent_key.as_ref(), &tls.session_id);
        let (to_client, to_server) = chains.map(|c| (c.server_to_client, c.client_to_server)).unzip();
        let (reader, writer) = messages.into_halves(to_client, to_server);
        Ok(ClientSession {
            version,
            versions,
            session_id: tls.session_id,
            session_key,
            peer_key,
            server_key: hello.key,
            service,
            reader,
            writer,
        })
    }

    /// The versions of both sides.
    fn common_versions(&self, offered: VersionRange) -> Option<VersionRange> {
        let mut own = self.versions;
        if self.is_proxy && offered.max() < Version::PROXY_FLAG {
            own = own.intersection(VersionRange::new(Version::MIN, MAX_WITHOUT_PROXY_FLAG)?)?;
        }
        own.intersection(offered)
    }
}

/// The key of a server hello, if the pinned identity vouches for it (wire.md §3.3).
fn verify_server_key(
    key: &CertChainPubKey,
    proved: Option<&CertificateChain>,
    identity: &[u8],
) -> Result<DhPublicKey, HandshakeFailure> {
    let verified = || {
        let certificates = key.chain.iter().map(|certificate| certificate.clone().into()).collect();
        let chain = CertificateChain::new(certificates).ok().filter(|chain| chain.certificates().len() > 1)?;
        let pinned = chain.identity().ct_eq(identity);
        verify_dh_key(&key.signed_key, proved?.leaf_key()).ok().filter(|_| pinned.into())
    };
    verified().ok_or(HandshakeFailure::BAD_AUTH)
}

/// A service that has not been accepted yet.
struct PendingService {
    role: ServiceRole,
    credential: Credential,
    session_key: SigningKey,
    signed_key: Vec<u8>,
}

impl PendingService {
    fn new(role: ServiceRole, credential: Credential) -> Self {
        let session_key = SigningKey::generate_ed25519();
        let SigningKey::Ed25519(key) = &session_key else { unreachable!("the key was made for Ed25519") };
        let signed_key = sign_service_key(&key.verifying_key(), credential.key());
        Self { role, credential, session_key, signed_key }
    }

    fn hello(&self) -> ClientService {
        let key = CertChainPubKey { chain: self.credential.chain().to_der(), signed_key: self.signed_key.clone() };
        ClientService { role: self.role, key }
    }

    fn confirm(self, response: &[u8]) -> Result<OwnService, HandshakeFailure> {
        match ServiceResponse::decode(response) {
            Ok(ServiceResponse::Accepted(id)) => Ok(OwnService {
                id,
                role: self.role,
                fingerprint: self.credential.chain().identity(),
                session_key: self.session_key,
            }),
            Ok(ServiceResponse::Refused(error)) => Err(HandshakeFailure::Refused(error)),
            Err(_) => Err(HandshakeFailure::MALFORMED),
        }
    }
}
