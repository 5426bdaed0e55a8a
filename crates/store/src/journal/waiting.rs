//! What is found waiting in the journal at start. There may be millions of messages: they are made only when it is known how
//! many each queue has.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use smp_protocol::id::RecipientId;

use super::body_at;
use super::index::Index;
use super::key_table::{FoundKeys, QueueKey};
use super::record::{Header, Kind};
use super::segment::Segment;
use crate::message_body::MessageBody;
use crate::message_queue::{MessageQueue, StoredContent, StoredMessage};

/// Places of records that wait.
pub(super) struct Waiting<K> {
    known: K,
    /// Of each queue that was asked for; `None` if there is no such queue.
    numbers: HashMap<RecipientId, Option<usize>>,
    places: Vec<Place>,
}

/// Where a record is. Their order is that of messages in their queues.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Number of the queue.
    pub(super) queue: usize,
    pub(super) sequence: u64,
    /// Number of the segment among those that were read.
    pub(super) segment: usize,
    /// Number of the record in its index.
    pub(super) entry: usize,
}

impl<K: FnMut(&RecipientId) -> bool> Waiting<K> {
    /// `known` tells which queues there are.
    pub(super) fn new(known: K) -> Self {
        Self { known, numbers: HashMap::new(), places: Vec::new() }
    }

    /// A number for the queue; `None` if there is no such queue.
    pub(super) fn number_of(&mut self, queue: &RecipientId) -> Option<usize> {
        let next = self.numbers.len();
        *self.numbers.entry(*queue).or_insert_with(|| (self.known)(queue).then_some(next))
    }

    /// Adds a record of a queue.
    pub(super) fn add(&mut self, place: Place) {
        self.places.push(place);
    }

    /// The messages of each queue that has any.
    pub(super) fn into_queues(
        mut self,
        segments: &[(Arc<Segment>, Index)],
        keys: &FoundKeys,
    ) -> HashMap<RecipientId, MessageQueue> {
        self.places.sort_unstable();
        // A record that was being moved when the process ended is there twice.
        self.places.dedup_by_key(|place| (place.queue, place.sequence));
        let mut queues = HashMap::with_capacity(self.numbers.len());
        for places in self.places.chunk_by(|one, other| one.queue == other.queue) {
            let mut queue = None;
            let mut messages = VecDeque::with_capacity(places.len());
            for place in places {
                let Some((segment, index)) = segments.get(place.segment) else { continue };
                let Some((offset, header)) = index.get(place.entry) else { continue };
                queue = Some(header.queue);
                messages.extend(stored(segment, offset, &header, keys));
            }
            queues.extend(queue.map(|queue| (queue, MessageQueue::restored(messages))));
        }
        queues
    }
}

fn stored(segment: &Arc<Segment>, offset: u32, header: &Header, keys: &FoundKeys) -> Option<StoredMessage> {
    let content = match header.kind {
        Kind::Message { notify } => {
            let body = body_at(segment, offset, header).opened_with(key_of(header, keys));
            StoredContent::Message { notify, body: MessageBody::Filed(body) }
        }
        Kind::QuotaMarker => StoredContent::QuotaMarker,
        Kind::Removal => return None,
    };
    Some(StoredMessage { id: header.message, timestamp: header.timestamp, content })
}

/// The newest key that was in use when the message was stored.
pub(super) fn key_of(header: &Header, keys: &FoundKeys) -> Option<Arc<QueueKey>> {
    let keys = keys.get(&header.queue).filter(|_| header.sealed)?;
    let (_, key) = keys.iter().rev().find(|(first, _)| *first <= header.sequence)?;
    Some(Arc::clone(key))
}
