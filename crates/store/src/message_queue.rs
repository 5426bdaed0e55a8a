//! The undelivered messages of one queue, with the quota rule (behaviour.md §3.9).

use std::collections::{VecDeque, vec_deque};
use std::fmt;

use smp_protocol::id::MessageId;

use crate::message_body::MessageBody;

/// A message or marker of a queue; cloning shares the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Names the message; nonce of its encryption.
    pub id: MessageId,
    /// When it was stored, seconds since 1970.
    pub timestamp: i64,
    /// What it is.
    pub content: StoredContent,
}

/// What is stored.
#[derive(Clone, PartialEq, Eq)]
pub enum StoredContent {
    /// A message.
    Message {
        /// The sender asked for a notification.
        notify: bool,
        /// As received, 0 to 16088 bytes.
        body: MessageBody,
    },
    /// The queue was full: the recipient is told, and once everything is acknowledged the sender may send again.
    QuotaMarker,
}

impl StoredMessage {
    /// Whether it is a marker.
    pub fn is_marker(&self) -> bool {
        self.content == StoredContent::QuotaMarker
    }
}

/// Bodies never reach a log.
impl fmt::Debug for StoredContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { body, .. } => write!(f, "Message({} bytes)", body.length()),
            Self::QuotaMarker => f.write_str("QuotaMarker"),
        }
    }
}

/// Messages, oldest first; a marker is always the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageQueue {
    messages: VecDeque<StoredMessage>,
    can_write: bool,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is in the queue.
    Accepted {
        /// It is the first one.
        was_empty: bool,
    },
    /// The queue is full: it was not stored.
    Full,
}

impl Default for MessageQueue {
    fn default() -> Self {
        Self { messages: VecDeque::new(), can_write: true }
    }
}

impl MessageQueue {
    /// Stores a message if the queue has fewer than `quota` and has no marker; the first message that does not fit
    /// leaves a marker with its ID and time.
    pub fn store(&mut self, message: StoredMessage, quota: usize) -> Stored {
        let size = self.messages.len();
        if !self.can_write && size > 0 {
            return Stored::Full;
        }
        if size < quota {
            self.can_write = true;
            self.messages.push_back(message);
            return Stored::Accepted { was_empty: size == 0 };
        }
        self.can_write = false;
        if !self.messages.back().is_some_and(StoredMessage::is_marker) {
            self.messages.push_back(StoredMessage { content: StoredContent::QuotaMarker, ..message });
        }
        Stored::Full
    }

    /// The oldest one.
    pub fn first(&self) -> Option<&StoredMessage> {
        self.messages.front()
    }

    /// Removes the oldest one if it has this ID.
    pub fn remove_first(&mut self, id: &MessageId) -> Option<StoredMessage> {
        if self.first()?.id == *id { self.messages.pop_front() } else { None }
    }

    /// Removes ordinary messages older than `oldest` (seconds since 1970) from the head, up to the first younger one or a
    /// marker, and returns them.
    pub fn expire(&mut self, oldest: i64) -> vec_deque::Drain<'_, StoredMessage> {
        let expired = |message: &StoredMessage| !message.is_marker() && message.timestamp < oldest;
        let n = self.messages.iter().take_while(|message| expired(message)).count();
        self.messages.drain(..n)
    }

    /// The youngest one.
    pub fn last(&self) -> Option<&StoredMessage> {
        self.messages.back()
    }

    /// A message with this ID, if it is still there.
    pub fn find_mut(&mut self, id: &MessageId) -> Option<&mut StoredMessage> {
        // Those that are looked for were stored last.
        self.messages.iter_mut().rev().find(|message| message.id == *id)
    }

    /// Removes a message wherever it is, as if it had never been stored.
    pub fn withdraw(&mut self, id: &MessageId) -> Option<StoredMessage> {
        let position = self.messages.iter().rposition(|message| message.id == *id)?;
        self.messages.remove(position)
    }

    /// What was in a queue. Markers that other messages follow were taken out before these came.
    pub(crate) fn restored(mut messages: VecDeque<StoredMessage>) -> Self {
        let last = messages.len().saturating_sub(1);
        let mut position = 0;
        messages.retain(|message| {
            position += 1;
            !message.is_marker() || position > last
        });
        let can_write = !messages.back().is_some_and(StoredMessage::is_marker);
        Self { messages, can_write }
    }

    /// Number of messages, a marker included.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether no marker was left since the queue was last empty.
    pub fn can_write(&self) -> bool {
        self.can_write
    }

    /// Oldest first.
    pub fn iter(&self) -> vec_deque::Iter<'_, StoredMessage> {
        self.messages.iter()
    }

    /// Adds a message or marker that was accepted once.
    pub(crate) fn add_restored(&mut self, message: StoredMessage) {
        if self.messages.back().is_some_and(StoredMessage::is_marker) {
            self.messages.pop_back();
        }
        self.can_write = !message.is_marker();
        self.messages.push_back(message);
    }

    /// Adds a saved marker; one at the head merges with it.
    pub(crate) fn restore_marker(&mut self, marker: StoredMessage, quota: usize) {
        if self.first().is_some_and(StoredMessage::is_marker) {
            self.messages.pop_front();
        }
        self.store(marker, quota);
    }

    /// All saved messages are here, a marker among them: nothing more before the queue is empty.
    pub(crate) fn close(&mut self) {
        self.can_write = false;
    }
}

