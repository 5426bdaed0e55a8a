//! What was agreed on when the connection began.

use std::sync::OnceLock;

use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::{Command, NotifierCommand, RecipientCommand};
use smp_protocol::handshake::CertChainPubKey;
use smp_protocol::id::{CorrId, SessionId};
use smp_protocol::key::{DhPrivateKey, DhPublicKey, DhSecret};
use smp_protocol::transmission::{Credentials, ServiceCredentials, Wire};
use smp_protocol::version::{Version, VersionRange};
use smp_transport::handshake::OwnService;

use crate::{ClientError, Request};

/// Bytes in front of a transmission in a block of its own: count and length.
const BATCH_OF_ONE: usize = 1 + 2;

/// The facts of a connection.
pub(crate) struct Session {
    pub(crate) version: Version,
    /// Versions of both sides.
    pub(crate) versions: VersionRange,
    /// Highest version of this side.
    pub(crate) own_max: Version,
    pub(crate) id: SessionId,
    pub(crate) own_key: DhPrivateKey,
    pub(crate) server_key: Option<DhPublicKey>,
    pub(crate) server_proof: Option<CertChainPubKey>,
    pub(crate) service: Option<OwnService>,
    /// Most bytes of content in a block.
    pub(crate) max_content: usize,
    pub(crate) secret: OnceLock<DhSecret>,
}

impl Session {
    pub(crate) fn wire(&self) -> Wire<'_> {
        Wire::connection(self.version, &self.id)
    }

    /// The transmission of a request.
    pub(crate) fn encode(&self, request: &Request<'_>, corr_id: &CorrId) -> Result<Vec<u8>, ClientError> {
        if matches!(request.key, Some(AuthPrivateKey::Dh(_))) && self.server_key.is_none() {
            return Err(ClientError::NoServerKey);
        }
        let signed = request.service_signature.unwrap_or_else(|| is_signed_by_service(&request.command));
        let service = self.service.as_ref().filter(|_| signed);
        let credentials = Credentials {
            key: request.key,
            session_key: self.server_key.as_ref(),
            service: service.map(|service| ServiceCredentials {
                fingerprint: &service.fingerprint,
                session_key: &service.session_key,
            }),
        };
        let mut transmission = Vec::new();
        self.wire().write_command(&request.command, corr_id, &request.entity, &credentials, &mut transmission);
        self.check_length(transmission.len())?;
        Ok(transmission)
    }

    /// Fails if a transmission of this length fits no block.
    pub(crate) fn check_length(&self, length: usize) -> Result<(), ClientError> {
        let limit = self.max_content - BATCH_OF_ONE;
        if length > limit { Err(ClientError::TooLong { length, limit }) } else { Ok(()) }
    }

    /// Fails if the version is lower than `needed`.
    pub(crate) fn require(&self, needed: Version) -> Result<(), ClientError> {
        if self.version < needed {
            return Err(ClientError::VersionTooLow { needed, agreed: self.version });
        }
        Ok(())
    }

    /// The secret of the session keys of both sides.
    pub(crate) fn secret(&self) -> Result<&DhSecret, ClientError> {
        let server_key = self.server_key.as_ref().ok_or(ClientError::NoServerKey)?;
        Ok(self.secret.get_or_init(|| self.own_key.agree(server_key)))
    }
}

/// The commands that carry a second signature in a service session.
fn is_signed_by_service(command: &Command) -> bool {
    matches!(
        command,
        Command::New(_)
            | Command::Recipient(RecipientCommand::Subscribe)
            | Command::Notifier(NotifierCommand::Subscribe)
    )
}
