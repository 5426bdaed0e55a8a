//! From the records of a bucket to the messages of its queues.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use smp_protocol::id::{MessageId, RecipientId};

use super::buckets::Found;
use super::key_table::FoundKeys;
use super::record::Kind;
use super::segment::Segment;
use super::waiting::{Backlog, Place, Waiting, key_of};

/// What a start found of a queue.
pub(super) struct QueueFound {
    pub(super) queue: RecipientId,
    /// What was not taken out, and is to be kept.
    pub(super) waiting: Waiting,
    /// Messages among that, without markers.
    pub(super) stored: u32,
    /// Messages whose keys do not exist any more.
    pub(super) keyless: u32,
}

impl QueueFound {
    /// Markers that wait, each with the place of its segment among all. They have no body that holds the segment.
    pub(super) fn markers(&self) -> impl Iterator<Item = (usize, MessageId)> {
        // Nearly always there are none, and the records need not be looked at.
        let number = self.waiting.len().saturating_sub(self.stored as usize);
        self.waiting.markers().take(number)
    }
}

/// Messages of a queue that are apart from the others.
pub(super) struct QueueMessages {
    pub(super) queue: RecipientId,
    pub(super) messages: Waiting,
}

/// The queues of a bucket, in the order of their IDs.
pub(super) struct BucketFound {
    pub(super) queues: Vec<QueueFound>,
    /// Messages that are too old, by queues.
    pub(super) expired: Vec<QueueMessages>,
}

/// By what messages are kept or dropped.
#[derive(Clone, Copy)]
pub(super) struct Keeping<'a> {
    /// Seconds since 1970; older ones are expired.
    pub(super) oldest: Option<i64>,
    pub(super) keys: &'a FoundKeys,
}

/// Where a record stands in the order of queues. IDs are random: those that begin with the same 8 bytes are nearly always the same.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    prefix: u64,
    sequence: u64,
    thread: u32,
    number: u32,
}

/// The queues of a bucket. `records` are those of the bucket, as several threads found them.
pub(super) fn queues(records: Vec<Vec<Found>>, segments: &Arc<[Arc<Segment>]>, keeping: Keeping<'_>) -> BucketFound {
    let mut backlog = Backlog { segments: Arc::clone(segments), records, places: Vec::new() };
    let mut ranks = ranks(&backlog);
    let (mut tallies, mut places) = (Vec::new(), Vec::with_capacity(ranks.len()));
    let queue_of = |rank: &Rank| backlog.record(rank.place()).header.queue;
    for alike in ranks.chunk_by_mut(|one, other| one.prefix == other.prefix) {
        let Some(first) = alike.first().map(queue_of) else { continue };
        if alike.iter().all(|rank| queue_of(rank) == first) {
            tallies.push(Tally::new(first, alike, &backlog, keeping, &mut places));
            continue;
        }
        alike.sort_by_key(queue_of);
        for ranks in alike.chunk_by(|one, other| queue_of(one) == queue_of(other)) {
            tallies.extend(ranks.first().map(|of| Tally::new(queue_of(of), ranks, &backlog, keeping, &mut places)));
        }
    }
    backlog.places = places;
    backlog.forget_what_is_gone();
    backlog.hold_segments();
    let backlog = Arc::new(backlog);
    let mut found = BucketFound { queues: Vec::with_capacity(tallies.len()), expired: Vec::new() };
    for tally in tallies {
        found.expired.extend(tally.expired(&backlog));
        found.queues.push(tally.with_messages(&backlog));
    }
    found
}

/// The records by the first 8 bytes of the ID of their queue, and then by sequence number.
fn ranks(backlog: &Backlog) -> Vec<Rank> {
    let all = || {
        let threads = (0..).zip(&backlog.records);
        threads.flat_map(|(thread, records)| {
            let numbered = (0..).zip(records);
            numbered.map(move |(number, found)| Rank::new(found, Place { thread, number }))
        })
    };
    // They differ in the second byte of the ID first: sorted by that, little is left to be sorted.
    let mut ends = [0; 257];
    all().for_each(|rank| ends[rank.second_byte() + 1] += 1);
    for byte in 1..ends.len() {
        ends[byte] += ends[byte - 1];
    }
    let mut ranks = vec![Rank::default(); ends[256]];
    for rank in all() {
        let end = &mut ends[rank.second_byte()];
        ranks[*end] = rank;
        *end += 1;
    }
    let mut start = 0;
    for end in &ends[..256] {
        ranks[start..*end].sort_unstable();
        start = *end;
    }
    ranks
}

impl Rank {
    fn new(found: &Found, place: Place) -> Self {
        let Place { thread, number } = place;
        let prefix = found.header.queue.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        Self { prefix, sequence: found.header.sequence, thread, number }
    }

    fn second_byte(&self) -> usize {
        usize::from(self.prefix.to_be_bytes()[1])
    }

    fn place(&self) -> Place {
        Place { thread: self.thread, number: self.number }
    }
}

/// [`QueueFound`] while places are still added.
struct Tally {
    queue: RecipientId,
    places: Range<u32>,
    /// Those that are too old follow.
    expired: Range<u32>,
    stored: u32,
    keyless: u32,
}

