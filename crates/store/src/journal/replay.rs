//! Reading the journal at start.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use smp_protocol::id::{MessageId, RecipientId};

use super::index::{Index, scan};
use super::key_table::{FoundKeys, KeyTable};
use super::record::{Header, Kind};
use super::segment::{Segment, segment_numbers, segment_path};
use super::waiting::{Place, Waiting, key_of};
use super::{Journal, JournalSizes, Sealed};
use crate::error::FileError;
use crate::files::Files;
use crate::message_queue::MessageQueue;

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

/// Reads the journal in a directory, which need not exist; `known` tells which queues there are. Messages of other queues
/// are dropped: a queue is deleted by its line in the store log.
pub fn replay(
    files: &Arc<dyn Files>,
    directory: &Path,
    rules: ReplayRules,
    known: impl FnMut(&RecipientId) -> bool,
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
    let mut found = Found { removed, keys: found_keys, waiting: Waiting::new(known), oldest: rules.oldest };
    for (number, (segment, index)) in segments.iter().enumerate() {
        replayed.look_through(number, segment, index, &mut found)?;
    }
    replayed.queues = found.waiting.into_queues(&segments, &found.keys);
    replayed.stored = replayed.queues.values().flatten().filter(|message| !message.is_marker()).count() as u64;
    replayed.journal.go_on_with(&found.keys);
    Ok(replayed)
}

/// What is known of the records of all segments.
struct Found<K> {
    removed: HashSet<MessageId>,
    keys: FoundKeys,
    waiting: Waiting<K>,
    oldest: Option<i64>,
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

    /// Looks for what waits in a segment.
    fn look_through<K: FnMut(&RecipientId) -> bool>(
        &mut self,
        number: usize,
        segment: &Arc<Segment>,
        index: &Index,
        found: &mut Found<K>,
    ) -> Result<(), FileError> {
        let (mut puts, mut markers) = (0, HashSet::new());
        for (entry, header) in index.numbers().filter_map(|entry| Some((entry, index.get(entry)?.1))) {
            self.journal.next_sequence = self.journal.next_sequence.max(header.sequence + 1);
            let is_marker = match header.kind {
                Kind::Removal => continue,
                Kind::QuotaMarker => true,
                Kind::Message { .. } => false,
            };
            puts += usize::from(!is_marker);
            if found.removed.contains(&header.message) {
                continue;
            }
            let Some(queue) = found.waiting.number_of(&header.queue) else { continue };
            if is_marker {
                markers.insert(header.message);
            } else if !self.is_kept(&header, found.oldest, &found.keys) {
                continue;
            }
            found.waiting.add(Place { queue, sequence: header.sequence, segment: number, entry });
        }
        let (segment, length) = (Arc::clone(segment), segment.length()?);
        self.journal.sealed.push_back(Sealed { segment, length, puts, markers });
        Ok(())
    }

    /// Whether a message can be restored, and is to be; counts it if not.
    fn is_kept(&mut self, header: &Header, oldest: Option<i64>, keys: &FoundKeys) -> bool {
        let expired = oldest.is_some_and(|oldest| header.timestamp < oldest);
        let keyless = !expired && header.sealed && key_of(header, keys).is_none();
        self.expired += u64::from(expired);
        self.keyless += u64::from(keyless);
        !expired && !keyless
    }
}
