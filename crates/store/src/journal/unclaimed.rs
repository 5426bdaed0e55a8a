//! Messages of queues that the store log does not know.
//!
//! That a queue is not in the store log does not say that it was deleted: somebody may have put back an older copy, or a line of it may be
//! damaged. Such messages stay in the journal, keep their segments and their keys, and do not expire. As soon as a start finds
//! their queue in the store log they are delivered; when it finds a record that deletes it, they go.

use std::collections::HashMap;

use smp_protocol::id::{MessageId, RecipientId};

use super::entry::Placed;
use super::key_table::FoundKeys;
use super::restored::Restored;
use super::segment::Filed;
use super::waiting::Waiting;
use crate::message_body::MessageBody;
use crate::message_queue::{MessageQueue, StoredContent, StoredMessage};

/// How many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnclaimedCount {
    /// Messages, markers included.
    pub messages: u64,
    /// Queues.
    pub queues: u64,
}

/// Messages that nobody can claim yet.
#[derive(Default)]
pub(super) struct Unclaimed(HashMap<RecipientId, Vec<Restored>>);

impl Unclaimed {
    /// Adds what was found of a queue. With keys they are made at once: a key is destroyed when no message refers to it.
    pub(super) fn add(&mut self, queue: RecipientId, messages: Waiting, keys: &FoundKeys) {
        if messages.is_empty() {
            return;
        }
        let restored =
            if keys.is_empty() { Restored::Waiting(messages) } else { Restored::Made(messages.opened_with(keys)) };
        self.0.entry(queue).or_default().push(restored);
    }

    /// Adds a message that was written meanwhile.
    pub(super) fn push(&mut self, queue: RecipientId, message: StoredMessage) {
        let mut messages = MessageQueue::default();
        messages.add_restored(message);
        self.0.entry(queue).or_default().push(Restored::Made(messages));
    }

    pub(super) fn count(&self) -> UnclaimedCount {
        let messages = self.0.values().flatten().map(|messages| messages.len() as u64).sum();
        UnclaimedCount { messages, queues: self.0.len() as u64 }
    }

    /// Whether this place is that of one of them.
    pub(super) fn is_place_of_one(&mut self, placed: &Placed) -> bool {
        self.find_mut(placed.queue(), placed.message()).is_some_and(|message| placed.is_place_of(message))
    }

    /// A record was moved.
    pub(super) fn settle(&mut self, placed: &Placed, place: &Filed) {
        if let Some(message) = self.find_mut(placed.queue(), placed.message())
            && placed.is_place_of(message)
            && let StoredContent::Message { body: MessageBody::Filed(filed), .. } = &mut message.content
        {
            *filed = filed.moved_to(place.clone());
        }
    }

    pub(super) fn contains(&mut self, queue: &RecipientId, message: &MessageId) -> bool {
        self.find_mut(queue, message).is_some()
    }

    fn find_mut(&mut self, queue: &RecipientId, message: &MessageId) -> Option<&mut StoredMessage> {
        self.0.get_mut(queue)?.iter_mut().find_map(|restored| restored.made().find_mut(message))
    }
}
