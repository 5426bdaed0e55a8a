//! From any entity ID to its queue.
//!
//! Sessions look queues up here to verify commands on their own threads; only registry shards change it. Each table is cut
//! into stripes with a lock of their own, held for the moment of one probe. No lock of a queue is ever taken under it.

mod building;

use std::hash::{BuildHasher, RandomState};
use std::iter;
use std::sync::Arc;

use hashbrown::HashTable;
use parking_lot::RwLock;
use smp_protocol::id::{LinkId, NotifierId, RecipientId, SenderId};

use crate::queue::Queue;

const STRIPES: usize = 64;

/// All queues of the server.
pub struct Directory {
    shards: usize,
    recipients: Table<ByRecipient>,
    senders: Table<BySender>,
    notifiers: Table<Named<NotifierId>>,
    links: Table<Named<LinkId>>,
}

/// The ID is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken;

impl Directory {
    /// An empty directory for this many registry shards, with room for so many queues.
    pub fn new(shards: usize, queues: usize) -> Self {
        Self {
            shards,
            recipients: Table::with_capacity(queues),
            senders: Table::with_capacity(queues),
            notifiers: Table::with_capacity(0),
            links: Table::with_capacity(0),
        }
    }

    /// The shard that owns a queue. The IDs are random, so any of their bytes spread evenly.
    pub fn shard_of(&self, id: &RecipientId) -> usize {
        let [a, b, ..] = *id.as_bytes();
        usize::from(u16::from_be_bytes([a, b])) % self.shards
    }

    /// The queue of a recipient ID.
    pub fn recipient(&self, id: &RecipientId) -> Option<Arc<Queue>> {
        self.recipients.find(id)
    }

    /// The queue of a sender ID.
    pub fn sender(&self, id: &SenderId) -> Option<Arc<Queue>> {
        self.senders.find(id)
    }

    /// The queue of a notifier ID.
    pub fn notifier(&self, id: &NotifierId) -> Option<Arc<Queue>> {
        self.notifiers.find(id)
    }

    /// The queue of a link ID.
    pub fn link(&self, id: &LinkId) -> Option<Arc<Queue>> {
        self.links.find(id)
    }

    /// Enters a queue under all its IDs, or under none if one of them is taken.
    pub fn insert(&self, queue: &Arc<Queue>) -> Result<(), Taken> {
        self.recipients.insert(ByRecipient(Arc::clone(queue)))?;
        if self.senders.insert(BySender(Arc::clone(queue))).is_err() {
            self.recipients.remove(queue.recipient_id(), queue);
            return Err(Taken);
        }
        self.insert_optional(queue).inspect_err(|_| self.remove(queue))
    }

    /// Enters a queue under those IDs that not every queue has.
    fn insert_optional(&self, queue: &Arc<Queue>) -> Result<(), Taken> {
        let (notifier_id, link_id) = optional_ids(queue);
        notifier_id
            .map_or(Ok(()), |id| self.insert_notifier(queue, id))
            .and_then(|()| link_id.map_or(Ok(()), |id| self.insert_link(queue, id)))
    }

    /// Enters a queue under one more notifier ID.
    pub fn insert_notifier(&self, queue: &Arc<Queue>, id: NotifierId) -> Result<(), Taken> {
        self.notifiers.insert(Named { id, queue: Arc::clone(queue) })
    }

    /// Enters a queue under one more link ID.
    pub fn insert_link(&self, queue: &Arc<Queue>, id: LinkId) -> Result<(), Taken> {
        self.links.insert(Named { id, queue: Arc::clone(queue) })
    }

    /// Removes a queue from all tables in which this very queue stands.
    pub fn remove(&self, queue: &Arc<Queue>) {
        let (notifier_id, link_id) = optional_ids(queue);
        self.recipients.remove(queue.recipient_id(), queue);
        self.senders.remove(queue.sender_id(), queue);
        if let Some(id) = notifier_id {
            self.remove_notifier(queue, &id);
        }
        if let Some(id) = link_id {
            self.remove_link(queue, &id);
        }
    }

    /// Removes a queue from under a notifier ID.
    pub fn remove_notifier(&self, queue: &Arc<Queue>, id: &NotifierId) {
        self.notifiers.remove(id, queue);
    }

    /// Removes a queue from under a link ID.
    pub fn remove_link(&self, queue: &Arc<Queue>, id: &LinkId) {
        self.links.remove(id, queue);
    }

