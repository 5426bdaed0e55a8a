//! `DEL` and `QUE` (behaviour.md §3.8). `OFF` is nothing but its change.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use smp_protocol::response::{DeliveryState, MessageInfo, MessageKind, QueueInfo, Response, SubscriptionInfo};
use smp_store::message_queue::MessageQueue;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::batch::{Executed, Requester};
use super::shard::{Shard, Step};
use crate::queue::{LiveGuard, Queue, SubscriptionKind};
use crate::services::AreaKind;
use crate::session_handle::{Event, SessionHandle};

impl Shard {
    /// The queue ends under all its IDs, with its messages and notifications. Subscribers other than the one that deleted it
    /// are told.
    pub(super) fn apply_delete(&mut self, cause: Option<&Arc<SessionHandle>>, queue: &Arc<Queue>) {
        self.directory.remove(queue);
        let (secured, service) = {
            let record = queue.record();
            (record.sender_key.is_some(), record.service.as_deref().copied())
        };
        self.apply_notifier(cause, queue, None);
        let stats = &self.stats.queues;
        stats.deleted.count();
        if secured {
            stats.deleted_secured.count();
        } else {
            stats.deleted_new.count();
        }
        stats.now.change(-1);
        let live = queue.end();
        if let Some(service) = service {
            let kind = AreaKind::Messages;
            self.leave_service(cause, &service, kind, queue.recipient_id().as_ref(), Event::Deleted);
        }
        let Some(live) = live else { return };
        self.record_removals(queue, &live.messages);
        if let Some(subscriber) = live.subscriber {
            match cause {
                _ if service.is_some() => self.forget_subscriber(queue, &subscriber),
                Some(cause) if subscriber.session.is(cause) => self.forget_subscriber(queue, &subscriber),
                _ => self.drop_subscriber(queue, &subscriber, Event::Deleted),
            }
        }
        for getter in live.getters {
            self.subscriptions.remove(&getter.session, queue);
        }
    }

    /// The journal says by itself that the messages of a deleted queue are gone: the store log forgets deleted queues.
    fn record_removals(&self, queue: &Queue, messages: &MessageQueue) {
        if let Some(journal) = &self.journal {
            messages.iter().for_each(|message| journal.remove(*queue.recipient_id(), message.id, None));
        }
    }

    /// `QUE`
    pub(super) fn queue_info(requester: &Requester, queue: &Queue, mut live: LiveGuard<'_>) -> Step {
        let subscription = live.of_session(&requester.session).map(|(subscriber, kind)| SubscriptionInfo {
            delivery: match kind {
                SubscriptionKind::Active => DeliveryState::NoSub,
                SubscriptionKind::Prohibited => DeliveryState::ProhibitSub,
            },
            delivered: subscriber.delivered.map(|delivered| STANDARD.encode(delivered.id)),
        });
        let message = live.messages.first().map(|message| MessageInfo {
            id: STANDARD.encode(message.id),
            timestamp: iso_8601(message.timestamp),
            kind: if message.is_marker() { MessageKind::Quota } else { MessageKind::Message },
        });
        let record = queue.record();
        let info = QueueInfo {
            secured: record.sender_key.is_some(),
            has_notifier: record.notifier.is_some(),
            subscription,
            size: live.messages.len() as u64,
            message,
        };
        Step::Done(Executed::response(Response::Info(Box::new(info))))
    }
}

/// `2026-11-23T12:34:56Z`
fn iso_8601(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}
