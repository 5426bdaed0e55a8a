//! Records that a start found, sorted roughly: what belongs together is small enough then for the cache of a processor.

use smp_protocol::id::RecipientId;

use super::record::{Header, Kind};

/// One for each first byte of an ID. These are random.
const BUCKETS: usize = 256;

/// A record that was found.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) header: Header,
    /// Place in its segment.
    pub(super) offset: u32,
    /// Place of the segment among all.
    pub(super) segment: u32,
}

impl Found {
    /// Whether it has a body.
    pub(super) fn is_message(&self) -> bool {
        matches!(self.header.kind, Kind::Message { .. })
    }
}

/// Records by the first byte of the ID of their queue, in the order in which they were found.
pub(super) struct Buckets(Vec<Vec<Found>>);

impl Default for Buckets {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| Vec::new()).collect())
    }
}

impl Buckets {
    /// Makes room for so many records, which is given back where it is not used.
    pub(super) fn reserve(&mut self, records: usize) {
        // IDs are random, queues have several records each: most buckets get hardly more than their share.
        let share = records / BUCKETS;
        self.0.iter_mut().for_each(|bucket| bucket.reserve(share + share / 8));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    pub(super) fn add(&mut self, found: Found) {
        self.0[bucket_of(&found.header.queue)].push(found);
    }

    /// The records of each bucket, from all threads.
    pub(super) fn together(all: Vec<Self>) -> Vec<Vec<Vec<Found>>> {
        let mut together: Vec<_> = (0..BUCKETS).map(|_| Vec::with_capacity(all.len())).collect();
        for buckets in all {
            for (bucket, records) in together.iter_mut().zip(buckets.0) {
                bucket.push(records);
            }
        }
        together
    }
}

/// The bucket of a queue. They are in the order of IDs.
pub(super) fn bucket_of(queue: &RecipientId) -> usize {
    usize::from(queue.as_bytes()[0])
}
