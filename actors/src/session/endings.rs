//! Ends of subscriptions, collected for a while and sent together (behaviour.md §4.6).
//!
//! An end and the answer to a `SUB` come to a session on different ways. Told in the order of arrival, a client could be told of
//! the end of a subscription before the answer that it exists, or of the end of its former subscription after the answer that it
//! has it again, and would believe the opposite of what the server does. So an end waits for the answers of the block that was
//! in work when it arrived, and is not told if the session is subscribed once more by then.

use std::sync::Arc;

use parking_lot::Mutex;
use smp_protocol::id::{EntityId, NotifierId, RecipientId, ServiceId};

use crate::directory::Directory;
use crate::notifications::NotificationArea;
use crate::services::{AreaKind, Services};
use crate::session_handle::{Event, SessionHandle};

/// What a session is to be told about subscriptions that it lost.
#[derive(Debug, Default)]
pub struct Endings {
    waiting: Vec<Ending>,
    /// Blocks that were taken from the client.
    taken: u64,
    /// Blocks that were answered; they are answered in their order.
    answered: u64,
    is_due: bool,
}

/// One lost subscription.
#[derive(Debug)]
struct Ending {
    entity: EntityId,
    event: Event,
    /// Not told before this many blocks were answered.
    after: u64,
}

impl Endings {
    /// A subscription ended. Returns whether it is the first one that waits: then [`Self::fall_due`] is to be called in a while.
    pub fn add(&mut self, entity: EntityId, event: Event) -> bool {
        self.waiting.push(Ending { entity, event, after: self.taken });
        self.waiting.len() == 1
    }

    /// The commands of a block are going to be executed.
    pub fn block_taken(&mut self) {
        self.taken += 1;
    }

    /// All answers to a block are on their way to the client.
    pub fn block_answered(&mut self) {
        self.answered += 1;
    }

    /// What waits was collected for long enough.
    pub fn fall_due(&mut self) {
        self.is_due = true;
    }

    /// Whether there is anything to be told, now or later.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What is to be told now, oldest first, without the subscriptions that the session has again.
    pub fn take(&mut self, mut has_again: impl FnMut(&EntityId) -> bool) -> Vec<(EntityId, Event)> {
        if !self.is_due {
            return Vec::new();
        }
        let answered = self.answered;
        let told = self.waiting.extract_if(.., |ending| ending.after <= answered);
        let told =
            told.filter(|ending| !has_again(&ending.entity)).map(|ending| (ending.entity, ending.event)).collect();
        self.is_due = !self.waiting.is_empty();
        told
    }
}

/// All places where subscriptions are noted.
pub struct SubscriptionBooks {
    /// Subscribers of queues.
    pub directory: Arc<Directory>,
    /// Subscribers of services.
    pub services: Arc<Services>,
    /// Subscribers of notifiers.
    pub notifications: Arc<Mutex<NotificationArea>>,
}

impl SubscriptionBooks {
    /// Whether the session is subscribed to this queue, notifier or service, by itself or for its service.
    pub fn has(&self, session: &SessionHandle, entity: &EntityId) -> bool {
        let bytes = entity.as_ref();
        if let Some(service) = session.service().filter(|service| service.as_ref() == bytes) {
            return self.serves(session, &service, AreaKind::Messages)
                || self.serves(session, &service, AreaKind::Notifications);
        }
        if let Some(queue) = RecipientId::try_from(bytes).ok().and_then(|id| self.directory.recipient(&id)) {
            let service = queue.record().service.as_deref().copied();
            return match service {
                Some(service) => self.serves(session, &service, AreaKind::Messages),
                None => queue.is_subscriber(session),
            };
        }
        let Ok(id) = NotifierId::try_from(bytes) else { return false };
        let Some(queue) = self.directory.notifier(&id) else { return false };
        let service = queue.record().notifier.as_ref().and_then(|notifier| notifier.service);
        match service {
            Some(service) => self.serves(session, &service, AreaKind::Notifications),
            None => self.notifications.lock().is_subscriber(&id, session),
        }
    }

    fn serves(&self, session: &SessionHandle, service: &ServiceId, kind: AreaKind) -> bool {
        let subscriber = self.services.find(service).and_then(|service| service.area(kind).subscriber());
        subscriber.is_some_and(|subscriber| subscriber.is(session))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> EntityId {
        EntityId::try_from(&[n; 24][..]).unwrap()
    }

    #[test]
    fn ends_wait_for_the_block_that_was_in_work() {
        let mut endings = Endings::default();
        assert!(endings.add(id(1), Event::Ended));
        endings.block_taken();
        assert!(!endings.add(id(2), Event::Deleted));
        assert_eq!(endings.take(|_| false), [], "still collected");
        endings.fall_due();
        assert_eq!(endings.take(|_| false), [(id(1), Event::Ended)]);
        endings.block_taken();
        assert_eq!(endings.take(|_| false), []);
        endings.block_answered();
        assert_eq!(endings.take(|_| false), [(id(2), Event::Deleted)], "the next block does not hold it up");
    }

    #[test]
    fn what_the_session_has_again_did_not_end() {
        let mut endings = Endings::default();
        endings.add(id(1), Event::Ended);
        endings.add(id(2), Event::Ended);
        endings.fall_due();
        assert_eq!(endings.take(|entity| *entity == id(1)), [(id(2), Event::Ended)]);
        assert!(endings.add(id(3), Event::Ended), "collecting begins anew");
        assert_eq!(endings.take(|_| false), []);
    }
}
