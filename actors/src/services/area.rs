//! The subscriber and the queues of a service, for messages or for notifications.

use std::sync::Arc;

use parking_lot::Mutex;
use smp_protocol::command::{QueueIdsHash, QueueSet};
use smp_protocol::handshake::ServiceRole;
use smp_protocol::id::ServiceId;

use crate::session_handle::{Event, SessionHandle};

/// Which area of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AreaKind {
    /// Messages; queues are known by recipient IDs.
    Messages,
    /// Notifications; queues are known by notifier IDs.
    Notifications,
}

impl AreaKind {
    /// The role of the services that use it.
    pub fn role(self) -> ServiceRole {
        match self {
            Self::Messages => ServiceRole::Messaging,
            Self::Notifications => ServiceRole::Notifier,
        }
    }
}

/// Whether a queue came to the service with the command that subscribes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Association {
    /// It is new to the service.
    Changed,
    /// It was there before.
    Unchanged,
}

/// Queues and subscriber of a service in one area.
#[derive(Default)]
pub struct ServiceArea(Mutex<State>);

#[derive(Default)]
struct State {
    /// Queues that are associated with the service.
    stored: QueueSet,
    subscriber: Option<Subscriber>,
}

struct Subscriber {
    session: Arc<SessionHandle>,
    /// What the session subscribed to, as far as it knows.
    counted: QueueSet,
    /// All queues were subscribed at once.
    has_all: bool,
}

/// Answer to a bulk subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkSubscription {
    /// The queues of the service.
    pub queues: QueueSet,
    /// It is the first of the connection: waiting messages are to be delivered.
    pub is_first: bool,
}

impl ServiceArea {
    /// The connection that is subscribed for the service.
    pub fn subscriber(&self) -> Option<Arc<SessionHandle>> {
        self.0.lock().subscriber.as_ref().map(|subscriber| Arc::clone(&subscriber.session))
    }

    /// Queues that are associated with the service.
    pub fn stored(&self) -> QueueSet {
        self.0.lock().stored
    }

    /// What the subscriber subscribed to.
    pub fn counted(&self) -> QueueSet {
        self.0.lock().subscriber.as_ref().map_or(QueueSet::default(), |subscriber| subscriber.counted)
    }

    /// A queue is associated with the service from now on.
    pub fn associate(&self, id: &[u8]) {
        add(&mut self.0.lock().stored, id);
    }

    /// A queue is not associated with the service any more. Returns the subscriber, who may have to be told.
    pub fn dissociate(&self, id: &[u8]) -> Option<Arc<SessionHandle>> {
        let mut state = self.0.lock();
        remove(&mut state.stored, id);
        let subscriber = state.subscriber.as_mut()?;
        remove(&mut subscriber.counted, id);
        Some(Arc::clone(&subscriber.session))
    }

    /// A session of the service subscribed to one of its queues, and is now the subscriber for the whole service. Returns whether
    /// the queue was counted for the session.
    pub fn subscribe_one(
        &self,
        service: &ServiceId,
        session: &Arc<SessionHandle>,
        id: &[u8],
        association: Association,
    ) -> bool {
        let mut state = self.0.lock();
        if !session.is_connected() {
            return false;
        }
        let subscriber = state.take_over(service, session);
        let counts = association == Association::Changed || subscriber.counted.count == 0;
        if counts {
            add(&mut subscriber.counted, id);
        }
        counts
    }

    /// A session of the service subscribes to all of its queues.
    pub fn subscribe_all(&self, service: &ServiceId, session: &Arc<SessionHandle>) -> BulkSubscription {
        let mut state = self.0.lock();
        let stored = state.stored;
        if !session.is_connected() {
            return BulkSubscription { queues: stored, is_first: false };
        }
        let subscriber = state.take_over(service, session);
        if subscriber.has_all {
            return BulkSubscription { queues: subscriber.counted, is_first: false };
        }
        subscriber.has_all = true;
        subscriber.counted = stored;
        BulkSubscription { queues: stored, is_first: true }
    }

    /// A session is gone. What is stored stays.
    pub fn unsubscribe(&self, session: &SessionHandle) {
        self.0.lock().subscriber.take_if(|subscriber| subscriber.session.is(session));
    }
}

impl State {
    /// Makes a session the subscriber. Another one loses all its subscriptions for the service and is told what they were; it can
    /// take them back with any subscription.
    fn take_over(&mut self, service: &ServiceId, session: &Arc<SessionHandle>) -> &mut Subscriber {
        let old = self.subscriber.take_if(|subscriber| !subscriber.session.is(session));
        if let Some(Subscriber { session: old, counted, .. }) = old {
            old.void_subscriptions();
            if old.is_connected() {
                old.mailbox().notice((*service).into(), Event::ServiceEnded(counted));
            }
        }
        session.set_service_subscribed();
        self.subscriber.get_or_insert_with(|| Subscriber {
            session: Arc::clone(session),
            counted: QueueSet::default(),
            has_all: false,
        })
    }
}

fn add(set: &mut QueueSet, id: &[u8]) {
    set.count += 1;
    set.hash.toggle(id);
}

/// Removing as many as there are leaves the empty set, whatever was removed.
fn remove(set: &mut QueueSet, id: &[u8]) {
    if set.count <= 1 {
        *set = QueueSet { count: 0, hash: QueueIdsHash::default() };
    } else {
        set.count -= 1;
        set.hash.toggle(id);
    }
}
