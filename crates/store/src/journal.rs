//! The journal: undelivered messages that survive every end of the process (`store_messages = journal`).
//!
//! A log in segments of about 64 MiB. Storing a message appends a record with its body, taking it out appends a removal; many
//! of either share one write and one sync ([`Journal::commit`]). Memory holds where each body is, not the body. Nothing is
//! changed in place.
//!
//! * **Space.** The oldest segment is removed as soon as no message is in it. Only the oldest one: its removals may be
//!   about messages of older segments, never of younger ones. When messages that stay for long keep an old segment alive
//!   and most of the journal is dead, they are moved to its end ([`Journal::sparse_segment`]); they keep their sequence number, and with
//!   it their place in their queue.
//! * **Start.** A complete segment has an index, so that a start reads headers only. A segment without one, the last one
//!   before a crash, is read to its end ([`mod@scan`]): a torn tail is cut off, a damaged record is left out and what follows it is found again.
//! * **Full disk.** A reserve of 1 MiB is given up for the removals of messages that are still being taken out.
//!
//! Records are in [`record`], files in [`segment`] and [`index`], checksums in [`mod@format`], keys of sealed messages in [`key_table`].

mod active;
mod buckets;
mod entry;
mod extent;
mod format;
mod gone;
mod grouping;
mod import;
mod index;
mod key_table;
mod reading;
mod record;
mod removed;
mod replay;
mod restored;
mod scan;
mod segment;
mod unclaimed;
mod waiting;

use std::collections::{HashSet, VecDeque};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use smp_protocol::id::MessageId;

pub use entry::{Entry, Placed};
pub use removed::RemovedSegment;
pub use replay::{JournalFound, ReplayRules, Replayed, read, replay};
pub use restored::{Restored, RestoredQueues};
pub use segment::Filed;
pub use unclaimed::UnclaimedCount;
pub use waiting::Waiting;

use self::active::Active;
use self::entry::Destination;
use self::extent::Extent;
use self::format::{Format, SegmentKey};
use self::index::Index;
use self::key_table::{FoundKeys, KeyTable, QueueKey};
use self::record::{Kind, MAX_SEQUENCE};
use self::scan::scan;
use self::segment::{Segment, index_path, segment_path, unreadable_path};
use self::unclaimed::Unclaimed;
use crate::append_file::AppendFile;
use crate::atomic_file::sync_parent;
use crate::error::FileError;
use crate::files::Files;
use crate::message_queue::{StoredContent, StoredMessage};

/// Bytes of headers at which a segment is complete whatever its length: they are held in memory until then.
const LONGEST_INDEX: usize = 8 << 20;
/// Space for removals on a full disk.
const RESERVE_LENGTH: usize = 1 << 20;
const RESERVE: &str = "reserve";

/// How much space the journal takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalSizes {
    /// Length at which a segment is complete; the last commit may exceed it.
    pub segment: u64,
    /// Up to this length of all segments, dead records are no reason to move messages.
    pub tolerated: u64,
    /// What is given back at once of a segment that is removed: the best of the sizes that were measured.
    pub piece: u64,
}

impl Default for JournalSizes {
    fn default() -> Self {
        Self { segment: 64 << 20, tolerated: 256 << 20, piece: 4 << 20 }
    }
}

/// An open journal.
pub struct Journal {
    files: Arc<dyn Files>,
    directory: PathBuf,
    sealed: VecDeque<Sealed>,
    active: Option<Active>,
    next_segment: u64,
    next_sequence: u64,
    sizes: JournalSizes,
    extent: Extent,
    keys: KeyTable,
    /// New messages are sealed.
    encrypts: bool,
    /// Messages of queues that the store log does not know.
    unclaimed: Unclaimed,
}

/// A complete segment.
struct Sealed {
    segment: Arc<Segment>,
    length: u64,
    puts: usize,
    /// Quota markers that were not taken out: they have no body that refers to the segment.
    markers: HashSet<MessageId>,
}

