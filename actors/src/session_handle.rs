//! What other actors know of a session: what they may tell it, and whether it is still there.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use smp_protocol::command::QueueSet;
use smp_protocol::error::{BlockingInfo, ErrorType};
use smp_protocol::id::{EntityId, RecipientId, ServiceId};
use smp_protocol::key::DhSecret;
use smp_protocol::response::EncryptedNotification;
use smp_store::message_queue::StoredMessage;

/// A stored message for a recipient. It is encrypted when the socket of the session can take it: what waits until then is a
/// pointer to the message in the store.
#[derive(Clone)]
pub struct Delivery {
    /// Whose message it is.
    pub recipient_id: RecipientId,
    /// Encrypts it.
    pub secret: DhSecret,
    /// The message as stored; it shares its body with the store.
    pub message: StoredMessage,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delivery")
    }
}

/// What happened to a subscription elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Another connection subscribed to the queue or notifier.
    Ended,
    /// The queue or notifier was deleted.
    Deleted,
    /// Another connection subscribed to the queues of the service.
    ServiceEnded(QueueSet),
    /// The operator blocked the queue.
    Blocked(BlockingInfo),
    /// The messages of a queue of the service, or of all its queues, could not be read.
    Failed(ErrorType),
    /// The waiting messages of all queues of the service were delivered.
    AllMessagesSent,
}

/// A notification for a notifier ID.
pub type NotifierEvent = (EntityId, EncryptedNotification);

/// The mailbox of a session, as other actors see it. None of these calls waits.
pub trait SessionMailbox: Send + Sync {
    /// A message to be pushed. Each subscription has at most one on the way, which bounds the mailbox.
    fn deliver(&self, delivery: Delivery);
    /// Something happened to the subscription of this entity.
    fn notice(&self, entity: EntityId, event: Event);
    /// Notifications to be pushed, oldest first within one notifier ID.
    fn notify(&self, notifications: Vec<NotifierEvent>);
    /// The connection is to end: after the block in work, and with what waits for the socket sent.
    fn close(&self);
}

/// A number of subscriptions and the generation that they are of. Both are in one word, so that what ends in an earlier generation
/// is never taken off the number of a later one.
#[derive(Default)]
struct Subscriptions(AtomicU64);

impl Subscriptions {
    const GENERATION: u32 = 32;

    fn count(&self) -> usize {
        let lower_half = self.0.load(Ordering::Relaxed) & u64::from(u32::MAX);
        usize::try_from(lower_half).unwrap_or(usize::MAX)
    }

    fn generation(&self) -> u32 {
        generation_of(self.0.load(Ordering::Acquire))
    }

    fn add(&self) -> u32 {
        generation_of(self.0.fetch_add(1, Ordering::AcqRel))
    }

    fn remove(&self, generation: u32) {
        let less = |word: u64| (generation_of(word) == generation).then(|| word - 1);
        // Those of an earlier generation are not in the number any more.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    fn void(&self) {
        let next = |word| Some(u64::from(generation_of(word).wrapping_add(1)) << Self::GENERATION);
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }
}

fn generation_of(word: u64) -> u32 {
    (word >> Subscriptions::GENERATION) as u32
}

/// The outside of a session. Registry shards keep one pointer to it per subscription.
pub struct SessionHandle {
    number: u64,
    service: Option<ServiceId>,
    mailbox: Box<dyn SessionMailbox>,
    connected: AtomicBool,
    /// Queues whose messages are pushed to this session.
    subscriptions: Subscriptions,
    /// The session is subscribed for its service.
    serves: AtomicBool,
    /// Notifiers whose notifications are pushed to this session.
    pub notifier_subscriptions: AtomicUsize,
    /// Transmissions that wait for the socket.
    pub waiting: AtomicUsize,
    /// When the connection was made, seconds since 1970.
    pub created_at: i64,
    /// When the last whole block came, seconds since 1970.
    pub received_at: AtomicI64,
    /// When the last block went, seconds since 1970.
    pub sent_at: AtomicI64,
    /// Commands of it are being executed.
    executing: AtomicBool,
    /// Something was answered or written since [`Self::gets_on`] was last asked.
    got_on: AtomicBool,
}

impl SessionHandle {
    /// A session that is there. Numbers follow the order of acceptance and are never reused while the process lives.
    pub fn new(number: u64, service: Option<ServiceId>, mailbox: Box<dyn SessionMailbox>, now: i64) -> Self {
        Self {
            number,
            service,
            mailbox,
            connected: AtomicBool::new(true),
            subscriptions: Subscriptions::default(),
            serves: AtomicBool::new(false),
            notifier_subscriptions: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            created_at: now,
            received_at: AtomicI64::new(now),
            sent_at: AtomicI64::new(now),
            executing: AtomicBool::new(false),
            got_on: AtomicBool::new(false),
        }
    }

    /// Number of the connection.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The service that the session belongs to.
    pub fn service(&self) -> Option<ServiceId> {
        self.service
    }

    /// Whether this is that session.
    pub fn is(&self, other: &Self) -> bool {
        self.number == other.number
    }

    /// Where to tell it something.
    pub fn mailbox(&self) -> &dyn SessionMailbox {
        &*self.mailbox
    }

    /// Whether the connection is there. Once it is not, nothing may be registered for it any more: the shards forget it after
    /// this turned false.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// From now on nothing is registered for this session.
    pub fn disconnect(&self) {
        self.connected.store(false, Ordering::Release);
    }

    /// Subscriptions made in another generation are void.
    pub fn generation(&self) -> u32 {
        self.subscriptions.generation()
    }

    /// Number of queues whose messages are pushed to this session.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.count()
    }

    /// Counts a subscription; in which generation.
    pub(crate) fn count_subscription(&self) -> u32 {
        self.subscriptions.add()
    }

    /// A subscription that was counted in this generation ends.
    pub(crate) fn uncount_subscription(&self, generation: u32) {
        self.subscriptions.remove(generation);
    }

    /// Another session took the subscriptions of the service over: those of this one end at once, wherever they are noted.
    pub fn void_subscriptions(&self) {
        self.serves.store(false, Ordering::Relaxed);
        self.subscriptions.void();
    }

    /// The session is subscribed for its service.
    pub fn set_service_subscribed(&self) {
        self.serves.store(true, Ordering::Relaxed);
    }

    /// Whether the session is subscribed to anything, which keeps an idle connection open.
    pub fn is_subscribed(&self) -> bool {
        self.subscriptions() > 0
            || self.notifier_subscriptions.load(Ordering::Relaxed) > 0
            || self.serves.load(Ordering::Relaxed)
    }

    /// Commands of it are being executed from now on.
    pub fn begin_executing(&self) {
        self.executing.store(true, Ordering::Release);
    }

    /// They are answered.
    pub fn end_executing(&self) {
        self.got_on.store(true, Ordering::Release);
        self.executing.store(false, Ordering::Release);
    }

    /// A block went, at this time in seconds since 1970.
    pub fn note_sent(&self, now: i64) {
        self.sent_at.store(now, Ordering::Relaxed);
        self.got_on.store(true, Ordering::Release);
    }

    /// Whether anything was answered or written since this was last asked, or others work for the session: if not, it waits for its
    /// client.
    pub fn gets_on(&self) -> bool {
        let executing = self.executing.load(Ordering::Acquire);
        self.got_on.swap(false, Ordering::AcqRel) || executing
    }

    /// When the last block came or went, seconds since 1970.
    pub fn active_at(&self) -> i64 {
        self.received_at.load(Ordering::Relaxed).max(self.sent_at.load(Ordering::Relaxed))
    }
}
