//! `ACK` (behaviour.md §3.5).

use std::sync::Arc;

use smp_protocol::error::ErrorType;
use smp_protocol::id::MessageId;
use smp_store::message_queue::{StoredContent, StoredMessage};

use super::batch::{Answer, Executed, Requester};
use super::shard::{Shard, Step};
use crate::queue::{Delivered, LiveGuard, Queue, SubscriptionKind};

impl Shard {
    /// Removes the acknowledged message, if it is still the oldest, and after `SUB` delivers the next one.
    ///
    /// An empty ID names whatever was delivered, and removes nothing.
    pub(super) fn acknowledge(
        &mut self,
        requester: &Requester,
        queue: &Arc<Queue>,
        mut live: LiveGuard<'_>,
        id: &[u8],
    ) -> Step {
        let session = &requester.session;
        let Some((subscriber, kind)) = live.of_session(session) else { return ErrorType::NoMessage.into() };
        let acknowledged = subscriber.delivered.take_if(|delivered| id.is_empty() || delivered.id.as_ref() == id);
        let Some(delivered) = acknowledged else { return ErrorType::NoMessage.into() };
        let removed = MessageId::try_from(id).ok().and_then(|id| live.messages.remove_first(&id));
        if let Some(message) = removed {
            self.count_received(queue, &message, kind, delivered);
        }
        match kind {
            SubscriptionKind::Prohibited => Step::Done(Executed::OK),
            SubscriptionKind::Active => Step::Done(match self.first_message(queue, &mut live, session) {
                Some(delivery) => Executed { answer: Answer::Message(delivery), owed: None },
                None => Executed::OK,
            }),
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