impl Journal {
    fn new(files: &Arc<dyn Files>, directory: &Path, rules: &ReplayRules, keys: KeyTable, extent: Extent) -> Self {
        Self {
            files: Arc::clone(files),
            directory: directory.to_path_buf(),
            sealed: VecDeque::new(),
            active: None,
            next_segment: 1,
            next_sequence: 1,
            sizes: rules.sizes,
            extent,
            keys,
            encrypts: rules.encrypt,
            unclaimed: Unclaimed::default(),
        }
    }

    /// Goes on with the keys that are in use, and with numbers after those of all keys.
    fn go_on_with(&mut self, keys: &FoundKeys) {
        let used = keys.values().flatten().map(|(sequence, _)| *sequence).filter(|sequence| *sequence <= MAX_SEQUENCE);
        self.next_sequence = self.next_sequence.max(used.max().map_or(0, |last| last + 1));
        for (_, key) in keys.values().filter_map(|keys| keys.last()).filter(|(_, key)| Arc::strong_count(key) > 1) {
            self.keys.adopt(key);
        }
    }

    /// Appends all entries with one write, and returns where their bodies are now (`None` for removals and markers).
    /// With `sync` they are on disk then. After an error none of them counts as written.
    pub fn commit(&mut self, entries: &[Entry<'_>], sync: bool) -> Result<Vec<Option<Filed>>, FileError> {
        self.go_on_if_complete();
        let sequences = self.take_sequences(entries.len())?;
        let keys = self.keys_for(entries, sequences.start, sync)?;
        let active = match &mut self.active {
            Some(active) => active,
            None => {
                let active = self.new_active()?;
                self.active.insert(active)
            }
        };
        let start = active.file.length();
        let mut bytes = Vec::with_capacity(entries.iter().map(Entry::length).sum());
        let mut placed = Vec::with_capacity(entries.len());
        for ((entry, key), sequence) in entries.iter().zip(keys).zip(sequences) {
            let offset = active.offset_of(start + bytes.len() as u64)?;
            let to = Destination { segment: active.file.path(), key: &active.key, offset };
            let header = entry.write(key.as_deref(), sequence, &to, &mut bytes)?;
            placed.push((offset, header, key));
        }
        active.file.append(&bytes)?;
        if sync && let Err(error) = active.file.sync() {
            // The system may have dropped what it could not write: what follows goes to another file.
            active.file.take_back(start);
            let _ = self.seal();
            return Err(error);
        }
        if active.index.len() == 0 {
            let number = active.segment.number();
            let first = self.sealed.front().map_or(number, |oldest| oldest.segment.number());
            // Without that the records are as safe; only nobody misses them if somebody removes them.
            let _ = self.extent.set(first..number + 1);
        }
        for (_, header, _) in placed.iter().filter(|(_, header, _)| header.kind == Kind::Removal) {
            for sealed in self.sealed.iter_mut().filter(|sealed| !sealed.markers.is_empty()) {
                sealed.markers.remove(&header.message);
            }
        }
        let places =
            placed.into_iter().map(|(offset, header, key)| Some(active.place(offset, &header)?.opened_with(key)));
        Ok(places.collect())
    }

    /// Numbers for so many entries. Those of a commit that fails are not used again: a key that it made must not be taken for the key
    /// of a later one.
    fn take_sequences(&mut self, number: usize) -> Result<Range<u64>, FileError> {
        let start = self.next_sequence;
        let end = start.checked_add(number as u64).filter(|end| *end <= MAX_SEQUENCE).ok_or_else(|| {
            let text = "its messages are numbered up to the greatest number (`smp-server journal export`, then `journal delete`)";
            FileError::new("append to", &self.directory, io::Error::other(text))
        })?;
        self.next_sequence = end;
        Ok(start..end)
    }

    /// The key of each message to be stored, if they are sealed; new ones are on disk then.
    fn keys_for(
        &mut self,
        entries: &[Entry<'_>],
        sequence: u64,
        sync: bool,
    ) -> Result<Vec<Option<Arc<QueueKey>>>, FileError> {
        let (keys, encrypts) = (&mut self.keys, self.encrypts);
        let key_of = |entry: &Entry<'_>| match entry {
            Entry::Put(queue, StoredMessage { content: StoredContent::Message { .. }, .. }) if encrypts => {
                Some(keys.key_for(queue, sequence))
            }
            _ => None,
        };
        let found: Vec<_> = entries.iter().map(key_of).collect();
        if found.iter().any(Option::is_some) {
            self.files.create_directory(&self.directory).map_err(FileError::on("create", &self.directory))?;
            self.keys.write_new(sync)?;
        }
        Ok(found)
    }

    /// Destroys keys of queues that were drained or deleted before the last call of this. What was removed before that call
    /// must have been committed. Returns whether there were any.
    pub fn bury_keys(&mut self) -> Result<bool, FileError> {
        if self.keys.all_live() {
            return Ok(false);
        }
        self.sync()?;
        self.keys.bury()
    }

    /// Opens the segment that is written first, so that nothing but space is needed to take messages.
    pub fn prepare(&mut self) -> Result<(), FileError> {
        if self.active.is_none() {
            self.active = Some(self.new_active()?);
        }
        Ok(())
    }

    /// What was committed without sync is on disk.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.keys.sync()?;
        self.active.as_mut().map_or(Ok(()), |active| active.file.sync())
    }