    /// Number of queues.
    pub fn len(&self) -> usize {
        self.recipients.len()
    }

    /// Whether there are no queues.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of notifier IDs.
    pub fn notifier_count(&self) -> usize {
        self.notifiers.len()
    }

    /// Number of portions in which [`Self::portion`] gives all queues.
    pub const PORTIONS: usize = STRIPES;

    /// The queues in one portion of the directory: walking all queues portion by portion holds no lock for long
    /// and needs no memory for all of them.
    pub fn portion(&self, portion: usize) -> Vec<Arc<Queue>> {
        self.recipients.stripes[portion].read().iter().map(|entry| Arc::clone(&entry.0)).collect()
    }

    /// The queues of one shard in one portion.
    pub fn portion_of(&self, shard: usize, portion: usize) -> Vec<Arc<Queue>> {
        let mut queues = self.portion(portion);
        queues.retain(|queue| self.shard_of(queue.recipient_id()) == shard);
        queues
    }
}

fn optional_ids(queue: &Queue) -> (Option<NotifierId>, Option<LinkId>) {
    let record = queue.record();
    (record.notifier.as_ref().map(|n| n.id), record.link.as_ref().map(|l| l.id().clone()))
}

/// What a table holds for one ID.
trait Entry {
    type Id: AsRef<[u8]> + PartialEq;

    fn id(&self) -> &Self::Id;
    fn queue(&self) -> &Arc<Queue>;
}

/// Nothing but a pointer: the ID is read from the queue. Millions of these make the memory of the directory.
struct ByRecipient(Arc<Queue>);

impl Entry for ByRecipient {
    type Id = RecipientId;

    fn id(&self) -> &RecipientId {
        self.0.recipient_id()
    }

    fn queue(&self) -> &Arc<Queue> {
        &self.0
    }
}

/// As [`ByRecipient`].
struct BySender(Arc<Queue>);

impl Entry for BySender {
    type Id = SenderId;

    fn id(&self) -> &SenderId {
        self.0.sender_id()
    }

    fn queue(&self) -> &Arc<Queue> {
        &self.0
    }
}

/// An ID that the queue may lose or change, or gets only when a change of its record is in the store log.
struct Named<Id> {
    id: Id,
    queue: Arc<Queue>,
}

impl<Id: AsRef<[u8]> + PartialEq> Entry for Named<Id> {
    type Id = Id;

    fn id(&self) -> &Id {
        &self.id
    }

    fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

/// Queues by one kind of ID.
struct Table<E> {
    hasher: RandomState,
    stripes: Box<[RwLock<HashTable<E>>]>,
}

impl<E: Entry> Table<E> {
    fn with_capacity(entries: usize) -> Self {
        let stripe = || RwLock::new(HashTable::with_capacity(entries.div_ceil(STRIPES)));
        Self { hasher: RandomState::new(), stripes: iter::repeat_with(stripe).take(STRIPES).collect() }
    }

    fn find(&self, id: &E::Id) -> Option<Arc<Queue>> {
        let hash = self.hash(id);
        self.stripe_of(hash).read().find(hash, |entry| entry.id() == id).map(|entry| Arc::clone(entry.queue()))
    }

    fn insert(&self, entry: E) -> Result<(), Taken> {
        let hash = self.hash(entry.id());
        let mut stripe = self.stripe_of(hash).write();
        if stripe.find(hash, |other| other.id() == entry.id()).is_some() {
            return Err(Taken);
        }
        stripe.insert_unique(hash, entry, |other| self.hash(other.id()));
        Ok(())
    }

    fn remove(&self, id: &E::Id, queue: &Arc<Queue>) {
        let hash = self.hash(id);
        let mut stripe = self.stripe_of(hash).write();
        if let Ok(entry) = stripe.find_entry(hash, |e| e.id() == id && Arc::ptr_eq(e.queue(), queue)) {
            entry.remove();
        }
    }

    fn len(&self) -> usize {
        self.stripes.iter().map(|stripe| stripe.read().len()).sum()
    }

    fn hash(&self, id: &E::Id) -> u64 {
        self.hasher.hash_one(id.as_ref())
    }

    fn stripe_of(&self, hash: u64) -> &RwLock<HashTable<E>> {
        &self.stripes[stripe_number(hash)]
    }
}

/// Chosen by bits that the table inside the stripe does not use.
fn stripe_number(hash: u64) -> usize {
    let [_, _, byte, ..] = hash.to_be_bytes();
    usize::from(byte) % STRIPES
}
