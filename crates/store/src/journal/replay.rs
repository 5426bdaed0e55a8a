//! Reading the journal at start.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use smp_protocol::id::{MessageId, RecipientId};

use super::buckets::Buckets;
use super::extent::Extent;
use super::gone::Gone;
use super::grouping::{BucketFound, Keeping, QueueFound, QueueMessages, queues};
use super::key_table::{FoundKeys, KeyTable};
use super::reading::{ReadSegment, read_segments};
use super::record::MAX_SEQUENCE;
use super::restored::RestoredQueues;
use super::segment::{segment_numbers, segment_path};
use super::unclaimed::Unclaimed;
use super::{Journal, JournalSizes, Sealed};
use crate::error::FileError;
use crate::files::Files;
use crate::replay::QueueStanding;

/// More than a segment ever has.
const MOST_RECORDS: u64 = 1 << 24;
/// Buckets that one thread groups without asking whether another one is idle.
const BUCKETS_AT_ONCE: usize = 8;

/// Which messages are restored, and how the journal goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplayRules {
    /// Messages stored before (seconds since 1970) are expired; `None`: none are.
    pub oldest: Option<i64>,
    /// Space that the journal takes.
    pub sizes: JournalSizes,
    /// New messages are sealed with a key of their queue.
    pub encrypt: bool,
}

/// A journal and what is in it.
pub struct Replayed {
    /// To go on with.
    pub journal: Journal,
    /// The messages of each queue that has any.
    pub queues: RestoredQueues,
    /// Messages that were restored, without markers.
    pub stored: u64,
    /// Messages that were too old.
    pub expired: u64,
    /// Segments with damaged records, and the number of bytes of these.
    pub damaged: Vec<(PathBuf, u64)>,
    /// Bytes of a write that did not end.
    pub torn: u64,
    /// Segments that should be there.
    pub missing: Vec<PathBuf>,
    /// Segments that held more than they do.
    pub emptied: Vec<PathBuf>,
    /// Messages that were sealed with keys that do not exist any more.
    pub keyless: u64,
    /// Whether there is any key at all.
    pub has_keys: bool,
    /// What is not to be found again by a later start.
    pub(super) gone: Gone,
}

/// A journal that was read, while it is not known yet which queues there are.
pub struct JournalFound {
    journal: Journal,
    keys: FoundKeys,
    queues: Vec<BucketFound>,
    damaged: Vec<(PathBuf, u64)>,
    torn: u64,
    missing: Vec<PathBuf>,
    emptied: Vec<PathBuf>,
}

/// Reads the journal in a directory, which need not exist; `known` tells which queues there are. Messages of others stay where
/// they are.
pub fn replay(
    files: &Arc<dyn Files>,
    directory: &Path,
    rules: ReplayRules,
    known: impl Fn(&RecipientId) -> bool + Sync,
) -> Result<Replayed, FileError> {
    let standing = |id: &RecipientId| if known(id) { QueueStanding::Live } else { QueueStanding::Unknown };
    Ok(read(files, directory, rules)?.restore(|| standing))
}

/// Reads the journal in a directory, which need not exist. Nothing is changed but that missing indexes are written.
pub fn read(files: &Arc<dyn Files>, directory: &Path, rules: ReplayRules) -> Result<JournalFound, FileError> {
    let (table, keys) = KeyTable::open(files, directory)?;
    let mut journal = Journal::new(files, directory, &rules, table, Extent::open(files, directory)?);
    let numbers = segment_numbers(files.as_ref(), directory)?;
    let missing: Vec<_> = journal.extent.missing_among(&numbers);
    let mut emptied = Vec::new();
    journal.next_segment = numbers.last().into_iter().chain(missing.last()).max().map_or(1, |last| last + 1);
    let (segments, records) = read_segments(files, directory, &numbers)?;
    let (mut damaged, mut torn) = (Vec::new(), 0);
    let opened = segments.iter().map(|read| Arc::clone(&read.segment)).collect();
    for read in segments {
        let ReadSegment { segment, length, puts, next_sequence, damaged: unsound, torn: cut, is_blank, cut_off } = read;
        if unsound > 0 {
            damaged.push((segment.path().to_path_buf(), unsound));
        }
        let was_written = journal.extent.contains(segment.number());
        if length == 0 && !was_written && numbers.last() == Some(&segment.number()) {
            // The process ended when it had just made it. The next one is made in its place.
            journal.next_segment = segment.number();
            continue;
        }
        if cut_off > 0 || is_blank && was_written && (length == 0 || segment.format().is_some()) {
            emptied.push(segment.path().to_path_buf());
        }
        torn += cut;
        journal.next_sequence = journal.next_sequence.max(next_sequence);
        journal.sealed.push_back(Sealed { segment, length, puts, markers: HashSet::new() });
    }
    // Numbers of messages in segments that are missing are not used again: they may be put back.
    let lost = (missing.len() as u64).saturating_mul(MOST_RECORDS);
    journal.next_sequence = journal.next_sequence.saturating_add(lost).min(MAX_SEQUENCE);
    let keeping = Keeping { oldest: rules.oldest, keys: &keys };
    let buckets = Buckets::together(records).into_par_iter().with_min_len(BUCKETS_AT_ONCE);
    let queues = buckets.map(|records| queues(records, &opened, keeping)).collect();
    let missing = missing.into_iter().map(|number| segment_path(directory, number)).collect();
    Ok(JournalFound { journal, keys, queues, damaged, torn, missing, emptied })
}