    /// Everything is on disk, and the next start reads no bodies.
    pub fn close(mut self) -> Result<(), FileError> {
        self.seal()?;
        while !self.keys.all_live() {
            self.keys.bury()?;
        }
        while self.reclaim()?.is_some() {}
        Ok(())
    }

    /// Removes the oldest segment if nothing is in it any more. Its space is to be given back by the caller, little by little.
    pub fn reclaim(&mut self) -> Result<Option<RemovedSegment>, FileError> {
        let Some(oldest) = self.sealed.front().filter(|oldest| oldest.is_empty()) else { return Ok(None) };
        let (number, length) = (oldest.segment.number(), oldest.length);
        let file = self.files.open_append(&segment_path(&self.directory, number)).ok();
        // Its end must not be missing as long as it may be found by a start: the removals of its messages may be there.
        self.extent.strike_out(number)?;
        if oldest.segment.is_unreadable()? {
            self.set_aside(number)?;
        } else {
            self.remove_files(number)?;
        }
        self.sealed.pop_front();
        Ok(Some(RemovedSegment::new(file, length, self.sizes.piece)))
    }

    /// The messages of the oldest segment, if they are to be moved: more than 256 MiB and more than half of the journal are dead.
    /// Some may be taken out already. When the others are moved, [`Self::moved`] is to be called.
    pub fn sparse_segment(&self) -> Result<Option<Vec<Placed>>, FileError> {
        let Some(oldest) = self.sealed.front() else { return Ok(None) };
        let total: u64 = self.sealed.iter().map(|sealed| sealed.length).sum();
        let alive: u64 = self.sealed.iter().map(Sealed::alive).sum();
        if total < self.sizes.tolerated || alive > total / 2 {
            return Ok(None);
        }
        let Some(format) = oldest.segment.format() else { return Ok(Some(Vec::new())) };
        let mut index = Index::default();
        if !index.load(self.files.as_ref(), &self.directory, &oldest.segment)? {
            index = scan(&oldest.segment)?.index;
        }
        let messages = index.iter(format).filter(|(_, header)| header.kind != Kind::Removal);
        Ok(Some(
            messages
                .map(|(offset, header)| Placed { body: Filed::new(&oldest.segment, offset, &header), header })
                .collect(),
        ))
    }

    /// Messages of queues that the store log does not know.
    pub fn unclaimed(&self) -> UnclaimedCount {
        self.unclaimed.count()
    }

    /// Whether a record is needed although no queue has its message: that is of a queue that the store log does not know.
    pub fn is_unclaimed(&mut self, placed: &Placed) -> bool {
        self.unclaimed.is_place_of_one(placed)
    }

    /// Such a record was moved.
    pub fn settle_unclaimed(&mut self, placed: &Placed, place: &Filed) {
        self.unclaimed.settle(placed, place);
    }

    /// What stays of the oldest segment is at the end of the journal now.
    pub fn moved(&mut self) {
        if let Some(oldest) = self.sealed.front_mut() {
            oldest.markers.clear();
        }
    }

