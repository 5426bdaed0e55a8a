//! What registry shards tell the notifications actor.

use std::sync::Arc;

use smp_protocol::id::{MessageId, NotifierId, ServiceId};
use smp_protocol::response::EncryptedNotification;

use crate::session_handle::SessionHandle;

/// A notification that waits for its notifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingNotification {
    /// The message that it tells of.
    pub message_id: MessageId,
    /// When the message was stored, seconds since 1970.
    pub timestamp: i64,
    /// What the notifier gets.
    pub encrypted: EncryptedNotification,
}

/// The mailbox of the notifications actor, as registry shards see it. None of these calls waits; they take effect in the order
/// in which one shard makes them.
pub trait NotificationMailbox: Send {
    /// A message with the notification flag was stored; the notifier belongs to this service.
    fn notify(&self, notifier: NotifierId, service: Option<ServiceId>, notification: PendingNotification);
    /// A session gets the notifications of a notifier from now on, by itself or for its service. Another one is told that its
    /// subscription ended.
    fn subscribe(&self, notifier: NotifierId, session: Arc<SessionHandle>, service: Option<ServiceId>);
    /// The notifier is gone: so are its notifications, and its subscriber is told, unless it is the one that caused this.
    fn forget(&self, notifier: NotifierId, cause: Option<u64>);
}
