//! The client's side of forwarding (wire.md §9.1, §9.2): commands to a relay that learns nothing about the client but what
//! the proxy is.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use smp_protocol::address::{DEFAULT_PORT, ServerAddress};
use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::{BasicAuth, Command, ProxyCommand, RelayAddress};
use smp_protocol::forward::ClientForward;
use smp_protocol::handshake::CertChainPubKey;
use smp_protocol::id::{CorrId, EntityId, SessionId};
use smp_protocol::key::{DhPrivateKey, DhPublicKey};
use smp_protocol::response::{MalformedResponse, RelaySession, Response};
use smp_protocol::signed_key::verify_dh_key;
use smp_protocol::transmission::{Credentials, Wire};
use smp_protocol::version::{Version, VersionRange};
use smp_transport::tls::CertificateChain;

use crate::{Client, ClientError, Request};

/// A relay that is reached through a proxy. Cheap to clone.
#[derive(Clone)]
pub struct ProxiedRelay {
    proxy: Client,
    session: Arc<Session>,
}

struct Session {
    /// Of the connection between proxy and relay.
    id: SessionId,
    entity: EntityId,
    version: Version,
    key: DhPublicKey,
}

impl Client {
    /// `PRXY`: asks this server to forward commands to the relay with this address. `password` is that of this server;
    /// `None`: the one of its address, if any.
    ///
    /// The key that the proxy returns is accepted only if the certificates of the relay, whose identity is in the address,
    /// prove it.
    pub async fn proxied_relay(
        &self,
        relay: &ServerAddress,
        password: Option<BasicAuth>,
    ) -> Result<ProxiedRelay, ClientError> {
        let address = RelayAddress {
            hosts: relay.hosts.clone(),
            port: relay.port.unwrap_or(DEFAULT_PORT),
            key_hash: relay.key_hash.0.to_vec(),
        };
        let password = password.or_else(|| self.password().cloned());
        let command = Command::Proxy(ProxyCommand::Connect(Box::new((address, password))));
        let session = match self.send(EntityId::EMPTY, command, None).await? {
            Response::RelaySession(session) => Arc::unwrap_or_clone(session),
            other => return Err(ClientError::unexpected(&other)),
        };
        let key = prove(&session.key, &relay.key_hash.0).ok_or(ClientError::RelayNotProved)?;
        let RelaySession { session_id: id, versions, .. } = session;
        let version = forwarded_version(versions, self.session().own_max)?;
        let entity = EntityId::try_from(id.as_ref()).map_err(MalformedResponse::from)?;
        Ok(ProxiedRelay { proxy: self.clone(), session: Arc::new(Session { id, entity, version, key }) })
    }
}

/// The highest version that all parties speak.
fn forwarded_version(versions: VersionRange, own_max: Version) -> Result<Version, ClientError> {
    let version = versions.max().min(own_max);
    let needed = versions.min().max(Version::PROXY);
    if version < needed { Err(ClientError::VersionTooLow { needed, agreed: version }) } else { Ok(version) }
}

/// The key of a relay, if its identity vouches for it.
fn prove(key: &CertChainPubKey, identity: &[u8; 32]) -> Option<DhPublicKey> {
    let certificates = key.chain.iter().map(|certificate| certificate.clone().into()).collect();
    let chain = CertificateChain::new(certificates).ok()?;
    chain.validate_server(UnixTime::now()).ok()?;
    let key = verify_dh_key(&key.signed_key, chain.leaf_key()).ok()?;
    (chain.identity() == *identity).then_some(key)
}

impl ProxiedRelay {
    /// The version that the client speaks with the relay.
    pub fn version(&self) -> Version {
        self.session.version
    }

    /// The session ID of the connection between proxy and relay.
    pub fn session_id(&self) -> &SessionId {
        &self.session.id
    }

    /// The relay's key of that connection.
    pub fn relay_key(&self) -> &DhPublicKey {
        &self.session.key
    }

    /// `PFWD`: sends a command to the relay and waits for the response. Relays accept `SEND`, `SKEY`, `LKEY`, `LGET` and
    /// `RSLV`. The transmission inside has at most 16221 bytes: those of a SEND of 16048 bytes signed with Ed448.
    ///
    /// An `ERR` of the relay is [`ClientError::Relay`], one of the proxy [`ClientError::Server`].
    pub async fn send(
        &self,
        entity: impl Into<EntityId>,
        command: Command,
        key: Option<&AuthPrivateKey>,
    ) -> Result<Response, ClientError> {
        let (session, corr_id) = (&*self.session, CorrId::random());
        let wire = Wire::forwarded(session.version, &session.id);
        let credentials = Credentials { key, session_key: Some(&session.key), service: None };
        let mut transmission = Vec::new();
        wire.write_command(&command, &corr_id, &entity.into(), &credentials, &mut transmission);
        // The length of the padding tells what client this is, not what relay: only the longer one of old clients needs
        // blocks that are not sealed.
        let own_max = self.proxy.session().own_max;
        let sealed = ClientForward::seal(&DhPrivateKey::generate(), &session.key, &corr_id, own_max, &transmission);
        let (forward, mut command) =
            sealed.map_err(|error| ClientError::TooLong { length: error.length, limit: error.size })?;
        command.version = session.version;

        let command = Command::Proxy(ProxyCommand::Forward(command));
        let request = Request::new(session.entity.clone(), command, None).with_corr_id(corr_id.clone());
        match self.proxy.submit(&request).await?.response().await? {
            Response::ProxiedResponse(encrypted) => self.open(&forward, &corr_id, &encrypted),
            other => Err(ClientError::unexpected(&other)),
        }
    }

    fn open(&self, forward: &ClientForward, corr_id: &CorrId, encrypted: &[u8]) -> Result<Response, ClientError> {
        let transmission = forward.open_response(encrypted)?;
        let wire = Wire::forwarded(self.session.version, &self.session.id);
        let transmission = wire.read(&transmission).map_err(|_| ClientError::MalformedForward)?;
        let response = Response::decode(transmission.body, wire.version);
        let response = response.map_err(|_| ClientError::MalformedForward)?;
        match response {
            // The relay does not know the correlation ID of a command that it could not read.
            Response::Error(error) => Err(ClientError::Relay(error)),
            response if transmission.corr_id == *corr_id => Ok(response),
            response => Err(ClientError::unexpected(&response)),
        }
    }
}

impl fmt::Debug for ProxiedRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxiedRelay(version {})", self.session.version)
    }
}
