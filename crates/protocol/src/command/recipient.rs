//! Commands of the recipient, addressed to a recipient ID (wire.md §6.1, §6.3).

use super::Arguments;
use super::creator::{LinkData, NewNotifier};
use crate::encoding::{Decoded, Encode, Malformed};
use crate::id::{EntityId, LinkId};
use crate::key::AuthKey;

/// What a recipient may do with its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientCommand {
    /// `SUB`: receive messages as they come.
    Subscribe,
    /// `KEY`: set the sender's key.
    SecureSender(AuthKey),
    /// `RKEY`: replace the recipient keys of a contact queue, 1 to 255.
    SetRecipientKeys(Vec<AuthKey>),
    /// `LSET`: set link data.
    SetLink(LinkId, LinkData),
    /// `LDEL`: remove link data.
    DeleteLink,
    /// `NKEY`: make or replace the notifier.
    SetNotifier(NewNotifier),
    /// `NDEL`: remove the notifier.
    DeleteNotifier,
    /// `GET`: take the next message without subscribing.
    Get,
    /// `ACK`: the message with this ID (any length) was received.
    Acknowledge(EntityId),
    /// `OFF`: accept no more messages.
    Suspend,
    /// `DEL`: delete queue and messages.
    Delete,
    /// `QUE`: ask for the state of the queue.
    QueueInfo,
}

impl RecipientCommand {
    pub(super) fn parse(tag: &[u8], arguments: Arguments<'_>) -> Decoded<Self> {
        match tag {
            b"SUB" => arguments.none(Self::Subscribe),
            b"KEY" => arguments.parse(AuthKey::decode).map(Self::SecureSender),
            b"RKEY" => arguments.parse(|i| i.list(AuthKey::decode)).map(Self::SetRecipientKeys),
            b"LSET" => arguments.parse(|i| Ok(Self::SetLink(i.short()?.try_into()?, LinkData::decode(i)?))),
            b"LDEL" => arguments.none(Self::DeleteLink),
            b"NKEY" => arguments.parse(NewNotifier::decode).map(Self::SetNotifier),
            b"NDEL" => arguments.none(Self::DeleteNotifier),
            b"GET" => arguments.none(Self::Get),
            b"ACK" => arguments.parse(|i| i.short()?.try_into()).map(Self::Acknowledge),
            b"OFF" => arguments.none(Self::Suspend),
            b"DEL" => arguments.none(Self::Delete),
            b"QUE" => arguments.none(Self::QueueInfo),
            _ => Err(Malformed),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Subscribe => out.put(b"SUB"),
            Self::SecureSender(key) => {
                out.put(b"KEY ");
                key.encode(out);
            }
            Self::SetRecipientKeys(keys) => {
                let count = u8::try_from(keys.len()).unwrap_or(u8::MAX);
                out.put(b"RKEY ");
                out.push(count);
                keys.iter().take(count.into()).for_each(|key| key.encode(out));
            }
            Self::SetLink(link_id, data) => {
                out.put(b"LSET ");
                out.put_short(link_id.as_ref());
                data.encode(out);
            }
            Self::DeleteLink => out.put(b"LDEL"),
            Self::SetNotifier(notifier) => {
                out.put(b"NKEY ");
                notifier.encode(out);
            }
            Self::DeleteNotifier => out.put(b"NDEL"),
            Self::Get => out.put(b"GET"),
            Self::Acknowledge(id) => {
                out.put(b"ACK ");
                out.put_short(id.as_ref());
            }
            Self::Suspend => out.put(b"OFF"),
            Self::Delete => out.put(b"DEL"),
            Self::QueueInfo => out.put(b"QUE"),
        }
    }
}
