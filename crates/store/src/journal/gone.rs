//! Messages that a start leaves out for good: those that are too old, and those of deleted queues.
//!
//! Their removals are recorded like those of messages that were taken out. Without that they would come back when messages live
//! longer after the next start, and nothing would tell a deleted queue from an unknown one once the store log is compacted.

use super::grouping::QueueMessages;
use super::{Entry, Journal, Replayed};
use crate::error::FileError;

/// Removals of one commit: bounds its memory to about 1 MiB.
const COMMIT_ENTRIES: usize = 8 * 1024;

/// Messages whose removals are to be recorded.
#[derive(Default)]
pub(super) struct Gone(Vec<QueueMessages>);

impl Gone {
    pub(super) fn add(&mut self, messages: Vec<QueueMessages>) {
        self.0.extend(messages.into_iter().filter(|of| !of.messages.is_empty()));
    }
}

impl Replayed {
    /// Records that messages are gone, on disk when this returns; if need be on the space of the reserve. After an error, what is
    /// not recorded is found again by the next start.
    pub fn record_gone(&mut self) -> Result<(), FileError> {
        let Gone(gone) = std::mem::take(&mut self.gone);
        let removals = gone.iter().flat_map(|QueueMessages { queue, messages }| {
            messages.records().map(move |found| Entry::Remove(queue, &found.header.message))
        });
        let mut removals = removals.peekable();
        if removals.peek().is_none() {
            return Ok(());
        }
        while removals.peek().is_some() {
            let portion: Vec<_> = removals.by_ref().take(COMMIT_ENTRIES).collect();
            commit(&mut self.journal, &portion)?;
        }
        Ok(())
    }
}

fn commit(journal: &mut Journal, removals: &[Entry<'_>]) -> Result<(), FileError> {
    if journal.commit(removals, true).is_ok() {
        return Ok(());
    }
    journal.release_reserve()?;
    journal.commit(removals, true).map(drop)
}
