//! Responses and events: what a server sends (wire.md §7).

mod info;
mod record;

pub use info::{DeliveryState, MessageInfo, MessageKind, QueueInfo, SubscriptionInfo};
pub use record::NameRecord;

use std::sync::Arc;

use thiserror::Error;

use crate::command::{LinkData, QueueIdsHash, QueueMode, QueueSet};
use crate::encoding::{Decoded, Encode, Malformed, Reader, TooLong};
use crate::error::ErrorType;
use crate::handshake::CertChainPubKey;
use crate::id::{LinkId, MessageId, NotifierId, RecipientId, SenderId, ServiceId, SessionId};
use crate::key::DhPublicKey;
use crate::message::{SEALED_MESSAGE, SEALED_META};
use crate::version::{Version, VersionRange};

/// Why bytes are no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MalformedResponse {
    /// The tag is not that of a response.
    #[error("the tag is not that of a response")]
    UnknownTag,
    /// What follows the tag does not decode.
    #[error("the arguments of the response do not decode")]
    Syntax,
}

impl From<Malformed> for MalformedResponse {
    fn from(Malformed: Malformed) -> Self {
        Self::Syntax
    }
}

/// Any response or event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// `IDS`: a queue was created.
    Ids(Box<QueueIds>),
    /// `LNK`: link data and the sender ID that the link leads to.
    Link(SenderId, LinkData),
    /// `SOK`, or `OK` before version 16: subscribed, by this service if any.
    Subscribed(Option<ServiceId>),
    /// `SOKS`: all queues of the service are subscribed.
    ServiceSubscribed(QueueSet),
    /// `MSG`: an encrypted message.
    Message(EncryptedMessage),
    /// `ALLS`: the waiting messages of all queues of the service were sent.
    AllMessagesSent,
    /// `NID`: a notifier was made.
    NotifierId(NotifierId, DhPublicKey),
    /// `NMSG`: a message came.
    Notification(Box<EncryptedNotification>),
    /// `PKEY`: session with a relay.
    RelaySession(Arc<RelaySession>),
    /// `RRES`: encrypted response of a relay to a proxy.
    RelayResponse(Box<[u8]>),
    /// `PRES`: encrypted response of a relay to a client.
    ProxiedResponse(Box<[u8]>),
    /// `END`: another connection subscribed to the queue.
    End,
    /// `ENDS`: another connection subscribed to the queues of the service.
    ServiceEnd(QueueSet),
    /// `DELD`, or `END` before version 10: the queue or notifier was deleted.
    Deleted,
    /// `INFO`: state of the queue.
    Info(Box<QueueInfo>),
    /// `OK`
    Ok,
    /// `ERR`
    Error(ErrorType),
    /// `PONG`
    Pong,
    /// `RNAME`: what a name stands for.
    Name(Box<NameRecord>),
}

/// IDs and keys of a new queue (wire.md §7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueIds {
    /// For the recipient.
    pub recipient_id: RecipientId,
    /// For the sender.
    pub sender_id: SenderId,
    /// The server's half of the secret that messages are encrypted with.
    pub server_dh_key: DhPublicKey,
    /// Mode as stored.
    pub mode: Option<QueueMode>,
    /// Name of the link, if there is link data.
    pub link_id: Option<LinkId>,
    /// Service that the queue belongs to.
    pub service_id: Option<ServiceId>,
    /// Notifier made with the queue.
    pub notifier: Option<(NotifierId, DhPublicKey)>,
}

/// `s(message ID) ‖ body`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedMessage {
    /// Nonce of the encryption, and what `ACK` names.
    pub id: MessageId,
    /// See [`crate::message::open_message`].
    pub body: Box<[u8]>,
}

/// `nonce ‖ s(metadata)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedNotification {
    /// Random.
    pub nonce: [u8; 24],
    /// See [`crate::message::open_notification`].
    pub meta: [u8; SEALED_META],
}

