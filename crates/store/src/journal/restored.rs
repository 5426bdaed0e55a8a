//! The messages of all queues at start.

use std::collections::BTreeMap;
use std::iter;

use smp_protocol::id::RecipientId;

use super::buckets::bucket_of;
use super::grouping::QueueFound;
use super::waiting::Waiting;
use crate::message_queue::MessageQueue;

/// The messages of a queue at start.
pub enum Restored {
    /// Ready to be used.
    Made(MessageQueue),
    /// Still to be made.
    Waiting(Waiting),
}

impl Restored {
    /// Number of messages, a marker included.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Made(messages) => messages.len(),
            Self::Waiting(waiting) => waiting.len(),
        }
    }

    /// The messages, made if they are not yet.
    pub(super) fn made(&mut self) -> &mut MessageQueue {
        if let Self::Waiting(waiting) = self {
            *self = Self::Made(waiting.take().into());
        }
        match self {
            Self::Made(messages) => messages,
            Self::Waiting(_) => unreachable!("it was made above"),
        }
    }
}

impl From<Restored> for MessageQueue {
    fn from(restored: Restored) -> Self {
        match restored {
            Restored::Made(messages) => messages,
            Restored::Waiting(waiting) => waiting.into(),
        }
    }
}

/// The messages of all queues at start, in the order of recipient IDs.
#[derive(Default)]
pub struct RestoredQueues {
    /// By buckets, in this order. What was made since is empty here.
    found: Vec<Vec<QueueFound>>,
    made: BTreeMap<RecipientId, MessageQueue>,
}

impl RestoredQueues {
    /// What was found in each bucket, in the order of recipient IDs.
    pub(super) fn of(found: Vec<Vec<QueueFound>>) -> Self {
        Self { found, made: BTreeMap::new() }
    }

    /// The messages of a queue, none if none were found; made if they are not yet.
    pub fn made(&mut self, queue: RecipientId) -> &mut MessageQueue {
        let found = &mut self.found;
        self.made.entry(queue).or_insert_with(|| {
            let bucket = found.get_mut(bucket_of(&queue)).map(Vec::as_mut_slice).unwrap_or_default();
            match bucket.binary_search_by_key(&queue, |found| found.queue) {
                Ok(place) => bucket[place].waiting.take().into(),
                Err(_) => MessageQueue::default(),
            }
        })
    }

    /// The messages of each queue that has any, in the order of recipient IDs.
    pub fn in_order(self) -> impl Iterator<Item = (RecipientId, Restored)> {
        let found = self.found.into_iter().flatten().filter(|found| !found.waiting.is_empty());
        let mut found = found.map(|found| (found.queue, Restored::Waiting(found.waiting))).peekable();
        let made = self.made.into_iter().filter(|(_, messages)| !messages.is_empty());
        let mut made = made.map(|(queue, messages)| (queue, Restored::Made(messages))).peekable();
        iter::from_fn(move || {
            let is_made = match (found.peek(), made.peek()) {
                (Some((found, _)), Some((made, _))) => made < found,
                (found, _) => found.is_none(),
            };
            if is_made { made.next() } else { found.next() }
        })
    }

    /// Number of queues that have messages.
    pub fn len(&self) -> usize {
        let waiting = self.found.iter().flatten().filter(|found| !found.waiting.is_empty()).count();
        waiting + self.made.values().filter(|messages| !messages.is_empty()).count()
    }

    /// Whether there are no messages.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Messages that were restored from elsewhere.
impl FromIterator<(RecipientId, MessageQueue)> for RestoredQueues {
    fn from_iter<I: IntoIterator<Item = (RecipientId, MessageQueue)>>(queues: I) -> Self {
        Self { found: Vec::new(), made: queues.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message_queue::tests::message;

    #[test]
    fn made_messages_take_their_place_among_those_that_wait() {
        let queue = |n: u8| RecipientId::from([n; 24]);
        let mut queues: RestoredQueues = [(queue(3), MessageQueue::default())].into_iter().collect();
        assert!(queues.is_empty(), "a queue without messages does not count");
        for n in [5, 1] {
            queues.made(queue(n)).store(message(n), 9);
        }
        assert_eq!(queues.len(), 2);
        let found: Vec<_> = queues.in_order().map(|(id, messages)| (id, MessageQueue::from(messages).len())).collect();
        assert_eq!(found, [(queue(1), 1), (queue(5), 1)]);
    }
}
