//! Queues of services: association, subscription and `SUBS`, `NSUBS` (behaviour.md §3.11, §4.3, §4.4).

use std::sync::Arc;

use smp_protocol::command::ServiceCommand;
use smp_protocol::error::ErrorType;
use smp_protocol::id::{EntityId, ServiceId};
use smp_protocol::response::Response;
use smp_store::log_record::ServiceParty;

use super::batch::{Executed, Requester};
use super::shard::{Shard, Step};
use super::subscribe::delivery;
use crate::faults::{self, FaultPoint};
use crate::queue::{Delivered, LiveGuard, Queue, Subscriber};
use crate::services::{AreaKind, Association, ServiceWalk};
use crate::session_handle::{Event, SessionHandle};

impl Shard {
    /// `SUBS` and `NSUBS`: the answer has the server's numbers, whatever the service expected.
    pub(super) fn service_command(&mut self, requester: &Requester, command: &ServiceCommand) -> Step {
        let Some(identity) = &requester.service else { return ErrorType::Service.into() };
        let Some(service) = self.services.find(&identity.id) else { return ErrorType::Internal.into() };
        let (kind, expected) = match command {
            ServiceCommand::SubscribeQueues(expected) => (AreaKind::Messages, expected),
            ServiceCommand::SubscribeNotifiers(expected) => (AreaKind::Notifications, expected),
        };
        let subscription = service.area(kind).subscribe_all(&identity.id, &requester.session);
        if subscription.is_first {
            self.service_stats(kind).drifted(&subscription.queues, expected);
            if kind == AreaKind::Messages {
                let session = Arc::clone(&requester.session);
                self.peers.walk(Arc::new(ServiceWalk::new(identity.id, session, self.peers.shards())));
            }
        }
        Step::Done(Executed::response(Response::ServiceSubscribed(subscription.queues)))
    }

    /// Delivers what waits in the queues of a service, for one portion of the directory. Queues that were delivered from already
    /// are passed over.
    pub fn walk_portion(&mut self, walk: &ServiceWalk, portion: usize) {
        let now = self.now();
        for queue in self.directory.portion_of(self.index, portion) {
            self.confine(|shard| shard.walk_over(walk, &queue, now));
        }
    }

    fn walk_over(&mut self, walk: &ServiceWalk, queue: &Arc<Queue>, now: i64) {
        if queue.record().service.as_deref() != Some(&walk.service) || !walk.session.is_connected() {
            return;
        }
        faults::pass(FaultPoint::RegistryWalk, None);
        let Some(mut live) = queue.live_if_any() else { return };
        let Some(message) = live.messages.first().cloned() else { return };
        self.let_service_subscribe(queue, &mut live);
        let Some(subscriber) = live.subscriber.as_mut().filter(|s| s.is_of(&walk.session)) else { return };
        if !subscriber.is_free() {
            self.stats.receiving_services.walked_duplicates.count();
            return;
        }
        subscriber.delivered = Some(Delivered { id: message.id, at: now });
        self.stats.receiving_services.walked_messages.count();
        walk.session.mailbox().deliver(delivery(queue, message));
    }

    /// Messages of a queue of a service go to the session that is subscribed for the service now.
    pub(super) fn let_service_subscribe(&mut self, queue: &Arc<Queue>, live: &mut LiveGuard<'_>) {
        let service = queue.record().service.as_deref().copied();
        let Some(service) = service.and_then(|id| self.services.find(&id)) else { return };
        let Some(session) = service.area(AreaKind::Messages).subscriber() else { return };
        if live.subscriber.as_ref().is_some_and(|subscriber| subscriber.is_of(&session)) || !session.is_connected() {
            return;
        }
        self.subscriptions.add(&session, queue);
        if let Some(old) = live.subscriber.replace(Subscriber::new(&session)) {
            self.forget_subscriber(queue, &old);
        }
    }

    /// A session of a service subscribes to one queue of the service.
    pub(super) fn subscribe_service(
        &mut self,
        service: &ServiceId,
        kind: AreaKind,
        session: &Arc<SessionHandle>,
        id: &[u8],
    ) {
        let Some(service) = self.services.find(service) else { return };
        let area = service.area(kind);
        let is_counted = area.subscribe_one(&service.record().id, session, id, Association::Unchanged);
        self.service_stats(kind).subscribed_again(is_counted);
    }

    /// The service of a queue, or of its notifier, changes: the former service is told, the new one subscribed.
    pub(super) fn apply_association(
        &mut self,
        cause: Option<&Arc<SessionHandle>>,
        queue: &Arc<Queue>,
        party: ServiceParty,
        service: Option<ServiceId>,
    ) {
        let (kind, old, id) = match party {
            ServiceParty::Recipient => {
                let old = std::mem::replace(&mut queue.record_mut().service, service.map(Box::new));
                (AreaKind::Messages, old.map(|id| *id), EntityId::from(*queue.recipient_id()))
            }
            ServiceParty::Notifier => {
                let mut record = queue.record_mut();
                let Some(notifier) = &mut record.notifier else { return };
                let old = std::mem::replace(&mut notifier.service, service);
                (AreaKind::Notifications, old, EntityId::from(notifier.id))
            }
        };
        if let Some(old) = &old {
            self.leave_service(cause, old, kind, id.as_ref(), Event::Ended);
            if kind == AreaKind::Messages {
                self.forget_subscriber_of(queue);
            }
        }
        if let Some(new) = &service {
            self.join_service(cause, new, kind, id.as_ref());
        }
        self.service_stats(kind).associated(old.is_some(), service.is_some());
    }

    /// The subscriber of a queue was told otherwise that it is none any more.
    fn forget_subscriber_of(&mut self, queue: &Arc<Queue>) {
        let subscriber = queue.live_if_any().and_then(|mut live| live.subscriber.take());
        if let Some(subscriber) = subscriber {
            self.forget_subscriber(queue, &subscriber);
        }
    }

    /// A queue belongs to a service from now on, by a command of one of its sessions.
    pub(super) fn join_service(
        &mut self,
        cause: Option<&Arc<SessionHandle>>,
        service: &ServiceId,
        kind: AreaKind,
        id: &[u8],
    ) {
        let Some(service) = self.services.find(service) else { return };
        let area = service.area(kind);
        area.associate(id);
        if let Some(session) = cause {
            area.subscribe_one(&service.record().id, session, id, Association::Changed);
        }
    }

    /// A queue belongs to its service no longer. The session that is subscribed for the service is told, unless it is the cause.
    pub(super) fn leave_service(
        &mut self,
        cause: Option<&Arc<SessionHandle>>,
        service: &ServiceId,
        kind: AreaKind,
        id: &[u8],
        event: Event,
    ) {
        let Some(service) = self.services.find(service) else { return };
        let Some(session) = service.area(kind).dissociate(id) else { return };
        let is_cause = cause.is_some_and(|cause| cause.is(&session));
        if let Ok(entity) = EntityId::try_from(id)
            && !is_cause
            && session.is_connected()
        {
            session.mailbox().notice(entity, event);
        }
    }

    fn service_stats(&self, kind: AreaKind) -> &crate::stats::ServiceStats {
        match kind {
            AreaKind::Messages => &self.stats.receiving_services,
            AreaKind::Notifications => &self.stats.notified_services,
        }
    }
}

/// The other shards, and this one.
pub trait Peers: Send + Sync {
    /// Number of shards.
    fn shards(&self) -> usize;
    /// Has every shard deliver what waits in the queues of a service.
    fn walk(&self, walk: Arc<ServiceWalk>);
}