/// A connection between proxy and relay, as told to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySession {
    /// Session ID of that connection.
    pub session_id: SessionId,
    /// Versions for forwarded commands.
    pub versions: VersionRange,
    /// From the relay's hello.
    pub key: CertChainPubKey,
}

impl Response {
    /// Appends tag and arguments in the form of `version`.
    ///
    /// Fails only for a [`RelaySession`] with impossible lengths; those come from a relay.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), TooLong> {
        match self {
            Self::Ids(ids) => ids.encode(version, out),
            Self::Link(sender_id, data) => {
                out.put(b"LNK ");
                out.put_short(sender_id.as_ref());
                data.encode(out);
            }
            Self::Subscribed(_) | Self::Ok if version < Version::SERVICES => out.put(b"OK"),
            Self::Subscribed(service_id) => {
                out.put(b"SOK ");
                out.put_optional(service_id.as_ref(), |out, id| out.put_short(id.as_ref()));
            }
            Self::ServiceSubscribed(queues) => encode_queue_set(b"SOKS ", queues, version, out),
            Self::Message(message) => {
                encode_message_head(&message.id, out);
                out.put(&message.body);
            }
            Self::AllMessagesSent => out.put(b"ALLS"),
            Self::NotifierId(notifier_id, key) => {
                out.put(b"NID ");
                out.put_short(notifier_id.as_ref());
                key.encode(out);
            }
            Self::Notification(notification) => {
                out.put(b"NMSG ");
                out.put(&notification.nonce);
                out.put_short(&notification.meta);
            }
            Self::RelaySession(session) => {
                out.put(b"PKEY ");
                out.put_short(session.session_id.as_ref());
                session.versions.encode(out);
                session.key.encode(out)?;
            }
            Self::RelayResponse(encrypted) => {
                out.put(b"RRES ");
                out.put(encrypted);
            }
            Self::ProxiedResponse(encrypted) => {
                out.put(b"PRES ");
                out.put(encrypted);
            }
            Self::ServiceEnd(queues) => encode_queue_set(b"ENDS ", queues, version, out),
            Self::Deleted if version >= Version::DELETED_EVENT => out.put(b"DELD"),
            Self::End | Self::Deleted => out.put(b"END"),
            Self::Info(info) => {
                out.put(b"INFO ");
                info.encode(out);
            }
            Self::Ok => out.put(b"OK"),
            Self::Error(error) => encode_error(error, version, out),
            Self::Pong => out.put(b"PONG"),
            Self::Name(record) => {
                out.put(b"RNAME ");
                record.encode(out);
            }
        }
        Ok(())
    }

    /// Reads a response in the form of `version`; it takes the whole input.
    pub fn decode(body: &[u8], version: Version) -> Result<Self, MalformedResponse> {
        let tag_length = body.iter().position(|&b| b == b' ').unwrap_or(body.len());
        let (tag, arguments) = body.split_at(tag_length);
        let mut input = Reader::new(arguments);
        let without = match tag {
            b"OK" => Some(Self::Ok),
            b"PONG" => Some(Self::Pong),
            b"END" => Some(Self::End),
            b"DELD" => Some(Self::Deleted),
            b"ALLS" => Some(Self::AllMessagesSent),
            _ => None,
        };
        if let Some(response) = without {
            input.finish()?;
            return Ok(response);
        }
        let spaced = input.space();
        let response = Self::decode_arguments(tag, &mut input, version)?;
        spaced?;
        input.finish()?;
        Ok(response)
    }

    fn decode_arguments(tag: &[u8], input: &mut Reader<'_>, version: Version) -> Result<Self, MalformedResponse> {
        Ok(match tag {
            b"IDS" => Self::Ids(Box::new(QueueIds::decode(input, version)?)),
            b"LNK" => Self::Link(input.short()?.try_into()?, LinkData::decode(input)?),
            b"SOK" => Self::Subscribed(input.optional(|i| i.short()?.try_into())?),
            b"SOKS" => Self::ServiceSubscribed(decode_queue_set(input, version)?),
            b"ENDS" => Self::ServiceEnd(decode_queue_set(input, version)?),
            b"MSG" => Self::Message(EncryptedMessage { id: input.short()?.try_into()?, body: input.tail().into() }),
            b"NID" => Self::NotifierId(input.short()?.try_into()?, DhPublicKey::decode(input)?),
            b"NMSG" => {
                let nonce = input.array()?;
                let meta = input.short()?.try_into().map_err(|_| Malformed)?;
                Self::Notification(Box::new(EncryptedNotification { nonce, meta }))
            }
            b"PKEY" => Self::RelaySession(Arc::new(RelaySession {
                session_id: input.short()?.try_into()?,
                versions: VersionRange::decode(input)?,
                key: CertChainPubKey::decode(input)?,
            })),
            b"RRES" => Self::RelayResponse(input.tail().into()),
            b"PRES" => Self::ProxiedResponse(input.tail().into()),
            b"INFO" => Self::Info(Box::new(QueueInfo::decode(input.tail())?)),
            b"ERR" => Self::Error(ErrorType::decode(input.tail())?),
            b"RNAME" => Self::Name(Box::new(NameRecord::decode(input.tail())?)),
            _ => return Err(MalformedResponse::UnknownTag),
        })
    }
}

