//! `SUB` and `GET` (behaviour.md §3.3, §3.4).
//!
//! Registering the subscriber and reading the first message are one step here: whatever is stored afterwards is pushed, so that
//! no message falls between the two.

use std::sync::Arc;

use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::response::Response;
use smp_store::log_record::{LogRecord, ServiceParty};
use smp_store::message_queue::StoredMessage;

use super::batch::{Answer, Executed, Requester};
use super::change::{Job, Then};
use super::shard::{Shard, Step};
use crate::queue::{Delivered, LiveGuard, Queue, Subscriber, SubscriptionKind};
use crate::services::AreaKind;
use crate::session_handle::{Delivery, Event, SessionHandle};

impl Shard {
    pub(super) fn subscribe(&mut self, job: Job, queue: &Arc<Queue>, mut live: LiveGuard<'_>) -> Step {
        let session = &Arc::clone(&job.requester.session);
        if let Some((_, SubscriptionKind::Prohibited)) = live.of_session(session) {
            self.stats.subscriptions.prohibited.count();
            return ErrorType::from(CommandError::Prohibited).into();
        }
        let service = job.requester.service.as_ref().map(|service| service.id);
        if queue.record().service.as_deref() != service.as_ref() {
            let change = LogRecord::QueueService(*queue.recipient_id(), ServiceParty::Recipient, service);
            return self.change(Some(session), queue, live, change, Then::Resume(job));
        }
        if let Some(service) = &service
            && !job.is_resumed
        {
            self.subscribe_service(service, AreaKind::Messages, session, queue.recipient_id().as_ref());
        }
        if live.of_session(session).is_some() {
            self.stats.subscriptions.duplicate.count();
        } else {
            self.replace_subscriber(session, queue, &mut live);
            if live.messages.first().is_some() {
                self.stats.subscriptions.with_message.count();
            }
        }
        if job.is_resumed && !session.is_connected() {
            self.leave_to_service(queue, &mut live);
        }
        let owed = self.first_message(queue, &mut live, session);
        Step::Done(Executed { answer: Answer::Response(Response::Subscribed(service)), owed })
    }

    /// A session left while its queue joined a service. Who was subscribed before is told, and what waits is for who is subscribed for
    /// the service now.
    fn leave_to_service(&mut self, queue: &Arc<Queue>, live: &mut LiveGuard<'_>) {
        let service = queue.record().service.as_deref().copied();
        if let Some(old) = live.subscriber.take_if(|old| old.session.service() != service) {
            self.drop_subscriber(queue, &old, Event::Ended);
        }
        let now = self.now();
        self.push(queue, live, now);
    }

    /// Makes a session the one that messages are pushed to. Another one is told that its subscription ended.
    pub(super) fn replace_subscriber(
        &mut self,
        session: &Arc<SessionHandle>,
        queue: &Arc<Queue>,
        live: &mut LiveGuard<'_>,
    ) {
        if !session.is_connected() {
            return;
        }
        self.subscriptions.add(session, queue);
        if let Some(old) = live.subscriber.replace(Subscriber::new(session)) {
            self.drop_subscriber(queue, &old, Event::Ended);
        }
    }

    /// Takes a session off the books of a queue.
    pub(super) fn forget_subscriber(&mut self, queue: &Arc<Queue>, old: &Subscriber) {
        if old.is_current() {
            self.subscriptions.remove(&old.session, queue);
        }
    }

    /// Tells a session that it is no subscriber any more.
    pub(super) fn drop_subscriber(&mut self, queue: &Arc<Queue>, old: &Subscriber, event: Event) {
        self.forget_subscriber(queue, old);
        if old.is_current() && old.session.is_connected() {
            old.session.mailbox().notice((*queue.recipient_id()).into(), event);
        }
    }

    /// `GET`: the first message, without a subscription.
    pub(super) fn get(&mut self, requester: &Requester, queue: &Arc<Queue>, mut live: LiveGuard<'_>) -> Step {
        let session = &requester.session;
        let stats = Arc::clone(&self.stats);
        match live.of_session(session) {
            Some((_, SubscriptionKind::Active)) => {
                stats.messages.get_prohibited.count();
                return ErrorType::from(CommandError::Prohibited).into();
            }
            Some((getter, SubscriptionKind::Prohibited)) => {
                let again = getter.delivered.is_some();
                if live.messages.first().is_some() {
                    if again { stats.messages.got_duplicate.count() } else { stats.messages.got.count() }
                }
            }
            None => {
                if session.is_connected() {
                    live.getters.push(Subscriber::getter(session));
                    self.subscriptions.add(session, queue);
                }
                if live.messages.first().is_some() {
                    stats.messages.got.count();
                }
            }
        }
        match self.first_message(queue, &mut live, session) {
            Some(delivery) => Step::Done(Executed { answer: Answer::Message(delivery), owed: None }),
            None => {
                stats.messages.got_none.count();
                Step::Done(Executed::OK)
            }
        }
    }

    /// The oldest message, noted as delivered to this session; without one, nothing is delivered to it.
    pub(super) fn first_message(
        &self,
        queue: &Queue,
        live: &mut LiveGuard<'_>,
        session: &SessionHandle,
    ) -> Option<Delivery> {
        let message = live.messages.first().cloned();
        let delivered = message.as_ref().map(|message| Delivered { id: message.id, at: self.now() });
        if let Some((subscriber, _)) = live.of_session(session) {
            subscriber.delivered = delivered;
        }
        message.map(|message| delivery(queue, message))
    }
}

/// A message on its way to the recipient of a queue.
pub(super) fn delivery(queue: &Queue, message: StoredMessage) -> Delivery {
    Delivery { recipient_id: *queue.recipient_id(), secret: queue.record().dh_secret.clone(), message }
}
