//! A queue in memory: its record, which sessions read to verify commands, and what is alive in it, which only the registry
//! shard of the queue touches.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use smp_protocol::id::{MessageId, RecipientId, SenderId};
use smp_store::journal::{Restored, Waiting};
use smp_store::message_queue::MessageQueue;
use smp_store::record::QueueRecord;

use crate::session_handle::SessionHandle;

/// Names a change of a record on its way to the store log.
pub type ChangeToken = u64;

/// A queue. The record is written by the shard that owns the queue and read by everyone.
///
/// The two IDs that never change stand outside the lock: the directory compares them while it holds locks of its own.
pub struct Queue {
    recipient_id: RecipientId,
    sender_id: SenderId,
    record: RwLock<QueueRecord>,
    life: Mutex<Life>,
}

/// Most queues of a large server have no messages and no subscriber: they cost one empty pointer.
enum Life {
    Dormant,
    /// Nobody used it since the start, which found messages of it in the journal.
    Waiting(Box<Waiting>),
    Live(Box<Live>),
    Deleted,
}

/// What is alive in a queue.
#[derive(Default)]
pub struct Live {
    /// Undelivered messages and the quota state.
    pub messages: MessageQueue,
    /// The one connection that messages are pushed to.
    pub subscriber: Option<Subscriber>,
    /// Connections that used `GET`.
    pub getters: Vec<Subscriber>,
    /// A change of the queue is on its way to the store log; commands wait for it.
    pub changing: Option<ChangeToken>,
}

/// A connection and what it was given of a queue.
pub struct Subscriber {
    /// The connection.
    pub session: Arc<SessionHandle>,
    /// The message that waits for its `ACK`.
    pub delivered: Option<Delivered>,
    /// An `ACK` waits for the journal: its answer brings the next message, and until then nothing is pushed.
    pub acknowledging: bool,
    generation: u32,
    /// The session counts it among its subscriptions as long as it exists.
    is_counted: bool,
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        if self.is_counted {
            self.session.uncount_subscription(self.generation);
        }
    }
}

impl Subscriber {
    /// A connection that messages are pushed to, and that was given nothing yet.
    pub fn new(session: &Arc<SessionHandle>) -> Self {
        Self::of(session, session.count_subscription(), true)
    }

    /// A connection that asks for messages by itself.
    pub fn getter(session: &Arc<SessionHandle>) -> Self {
        Self::of(session, session.generation(), false)
    }

    fn of(session: &Arc<SessionHandle>, generation: u32, is_counted: bool) -> Self {
        Self { session: Arc::clone(session), delivered: None, acknowledging: false, generation, is_counted }
    }

    /// Whether a message may be pushed now.
    pub fn is_free(&self) -> bool {
        self.delivered.is_none() && !self.acknowledging
    }

    /// Whether the subscription was not made void since.
    pub fn is_current(&self) -> bool {
        self.generation == self.session.generation()
    }

    /// Whether this is a subscription of the session.
    pub fn is_of(&self, session: &SessionHandle) -> bool {
        self.session.is(session) && self.is_current()
    }
}

/// An unacknowledged message.
#[derive(Clone, Copy)]
pub struct Delivered {
    /// Its ID.
    pub id: MessageId,
    /// When it was delivered, seconds since 1970.
    pub at: i64,
}

impl Queue {
    /// A queue without messages.
    pub fn new(record: QueueRecord) -> Self {
        Self {
            recipient_id: record.recipient_id,
            sender_id: record.sender_id,
            record: RwLock::new(record),
            life: Mutex::new(Life::Dormant),
        }
    }

    /// A queue with the messages that were saved for it.
    pub fn restored(record: QueueRecord, messages: Restored) -> Self {
        let life = match messages {
            Restored::Made(messages) => Life::Live(Live::with(messages)),
            Restored::Waiting(waiting) => Life::Waiting(Box::new(waiting)),
        };
        Self { life: Mutex::new(life), ..Self::new(record) }
    }

    /// The ID that names the queue to its recipient; it never changes.
    pub fn recipient_id(&self) -> &RecipientId {
        &self.recipient_id
    }

    /// The ID that names the queue to its sender; it never changes.
    pub fn sender_id(&self) -> &SenderId {
        &self.sender_id
    }

