//! Loading the queue log at start (operations.md §6.5).

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::compaction::{Compacted, SwapEnd, start_path};
use super::{StoreLog, StoreLogError, backups};
use crate::append_file::AppendFile;
use crate::atomic_file::moves::{complete_path, copy, is_held, replace};
use crate::atomic_file::{recover as finish_rewriting, sync_parent, with_suffix};
use crate::damage::rejected_path;
use crate::error::FileError;
use crate::files::Files;
use crate::names::{BACKUP, STORE_LOG};
use crate::replay::{Replayed, replay};

/// Bytes read at a time.
const READ_BUFFER: usize = 128 * 1024;

/// What to do with a log in which more than the last line is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Keep the rejected lines in `smp-server-store.log.rejected` and go on without them.
    SetAside,
    /// Fail and change nothing.
    Refuse,
}

/// A log that was read. Its content is as it was.
pub struct Loaded {
    files: Arc<dyn Files>,
    path: PathBuf,
    exists: bool,
    replayed: Replayed,
    report: OpenReport,
}

/// A loaded log.
pub struct Opened {
    /// For what changes from now on.
    pub log: StoreLog,
    /// What it says.
    pub replayed: Replayed,
    /// What was done with the files.
    pub report: OpenReport,
}

/// What happened to the files of the log at start.
#[derive(Debug, Default)]
pub struct OpenReport {
    /// There was no log: an empty one was made.
    pub created: bool,
    /// The previous start died while compacting; its `.start` was taken as the log.
    pub recovered: bool,
    /// Where the incomplete log of that start is now.
    pub incomplete: Option<PathBuf>,
    /// Where rejected lines were added.
    pub rejected: Option<PathBuf>,
    /// The log as it was; `None` if it was compact already.
    pub backup: Option<PathBuf>,
    /// Old backups that were removed.
    pub removed: Vec<PathBuf>,
    /// Why old backups could not be removed. The server can run all the same.
    pub rotation_error: Option<FileError>,
}

impl StoreLog {
    /// [`Self::load`] and [`Loaded::open`].
    pub fn open(
        files: Arc<dyn Files>,
        directory: &Path,
        now: SystemTime,
        damage: Damage,
    ) -> Result<Opened, StoreLogError> {
        Self::load(files, directory, damage)?.open(now)
    }

    /// Recovers from an interrupted start and replays the log of `directory`, which need not exist.
    pub fn load(files: Arc<dyn Files>, directory: &Path, damage: Damage) -> Result<Loaded, StoreLogError> {
        let path = place(files.as_ref(), directory)?;
        let mut report = OpenReport { recovered: finish_rewriting(files.as_ref(), &path)?, ..OpenReport::default() };
        recover(&files, &path, &mut report)?;
        let exists = files.exists(&path).map_err(FileError::on("look for", &path))?;
        let replayed = if exists { read(files.as_ref(), &path)? } else { Replayed::default() };
        if replayed.summary.rejected > 0 && damage == Damage::Refuse {
            return Err(StoreLogError::Damaged { path, rejected: replayed.summary.rejected });
        }
        Ok(Loaded { files, path, exists, replayed, report })
    }

    /// Reads what the log of `directory` says and changes nothing, for checks. The log of an interrupted start is read
    /// from its `.start` or `.complete`; no log is an empty one.
    pub fn read(files: &dyn Files, directory: &Path) -> Result<Replayed, StoreLogError> {
        let path = place(files, directory)?;
        for path in [start_path(&path), complete_path(&path), path] {
            match read(files, &path) {
                Err(error) if error.is_not_found() => {}
                result => return Ok(result?),
            }
        }
        Ok(Replayed::default())
    }
}

impl Loaded {
    /// What it says.
    pub fn replayed(&self) -> &Replayed {
        &self.replayed
    }