impl Tally {
    /// Counts the records of a queue, and adds those that were not taken out to `places`.
    fn new(
        queue: RecipientId,
        ranks: &[Rank],
        backlog: &Backlog,
        keeping: Keeping<'_>,
        places: &mut Vec<Place>,
    ) -> Self {
        let headers = || ranks.iter().map(|rank| (rank, &backlog.record(rank.place()).header));
        let removals = headers().filter(|(_, header)| header.kind == Kind::Removal);
        let removed: HashSet<MessageId> = removals.map(|(_, header)| header.message).collect();
        let start = end_of(places);
        let mut tally = Self { queue, places: start..start, expired: start..start, stored: 0, keyless: 0 };
        let (mut last, mut expired) = (None, Vec::new());
        for (rank, header) in headers() {
            if header.kind == Kind::Removal || removed.contains(&header.message) {
                continue;
            }
            // A record that was being moved when the process ended is there twice.
            if last.replace(header.sequence) == Some(header.sequence) {
                continue;
            }
            let is_message = matches!(header.kind, Kind::Message { .. });
            if is_message && keeping.oldest.is_some_and(|oldest| header.timestamp < oldest) {
                expired.push(rank.place());
            } else if header.sealed && key_of(header, keeping.keys).is_none() {
                tally.keyless += 1;
            } else {
                tally.stored += u32::from(is_message);
                places.push(rank.place());
            }
        }
        tally.places.end = end_of(places);
        places.append(&mut expired);
        tally.expired = tally.places.end..end_of(places);
        tally
    }

    fn expired(&self, backlog: &Arc<Backlog>) -> Option<QueueMessages> {
        let messages = || Waiting::new(backlog, self.expired.clone());
        (!self.expired.is_empty()).then(|| QueueMessages { queue: self.queue, messages: messages() })
    }

    fn with_messages(self, backlog: &Arc<Backlog>) -> QueueFound {
        let Self { queue, places, stored, keyless, .. } = self;
        QueueFound { queue, waiting: Waiting::new(backlog, places), stored, keyless }
    }
}

/// Records are numbered in 32 bits, and so are places.
fn end_of(places: &[Place]) -> u32 {
    u32::try_from(places.len()).unwrap_or(u32::MAX)
}

impl Backlog {
    /// Counts every message that waits in its segment. Each is released when it is made, or dropped with its queue.
    fn hold_segments(&self) {
        let mut counts = vec![0; self.segments.len()];
        for found in self.places.iter().map(|place| self.record(*place)).filter(|found| found.is_message()) {
            counts[found.segment as usize] += 1;
        }
        for (segment, count) in self.segments.iter().zip(counts) {
            segment.hold(count);
        }
    }

    /// Keeps nothing but what waits, if that is the smaller part.
    fn forget_what_is_gone(&mut self) {
        if self.places.len() * 2 >= self.records.iter().map(Vec::len).sum() {
            return;
        }
        self.records = vec![self.places.iter().map(|place| *self.record(*place)).collect()];
        self.places = (0..).zip(&self.records[0]).map(|(number, _)| Place { thread: 0, number }).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::Header;

    fn found(queue: [u8; 24], sequence: u64, kind: Kind, message: u8) -> Found {
        let header = Header {
            kind,
            sealed: false,
            body_length: 0,
            sequence,
            timestamp: 0,
            queue: queue.into(),
            message: [message; 24].into(),
            body_checksum: 0,
        };
        Found { header, offset: 0, segment: 0 }
    }

    /// Records of queues whose IDs differ in their last byte only, one thread having found the later ones first.
    #[test]
    fn ids_that_begin_alike_are_told_apart() {
        let marker = Kind::QuotaMarker;
        let queue = |n: u8| {
            let mut id = [7; 24];
            id[23] = n;
            id
        };
        let first = vec![found(queue(2), 5, marker, 5), found(queue(1), 6, marker, 6), found(queue(2), 7, marker, 7)];
        let second = vec![found(queue(1), 1, marker, 1), found(queue(2), 2, marker, 2), found(queue(1), 3, marker, 3)];
        let keeping = Keeping { oldest: None, keys: &FoundKeys::new() };
        let queues = queues(vec![first, second], &Arc::default(), keeping);
        let messages = |of: &QueueFound| {
            let sequence = of.waiting.records().map(|found| found.header.message.as_bytes()[0]).collect::<Vec<_>>();
            (*of.queue.as_bytes(), sequence)
        };
        let found: Vec<_> = queues.queues.iter().map(messages).collect();
        assert_eq!(found, [(queue(1), vec![1, 3, 6]), (queue(2), vec![2, 5, 7])]);
    }

    #[test]
    fn only_what_waits_is_kept_when_most_is_gone() {
        let records: Vec<_> = (1..=9).map(|n| found([1; 24], n.into(), Kind::QuotaMarker, n)).collect();
        let removals: Vec<_> = (1..=8).map(|n| found([1; 24], 10, Kind::Removal, n)).collect();
        let keeping = Keeping { oldest: None, keys: &FoundKeys::new() };
        let queues = queues(vec![removals, records], &Arc::default(), keeping);
        let [QueueFound { waiting, .. }] = &queues.queues[..] else { panic!("one queue was expected") };
        assert_eq!(waiting.records().map(|found| found.header.sequence).collect::<Vec<_>>(), [9]);
    }
}