/// Bytes of a MSG without the IDs of its transmission.
pub fn message_length(id: &MessageId) -> usize {
    4 + 1 + id.as_ref().len() + SEALED_MESSAGE
}

/// Appends what precedes the encrypted body of a MSG: 29 bytes.
pub fn encode_message_head(id: &MessageId, out: &mut Vec<u8>) {
    out.put(b"MSG ");
    out.put_short(id.as_ref());
}

/// Errors of the top level that old clients do not know are replaced by ones they do.
fn encode_error(error: &ErrorType, version: Version, out: &mut Vec<u8>) {
    out.put(b"ERR ");
    match error {
        ErrorType::Blocked(_) if version < Version::BLOCKED => ErrorType::Auth.encode(out),
        ErrorType::Blocked(info) if version < Version::BLOCKED_NOTICE => {
            ErrorType::Blocked(info.without_notice()).encode(out);
        }
        error => error.encode(out),
    }
}

fn encode_queue_set(tag: &[u8], queues: &QueueSet, version: Version, out: &mut Vec<u8>) {
    out.put(tag);
    if version >= Version::SERVICE_HASH {
        queues.encode(out);
    } else {
        out.put_i64(queues.count);
    }
}

fn decode_queue_set(input: &mut Reader<'_>, version: Version) -> Decoded<QueueSet> {
    if version >= Version::SERVICE_HASH {
        QueueSet::decode(input)
    } else {
        Ok(QueueSet { count: input.i64()?, hash: QueueIdsHash::default() })
    }
}

impl QueueIds {
    fn encode(&self, version: Version, out: &mut Vec<u8>) {
        out.put(b"IDS ");
        out.put_short(self.recipient_id.as_ref());
        out.put_short(self.sender_id.as_ref());
        self.server_dh_key.encode(out);
        if version >= Version::LINKS {
            out.put_optional(self.mode, |out, mode| out.push(mode.letter()));
            out.put_optional(self.link_id.as_ref(), |out, id| out.put_short(id.as_ref()));
        } else if version >= Version::SENDER_SECURE {
            out.put_bool(self.mode == Some(QueueMode::Messaging));
        }
        if version >= Version::SERVICES {
            out.put_optional(self.service_id.as_ref(), |out, id| out.put_short(id.as_ref()));
        }
        if version >= Version::NEW_NOTIFIER {
            out.put_optional(self.notifier.as_ref(), |out, (id, key)| {
                out.put_short(id.as_ref());
                key.encode(out);
            });
        }
    }