    /// Whether there is such a file.
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// Opens it to be appended to, compacted: records of deleted queues go. The old log is kept as a time-stamped backup, and
    /// old backups are removed. A log that is compact already stays as it is, so that a server that starts again and again does
    /// not fill the disk.
    pub fn open(self, now: SystemTime) -> Result<Opened, StoreLogError> {
        let Self { files, path, exists, replayed, mut report } = self;
        if !exists {
            report.created = true;
            let log = AppendFile::open(files.as_ref(), &path)?;
            sync_parent(files.as_ref(), &path)?;
            return Ok(Opened { log: StoreLog::new(files, &path, log), replayed, report });
        }
        if replayed.summary.rejected > 0 {
            report.rejected = Some(keep_rejected(files.as_ref(), &path)?);
        }
        let log = compact(&files, &path, &replayed, now, &mut report)?;
        match backups::rotate(files.as_ref(), &path, now) {
            Ok(removed) => report.removed = removed,
            Err(error) => report.rotation_error = Some(error),
        }
        Ok(Opened { log: StoreLog::new(files, &path, log), replayed, report })
    }
}

/// The log may be a symbolic link: everything that is made beside it is made beside what that leads to.
fn place(files: &dyn Files, directory: &Path) -> Result<PathBuf, FileError> {
    let path = directory.join(STORE_LOG);
    Ok(files.destination(&path).map_err(FileError::on("read", &path))?.path)
}

fn recover(files: &Arc<dyn Files>, path: &Path, report: &mut OpenReport) -> Result<(), FileError> {
    let exists = |path: &Path| files.exists(path).map_err(FileError::on("look for", path));
    let start = start_path(path);
    if !exists(&start)? {
        return Ok(());
    }
    if exists(path)? {
        let incomplete = with_suffix(path, BACKUP);
        match files.rename(path, &incomplete) {
            Err(error) if is_held(&error) => copy(files, path, &incomplete)?,
            renamed => renamed.map_err(FileError::on("rename", path))?,
        }
        report.incomplete = Some(incomplete);
    }
    report.recovered = true;
    replace(files.as_ref(), &start, path, true, true)
}

fn read(files: &dyn Files, path: &Path) -> Result<Replayed, FileError> {
    let file = files.open(path).map_err(FileError::on("read", path))?;
    replay(BufReader::with_capacity(READ_BUFFER, file), |_| ()).map_err(FileError::on("read", path))
}

/// Rejected lines are collected in a second pass, so that a damaged log needs no memory for them.
fn keep_rejected(files: &dyn Files, path: &Path) -> Result<PathBuf, FileError> {
    let aside = rejected_path(path);
    let mut kept = AppendFile::open(files, &aside)?;
    let file = files.open(path).map_err(FileError::on("read", path))?;
    let mut failed = Ok(());
    let mut line_with_end = Vec::new();
    let keep = |line: &[u8]| {
        line_with_end.clear();
        line_with_end.extend_from_slice(line);
        line_with_end.push(b'\n');
        if failed.is_ok() {
            failed = kept.append(&line_with_end);
        }
    };
    replay(BufReader::with_capacity(READ_BUFFER, file), keep).map_err(FileError::on("read", path))?;
    failed?;
    kept.sync()?;
    sync_parent(files, path)?;
    Ok(aside)
}

fn compact(
    files: &Arc<dyn Files>,
    path: &Path,
    replayed: &Replayed,
    now: SystemTime,
    report: &mut OpenReport,
) -> Result<AppendFile, FileError> {
    if replayed.is_compact {
        return AppendFile::open(files.as_ref(), path);
    }
    let compacted = Compacted::write(files, path, &replayed.services, &replayed.queues)?;
    let swapped = compacted.swap(files, path, path, now)?;
    match swapped.end {
        SwapEnd::Done => {}
        SwapEnd::Unsynced(error) | SwapEnd::Beside(error) => return Err(error),
    }
    report.backup = Some(swapped.backup);
    Ok(swapped.log)
}
