//! The segment that is written.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use smp_protocol::id::MessageId;

use super::format::SegmentKey;
use super::index::Index;
use super::record::{Header, Kind};
use super::segment::{Filed, Segment};
use crate::append_file::AppendFile;
use crate::error::FileError;

/// The segment that is written.
pub(super) struct Active {
    pub(super) file: AppendFile,
    pub(super) segment: Arc<Segment>,
    pub(super) key: Arc<SegmentKey>,
    pub(super) index: Index,
    pub(super) puts: usize,
    pub(super) markers: HashSet<MessageId>,
}

impl Active {
    /// One without records.
    pub(super) fn new(file: AppendFile, segment: Arc<Segment>, key: Arc<SegmentKey>) -> Self {
        Self { file, segment, key, index: Index::default(), puts: 0, markers: HashSet::new() }
    }

    /// An offset that records can refer to. Segments become that long only as long as no new one can be made.
    pub(super) fn offset_of(&self, position: u64) -> Result<u32, FileError> {
        u32::try_from(position).map_err(|_| {
            let text = "it is as long as a segment can be (4 GiB), and no new one can be made";
            FileError::new("append to", self.file.path(), io::Error::other(text))
        })
    }

    /// Notes a record that was written.
    pub(super) fn place(&mut self, offset: u32, header: &Header) -> Option<Filed> {
        self.index.push(offset, &header.fields());
        match header.kind {
            Kind::Message { .. } => self.puts += 1,
            Kind::QuotaMarker => drop(self.markers.insert(header.message)),
            Kind::Removal => drop(self.markers.remove(&header.message)),
        }
        matches!(header.kind, Kind::Message { .. }).then(|| Filed::new(&self.segment, offset, header))
    }
}

#[cfg(test)]
mod tests {
    use crate::files::{Files, RealFiles};
    use crate::journal::{Entry, Journal, JournalSizes, MAX_SEQUENCE, ReplayRules, Replayed, replay};
    use crate::message_queue::MessageQueue;
    use crate::message_queue::tests::message;
    use std::path::Path;
    use std::sync::Arc;

    fn open(directory: &Path) -> Replayed {
        let files: Arc<dyn Files> = Arc::new(RealFiles);
        let sizes = JournalSizes { segment: u64::MAX, ..JournalSizes::default() };
        replay(&files, directory, ReplayRules { sizes, ..ReplayRules::default() }, |_| true).unwrap()
    }

    fn put(journal: &mut Journal, n: u8) -> Result<(), String> {
        let queue = [1; 24].into();
        journal.commit(&[Entry::Put(&queue, &message(n))], true).map(drop).map_err(|error| error.to_string())
    }

    fn found(directory: &Path) -> Vec<u8> {
        let queues = open(directory).queues.in_order().map(|(_, messages)| MessageQueue::from(messages));
        queues.flat_map(|of| of.iter().map(|message| message.id.as_ref()[0]).collect::<Vec<_>>()).collect()
    }

    /// The last message that a segment can refer to is found again, and the next one is refused.
    #[test]
    fn messages_behind_4_gib_of_a_segment_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = open(directory.path()).journal;
        put(&mut journal, 1).unwrap();
        let active = journal.active.as_mut().unwrap();
        // A hole in the file: neither written nor read.
        active.file.take_back(u32::MAX.into());
        put(&mut journal, 2).unwrap();
        let error = put(&mut journal, 3).unwrap_err();
        assert!(error.contains("0000000000000001.segment") && error.contains("4 GiB"), "{error}");
        journal.seal().unwrap();
        assert_eq!(found(directory.path()), [1, 2]);
        put(&mut journal, 4).unwrap();
        drop(journal);
        assert_eq!(found(directory.path()), [1, 2, 4]);
    }

    /// Numbers do not wrap.
    #[test]
    fn numbers_end_before_they_wrap() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = open(directory.path()).journal;
        journal.next_sequence = MAX_SEQUENCE - 1;
        put(&mut journal, 1).unwrap();
        for _ in 0..2 {
            let error = put(&mut journal, 2).unwrap_err();
            assert!(error.contains("smp-server journal export"), "{error}");
        }
        drop(journal);
        assert_eq!(found(directory.path()), [1]);
        assert!(put(&mut open(directory.path()).journal, 2).is_err());
    }
}
