//! The queue log: every change of a queue, appended before it is acknowledged, replayed at start (operations.md §6).
//!
//! | File | Content |
//! |---|---|
//! | `smp-server-store.log` | the log |
//! | `….start` | the log while it is being replaced; at start it wins over the log |
//! | `….bak` | incomplete log of a start that died while compacting |
//! | `….<ISO 8601 UTC>` | the log before a compaction, rotated |
//! | `….rejected` | lines that did not parse, appended at each start that finds some |
//! | `….<process>-<number>.new` | a log being written; never read |
//! | `….complete` | the log, if one that is mounted by itself could not be rewritten completely |

mod backups;
mod compaction;
mod open;
mod while_open;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use thiserror::Error;

pub use backups::newest as newest_backup;
pub use open::{Damage, Loaded, OpenReport, Opened};
pub use while_open::{CompactionDraft, CompactionPlan};

use crate::append_file::AppendFile;
use crate::atomic_file::sync_parent;
use crate::error::FileError;
use crate::files::Files;
use compaction::{Compacted, SwapEnd, start_path};

/// Why the log cannot be used.
#[derive(Debug, Error)]
pub enum StoreLogError {
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// Lines before the last one are damaged, and the caller does not want to go on without them.
    #[error("{} has {rejected} damaged lines; restore a backup, or allow starting without them", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// How many lines.
        rejected: u64,
    },
    /// A compaction was overtaken by another one.
    #[error("{} was replaced meanwhile", path.display())]
    Replaced {
        /// The log.
        path: PathBuf,
    },
    /// An earlier sync failed: the system may have dropped what was written before it.
    #[error("{} may have lost records in an earlier failed sync; check the disk, then restart or compact", path.display())]
    SyncLost {
        /// The log.
        path: PathBuf,
    },
}

/// What a compaction did.
#[derive(Debug)]
pub struct CompactionReport {
    /// The log as it was.
    pub backup: PathBuf,
    /// Old backups that were removed.
    pub removed: Vec<PathBuf>,
    /// Why old backups could not be removed.
    pub rotation_error: Option<FileError>,
}

/// The open log. One owner; every method blocks on the disk.
pub struct StoreLog {
    files: Arc<dyn Files>,
    /// Where the log belongs. What is appended to is beside it as long as it cannot be rewritten.
    place: PathBuf,
    log: AppendFile,
    /// A sync failed: what it covered may be lost although later syncs succeed.
    sync_lost: bool,
    /// The names of the last compaction are not known to be on disk.
    names_unsynced: bool,
    /// How often the log was replaced.
    generation: u64,
}

impl StoreLog {
    fn new(files: Arc<dyn Files>, place: &Path, log: AppendFile) -> Self {
        Self { files, place: place.to_path_buf(), log, sync_lost: false, names_unsynced: false, generation: 0 }
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        self.log.path()
    }

    /// Bytes in the log.
    pub fn length(&self) -> u64 {
        self.log.length()
    }

    /// Appends whole lines, each with its LF, in one write. They are safe from the death of the process, not yet from
    /// that of the machine. After an error none of them is in the log, and the next append may succeed.
    pub fn append(&mut self, lines: &[u8]) -> Result<(), StoreLogError> {
        debug_assert!(lines.last().is_none_or(|&b| b == b'\n'), "lines end with LF");
        Ok(self.log.append(lines)?)
    }

    /// [`Self::append`] of lines that will be synced later: refused after a failed sync, because then they never could be.
    pub fn append_to_be_synced(&mut self, lines: &[u8]) -> Result<(), StoreLogError> {
        if self.sync_lost {
            return Err(StoreLogError::SyncLost { path: self.path().to_path_buf() });
        }
        self.append(lines)
    }

    /// [`Self::append`] and [`Self::sync`]. After an error none of the lines is in the log.
    pub fn append_synced(&mut self, lines: &[u8]) -> Result<(), StoreLogError> {
        let before = self.log.length();
        self.append(lines)?;
        self.sync().inspect_err(|_| self.log.take_back(before))
    }

    /// Returns when everything appended so far is on disk (fdatasync). After a failed sync all further ones fail until
    /// [`Self::finish_compaction`] has replaced the log: the system reports an error only once and may have dropped data.
    pub fn sync(&mut self) -> Result<(), StoreLogError> {
        if self.sync_lost {
            return Err(StoreLogError::SyncLost { path: self.path().to_path_buf() });
        }
        if self.names_unsynced {
            sync_parent(self.files.as_ref(), self.log.path())?;
            self.names_unsynced = false;
        }
        self.log.sync().inspect_err(|_| self.sync_lost = true)?;
        Ok(())
    }

