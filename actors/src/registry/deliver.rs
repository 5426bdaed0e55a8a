//! `SEND` and the push that may follow it (behaviour.md §3.9, §4.5).

use std::sync::Arc;

use smp_protocol::command::SendMessage;
use smp_protocol::error::ErrorType;
use smp_protocol::id::MessageId;
use smp_store::log_record::LogRecord;
use smp_store::message_queue::{Stored, StoredContent, StoredMessage};
use smp_store::record::QueueStatus;

use super::batch::{Requester, Slot};
use super::shard::{Shard, Step};
use super::subscribe::delivery;
use crate::queue::{Delivered, LiveGuard, Queue};

impl Shard {
    pub(super) fn send(
        &mut self,
        (requester, slot): (&Requester, Slot),
        queue: &Arc<Queue>,
        mut live: LiveGuard<'_>,
        sent: SendMessage,
    ) -> Step {
        if let Err(error) = self.check_send(requester, queue, &sent) {
            return error.into();
        }
        self.delete_used_link(queue);
        let now = self.now();
        if self.policy.expire_on_send {
            self.expire_queue(queue, &mut live, now);
        }
        let notify = sent.notify;
        let id = MessageId::random();
        let content = StoredContent::Message { notify, body: sent.body.into() };
        let message = StoredMessage { id, timestamp: now, content };
        match live.messages.store(message.clone(), self.policy.quota) {
            Stored::Full => {
                self.stats.messages.send_over_quota.count();
                let marker = live.messages.last().filter(|last| last.id == id).cloned();
                drop(live);
                return match marker {
                    Some(marker) => self.answer_stored(slot, queue, marker),
                    None => ErrorType::Quota.into(),
                };
            }
            Stored::Accepted { was_empty: true } => self.push(queue, &mut live, now),
            Stored::Accepted { was_empty: false } => {}
        }
        self.activity.note(queue.recipient_id(), notify);
        self.stats.messages.sent.count();
        self.stats.messages.now.change(1);
        if notify {
            self.stats.messages.sent_with_notification.count();
            self.notify(queue, &id, now);
        }
        drop(live);
        self.answer_stored(slot, queue, message)
    }

    fn check_send(&self, requester: &Requester, queue: &Queue, sent: &SendMessage) -> Result<(), ErrorType> {
        let stats = &self.stats.messages;
        if sent.body.len() > requester.version.max_body() {
            stats.send_too_large.count();
            return Err(ErrorType::LargeMessage);
        }
        match &queue.record().status {
            QueueStatus::Active => Ok(()),
            QueueStatus::Off => {
                stats.send_unauthorized.count();
                Err(ErrorType::Auth)
            }
            QueueStatus::Blocked(info) => {
                stats.send_blocked.count();
                Err(ErrorType::Blocked(**info))
            }
        }
    }

    /// A one-time link has served its purpose with the first message to the secured queue.
    fn delete_used_link(&mut self, queue: &Arc<Queue>) {
        let used = {
            let record = queue.record();
            record.link.is_some() && record.is_secured_messaging()
        };
        if used {
            self.log_unanswered(&LogRecord::DeleteLink(*queue.recipient_id()));
            self.apply_delete_link(queue);
        }
    }

    /// Pushes the first message of a queue that was empty to its subscriber. Messages behind it follow with `ACK` or `SUB`.
    pub(super) fn push(&mut self, queue: &Arc<Queue>, live: &mut LiveGuard<'_>, now: i64) {
        let Some(message) = live.messages.first().cloned() else { return };
        self.let_service_subscribe(queue, live);
        let Some(subscriber) = live.subscriber.as_mut() else { return };
        if subscriber.is_current() && subscriber.is_free() && subscriber.session.is_connected() {
            subscriber.delivered = Some(Delivered { id: message.id, at: now });
            subscriber.session.mailbox().deliver(delivery(queue, message));
        }
    }
}