    /// Takes the reserve for something more important.
    pub fn release_reserve(&self) -> Result<(), FileError> {
        let path = self.directory.join(RESERVE);
        match self.files.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", &path, error)),
            _ => Ok(()),
        }
    }

    /// Puts the reserve back in place. As long as that fails no message should be taken.
    pub fn restore_reserve(&self) -> Result<(), FileError> {
        let path = self.directory.join(RESERVE);
        let exists =
            self.files.open_read_at(&path).and_then(|file| file.length()).is_ok_and(|n| n == RESERVE_LENGTH as u64);
        if exists {
            return Ok(());
        }
        self.files.create_directory(&self.directory).map_err(FileError::on("create", &self.directory))?;
        let file = self.files.create(&path).map_err(FileError::on("create", &path))?;
        let mut file = AppendFile::of(file, &path)?;
        file.append(&vec![0; RESERVE_LENGTH])?;
        file.sync()
    }

    /// Bytes of all segments.
    pub fn length(&self) -> u64 {
        let active = self.active.as_ref().map_or(0, |active| active.file.length());
        self.sealed.iter().map(|sealed| sealed.length).sum::<u64>() + active
    }

    /// Goes on in a new segment when the old one is long enough. One that cannot be opened (no descriptors are left, say) is no
    /// reason to refuse messages: the old one grows meanwhile.
    fn go_on_if_complete(&mut self) {
        let is_complete =
            |active: &Active| active.file.length() >= self.sizes.segment || active.index.length() >= LONGEST_INDEX;
        if self.active.as_ref().is_some_and(is_complete)
            && let Ok(next) = self.new_active()
        {
            // Without its index the old one is complete as well.
            let _ = self.seal();
            self.active = Some(next);
        }
    }

    fn new_active(&mut self) -> Result<Active, FileError> {
        let files = self.files.as_ref();
        files.create_directory(&self.directory).map_err(FileError::on("create", &self.directory))?;
        let number = self.next_segment;
        let path = segment_path(&self.directory, number);
        let file = files.create(&path).map_err(FileError::on("create", &path))?;
        sync_parent(files, &path)?;
        sync_parent(files, &self.directory)?;
        let mut file = AppendFile::of(file, &path)?;
        let (key, header) = SegmentKey::random();
        file.append(&*header)?;
        // Records that get to the disk before their key are worth nothing.
        file.sync()?;
        let key = Arc::new(key);
        let segment = Arc::new(Segment::made(files, &self.directory, number, &key)?);
        self.next_segment += 1;
        Ok(Active::new(file, segment, key))
    }

    /// Completes the active segment. Without its index it is complete as well, and read in whole by the next start.
    fn seal(&mut self) -> Result<(), FileError> {
        let Some(Active { mut file, segment, key, index, puts, markers }) = self.active.take() else { return Ok(()) };
        let (number, length) = (segment.number(), file.length());
        if index.len() == 0 {
            self.remove_files(number)?;
            // Numbers are in a row: one that is left out would be missed.
            self.next_segment = number;
            return Ok(());
        }
        let synced = file.sync();
        self.sealed.push_back(Sealed { segment, length, puts, markers });
        synced?;
        index.save(&self.files, &self.directory, number, &Format::Keyed(key))
    }

    /// Nothing in it can be read, but somebody may be able to mend it.
    fn set_aside(&self, number: u64) -> Result<(), FileError> {
        let path = segment_path(&self.directory, number);
        let renamed = self.files.rename(&path, &unreadable_path(&self.directory, number));
        renamed.map_err(FileError::on("rename", &path))?;
        sync_parent(self.files.as_ref(), &path)
    }

    fn remove_files(&self, number: u64) -> Result<(), FileError> {
        // The index first: a segment without one is read in whole, an index without its segment would stay for ever.
        for path in [index_path(&self.directory, number), segment_path(&self.directory, number)] {
            match self.files.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(FileError::new("remove", &path, error));
                }
                _ => {}
            }
        }
        sync_parent(self.files.as_ref(), &segment_path(&self.directory, number))
    }
}

impl Sealed {
    fn is_empty(&self) -> bool {
        self.segment.messages() == 0 && self.markers.is_empty()
    }

    /// Bytes of the messages in it, if all have the same length.
    fn alive(&self) -> u64 {
        let average = self.length / (self.puts.max(1) as u64);
        average.saturating_mul(self.segment.messages() as u64).min(self.length)
    }
}
