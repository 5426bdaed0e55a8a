//! Compacting the queue log while it is appended to.
//!
//! What the log says up to a point is read and written anew on another thread; what was appended meanwhile is added as it is, and
//! then the two change places as at start. Nobody waits but for the last step.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::compaction::Compacted;
use super::{CompactionReport, StoreLog, StoreLogError};
use crate::error::FileError;
use crate::files::Files;
use crate::replay::replay;

/// Bytes copied at a time.
const CHUNK: usize = 1024 * 1024;

/// What there is to be compacted. It can be worked on by any thread.
pub struct CompactionPlan {
    files: Arc<dyn Files>,
    path: PathBuf,
    /// The log itself, whatever has its name later.
    log: Box<dyn Read + Send>,
    length: u64,
    generation: u64,
}

/// A compacted log, to which what was appended since is still to be added.
pub struct CompactionDraft {
    compacted: Compacted,
    length: u64,
    generation: u64,
}

impl CompactionPlan {
    /// Reads the log and writes it anew, aside. Takes memory for all queues while it works. Changes nothing that is in use.
    pub fn write(self) -> Result<CompactionDraft, StoreLogError> {
        let Self { files, path, log, length, generation } = self;
        let reader = BufReader::with_capacity(CHUNK, log.take(length));
        let replayed = replay(reader, |_| ()).map_err(FileError::on("read", &path))?;
        if replayed.summary.rejected > 0 || replayed.summary.torn {
            return Err(StoreLogError::Damaged { path, rejected: replayed.summary.rejected.max(1) });
        }
        let compacted = Compacted::write(&files, &path, &replayed.services, &replayed.queues)?;
        Ok(CompactionDraft { compacted, length, generation })
    }
}

impl StoreLog {
    /// What is in the log now.
    pub fn plan_compaction(&self) -> Result<CompactionPlan, FileError> {
        let (files, path) = (Arc::clone(&self.files), self.path().to_path_buf());
        self.go_on_after_failed_swap()?;
        let log = files.open(&path).map_err(FileError::on("read", &path))?;
        Ok(CompactionPlan { files, path, log, length: self.length(), generation: self.generation })
    }

    /// Adds what was appended since the plan, and replaces the log. After an error the old log is still in use and complete. A
    /// draft of a log that was replaced meanwhile is refused: it knows nothing of what was appended to the new one.
    pub fn finish_compaction(
        &mut self,
        draft: CompactionDraft,
        now: SystemTime,
    ) -> Result<CompactionReport, StoreLogError> {
        let path = self.path().to_path_buf();
        let CompactionDraft { mut compacted, length, generation } = draft;
        if generation != self.generation {
            compacted.discard(self.files.as_ref())?;
            return Err(StoreLogError::Replaced { path });
        }
        self.go_on_after_failed_swap()?;
        let log = self.files.open_read_at(&path).map_err(FileError::on("read", &path))?;
        let (mut position, end) = (length, self.length());
        while position < end {
            let size = usize::try_from(end - position).unwrap_or(CHUNK).min(CHUNK);
            let mut chunk = vec![0; size];
            log.read_exact_at(&mut chunk, position).map_err(FileError::on("read", &path))?;
            compacted.append(&chunk)?;
            position += size as u64;
        }
        compacted.sync()?;
        self.swap(compacted, now)
    }

    /// Removes the log from before an earlier compaction.
    pub fn remove_backup(&self, backup: &Path) -> Result<(), FileError> {
        self.files.remove(backup).map_err(FileError::on("remove", backup))
    }
}
