//! Transmissions: one command or response with its authorization and IDs (wire.md §5.1).
//!
//! ```text
//! s(auth) ‖ [ service signature slot ] ‖ [ s(session ID) ] ‖ s(corrId) ‖ s(entityId) ‖ command
//! ```
//!
//! The slot exists from version 16 when `auth` is not empty; the session ID is sent only in version 6.

use std::fmt;

use crate::authorization::{AuthPrivateKey, Authorization, Authorized};
use crate::command::{Command, may_hold_password};
use crate::encoding::{Decoded, Encode, Malformed, Reader};
use crate::error::{CommandError, ErrorType};
use crate::id::{CorrId, EntityId, SessionId};
use crate::key::{DhPublicKey, SigningKey};
use crate::version::Version;

/// A transmission split into its fields; the command is not parsed yet.
#[derive(Clone)]
pub struct Transmission<'a> {
    /// What authorizes it.
    pub authorization: Authorization,
    /// Ed25519 signature by the service session key.
    pub service_signature: Option<[u8; 64]>,
    /// Correlation ID.
    pub corr_id: CorrId,
    /// Entity ID.
    pub entity: EntityId,
    /// What the authorization covers.
    pub authorized: Authorized<'a>,
    /// Command or response.
    pub body: &'a [u8],
}

/// The bytes hold IDs, keys and messages, which never reach a log (behaviour.md I-16).
impl fmt::Debug for Transmission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transmission({} bytes of command or response)", self.body.len())
    }
}

/// A transmission that is answered with an error before its command is looked at (wire.md §5.4, levels 4 to 9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Echoed, or empty if it could not be read.
    pub corr_id: CorrId,
    /// Echoed, or empty below the level of commands.
    pub entity: EntityId,
    /// The answer.
    pub error: ErrorType,
}

impl Rejected {
    /// An error that belongs to no transmission.
    pub fn block() -> Self {
        Self { corr_id: CorrId::EMPTY, entity: EntityId::EMPTY, error: ErrorType::Block }
    }
}

/// The context in which transmissions are read and written.
#[derive(Debug, Clone, Copy)]
pub struct Wire<'a> {
    /// Version of the connection, or of the forwarded command.
    pub version: Version,
    /// Session ID of the connection; of the connection between proxy and relay for a forwarded command.
    pub session_id: &'a SessionId,
    /// Whether the session ID is sent: in version 6, but never inside a forward.
    pub sends_session_id: bool,
}

impl<'a> Wire<'a> {
    /// For the transmissions of a connection.
    pub fn connection(version: Version, session_id: &'a SessionId) -> Self {
        Self { version, session_id, sends_session_id: version < Version::IMPLICIT_SESSION_ID }
    }

    /// For the transmission inside a forward.
    pub fn forwarded(version: Version, session_id: &'a SessionId) -> Self {
        Self { version, session_id, sends_session_id: false }
    }

