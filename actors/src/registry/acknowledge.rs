//! `ACK` (behaviour.md §3.5).

use std::sync::Arc;

use smp_protocol::error::ErrorType;
use smp_protocol::id::MessageId;
use smp_store::message_queue::{StoredContent, StoredMessage};

use super::batch::{Answer, Executed, Requester, Slot};
use super::shard::{Shard, Step};
use crate::queue::{Delivered, LiveGuard, Queue, SubscriptionKind};
use crate::session_handle::SessionHandle;

impl Shard {
    /// Removes the acknowledged message, if it is still the oldest, and after `SUB` delivers the next one.
    ///
    /// An empty ID names whatever was delivered, and removes nothing.
    pub(super) fn acknowledge(
        &mut self,
        (requester, slot): (&Requester, Slot),
        queue: &Arc<Queue>,
        mut live: LiveGuard<'_>,
        id: &[u8],
    ) -> Step {
        let session = &requester.session;
        let Some((subscriber, kind)) = live.of_session(session) else { return ErrorType::NoMessage.into() };
        let acknowledged = subscriber.delivered.take_if(|delivered| id.is_empty() || delivered.id.as_ref() == id);
        let Some(delivered) = acknowledged else { return ErrorType::NoMessage.into() };
        let removed = MessageId::try_from(id).ok().and_then(|id| live.messages.remove_first(&id));
        if let Some(message) = &removed {
            self.count_received(queue, message, kind, delivered);
        }
        match removed {
            Some(message) if self.journal.is_some() => self.answer_removed(slot, session, queue, live, message.id),
            _ => Step::Done(self.after_removal(queue, &mut live, session)),
        }
    }

    /// The answer to the `ACK` of a message that is removed: after `SUB` it brings the next one.
    pub(super) fn after_removal(&self, queue: &Queue, live: &mut LiveGuard<'_>, session: &SessionHandle) -> Executed {
        match live.of_session(session) {
            // A `SUB` may have brought the next one already.
            Some((subscriber, SubscriptionKind::Active)) if subscriber.is_free() => {
                let next = self.first_message(queue, live, session);
                next.map_or(Executed::OK, |next| Executed { answer: Answer::Message(next), owed: None })
            }
            _ => Executed::OK,
        }
    }

    /// A marker counts in no statistic.
    fn count_received(&mut self, queue: &Queue, message: &StoredMessage, kind: SubscriptionKind, delivered: Delivered) {
        let StoredContent::Message { notify, .. } = message.content else { return };
        self.activity.note(queue.recipient_id(), notify);
        let stats = &self.stats.messages;
        stats.received.count();
        stats.ack_times.count(self.now().saturating_sub(delivered.at));
        stats.now.change(-1);
        if kind == SubscriptionKind::Prohibited {
            stats.received_by_get.count();
        }
        if notify {
            stats.received_with_notification.count();
        }
    }
}
