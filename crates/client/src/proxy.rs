//! The proxy's side of forwarding (wire.md §9.3, §9.6): a connection to a relay over which the commands of clients travel.

use smp_protocol::command::{Command, ForwardedCommand, ProxyCommand};
use smp_protocol::error::{BrokerError, CommandError, ErrorType, ProxyError, TransportError};
use smp_protocol::forward::{ProxyForward, ResponseError};
use smp_protocol::id::{CorrId, EntityId};
use smp_protocol::key::DhSecret;
use smp_protocol::response::{MalformedResponse, RelaySession, Response};
use smp_protocol::version::{Version, VersionRange};

use crate::pending::PendingResponse;
use crate::{Client, ClientError, Request};

impl Client {
    /// What a proxy tells its clients about this connection to a relay: the content of `PKEY`.
    ///
    /// Fails if the version is below 8 or the relay has no session key.
    pub fn relay_session(&self) -> Result<RelaySession, TransportError> {
        let session = self.session();
        let forwarding = VersionRange::new(Version::PROXY, Version::MAX);
        let versions = forwarding.and_then(|versions| versions.intersection(session.versions));
        Ok(RelaySession {
            session_id: session.id.clone(),
            versions: versions.ok_or(TransportError::Version)?,
            key: session.server_proof.clone().ok_or(TransportError::NoAuth)?,
        })
    }

    /// `RFWD`: passes a client's command on to this relay. `client_corr_id` is that of the `PFWD`. Returns the content of the
    /// `PRES`; what the relay answered is readable for the client only.
    ///
    /// Every error can be shown to the client: see [`ClientError::to_forwarding_error`].
    pub async fn forward(&self, client_corr_id: &CorrId, command: &ForwardedCommand) -> Result<Box<[u8]>, ClientError> {
        self.begin_forward(client_corr_id, command).await?.response().await
    }

    /// The first half of [`Self::forward`]: the command is handed to the connection, and not needed any more.
    pub async fn begin_forward(
        &self,
        client_corr_id: &CorrId,
        command: &ForwardedCommand,
    ) -> Result<Forward<'_>, ClientError> {
        let (secret, corr_id) = (self.session().secret()?, CorrId::random());
        let (forward, encrypted) = ProxyForward::seal(secret, &corr_id, client_corr_id, command);
        let command = Command::Proxy(ProxyCommand::Relay(encrypted.into()));
        let request = Request::new(EntityId::EMPTY, command, None).with_corr_id(corr_id);
        Ok(Forward { secret, layer: forward, pending: self.submit(&request).await? })
    }
}

/// A forwarded command whose answer is to come.
pub struct Forward<'c> {
    secret: &'c DhSecret,
    layer: ProxyForward,
    pending: PendingResponse,
}

impl Forward<'_> {
    /// See [`Client::forward`].
    pub async fn response(self) -> Result<Box<[u8]>, ClientError> {
        match self.pending.response().await? {
            Response::RelayResponse(encrypted) => Ok(self.layer.open_response(self.secret, &encrypted)?.into()),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

impl ClientError {
    /// How a proxy tells its client about the failure of a relay connection (wire.md §9.6, behaviour.md §3.15).
    ///
    /// The end of the connection is shown as `NETWORK`: like `TIMEOUT` it tells the client to try again.
    pub fn to_forwarding_error(&self) -> ErrorType {
        let broker = match self {
            Self::Server(error) | Self::Relay(error) => return ProxyError::Protocol(error.clone()).into(),
            Self::Crypto => return ResponseError::Crypto.into(),
            Self::MalformedForward => return ResponseError::Malformed.into(),
            Self::Connect(error) => error.into(),
            Self::OnlyOnionHosts => BrokerError::Host,
            Self::Disconnected(_) => BrokerError::Network,
            Self::Timeout => BrokerError::Timeout,
            Self::Malformed(MalformedResponse::UnknownTag) => {
                BrokerError::Response(word(&CommandError::Unknown.into()))
            }
            Self::Malformed(MalformedResponse::Syntax) => BrokerError::Response(word(&CommandError::Syntax.into())),
            Self::Unexpected(tag) => BrokerError::Unexpected(tag.clone()),
            Self::TooLong { .. } => BrokerError::Transport(TransportError::LargeMessage),
            Self::VersionTooLow { .. } => BrokerError::Transport(TransportError::Version),
            Self::NoServerKey => BrokerError::Transport(TransportError::NoAuth),
            Self::RelayNotProved | Self::NotAService | Self::Password(_) | Self::CorrelationId => {
                return ErrorType::Internal;
            }
        };
        ProxyError::Broker(broker).into()
    }
}

fn word(error: &ErrorType) -> String {
    let mut text = Vec::new();
    error.encode(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