impl<'a> IntoIterator for &'a MessageQueue {
    type Item = &'a StoredMessage;
    type IntoIter = vec_deque::Iter<'a, StoredMessage>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for MessageQueue {
    type Item = StoredMessage;
    type IntoIter = vec_deque::IntoIter<StoredMessage>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.into_iter()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const QUOTA: usize = 3;

    pub(crate) fn message(n: u8) -> StoredMessage {
        let content = StoredContent::Message { notify: false, body: [n; 5].into() };
        StoredMessage { id: [n; 24].into(), timestamp: n.into(), content }
    }

    pub(crate) fn marker(n: u8) -> StoredMessage {
        StoredMessage { content: StoredContent::QuotaMarker, ..message(n) }
    }

    fn queue_of(numbers: impl IntoIterator<Item = u8>) -> MessageQueue {
        let mut queue = MessageQueue::default();
        for n in numbers {
            queue.store(message(n), QUOTA);
        }
        queue
    }

    #[test]
    fn b_240_only_the_first_is_removed() {
        let mut queue = queue_of([1, 2, 3]);
        assert_eq!(queue.remove_first(&message(2).id), None);
        assert_eq!(queue.first(), Some(&message(1)));
    }

    #[test]
    fn b_241_removing_twice_removes_once() {
        let mut queue = queue_of([1, 2, 3]);
        assert_eq!(queue.remove_first(&message(1).id), Some(message(1)));
        assert_eq!(queue.first(), Some(&message(2)));
        assert_eq!(queue.remove_first(&message(1).id), None);
        assert_eq!(queue.first(), Some(&message(2)));
    }

    #[test]
    fn b_242_a_full_queue_ends_with_a_marker() {
        let mut queue = queue_of([1, 2, 3]);
        assert_eq!(queue.store(message(4), QUOTA), Stored::Full);
        assert_eq!(queue.store(message(5), QUOTA), Stored::Full);
        for n in 1..=3 {
            assert_eq!(queue.remove_first(&message(n).id), Some(message(n)));
            assert_eq!(queue.store(message(9), QUOTA), Stored::Full);
        }
        assert_eq!(queue.first(), Some(&marker(4)));
        assert_eq!(queue.remove_first(&message(4).id), Some(marker(4)));
        assert!(queue.is_empty());
        assert_eq!(queue.store(message(6), QUOTA), Stored::Accepted { was_empty: true });
        assert!(queue.can_write());
    }

    #[test]
    fn b_243_the_first_finds_an_empty_queue() {
        let mut queue = MessageQueue::default();
        assert_eq!(queue.store(message(1), QUOTA), Stored::Accepted { was_empty: true });
        assert_eq!(queue.store(message(2), QUOTA), Stored::Accepted { was_empty: false });
    }

    #[test]
    fn expiry_stops_at_the_first_younger_one_and_at_a_marker() {
        let mut queue = queue_of([1, 5, 2]);
        assert_eq!(queue.expire(3).count(), 1);
        assert_eq!(queue.len(), 2);
        let mut full = queue_of([1, 2, 3, 4]);
        assert_eq!(full.expire(100).count(), 3);
        assert_eq!(full.first(), Some(&marker(4)));
        assert_eq!(full.store(message(5), QUOTA), Stored::Full);
    }

    #[test]
    fn an_expired_full_queue_without_marker_takes_messages_again() {
        let mut queue = queue_of([1, 2, 3]);
        assert_eq!(queue.expire(2).count(), 1);
        assert_eq!(queue.store(message(4), QUOTA), Stored::Accepted { was_empty: false });
    }
}
