//! What a server sends without being asked (wire.md §7.1).

use smp_protocol::command::QueueSet;
use smp_protocol::error::ErrorType;
use smp_protocol::id::{EntityId, NotifierId, RecipientId};
use smp_protocol::response::{EncryptedMessage, EncryptedNotification, MalformedResponse, Response};
use smp_protocol::version::Version;

/// A transmission with an empty correlation ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `MSG` of a subscribed queue; see [`crate::Queue::open`].
    Message(RecipientId, EncryptedMessage),
    /// `NMSG` of a subscribed notifier; see [`crate::Notifier::open`].
    Notification(NotifierId, Box<EncryptedNotification>),
    /// `END`: another connection subscribed to this queue or notifier. Before version 10 also a deletion.
    End(EntityId),
    /// `DELD`: this queue or notifier was deleted by another connection.
    Deleted(EntityId),
    /// `ENDS`: another connection subscribed to the queues of the service.
    ServiceEnd(QueueSet),
    /// `ALLS`: the waiting messages of all queues of the service were sent.
    AllMessagesSent,
    /// `ERR` of a queue, or with an empty entity ID about something sent that was not readable.
    Error(EntityId, ErrorType),
    /// Any other response with an empty correlation ID: the answer to a raw transmission that had none.
    Other(EntityId, Box<Response>),
    /// A block or a transmission that does not decode. The connection goes on; answers that were in it are lost.
    Malformed,
}

impl Event {
    pub(crate) fn decode(entity: EntityId, body: &[u8], version: Version) -> Self {
        Self::try_decode(entity, body, version).unwrap_or(Self::Malformed)
    }

    fn try_decode(entity: EntityId, body: &[u8], version: Version) -> Result<Self, MalformedResponse> {
        Ok(match Response::decode(body, version)? {
            Response::Message(message) => Self::Message(entity.as_ref().try_into()?, message),
            Response::Notification(notification) => Self::Notification(entity.as_ref().try_into()?, notification),
            Response::End => Self::End(entity),
            Response::Deleted => Self::Deleted(entity),
            Response::ServiceEnd(queues) => Self::ServiceEnd(queues),
            Response::AllMessagesSent => Self::AllMessagesSent,
            Response::Error(error) => Self::Error(entity, error),
            other => Self::Other(entity, Box::new(other)),
        })
    }
}
