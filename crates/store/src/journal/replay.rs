//! Reading the journal at start.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use smp_protocol::id::RecipientId;

use super::buckets::Buckets;
use super::grouping::{Keeping, QueueFound, queues};
use super::key_table::{FoundKeys, KeyTable};
use super::reading::{ReadSegment, read_segments};
use super::restored::RestoredQueues;
use super::segment::{segment_numbers, segment_path};
use super::{Journal, JournalSizes, Sealed};
use crate::error::FileError;
use crate::files::Files;

/// Buckets that one thread groups without asking whether another one is idle.
const BUCKETS_AT_ONCE: usize = 8;

/// Which messages are restored, and how the journal goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplayRules {
    /// Messages stored before (seconds since 1970) are dropped; `None`: none are.
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
    /// Messages that were sealed with keys that do not exist any more.
    pub keyless: u64,
}

/// A journal that was read, while it is not known yet which queues there are.
pub struct JournalFound {
    journal: Journal,
    keys: FoundKeys,
    queues: Vec<Vec<QueueFound>>,
    damaged: Vec<(PathBuf, u64)>,
    torn: u64,
}

/// Reads the journal in a directory, which need not exist; `known` tells which queues there are. Messages of others are dropped.
pub fn replay(
    files: &Arc<dyn Files>,
    directory: &Path,
    rules: ReplayRules,
    known: impl Fn(&RecipientId) -> bool + Sync,
) -> Result<Replayed, FileError> {
    Ok(read(files, directory, rules)?.restore(|| &known))
}

/// Reads the journal in a directory, which need not exist. Nothing is changed but that missing indexes are written.
pub fn read(files: &Arc<dyn Files>, directory: &Path, rules: ReplayRules) -> Result<JournalFound, FileError> {
    let (table, keys) = KeyTable::open(files, directory)?;
    let mut journal = Journal::new(files, directory, &rules, table);
    let numbers = segment_numbers(files.as_ref(), directory)?;
    journal.next_segment = numbers.last().map_or(1, |last| last + 1);
    let (segments, records) = read_segments(files, directory, &numbers)?;
    let (mut damaged, mut torn) = (Vec::new(), 0);
    let opened = segments.iter().map(|read| Arc::clone(&read.segment)).collect();
    for ReadSegment { segment, length, puts, next_sequence, damaged: unsound, torn: cut } in segments {
        if unsound > 0 {
            damaged.push((segment_path(directory, segment.number()), unsound));
        }
        torn += cut;
        journal.next_sequence = journal.next_sequence.max(next_sequence);
        journal.sealed.push_back(Sealed { segment, length, puts, markers: HashSet::new() });
    }
    let keeping = Keeping { oldest: rules.oldest, keys: &keys };
    let buckets = Buckets::together(records).into_par_iter().with_min_len(BUCKETS_AT_ONCE);
    let queues = buckets.map(|records| queues(records, &opened, keeping)).collect();
    Ok(JournalFound { journal, keys, queues, damaged, torn })
}

impl JournalFound {
    /// The journal with the messages of those queues that there are. Those of others are dropped: a queue is deleted by its
    /// line in the store log. What `known` returns is asked for some of the queues, in the order of their IDs.
    pub fn restore<K: FnMut(&RecipientId) -> bool>(self, known: impl Fn() -> K + Sync) -> Replayed {
        let Self { mut journal, keys, mut queues, damaged, torn } = self;
        queues.par_iter_mut().with_min_len(BUCKETS_AT_ONCE).for_each(|found| {
            let mut known = known();
            found.retain(|found| known(&found.queue));
        });
        let (mut stored, mut expired, mut keyless) = (0, 0, 0);
        for found in queues.iter().flatten() {
            stored += u64::from(found.stored);
            expired += u64::from(found.expired);
            keyless += u64::from(found.keyless);
            journal.note_markers(found);
        }
        // A key is destroyed when no message refers to it any more, which only messages that are made can tell.
        let queues = if keys.is_empty() {
            RestoredQueues::of(queues)
        } else {
            let found = queues.into_iter().flatten();
            found.map(|found| (found.queue, found.waiting.opened_with(&keys))).collect()
        };
        journal.go_on_with(&keys);
        Replayed { journal, queues, stored, expired, damaged, torn, keyless }
    }
}

impl Journal {
    /// Markers have no body that holds their segment.
    fn note_markers(&mut self, found: &QueueFound) {
        for (segment, marker) in found.markers() {
            if let Some(sealed) = self.sealed.get_mut(segment) {
                sealed.markers.insert(marker);
            }
        }
    }
}