    fn go_on_after_failed_swap(&self) -> Result<(), FileError> {
        let (files, path) = (self.files.as_ref(), self.place.as_path());
        let start = start_path(path);
        if files.exists(&start).map_err(FileError::on("look for", &start))? {
            // An earlier compaction failed half-way: this is the log that is appended to.
            files.rename(&start, path).map_err(FileError::on("rename", &start))?;
        }
        Ok(())
    }

    fn swap(&mut self, compacted: Compacted, now: SystemTime) -> Result<CompactionReport, StoreLogError> {
        let swapped = compacted.swap(&self.files, &self.place, self.log.path(), now)?;
        self.log = swapped.log;
        self.generation += 1;
        self.sync_lost = false;
        self.names_unsynced = !matches!(swapped.end, SwapEnd::Done);
        if let SwapEnd::Beside(error) = swapped.end {
            return Err(error.into());
        }
        let (removed, rotation_error) = match backups::rotate(self.files.as_ref(), &self.place, now) {
            Ok(removed) => (removed, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Ok(CompactionReport { backup: swapped.backup, removed, rotation_error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::RealFiles;
    use crate::files::faulty::{Fault, Faults, FaultyFiles, Operation};
    use crate::log_record::LogRecord;
    use crate::log_record::samples::plain_queue;
    use crate::names::STORE_LOG;
    use crate::record::QueueStatus;

    struct Place {
        directory: tempfile::TempDir,
        files: Arc<dyn Files>,
        faults: Faults,
    }

    impl Place {
        fn new() -> Self {
            let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
            Self { directory: tempfile::tempdir().unwrap(), files: Arc::new(files), faults }
        }

        fn open(&self) -> Opened {
            let now = SystemTime::UNIX_EPOCH;
            StoreLog::open(self.files.clone(), self.directory.path(), now, Damage::Refuse).unwrap()
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(self.directory.path()).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    fn create(n: u8) -> Vec<u8> {
        let mut line = Vec::new();
        LogRecord::Create(plain_queue(n)).write(&mut line);
        line
    }

    fn suspend(n: u8) -> Vec<u8> {
        let mut line = Vec::new();
        LogRecord::Suspend(plain_queue(n).recipient_id).write(&mut line);
        line
    }

    fn compact(log: &mut StoreLog) -> Result<CompactionReport, StoreLogError> {
        let draft = log.plan_compaction()?.write()?;
        log.finish_compaction(draft, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn after_a_failed_sync_nothing_is_claimed_to_be_safe() {
        let place = Place::new();
        let mut log = place.open().log;
        log.append(&create(1)).unwrap();
        place.faults.fail(Operation::Sync, Fault::InputOutput);
        assert!(matches!(log.sync(), Err(StoreLogError::File(_))));
        place.faults.heal();
        assert!(matches!(log.sync(), Err(StoreLogError::SyncLost { .. })));
        log.append(&create(2)).unwrap();
        compact(&mut log).unwrap();
        log.append(&create(3)).unwrap();
        log.sync().unwrap();
        assert_eq!(place.open().replayed.queues.len(), 3);
    }

    #[test]
    fn what_could_not_be_synced_is_taken_back() {
        let place = Place::new();
        let mut log = place.open().log;
        log.append_synced(&create(1)).unwrap();
        place.faults.fail(Operation::Sync, Fault::InputOutput);
        assert!(matches!(log.append_synced(&create(2)), Err(StoreLogError::File(_))));
        place.faults.heal();
        assert!(matches!(log.append_synced(&create(3)), Err(StoreLogError::SyncLost { .. })));
        assert_eq!(place.open().replayed.queues.len(), 1);
        // If cutting fails, too, it is made good by the next append.
        compact(&mut log).unwrap();
        place.faults.fail(Operation::Sync, Fault::InputOutput);
        place.faults.fail(Operation::Truncate, Fault::InputOutput);
        log.append_synced(&create(2)).unwrap_err();
        place.faults.heal();
        compact(&mut log).unwrap();
        log.append_synced(&create(4)).unwrap();
        assert_eq!(place.open().replayed.queues.len(), 2);
    }

    /// Wherever a compaction fails, the log goes on: for the next start, for the next compaction.
    #[test]
    fn a_failed_compaction_loses_nothing() {
        for operation in [Operation::Open, Operation::Write, Operation::Sync, Operation::Rename] {
            for successes in 0..6 {
                for compact_again in [false, true] {
                    let place = Place::new();
                    let mut log = place.open().log;
                    log.append(&create(1)).unwrap();
                    place.faults.fail_after(successes, operation, Fault::NoSpace);
                    let _ = compact(&mut log);
                    place.faults.heal();
                    log.append(&create(2)).unwrap();
                    log.sync().unwrap();
                    if compact_again {
                        compact(&mut log).unwrap();
                        log.append(&create(3)).unwrap();
                    }
                    let queues = place.open().replayed.queues;
                    assert_eq!(queues.len(), 2 + usize::from(compact_again), "{operation:?} after {successes}");
                }
            }
        }
    }

    /// Lines that come while the log is compacted are behind it, wherever that fails.
    #[test]
    fn compacting_while_lines_are_appended() {
        for operation in [Operation::Open, Operation::Write, Operation::Sync, Operation::Rename, Operation::ReadAt] {
            for successes in 0..8 {
                let place = Place::new();
                let mut log = place.open().log;
                for n in 1..=3 {
                    log.append(&create(n)).unwrap();
                    log.append(&suspend(n)).unwrap();
                }
                let plan = log.plan_compaction().unwrap();
                log.append(&create(4)).unwrap();
                let before = log.length();
                place.faults.fail_after(successes, operation, Fault::NoSpace);
                let compacted = plan.write().and_then(|draft| log.finish_compaction(draft, SystemTime::UNIX_EPOCH));
                place.faults.heal();
                let length = log.length();
                log.append(&create(5)).unwrap();
                log.sync().unwrap();
                assert_eq!(compacted.is_ok(), length < before, "{operation:?} after {successes}");
                let queues = place.open().replayed.queues;
                assert_eq!(queues.len(), 5, "{operation:?} after {successes}");
                let suspended = queues.iter().filter(|queue| queue.status == QueueStatus::Off).count();
                assert_eq!(suspended, 3, "{operation:?} after {successes}");
            }
        }
    }

    /// A second plan of the same log comes too late: its draft would lack what was appended to the log that took the place.
    #[test]
    fn a_draft_of_a_log_that_was_replaced_is_refused() {
        let place = Place::new();
        let mut log = place.open().log;
        log.append(&create(1)).unwrap();
        let (first, second) = (log.plan_compaction().unwrap(), log.plan_compaction().unwrap());
        log.append(&create(2)).unwrap();
        log.finish_compaction(first.write().unwrap(), SystemTime::UNIX_EPOCH).unwrap();
        log.append(&create(3)).unwrap();
        let late = second.write().unwrap();
        let refused = log.finish_compaction(late, SystemTime::UNIX_EPOCH);
        assert!(matches!(refused, Err(StoreLogError::Replaced { .. })));
        log.append(&create(4)).unwrap();
        assert_eq!(place.open().replayed.queues.len(), 4);
    }

    #[test]
    fn a_compact_log_is_left_alone() {
        let place = Place::new();
        let opened = place.open();
        assert!(opened.report.created);
        let mut log = opened.log;
        log.append(&create(1)).unwrap();
        for _ in 0..3 {
            let opened = place.open();
            assert!(opened.report.backup.is_none());
            assert_eq!(opened.replayed.queues, [plain_queue(1)]);
        }
        assert_eq!(place.names(), [STORE_LOG]);
    }

    #[test]
    fn damaged_logs_are_refused_untouched_or_set_aside() {
        let place = Place::new();
        let path = place.directory.path().join(STORE_LOG);
        let content = [&create(2)[..], b"damaged\n", &create(1), b"torn"].concat();
        std::fs::write(&path, &content).unwrap();
        let open = |damage| StoreLog::open(place.files.clone(), place.directory.path(), SystemTime::UNIX_EPOCH, damage);
        let error = open(Damage::Refuse).err().unwrap().to_string();
        assert!(error.contains("smp-server-store.log has 1 damaged lines"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), content);
        assert_eq!(place.names(), [STORE_LOG]);
        let opened = open(Damage::SetAside).unwrap();
        assert_eq!(std::fs::read(opened.report.rejected.unwrap()).unwrap(), b"damaged\n");
        assert_eq!(std::fs::read(opened.report.backup.unwrap()).unwrap(), content);
        assert_eq!(std::fs::read(&path).unwrap(), [create(1), create(2)].concat());
    }
}