    /// Splits a received transmission.
    pub fn read<'t>(&self, transmission: &'t [u8]) -> Result<Transmission<'t>, Rejected> {
        let fields = self.fields(transmission).map_err(|Malformed| Rejected::block())?;
        let reject = |error| Rejected { corr_id: fields.corr_id.clone(), entity: EntityId::EMPTY, error };
        if fields.session_id.is_some_and(|id| id != self.session_id.as_ref()) {
            return Err(reject(ErrorType::Session));
        }
        let authorization = Authorization::from_bytes(fields.auth).map_err(|Malformed| reject(ErrorType::Block))?;
        let authorized = if self.sends_session_id {
            Authorized::with_sent_session(fields.authorized)
        } else {
            Authorized::with_session(self.session_id, fields.authorized)
        };
        Ok(Transmission {
            authorization,
            service_signature: fields.service_signature,
            corr_id: fields.corr_id,
            entity: fields.entity,
            authorized: authorized.with_password_if(may_hold_password(fields.body)),
            body: fields.body,
        })
    }

    fn fields<'t>(&self, transmission: &'t [u8]) -> Decoded<Fields<'t>> {
        let mut input = Reader::new(transmission);
        let auth = input.short()?;
        let service_signature = if self.version >= Version::SERVICES && !auth.is_empty() {
            input.optional(|i| i.short()?.try_into().map_err(|_| Malformed))?
        } else {
            None
        };
        let authorized = input.rest();
        let session_id = if self.sends_session_id { Some(input.short()?) } else { None };
        let corr_id = input.short()?.try_into()?;
        let entity = input.short()?.try_into()?;
        Ok(Fields { auth, service_signature, authorized, session_id, corr_id, entity, body: input.tail() })
    }

    /// Appends a response or an event: `write` appends its body.
    pub fn write(&self, corr_id: &CorrId, entity: &EntityId, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        out.push(0);
        self.write_authorized(corr_id, entity, out);
        write(out);
    }

    /// Bytes that [`Self::write`] appends before the body.
    pub fn response_length(&self, corr_id: &CorrId, entity: &EntityId) -> usize {
        let session = if self.sends_session_id { 1 + self.session_id.as_ref().len() } else { 0 };
        1 + session + 1 + corr_id.as_ref().len() + 1 + entity.as_ref().len()
    }

    fn write_authorized(&self, corr_id: &CorrId, entity: &EntityId, out: &mut Vec<u8>) {
        if self.sends_session_id {
            out.put_short(self.session_id.as_ref());
        }
        out.put_short(corr_id.as_ref());
        out.put_short(entity.as_ref());
    }

    /// Appends a command with its authorization.
    pub fn write_command(
        &self,
        command: &Command,
        corr_id: &CorrId,
        entity: &EntityId,
        credentials: &Credentials<'_>,
        out: &mut Vec<u8>,
    ) {
        let mut authorized = Vec::with_capacity(64);
        self.write_authorized(corr_id, entity, &mut authorized);
        command.encode(self.version, &mut authorized);
        self.write_authorization(&authorized, corr_id, credentials, out);
        out.put(&authorized);
    }

    fn write_authorization(
        &self,
        transmitted: &[u8],
        corr_id: &CorrId,
        credentials: &Credentials<'_>,
        out: &mut Vec<u8>,
    ) {
        let authorized = || {
            if self.sends_session_id {
                Authorized::with_sent_session(transmitted)
            } else {
                Authorized::with_session(self.session_id, transmitted)
            }
        };
        let by_queue = match &credentials.service {
            None => authorized(),
            Some(service) => authorized().by_service(service.fingerprint),
        };
        let authorization = match credentials.key {
            None => Authorization::None,
            Some(key) => by_queue.authorize(key, credentials.session_key, &corr_id.nonce()),
        };
        out.put_short(authorization.as_ref());
        if self.version >= Version::SERVICES && !authorization.is_none() {
            out.put_optional(credentials.service.as_ref(), |out, service| {
                out.put_short(service.session_key.sign(&authorized().copied()).as_ref());
            });
        }
    }
}

/// What a client authorizes a command with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The queue's key, or the service session key for commands of the service itself.
    pub key: Option<&'a AuthPrivateKey>,
    /// The server's session key, which authenticators need.
    pub session_key: Option<&'a DhPublicKey>,
    /// Second signature in a service session.
    pub service: Option<ServiceCredentials<'a>>,
}

/// What a service adds to the authorization of a queue key.
#[derive(Debug, Clone, Copy)]
pub struct ServiceCredentials<'a> {
    /// SHA-256 of the service's identity certificate.
    pub fingerprint: &'a [u8; 32],
    /// The Ed25519 service session key.
    pub session_key: &'a SigningKey,
}

struct Fields<'t> {
    auth: &'t [u8],
    service_signature: Option<[u8; 64]>,
    authorized: &'t [u8],
    session_id: Option<&'t [u8]>,
    corr_id: CorrId,
    entity: EntityId,
    body: &'t [u8],
}

impl Transmission<'_> {
    /// Parses the command and checks that it carries the credentials it needs (levels 7 to 9).
    pub fn command(&self, version: Version) -> Result<Command, Rejected> {
        Command::parse(self.body, version)
            .and_then(|command| {
                command.check_credentials(!self.authorization.is_none(), !self.entity.is_empty()).map(|()| command)
            })
            .map_err(|error| self.reject(error))
    }

    /// This transmission answered with an error.
    pub fn reject(&self, error: CommandError) -> Rejected {
        Rejected { corr_id: self.corr_id.clone(), entity: self.entity.clone(), error: error.into() }
    }
}
