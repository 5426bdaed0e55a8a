//! Replacing the queue log by one with a line per live queue (operations.md §6.5).
//!
//! The compacted log is written aside and synced before anything is renamed. Then:
//!
//! | Step | `…log` | `….start` | A crash after it |
//! |---|---|---|---|
//! | – | old | – | the old log is used |
//! | rename `…log` → `….start` | – | old | `….start` is used |
//! | rename `….new` → `…log` | compacted | old | `….start` is used |
//! | rename `….start` → `….<time>` | compacted | – | the compacted log is used |
//!
//! The directory is synced after each. Nothing is appended to the compacted log before the last step, so that
//! `….start` is always at least as complete; the reference recovers from it by the same rule.
//!
//! A log that is mounted by itself cannot be renamed. Its content is copied to `….<time>`, and then it is rewritten in its place, as
//! every file that is mounted: until that is done `….complete` is the log.

use std::borrow::Borrow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::backups;
use crate::append_file::AppendFile;
use crate::atomic_file::moves::{complete_path, copy, is_held, overwrite_with};
use crate::atomic_file::{AtomicFile, sync_parent, with_suffix};
use crate::error::FileError;
use crate::files::{Files, LogFile};
use crate::record::{QueueRecord, ServiceRecord};

/// What the log is called while it is being replaced.
pub(super) fn start_path(log: &Path) -> PathBuf {
    with_suffix(log, ".start")
}

/// A compacted log, complete and on disk, but not yet in place.
pub(super) struct Compacted {
    file: Box<dyn LogFile>,
    path: PathBuf,
}

/// A compacted log in its place.
pub(super) struct Swapped {
    pub(super) log: AppendFile,
    pub(super) backup: PathBuf,
    pub(super) end: SwapEnd,
}

/// How far the compacted log came.
pub(super) enum SwapEnd {
    /// It is the log.
    Done,
    /// It is the log, but the names may be the old ones after a loss of power.
    Unsynced(FileError),
    /// It is beside a log that could not be rewritten, counts instead of it, and is appended to.
    Beside(FileError),
}

impl SwapEnd {
    fn of(synced: Result<(), FileError>) -> Self {
        synced.map_or_else(Self::Unsynced, |()| Self::Done)
    }
}

impl Compacted {
    /// Writes services and queues in the given order.
    pub(super) fn write(
        files: &Arc<dyn Files>,
        log: &Path,
        services: impl IntoIterator<Item = impl Borrow<ServiceRecord>>,
        queues: impl IntoIterator<Item = impl Borrow<QueueRecord>>,
    ) -> Result<Self, FileError> {
        let mut aside = AtomicFile::create(files.clone(), log)?;
        for service in services {
            aside.write(|out| service.borrow().write_line(out))?;
        }
        for queue in queues {
            aside.write(|out| queue.borrow().write_compacted(out))?;
        }
        let (file, path) = aside.into_aside()?;
        Ok(Self { file, path })
    }

    /// Adds whole lines.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), FileError> {
        let mut written = 0;
        while written < lines.len() {
            match self.file.write(&lines[written..]) {
                Ok(0) => {
                    let error = std::io::Error::from(std::io::ErrorKind::WriteZero);
                    return Err(FileError::new("write", &self.path, error));
                }
                Ok(n) => written += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(FileError::new("write", &self.path, error)),
            }
        }
        Ok(())
    }

    /// What was added is on disk.
    pub(super) fn sync(&mut self) -> Result<(), FileError> {
        self.file.sync().map_err(FileError::on("sync", &self.path))
    }

    /// Removes it.
    pub(super) fn discard(self, files: &dyn Files) -> Result<(), FileError> {
        files.remove(&self.path).map_err(FileError::on("remove", &self.path))
    }

    /// Puts it in place of `log`, whose content is in `current`. After an error the old log is what the next start reads, and
    /// what an open handle of it still appends to.
    pub(super) fn swap(
        self,
        files: &Arc<dyn Files>,
        log: &Path,
        current: &Path,
        now: SystemTime,
    ) -> Result<Swapped, FileError> {
        let start = start_path(log);
        let backup = backups::free_name(files.as_ref(), log, now)?;
        // Whatever can fail without having changed anything comes first.
        self.file.length().map_err(FileError::on("read the length of", &self.path))?;
        match files.rename(log, &start) {
            Err(error) if is_held(&error) => return self.rewrite(files, log, current, backup),
            renamed => renamed.map_err(FileError::on("rename", log))?,
        }
        let files = files.as_ref();
        let appending = AppendFile::of(self.file, log)?;
        let rename = |from: &Path, to: &Path| files.rename(from, to).map_err(FileError::on("rename", from));
        let renamed = sync_parent(files, log)
            .and_then(|()| rename(&self.path, log))
            .and_then(|()| sync_parent(files, log))
            .and_then(|()| rename(&start, &backup));
        if let Err(error) = renamed {
            // If this fails too, the next start or compaction does it.
            let _ = rename(&start, log);
            return Err(error);
        }
        Ok(Swapped { log: appending, backup, end: SwapEnd::of(sync_parent(files, log)) })
    }

    /// The same for a log that is mounted by itself.
    fn rewrite(
        self,
        files: &Arc<dyn Files>,
        log: &Path,
        current: &Path,
        backup: PathBuf,
    ) -> Result<Swapped, FileError> {
        copy(files, current, &backup)?;
        let files = files.as_ref();
        let complete = complete_path(log);
        let beside = AppendFile::of(self.file, &complete)?;
        files.rename(&self.path, &complete).map_err(FileError::on("rename", &self.path))?;
        let rewritten = sync_parent(files, log)
            .and_then(|()| overwrite_with(files, log, &complete, true))
            .and_then(|()| AppendFile::open(files, log))
            .and_then(|log| files.remove(&complete).map(|()| log).map_err(FileError::on("remove", &complete)));
        Ok(match rewritten {
            Ok(appending) => Swapped { log: appending, backup, end: SwapEnd::of(sync_parent(files, log)) },
            Err(error) => Swapped { log: beside, backup, end: SwapEnd::Beside(error) },
        })
    }
}