    /// The record as it is now.
    pub fn record(&self) -> RwLockReadGuard<'_, QueueRecord> {
        self.record.read()
    }

    /// The record, to be changed by the owning shard.
    pub(crate) fn record_mut(&self) -> RwLockWriteGuard<'_, QueueRecord> {
        self.record.write()
    }

    /// What is alive in the queue; `None` once it is deleted.
    pub(crate) fn live(&self) -> Option<LiveGuard<'_>> {
        let mut life = self.life.lock();
        if let Life::Dormant = *life {
            *life = Life::Live(Box::default());
        }
        LiveGuard::of(life)
    }

    /// What is alive in the queue, if anything is.
    pub(crate) fn live_if_any(&self) -> Option<LiveGuard<'_>> {
        LiveGuard::of(self.life.lock())
    }

    /// A session is not connected any more.
    pub(crate) fn forget_session(&self, session: &SessionHandle) {
        let Some(mut live) = self.live_if_any() else { return };
        live.subscriber.take_if(|subscriber| subscriber.session.is(session));
        live.getters.retain(|getter| !getter.session.is(session));
    }

    /// Whether messages are pushed to this session.
    pub fn is_subscriber(&self, session: &SessionHandle) -> bool {
        self.live_if_any()
            .is_some_and(|live| live.subscriber.as_ref().is_some_and(|subscriber| subscriber.is_of(session)))
    }

    /// Ends the queue and returns what was alive in it.
    pub(crate) fn end(&self) -> Option<Box<Live>> {
        match std::mem::replace(&mut *self.life.lock(), Life::Deleted) {
            Life::Live(live) => Some(live),
            Life::Waiting(waiting) => Some(Live::with((*waiting).into())),
            Life::Dormant | Life::Deleted => None,
        }
    }
}

impl Live {
    fn with(messages: MessageQueue) -> Box<Self> {
        Box::new(Self { messages, ..Self::default() })
    }

    fn is_idle(&self) -> bool {
        self.messages.is_empty() && self.subscriber.is_none() && self.getters.is_empty() && self.changing.is_none()
    }

    /// The subscription of this session, by `SUB` or by `GET`.
    pub fn of_session(&mut self, session: &SessionHandle) -> Option<(&mut Subscriber, SubscriptionKind)> {
        if let Some(subscriber) = self.subscriber.as_mut().filter(|s| s.is_of(session)) {
            return Some((subscriber, SubscriptionKind::Active));
        }
        let getter = self.getters.iter_mut().find(|g| g.session.is(session))?;
        Some((getter, SubscriptionKind::Prohibited))
    }
}

/// How a connection gets the messages of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionKind {
    /// After `SUB`: messages are pushed.
    Active,
    /// After `GET`: nothing is pushed and `SUB` is prohibited.
    Prohibited,
}

/// Access to what is alive; frees it on release when nothing is left.
pub(crate) struct LiveGuard<'q> {
    life: MutexGuard<'q, Life>,
}

impl<'q> LiveGuard<'q> {
    /// Messages that wait are made now.
    fn of(mut life: MutexGuard<'q, Life>) -> Option<Self> {
        if matches!(*life, Life::Waiting(_))
            && let Life::Waiting(waiting) = std::mem::replace(&mut *life, Life::Dormant)
        {
            *life = Life::Live(Live::with((*waiting).into()));
        }
        matches!(*life, Life::Live(_)).then_some(Self { life })
    }
}

impl std::ops::Deref for LiveGuard<'_> {
    type Target = Live;

    fn deref(&self) -> &Live {
        match &*self.life {
            Life::Live(live) => live,
            Life::Dormant | Life::Waiting(_) | Life::Deleted => {
                unreachable!("a guard is made for living queues and holds the lock")
            }
        }
    }
}

impl std::ops::DerefMut for LiveGuard<'_> {
    fn deref_mut(&mut self) -> &mut Live {
        match &mut *self.life {
            Life::Live(live) => live,
            Life::Dormant | Life::Waiting(_) | Life::Deleted => {
                unreachable!("a guard is made for living queues and holds the lock")
            }
        }
    }
}

impl Drop for LiveGuard<'_> {
    fn drop(&mut self) {
        if matches!(&*self.life, Life::Live(live) if live.is_idle()) {
            *self.life = Life::Dormant;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::session_handle::{Delivery, Event, NotifierEvent, SessionMailbox};
    use smp_protocol::id::EntityId;

    struct Nobody;

    impl SessionMailbox for Nobody {
        fn deliver(&self, _: Delivery) {}
        fn notice(&self, _: EntityId, _: Event) {}
        fn notify(&self, _: Vec<NotifierEvent>) {}
        fn close(&self) {}
    }

    /// Subscriptions end on one thread, one after the other, while another makes all of the session void.
    #[test]
    fn a_subscription_that_ends_twice_is_counted_once() {
        for number in 0..500 {
            let session = Arc::new(SessionHandle::new(number, None, Box::new(Nobody), 0));
            let ended = AtomicUsize::new(0);
            thread::scope(|scope| {
                let subscribers: Vec<_> = (0..10_000).map(|_| Subscriber::new(&session)).collect();
                scope.spawn(|| {
                    for subscriber in subscribers {
                        drop(subscriber);
                        ended.fetch_add(1, Ordering::Release);
                    }
                });
                while ended.load(Ordering::Acquire) < 100 {
                    thread::yield_now();
                }
                session.void_subscriptions();
            });
            assert_eq!(session.subscriptions(), 0);
        }
    }
}