/// What was found of the queues of a bucket, by what the store log says about them.
#[derive(Default)]
struct Sorted {
    live: Vec<QueueFound>,
    unknown: Vec<QueueMessages>,
    gone: Vec<QueueMessages>,
    /// Messages of live queues among those that are gone.
    expired: u64,
}

impl Sorted {
    /// `standing` is asked for IDs in their order.
    fn new<K: FnMut(&RecipientId) -> QueueStanding>(found: BucketFound, standing: impl Fn() -> K) -> Self {
        let mut sorted = Self { live: Vec::with_capacity(found.queues.len()), ..Self::default() };
        let mut of_queue = standing();
        for found in found.queues {
            let into = match of_queue(&found.queue) {
                QueueStanding::Live => {
                    sorted.live.push(found);
                    continue;
                }
                QueueStanding::Deleted => &mut sorted.gone,
                QueueStanding::Unknown => &mut sorted.unknown,
            };
            into.push(QueueMessages { queue: found.queue, messages: found.waiting });
        }
        let mut of_queue = standing();
        for expired in found.expired {
            match of_queue(&expired.queue) {
                QueueStanding::Live => {
                    sorted.expired += expired.messages.len() as u64;
                    sorted.gone.push(expired);
                }
                QueueStanding::Deleted => sorted.gone.push(expired),
                // Who puts the right store log back wants to find them.
                QueueStanding::Unknown => sorted.unknown.push(expired),
            }
        }
        sorted
    }
}

impl JournalFound {
    /// The journal with the messages of the queues that there are. Those of deleted queues, and those that are too old, are gone
    /// when [`Replayed::record_gone`] has said so; those of queues that the store log does not know stay in the journal. What
    /// `standing` returns is asked for some of the queues, in the order of their IDs.
    pub fn restore<K: FnMut(&RecipientId) -> QueueStanding>(self, standing: impl Fn() -> K + Sync) -> Replayed {
        let Self { mut journal, keys, queues, damaged, torn, missing, emptied } = self;
        let buckets = queues.into_par_iter().with_min_len(BUCKETS_AT_ONCE);
        let sorted: Vec<_> = buckets.map(|found| Sorted::new(found, &standing)).collect();
        let (mut stored, mut expired, mut keyless) = (0, 0, 0);
        let (mut live, mut unclaimed, mut gone) =
            (Vec::with_capacity(sorted.len()), Unclaimed::default(), Gone::default());
        for bucket in sorted {
            for found in &bucket.live {
                stored += u64::from(found.stored);
                keyless += u64::from(found.keyless);
                journal.note_markers(found.markers());
            }
            expired += bucket.expired;
            live.push(bucket.live);
            gone.add(bucket.gone);
            for QueueMessages { queue, messages } in bucket.unknown {
                journal.note_markers(messages.markers());
                unclaimed.add(queue, messages, &keys);
            }
        }
        // A key is destroyed when no message refers to it any more, which only messages that are made can tell.
        let queues = if keys.is_empty() {
            RestoredQueues::of(live)
        } else {
            let found = live.into_iter().flatten();
            found.map(|found| (found.queue, found.waiting.opened_with(&keys))).collect()
        };
        journal.go_on_with(&keys);
        journal.unclaimed = unclaimed;
        let has_keys = !keys.is_empty();
        Replayed { journal, queues, stored, expired, damaged, torn, missing, emptied, keyless, has_keys, gone }
    }
}

impl Journal {
    /// Markers have no body that holds their segment.
    fn note_markers(&mut self, markers: impl Iterator<Item = (usize, MessageId)>) {
        for (segment, marker) in markers {
            if let Some(sealed) = self.sealed.get_mut(segment) {
                sealed.markers.insert(marker);
            }
        }
    }
}