    fn decode(input: &mut Reader<'_>, version: Version) -> Decoded<Self> {
        let mut ids = Self {
            recipient_id: input.short()?.try_into()?,
            sender_id: input.short()?.try_into()?,
            server_dh_key: DhPublicKey::decode(input)?,
            mode: None,
            link_id: None,
            service_id: None,
            notifier: None,
        };
        if version >= Version::LINKS {
            ids.mode = input.optional(|i| QueueMode::from_letter(i.u8()?))?;
            ids.link_id = input.optional(|i| i.short()?.try_into())?;
        } else if version >= Version::SENDER_SECURE {
            ids.mode = Some(if input.bool()? { QueueMode::Messaging } else { QueueMode::Contact });
        }
        if version >= Version::SERVICES {
            ids.service_id = input.optional(|i| i.short()?.try_into())?;
        }
        if version >= Version::NEW_NOTIFIER {
            ids.notifier = input.optional(|i| Ok((i.short()?.try_into()?, DhPublicKey::decode(i)?)))?;
        }
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{BlockingInfo, BlockingReason, Notice};

    fn encoded(response: &Response, version: u16) -> Vec<u8> {
        let mut out = Vec::new();
        response.encode(Version(version), &mut out).unwrap();
        out
    }

    #[test]
    fn blocked_is_downgraded_at_the_top_level_only() {
        let info = BlockingInfo { reason: BlockingReason::Spam, notice: Some(Notice { ttl_seconds: None }) };
        let blocked = Response::Error(ErrorType::Blocked(info));
        assert_eq!(encoded(&blocked, 11), b"ERR AUTH");
        assert_eq!(encoded(&blocked, 17), b"ERR BLOCKED reason=spam");
        assert_eq!(encoded(&blocked, 18), b"ERR BLOCKED reason=spam,notice={}");
        let nested = ErrorType::Proxy(Box::new(crate::error::ProxyError::Protocol(ErrorType::Blocked(info))));
        assert_eq!(encoded(&Response::Error(nested), 8), b"ERR PROXY PROTOCOL BLOCKED reason=spam,notice={}");
    }

    #[test]
    fn old_clients_get_the_old_words() {
        assert_eq!(encoded(&Response::Subscribed(None), 15), b"OK");
        assert_eq!(encoded(&Response::Subscribed(None), 16), b"SOK 0");
        assert_eq!(encoded(&Response::Deleted, 9), b"END");
        assert_eq!(encoded(&Response::Deleted, 10), b"DELD");
        assert_eq!(encoded(&Response::ServiceEnd(QueueSet::default()), 18), b"ENDS \0\0\0\0\0\0\0\0");
    }

    #[test]
    fn ids_round_trip_in_every_version() {
        let key = DhPublicKey::from([1; 32]);
        let full = QueueIds {
            recipient_id: RecipientId::random(),
            sender_id: SenderId::random(),
            server_dh_key: key,
            mode: Some(QueueMode::Messaging),
            link_id: Some(LinkId::random()),
            service_id: Some(ServiceId::random()),
            notifier: Some((NotifierId::random(), key)),
        };
        for version in 6..=20 {
            let mut expected = full.clone();
            if version < 17 {
                expected.notifier = None;
            }
            if version < 16 {
                expected.service_id = None;
            }
            if version < 15 {
                expected.link_id = None;
            }
            if version < 9 {
                expected.mode = None;
            }
            let bytes = encoded(&Response::Ids(Box::new(full.clone())), version);
            assert_eq!(Response::decode(&bytes, Version(version)), Ok(Response::Ids(Box::new(expected))));
        }
    }

    #[test]
    fn surplus_arguments_are_malformed() {
        for body in [&b"OK "[..], b"END x", b"SOK 0x", b"MSG", b"RNAME", b"ERR WHAT"] {
            assert_eq!(Response::decode(body, Version::MAX), Err(MalformedResponse::Syntax));
        }
    }

    #[test]
    fn commands_are_no_responses() {
        for body in [&b"SUB"[..], b"", b" ", b"WHAT x", b"OKAY"] {
            assert_eq!(Response::decode(body, Version::MAX), Err(MalformedResponse::UnknownTag));
        }
    }
}
