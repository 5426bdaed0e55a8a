//! The journal of the simulated relay: the real one, on a disk in memory. What writes it is simulated: it may be slow, and may fail.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use smp_actors::registry::{JournalResult, JournalToken, MessageJournal};
use smp_protocol::id::{MessageId, RecipientId};
use smp_store::error::FileError;
use smp_store::files::Files;
use smp_store::files::simulated::SimulatedDisk;
use smp_store::journal::{Entry, Filed, Journal, JournalSizes, ReplayRules, replay};
use smp_store::message_queue::{MessageQueue, StoredMessage};

const DIRECTORY: &str = "state/journal";
/// Segments of a few messages, so that they go.
const RULES: ReplayRules = ReplayRules {
    oldest: None,
    sizes: JournalSizes { segment: 1_000, tolerated: u64::MAX, piece: 1_000 },
    encrypt: false,
};

enum Change {
    Put(RecipientId, StoredMessage),
    Remove(RecipientId, MessageId),
    /// A message that was taken out before it was written, and its removal.
    Nothing,
}

/// An entry on its way to the disk, with its shard.
struct Waiting {
    shard: usize,
    change: Change,
    token: Option<JournalToken>,
}

type Unwritten = Arc<Mutex<VecDeque<Waiting>>>;

/// The journal as one shard sees it.
struct ShardJournal(usize, Unwritten);

impl ShardJournal {
    fn write(&self, change: Change, token: Option<JournalToken>) {
        self.1.lock().push_back(Waiting { shard: self.0, change, token });
    }
}

impl MessageJournal for ShardJournal {
    fn put(&self, queue: RecipientId, message: StoredMessage, token: JournalToken) {
        self.write(Change::Put(queue, message), Some(token));
    }

    fn remove(&self, queue: RecipientId, message: MessageId, token: Option<JournalToken>) {
        self.write(Change::Remove(queue, message), token);
    }

    fn unreadable(&self, _: &FileError) {}
}

/// The journal.
pub struct SimulatedJournal {
    disk: SimulatedDisk,
    journal: Journal,
    unwritten: Unwritten,
    /// Removals that were answered and could not be written yet.
    owed: Vec<(RecipientId, MessageId)>,
}

impl SimulatedJournal {
    pub fn new() -> Self {
        let disk = SimulatedDisk::new();
        let files: Arc<dyn Files> = Arc::new(disk.clone());
        let journal = replay(&files, Path::new(DIRECTORY), RULES, |_| true).expect("there is nothing yet").journal;
        Self { disk, journal, unwritten: Arc::default(), owed: Vec::new() }
    }

    pub fn of_shard(&self, shard: usize) -> Box<dyn MessageJournal> {
        Box::new(ShardJournal(shard, Arc::clone(&self.unwritten)))
    }

    /// How many entries wait.
    pub fn waiting(&self) -> usize {
        self.unwritten.lock().len()
    }

    /// Writes so many entries, all or none of them, and tells what came of it. Like the real writer it refuses messages if it fails,
    /// and accepts removals.
    pub fn write(&mut self, count: usize, fails: bool) -> Vec<(usize, JournalToken, JournalResult)> {
        let mut entries: Vec<Waiting> = self.unwritten.lock().drain(..count).collect();
        cancel(&mut entries);
        let results = if fails { self.refuse(&entries) } else { self.commit(&entries) };
        let told = |(entry, result): (&Waiting, _)| Some((entry.shard, entry.token?, result));
        entries.iter().zip(results).filter_map(told).collect()
    }

    fn refuse(&mut self, entries: &[Waiting]) -> Vec<JournalResult> {
        let refuse = |entry: &Waiting| match entry.change {
            Change::Put(..) => Err("write failed"),
            Change::Remove(queue, message) => {
                self.owed.push((queue, message));
                Ok(None)
            }
            Change::Nothing => Ok(None),
        };
        entries.iter().map(refuse).collect()
    }

    fn commit(&mut self, entries: &[Waiting]) -> Vec<JournalResult> {
        let owed = std::mem::take(&mut self.owed);
        let mut all: Vec<_> = owed.iter().map(|(queue, message)| Entry::Remove(queue, message)).collect();
        all.extend(entries.iter().filter_map(|entry| match &entry.change {
            Change::Put(queue, message) => Some(Entry::Put(queue, message)),
            Change::Remove(queue, message) => Some(Entry::Remove(queue, message)),
            Change::Nothing => None,
        }));
        let places: Vec<Option<Filed>> = self.journal.commit(&all, true).expect("the disk works");
        while self.journal.reclaim().expect("the disk works").is_some() {}
        let mut places = places.into_iter().skip(owed.len());
        let place = |entry: &Waiting| match entry.change {
            Change::Nothing => Ok(None),
            Change::Put(..) | Change::Remove(..) => Ok(places.next().flatten()),
        };
        entries.iter().map(place).collect()
    }

    /// The messages that a start would find in these queues, without markers.
    pub fn replay(&self, exists: impl Fn(&RecipientId) -> bool + Sync) -> BTreeMap<RecipientId, Vec<MessageId>> {
        let files: Arc<dyn Files> = Arc::new(self.disk.after_kill());
        let found = replay(&files, Path::new(DIRECTORY), RULES, exists).expect("the disk works");
        let ids = |messages: MessageQueue| messages.iter().filter(|m| !m.is_marker()).map(|m| m.id).collect::<Vec<_>>();
        let found = found.queues.in_order().map(|(queue, messages)| (queue, ids(messages.into())));
        found.filter(|(_, messages)| !messages.is_empty()).collect()
    }
}

/// A message that is taken out before it was written is not written.
fn cancel(entries: &mut [Waiting]) {
    for n in 0..entries.len() {
        let (before, rest) = entries.split_at_mut(n);
        let Change::Remove(_, message) = &rest[0].change else { continue };
        let is_put = |entry: &&mut Waiting| matches!(&entry.change, Change::Put(_, put) if put.id == *message);
        if let Some(put) = before.iter_mut().rev().find(is_put) {
            put.change = Change::Nothing;
            rest[0].change = Change::Nothing;
        }
    }
}
