//! Taking over the files of the last orderly stop: messages, notifications, statistics (operations.md §7.3).
//!
//! The files are read where they are, and only when the server is ready [`Restoration::finish`] renames them to `.bak`,
//! all or none: a start that fails before finds everything in its place the next time. The renames are covered by a list
//! of their names, `smp-server-restored.list`, written before the first and removed after the last one. A start that
//! finds the list knows that the previous one died in between, and takes the listed files back from their `.bak`.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use smp_protocol::id::RecipientId;
use thiserror::Error;

use crate::atomic_file::{AtomicFile, sync_parent, with_suffix};
use crate::content_error::ContentError;
use crate::error::FileError;
use crate::files::Files;
use crate::messages_log::{self, RestoreRules, RestoredMessages};
use crate::names::{BACKUP, MESSAGES_LOG, NTFS_LOG, REFERENCE_JOURNAL, SETTING_ASIDE, STATS_LOG};
use crate::ntfs_log::{self, RestoredNotifications};
use crate::reference_journal::ReferenceJournal;
use crate::stats::StatsSnapshot;
use crate::stats_log;

/// Why the start fails. Nothing was changed.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file does not say what it should.
    #[error("cannot restore {}: {error}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: ContentError,
    },
}

/// The files of the last orderly stop. Dropped without [`Self::finish`], they stay in their place.
pub struct Restoration {
    files: Arc<dyn Files>,
    directory: PathBuf,
    read: Vec<&'static str>,
    recovered: Vec<PathBuf>,
}

impl Restoration {
    /// Puts everything in its place if the previous start died while it was setting files aside.
    pub fn begin(files: Arc<dyn Files>, directory: &Path) -> Result<Self, RestoreError> {
        let recovered = take_back(files.as_ref(), directory)?;
        Ok(Self { files, directory: directory.to_path_buf(), read: Vec::new(), recovered })
    }

    /// Files that were taken back from their `.bak`.
    pub fn recovered(&self) -> &[PathBuf] {
        &self.recovered
    }

    /// The `.bak` of a messages file that the reference set aside in a start that failed afterwards: notifications are
    /// still waiting, and the messages saved with them are not. The operator should be told to rename it.
    pub fn stranded_messages(&self) -> Result<Option<PathBuf>, RestoreError> {
        let messages = self.directory.join(MESSAGES_LOG);
        let backup = with_suffix(&messages, BACKUP);
        let stranded = !exists(self.files.as_ref(), &messages)?
            && exists(self.files.as_ref(), &backup)?
            && exists(self.files.as_ref(), &self.directory.join(NTFS_LOG))?;
        Ok(stranded.then_some(backup))
    }

    /// Messages; `known` tells which queues there are. No file: nothing.
    pub fn messages(
        &mut self,
        rules: &RestoreRules,
        known: impl FnMut(&RecipientId) -> bool,
    ) -> Result<RestoredMessages, RestoreError> {
        self.restore(MESSAGES_LOG, |reader| messages_log::restore(reader, rules, known))
    }

    /// The journal files of the reference, if there are any. They are set aside with the rest.
    pub fn reference_journal(&mut self) -> Result<Option<ReferenceJournal>, RestoreError> {
        let path = self.directory.join(REFERENCE_JOURNAL);
        if !exists(self.files.as_ref(), &path)? {
            return Ok(None);
        }
        let backup = with_suffix(&path, BACKUP);
        if exists(self.files.as_ref(), &backup)? {
            let error = io::Error::new(io::ErrorKind::AlreadyExists, "it was set aside once before");
            return Err(FileError::new("replace", &backup, error).into());
        }
        self.read.push(REFERENCE_JOURNAL);
        Ok(Some(ReferenceJournal::new(Arc::clone(&self.files), &path)))
    }

    /// Notifications not older than `oldest`, in seconds since 1970. No file: nothing.
    pub fn notifications(
        &mut self,
        oldest: Option<i64>,
        skip_warnings: bool,
    ) -> Result<RestoredNotifications, RestoreError> {
        self.restore(NTFS_LOG, |reader| ntfs_log::restore(reader, oldest, skip_warnings))
    }

    /// Statistics, if they were saved.
    pub fn statistics(&mut self) -> Result<Option<StatsSnapshot>, RestoreError> {
        self.restore(STATS_LOG, |mut reader| {
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            stats_log::parse(&content).map(Some)
        })
    }

    /// Renames the files that were read to `.bak`. To be called when everything else is ready, immediately before the
    /// first client is accepted; from then on they exist in memory only.
    pub fn finish(self) -> Result<(), RestoreError> {
        if self.read.is_empty() {
            return Ok(());
        }
        let files = self.files.as_ref();
        let list = self.directory.join(SETTING_ASIDE);
        let mut file = AtomicFile::create(self.files.clone(), &list)?;
        for name in &self.read {
            file.write(|out| out.extend_from_slice(format!("{name}\n").as_bytes()))?;
        }
        file.commit()?;
        for name in &self.read {
            let path = self.directory.join(name);
            rename(files, &path, &with_suffix(&path, BACKUP))?;
        }
        Ok(remove_list(files, &list)?)
    }

    fn restore<T: Default>(
        &mut self,
        name: &'static str,
        restore: impl FnOnce(BufReader<Box<dyn Read + Send>>) -> Result<T, ContentError>,
    ) -> Result<T, RestoreError> {
        let path = self.directory.join(name);
        if !exists(self.files.as_ref(), &path)? {
            return Ok(T::default());
        }
        let file = self.files.open(&path).map_err(FileError::on("read", &path))?;
        let restored = restore(BufReader::new(file)).map_err(|error| RestoreError::Content { path, error })?;
        self.read.push(name);
        Ok(restored)
    }
}

fn take_back(files: &dyn Files, directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let list = directory.join(SETTING_ASIDE);
    if !exists(files, &list)? {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    let mut file = files.open(&list).map_err(FileError::on("read", &list))?;
    file.read_to_end(&mut names).map_err(FileError::on("read", &list))?;
    let mut recovered = Vec::new();
    for name in [MESSAGES_LOG, REFERENCE_JOURNAL, NTFS_LOG, STATS_LOG] {
        let path = directory.join(name);
        let backup = with_suffix(&path, BACKUP);
        let listed = names.split(|&b| b == b'\n').any(|line| line == name.as_bytes());
        if listed && !exists(files, &path)? && exists(files, &backup)? {
            rename(files, &backup, &path)?;
            recovered.push(path);
        }
    }
    remove_list(files, &list)?;
    Ok(recovered)
}

/// The renames must be on disk before the list goes.
fn remove_list(files: &dyn Files, list: &Path) -> Result<(), FileError> {
    sync_parent(files, list)?;
    files.remove(list).map_err(FileError::on("remove", list))?;
    sync_parent(files, list)
}

fn exists(files: &dyn Files, path: &Path) -> Result<bool, FileError> {
    files.exists(path).map_err(FileError::on("look for", path))
}

fn rename(files: &dyn Files, from: &Path, to: &Path) -> Result<(), FileError> {
    files.rename(from, to).map_err(FileError::on("rename", from))
}
