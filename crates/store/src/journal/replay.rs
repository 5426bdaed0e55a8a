//! Reading the journal at start.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use smp_protocol::id::RecipientId;

use super::index::{Index, scan};
use super::key_table::{FoundKeys, KeyTable, QueueKey};
use super::record::{Header, Kind};
use super::segment::{Segment, segment_numbers, segment_path};
use super::{Journal, JournalSizes, Sealed, body_at};
use crate::error::FileError;
use crate::files::Files;
use crate::message_body::MessageBody;
use crate::message_queue::{MessageQueue, StoredContent, StoredMessage};

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
    pub queues: HashMap<RecipientId, MessageQueue>,
    /// Messages that were restored, without markers.
    pub stored: u64,
    /// Messages that were too old.
    pub expired: u64,
    /// Segments with damaged records, and the number of bytes of these.
    pub damaged: Vec<(PathBuf, usize)>,
    /// Bytes of a write that did not end.
    pub torn: usize,
    /// Messages that were sealed with keys that do not exist any more.
    pub keyless: u64,
}

type Waiting = HashMap<RecipientId, Vec<(u64, StoredMessage)>>;

/// Reads the journal in a directory, which need not exist; `known` tells which queues there are. Messages of other queues
/// are dropped: a queue is deleted by its line in the store log.
pub fn replay(
    files: &Arc<dyn Files>,
    directory: &Path,
    rules: ReplayRules,
    mut known: impl FnMut(&RecipientId) -> bool,
) -> Result<Replayed, FileError> {
    let (keys, found_keys) = KeyTable::open(files, directory)?;
    let mut replayed = Replayed {
        journal: Journal::new(files, directory, &rules, keys),
        queues: HashMap::new(),
        stored: 0,
        expired: 0,
        damaged: Vec::new(),
        torn: 0,
        keyless: 0,
    };
    let mut segments = Vec::new();
    for number in segment_numbers(files.as_ref(), directory)? {
        segments.push(replayed.read_segment(files, directory, number)?);
        replayed.journal.next_segment = number + 1;
    }
    let removals =
        segments.iter().flat_map(|(_, index)| index.iter()).filter(|(_, header)| header.kind == Kind::Removal);
    let removed: HashSet<_> = removals.map(|(_, header)| header.message).collect();
    let mut waiting = Waiting::new();
    for (segment, index) in &segments {
        let (mut puts, mut markers) = (0, HashSet::new());
        for (offset, header) in index.iter() {
            replayed.journal.next_sequence = replayed.journal.next_sequence.max(header.sequence + 1);
            if header.kind == Kind::Removal {
                continue;
            }
            puts += usize::from(header.kind != Kind::QuotaMarker);
            let is_known = |waiting: &Waiting| waiting.contains_key(&header.queue);
            if !removed.contains(&header.message) && (is_known(&waiting) || known(&header.queue)) {
                if header.kind == Kind::QuotaMarker {
                    markers.insert(header.message);
                }
                replayed.add((segment, offset), &header, rules, &found_keys, &mut waiting);
            }
        }
        let (segment, length) = (Arc::clone(segment), segment.length()?);
        replayed.journal.sealed.push_back(Sealed { segment, length, puts, markers });
    }
    let newest = found_keys.values().flatten().map(|(sequence, _)| sequence + 1).max().unwrap_or(0);
    replayed.journal.next_sequence = replayed.journal.next_sequence.max(newest);
    for (_, key) in found_keys.values().filter_map(|keys| keys.last()).filter(|(_, key)| Arc::strong_count(key) > 1) {
        replayed.journal.keys.adopt(key);
    }
    drop(found_keys);
    replayed.queues = waiting.into_iter().map(|(queue, messages)| (queue, in_order(messages))).collect();
    replayed.stored = replayed.queues.values().flatten().filter(|message| !message.is_marker()).count() as u64;
    Ok(replayed)
}

impl Replayed {
    fn read_segment(
        &mut self,
        files: &Arc<dyn Files>,
        directory: &Path,
        number: u64,
    ) -> Result<(Arc<Segment>, Index), FileError> {
        let segment = Arc::new(Segment::open(files.as_ref(), directory, number)?);
        if let Some(index) = Index::load(files.as_ref(), directory, number)? {
            return Ok((segment, index));
        }
        // What a killed process wrote may be in the memory of the system only: from now on it counts as safe.
        let path = segment_path(directory, number);
        let mut file = files.open_append(&path).map_err(FileError::on("open", &path))?;
        file.sync().map_err(FileError::on("sync", &path))?;
        let found = scan(&segment)?;
        if found.damaged > 0 {
            self.damaged.push((path, found.damaged));
        }
        self.torn += found.torn;
        found.index.save(files, directory, number)?;
        Ok((segment, found.index))
    }

    fn add(
        &mut self,
        (segment, offset): (&Arc<Segment>, u32),
        header: &Header,
        rules: ReplayRules,
        keys: &FoundKeys,
        waiting: &mut Waiting,
    ) {
        let content = match header.kind {
            Kind::Message { .. } if rules.oldest.is_some_and(|oldest| header.timestamp < oldest) => {
                self.expired += 1;
                return;
            }
            Kind::Message { notify } => {
                let key = key_of(header, keys);
                if header.sealed && key.is_none() {
                    self.keyless += 1;
                    return;
                }
                let body = body_at(segment, offset, header).opened_with(key);
                StoredContent::Message { notify, body: MessageBody::Filed(body) }
            }
            Kind::QuotaMarker => StoredContent::QuotaMarker,
            Kind::Removal => return,
        };
        let message = StoredMessage { id: header.message, timestamp: header.timestamp, content };
        waiting.entry(header.queue).or_default().push((header.sequence, message));
    }
}

/// The newest key that was in use when the message was stored.
fn key_of(header: &Header, keys: &FoundKeys) -> Option<Arc<QueueKey>> {
    let keys = keys.get(&header.queue).filter(|_| header.sealed)?;
    let (_, key) = keys.iter().rev().find(|(first, _)| *first <= header.sequence)?;
    Some(Arc::clone(key))
}

/// A record that was being moved when the process ended is there twice.
fn in_order(mut messages: Vec<(u64, StoredMessage)>) -> MessageQueue {
    if !messages.is_sorted_by_key(|(sequence, _)| *sequence) {
        messages.sort_by_key(|(sequence, _)| *sequence);
    }
    messages.dedup_by_key(|(sequence, _)| *sequence);
    MessageQueue::restored(messages.into_iter().map(|(_, message)| message))
}
