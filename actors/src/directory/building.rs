//! The directory of a server that starts.
//!
//! There may be millions of queues, and entering them one by one is little else than waiting for memory: each goes to another
//! place of every table. So all processors make the queues and sort them by stripes, and then fill one stripe after the
//! other, each of which fits into the cache of a processor.

use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use smp_protocol::id::RecipientId;
use smp_store::journal::{Restored, RestoredQueues};
use smp_store::record::QueueRecord;

use super::{ByRecipient, BySender, Directory, Entry, STRIPES, Table, stripe_number};
use crate::queue::Queue;

/// Queues that a thread takes before it asks for more.
const AT_ONCE: usize = 256;

impl Directory {
    /// Enters all queues, with their messages; records are in the order of recipient IDs. Returns how many are left out,
    /// because they have an ID of another one.
    pub fn build(shards: usize, records: Vec<QueueRecord>, messages: RestoredQueues) -> (Self, usize) {
        let directory = Self::new(shards, records.len());
        let records = WithMessages { records: records.into_iter(), messages: messages.in_order().peekable() };
        let Sorting { recipients, senders, left_out } = directory.sorted(records);
        rayon::broadcast(|_| {
            let of_recipients = directory.recipients.fill(&recipients).into_iter().map(|entry| entry.0);
            let of_senders = directory.senders.fill(&senders).into_iter().map(|entry| entry.0);
            let refused: Vec<_> = of_recipients.chain(of_senders).collect();
            left_out.lock().extend(refused);
        });
        let mut left_out = left_out.into_inner();
        // More than one of its IDs may be taken.
        left_out.sort_unstable_by_key(Arc::as_ptr);
        left_out.dedup_by(|one, other| Arc::ptr_eq(one, other));
        for queue in &left_out {
            directory.remove(queue);
        }
        (directory, left_out.len())
    }

    /// Makes all queues, and enters them under those IDs that not every queue has.
    fn sorted(&self, records: impl Iterator<Item = (QueueRecord, Option<Restored>)> + Send) -> Sorting {
        let (sorting, records) = (Sorting::default(), Mutex::new(records));
        rayon::broadcast(|_| {
            let (mut by_recipient, mut by_sender) = (Part::default(), Part::default());
            loop {
                let some: Vec<_> = records.lock().by_ref().take(AT_ONCE).collect();
                if some.is_empty() {
                    break;
                }
                for queue in some.into_iter().map(queue_of) {
                    by_recipient.add(self.recipients.hashed(ByRecipient(Arc::clone(&queue))));
                    by_sender.add(self.senders.hashed(BySender(Arc::clone(&queue))));
                    if self.insert_optional(&queue).is_err() {
                        sorting.left_out.lock().push(queue);
                    }
                }
            }
            sorting.recipients.lock().parts.push(by_recipient);
            sorting.senders.lock().parts.push(by_sender);
        });
        sorting
    }
}

/// What is to be entered into the two large tables, and what is left out.
#[derive(Default)]
struct Sorting {
    recipients: Mutex<Sorted<ByRecipient>>,
    senders: Mutex<Sorted<BySender>>,
    left_out: Mutex<Vec<Arc<Queue>>>,
}

fn queue_of((record, messages): (QueueRecord, Option<Restored>)) -> Arc<Queue> {
    Arc::new(match messages {
        Some(messages) => Queue::restored(record, messages),
        None => Queue::new(record),
    })
}

/// Records of queues, each with the messages of its queue. Both are in the order of recipient IDs.
struct WithMessages<R, M: Iterator<Item = (RecipientId, Restored)>> {
    records: R,
    messages: Peekable<M>,
}

impl<R, M> Iterator for WithMessages<R, M>
where
    R: Iterator<Item = QueueRecord>,
    M: Iterator<Item = (RecipientId, Restored)>,
{
    type Item = (QueueRecord, Option<Restored>);

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.records.next()?;
        while self.messages.next_if(|(id, _)| *id < record.recipient_id).is_some() {}
        let messages = self.messages.next_if(|(id, _)| *id == record.recipient_id);
        Some((record, messages.map(|(_, messages)| messages)))
    }
}

/// An entry, and the hash of its ID.
type Hashed<E> = (u64, E);

/// What one thread made, by stripes.
struct Part<E>(Vec<Vec<Hashed<E>>>);

impl<E> Default for Part<E> {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| Vec::new()).collect())
    }
}

impl<E> Part<E> {
    fn add(&mut self, entry: Hashed<E>) {
        self.0[stripe_number(entry.0)].push(entry);
    }
}

