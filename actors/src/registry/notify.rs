//! `NKEY`, `NDEL`, `NSUB` and the notification of a message (behaviour.md §3.10, §7.1).

use std::sync::Arc;

use smp_protocol::command::NewNotifier;
use smp_protocol::error::ErrorType;
use smp_protocol::id::{MessageId, NotifierId, random_bytes};
use smp_protocol::message::seal_notification;
use smp_protocol::response::{EncryptedNotification, Response};
use smp_store::log_record::{LogRecord, ServiceParty};
use smp_store::record::Notifier;

use super::batch::{Executed, Requester, Slot};
use super::change::{Job, Then};
use super::create::new_notifier;
use super::shard::{Shard, Step};
use crate::notification::PendingNotification;
use crate::queue::{LiveGuard, Queue};
use crate::services::AreaKind;
use crate::session_handle::{Event, SessionHandle};

/// Attempts to find an ID that is not taken.
const ATTEMPTS: usize = 3;

impl Shard {
    /// `NKEY`: a notifier with a new ID each time, also with the same key.
    pub(super) fn set_notifier(
        &mut self,
        requester: &Requester,
        slot: Slot,
        queue: &Arc<Queue>,
        live: LiveGuard<'_>,
        new: &NewNotifier,
    ) -> Step {
        for _ in 0..ATTEMPTS {
            let (notifier, (id, key)) = new_notifier(new);
            if self.directory.insert_notifier(queue, id).is_err() {
                continue;
            }
            self.stats.notifications.created.count();
            let answer = Executed::response(Response::NotifierId(id, key));
            let record = LogRecord::Notifier(*queue.recipient_id(), *notifier);
            return self.change(Some(&requester.session), queue, live, record, Then::Answer(slot, answer));
        }
        ErrorType::Internal.into()
    }

    /// `NDEL`: nothing is logged where there is nothing to remove.
    pub(super) fn delete_notifier(
        &mut self,
        requester: &Requester,
        slot: Slot,
        queue: &Arc<Queue>,
        live: LiveGuard<'_>,
    ) -> Step {
        if queue.record().notifier.is_none() {
            return Step::Done(Executed::OK);
        }
        self.stats.notifications.deleted.count();
        let record = LogRecord::DeleteNotifier(*queue.recipient_id());
        self.change(Some(&requester.session), queue, live, record, Then::Answer(slot, Executed::OK))
    }

    /// `NSUB`
    pub(super) fn subscribe_notifier(
        &mut self,
        job: Job,
        queue: &Arc<Queue>,
        live: LiveGuard<'_>,
        notifier: NotifierId,
    ) -> Step {
        let session = Arc::clone(&job.requester.session);
        let service = job.requester.service.as_ref().map(|service| service.id);
        let associated = queue.record().notifier.as_ref().and_then(|notifier| notifier.service);
        if associated != service {
            let change = LogRecord::QueueService(*queue.recipient_id(), ServiceParty::Notifier, service);
            return self.change(Some(&session), queue, live, change, Then::Resume(job));
        }
        if let Some(service) = &service
            && !job.is_resumed
        {
            self.subscribe_service(service, AreaKind::Notifications, &session, notifier.as_ref());
        }
        self.notifications.subscribe(notifier, session, service);
        Step::Done(Executed::response(Response::Subscribed(service)))
    }

    /// Replaces or removes the notifier. The subscriber of the old one is told.
    pub(super) fn apply_notifier(
        &mut self,
        cause: Option<&Arc<SessionHandle>>,
        queue: &Arc<Queue>,
        new: Option<Box<Notifier>>,
    ) {
        let old = std::mem::replace(&mut queue.record_mut().notifier, new);
        if let Some(old) = old {
            self.directory.remove_notifier(queue, &old.id);
            self.notifications.forget(old.id, cause.map(|cause| cause.number()));
            if let Some(service) = &old.service {
                self.leave_service(cause, service, AreaKind::Notifications, old.id.as_ref(), Event::Deleted);
            }
        }
    }

    /// Tells the notifier of a queue, if there is one, that a message came.
    pub(super) fn notify(&self, queue: &Queue, message_id: &MessageId, timestamp: i64) {
        let record = queue.record();
        let Some(notifier) = &record.notifier else { return };
        let nonce = random_bytes();
        let meta = seal_notification(&notifier.secret, &nonce, message_id, timestamp);
        let encrypted = EncryptedNotification { nonce, meta };
        let notification = PendingNotification { message_id: *message_id, timestamp, encrypted };
        self.notifications.notify(notifier.id, notifier.service, notification);
    }
}