/// What all threads made. It is taken from the end, stripe by stripe.
struct Sorted<E> {
    parts: Vec<Part<E>>,
    stripes: Range<usize>,
}

impl<E> Default for Sorted<E> {
    fn default() -> Self {
        Self { parts: Vec::new(), stripes: 0..STRIPES }
    }
}

impl<E> Sorted<E> {
    /// A stripe, and what belongs to it.
    fn take(&mut self) -> Option<(usize, Vec<Vec<Hashed<E>>>)> {
        let stripe = self.stripes.next_back()?;
        Some((stripe, self.parts.iter_mut().filter_map(|part| part.0.pop()).collect()))
    }
}

impl<E: Entry> Table<E> {
    fn hashed(&self, entry: E) -> Hashed<E> {
        (self.hash(entry.id()), entry)
    }

    /// Enters everything; returns what has an ID that is taken.
    fn fill(&self, sorted: &Mutex<Sorted<E>>) -> Vec<E> {
        let mut refused = Vec::new();
        while let Some((stripe, entries)) = take_from(sorted) {
            let mut table = self.stripes[stripe].write();
            for (hash, entry) in entries.into_iter().flatten() {
                if table.find(hash, |other| other.id() == entry.id()).is_some() {
                    refused.push(entry);
                } else {
                    table.insert_unique(hash, entry, |other| self.hash(other.id()));
                }
            }
        }
        refused
    }
}

/// Others can take the next ones meanwhile.
fn take_from<E>(sorted: &Mutex<Sorted<E>>) -> Option<(usize, Vec<Vec<Hashed<E>>>)> {
    sorted.lock().take()
}

#[cfg(test)]
mod tests {
    use smp_store::log_record::LogRecord;
    use smp_store::message_queue::{StoredContent, StoredMessage};

    use super::*;

    /// A queue with these numbers in its IDs.
    fn record(recipient: usize, sender: usize) -> QueueRecord {
        let line = format!(
            "CREATE rid={recipient:032} rk=MCowBQYDK2VwAyEA4NFQV7FZmH-UzHQR1xfxRXmyqhAPu7NPpZP-rtJySLc= \
             rdh=XpyQUfMgsNuD856nrb0NdObex_PfrsyPZGVmZBp7omY= sid={sender:032} sk="
        );
        match LogRecord::parse(line.as_bytes()) {
            Ok(LogRecord::Create(record)) => record,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_queue_is_found_by_both_ids() {
        let records: Vec<_> = (0..5000).map(|n| record(n, 100_000 + n)).collect();
        let (directory, left_out) = Directory::build(3, records.clone(), RestoredQueues::default());
        assert_eq!((directory.len(), left_out), (5000, 0));
        for record in &records {
            let [by_recipient, by_sender] =
                [directory.recipient(&record.recipient_id), directory.sender(&record.sender_id)].map(Option::unwrap);
            assert!(Arc::ptr_eq(&by_recipient, &by_sender) && *by_sender.record() == *record);
        }
        assert!(Directory::build(1, Vec::new(), RestoredQueues::default()).0.is_empty());
    }

    #[test]
    fn messages_come_to_their_queues() {
        let id = |n| record(n, 0).recipient_id;
        let message = StoredMessage { id: [7; 24].into(), timestamp: 1, content: StoredContent::QuotaMarker };
        let mut messages = RestoredQueues::default();
        for n in [1, 3, 4, 6] {
            messages.made(id(n)).store(message.clone(), n);
        }
        let (directory, _) = Directory::build(1, [2, 3, 5, 6].map(|n| record(n, 10 + n)).to_vec(), messages);
        let counts = [2, 3, 5, 6].map(|n| {
            directory.recipient(&id(n)).map(|queue| queue.live_if_any().map_or(0, |live| live.messages.len()))
        });
        assert_eq!(counts, [0, 1, 0, 1].map(Some));
    }

    #[test]
    fn of_two_queues_with_the_same_id_one_is_left_out_everywhere() {
        let (directory, left_out) =
            Directory::build(1, vec![record(1, 11), record(2, 11), record(3, 13)], RestoredQueues::default());
        assert_eq!((directory.len(), left_out), (2, 1));
        let found = directory.sender(&record(1, 11).sender_id).unwrap();
        let [first, second] = [1, 2].map(|n| directory.recipient(&record(n, 0).recipient_id));
        assert_eq!(first.is_some(), second.is_none());
        assert!(Arc::ptr_eq(&found, &first.or(second).unwrap()));
    }
}
