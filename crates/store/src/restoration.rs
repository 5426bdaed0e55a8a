//! Taking over the files of the last orderly stop: messages, notifications, statistics (operations.md §7.3).
//!
//! The files are read where they are, and only when the server is ready [`Restoration::finish`] renames them to `.bak`,
//! all or none: a start that fails before finds everything in its place the next time. The renames are covered by a list
//! of their names, `smp-server-restored.list`, written before the first and removed after the last one. A start that
//! finds the list knows that the previous one died in between, and takes the listed files back from their `.bak`.
//!
//! A file that is mounted by itself is copied to its `.bak`, listed as copied, and emptied.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use smp_protocol::id::RecipientId;
use thiserror::Error;

use crate::atomic_file::moves::{copy, empty, is_held};
use crate::atomic_file::{AtomicFile, recover, remove_leftovers, sync_parent, with_suffix};
use crate::content_error::ContentError;
use crate::damage::{Damage, keep, rejected_path};
use crate::error::FileError;
use crate::files::Files;
use crate::message_queue::StoredMessage;
use crate::messages_log::{self, RestoreRules, RestoredMessages};
use crate::names::{
    BACKUP, MESSAGES_LOG, MESSAGES_UNCLAIMED, METRICS, NTFS_LOG, REFERENCE_JOURNAL, SETTING_ASIDE, STATS_LOG,
    STORE_LOG, TIME,
};
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
    unclaimed: Vec<(RecipientId, StoredMessage)>,
    /// Files of which something could not be read.
    damaged: Vec<&'static str>,
    damage: Vec<String>,
}

impl Restoration {
    /// Puts everything in its place if the previous start died while it was setting files aside, or a server while it was
    /// replacing them.
    pub fn begin(files: Arc<dyn Files>, directory: &Path) -> Result<Self, RestoreError> {
        for name in [MESSAGES_UNCLAIMED, MESSAGES_LOG, NTFS_LOG, STATS_LOG, SETTING_ASIDE] {
            let path = directory.join(name);
            recover(files.as_ref(), &path)?;
            remove_leftovers(files.as_ref(), &path)?;
        }
        for name in [STORE_LOG, METRICS, TIME] {
            remove_leftovers(files.as_ref(), &directory.join(name))?;
        }
        let recovered = take_back(&files, directory)?;
        Ok(Self {
            files,
            directory: directory.to_path_buf(),
            read: Vec::new(),
            recovered,
            unclaimed: Vec::new(),
            damaged: Vec::new(),
            damage: Vec::new(),
        })
    }

    /// Files that were taken back from their `.bak`.
    pub fn recovered(&self) -> &[PathBuf] {
        &self.recovered
    }

    /// The `.bak` of a messages file that the reference set aside in a start that failed afterwards: notifications are
    /// still waiting, and the messages saved with them are not. The operator should be told to rename it.
    pub fn stranded_messages(&self) -> Result<Option<PathBuf>, RestoreError> {
        let messages = place(self.files.as_ref(), &self.directory, MESSAGES_LOG)?;
        let backup = with_suffix(&messages, BACKUP);
        let stranded = !exists(self.files.as_ref(), &messages)?
            && exists(self.files.as_ref(), &backup)?
            && exists(self.files.as_ref(), &self.directory.join(NTFS_LOG))?;
        Ok(stranded.then_some(backup))
    }

    /// Messages, those of earlier starts that did not know their queues among them; `known` tells which queues there are. No
    /// file: nothing.
    pub fn messages(
        &mut self,
        rules: &RestoreRules,
        mut known: impl FnMut(&RecipientId) -> bool,
    ) -> Result<RestoredMessages, RestoreError> {
        let mut restored = RestoredMessages::default();
        for name in [MESSAGES_UNCLAIMED, MESSAGES_LOG] {
            let before = std::mem::take(&mut restored.damage);
            self.restore(name, |reader| restored.read(reader, rules, &mut known))?;
            self.note_damage(name, &restored.damage)?;
            restored.damage.lines += before.lines;
        }
        Ok(restored)
    }

    /// Messages of unknown queues. They are kept in a file of their own until a start knows their queues.
    pub fn set_aside(&mut self, unclaimed: Vec<(RecipientId, StoredMessage)>) {
        self.unclaimed = unclaimed;
    }

    /// Where that is.
    pub fn unclaimed_path(&self) -> PathBuf {
        self.directory.join(MESSAGES_UNCLAIMED)
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
    pub fn notifications(&mut self, oldest: Option<i64>) -> Result<RestoredNotifications, RestoreError> {
        let restored = self.restore(NTFS_LOG, |reader| ntfs_log::restore(reader, oldest))?;
        self.note_damage(NTFS_LOG, &restored.damage)?;
        Ok(restored)
    }

    /// Statistics, if they were saved and can be read. An empty file, which is left where it is mounted by itself, has none.
    pub fn statistics(&mut self) -> Result<Option<StatsSnapshot>, RestoreError> {
        let mut damage = None;
        let statistics = self.restore(STATS_LOG, |mut reader| {
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            match stats_log::parse(&content) {
                _ if content.is_empty() => Ok(None),
                Ok(statistics) => Ok(Some(statistics)),
                Err(error @ ContentError::Line { .. }) => {
                    damage = Some(error);
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        })?;
        if let Some(error) = damage {
            let path = place(self.files.as_ref(), &self.directory, STATS_LOG)?;
            self.damaged.push(STATS_LOG);
            self.damage.push(format!(
                "{}: {error}, so that all counters begin anew, and the file is kept in {}; nothing has to be done, or correct \
                 it there, stop the server and put it back",
                path.display(),
                rejected_path(&path).display()
            ));
        }
        Ok(statistics)
    }

    /// What could not be read, a line for the operator each. [`Self::finish`] keeps it.
    pub fn damage(&self) -> &[String] {
        &self.damage
    }

    fn note_damage(&mut self, name: &'static str, damage: &Damage) -> Result<(), FileError> {
        if damage.lines == 0 {
            return Ok(());
        }
        let path = place(self.files.as_ref(), &self.directory, name)?;
        self.damaged.push(name);
        self.damage.push(format!(
            "{}: {damage}, and all others count; stop the server, correct what is kept in {rejected}, append it to the file, and \
             remove {rejected}",
            path.display(),
            rejected = rejected_path(&path).display()
        ));
        Ok(())
    }

    /// Renames the files that were read to `.bak`. To be called when everything else is ready, immediately before the
    /// first client is accepted; from then on they exist in memory only.
    pub fn finish(self) -> Result<(), RestoreError> {
        if self.read.is_empty() {
            return Ok(());
        }
        let files = self.files.as_ref();
        let list = self.directory.join(SETTING_ASIDE);
        let unclaimed = self.unclaimed_path();
        if self.read.contains(&MESSAGES_UNCLAIMED) {
            // A backup that is there while the list is is one of this time.
            let backup = with_suffix(&place(files, &self.directory, MESSAGES_UNCLAIMED)?, BACKUP);
            if exists(files, &backup)? {
                files.remove(&backup).map_err(FileError::on("remove", &backup))?;
            }
        }
        for name in &self.damaged {
            let path = place(files, &self.directory, name)?;
            keep(files, &path, |line| match *name {
                MESSAGES_LOG | MESSAGES_UNCLAIMED => messages_log::parse_line(line).is_ok(),
                NTFS_LOG => ntfs_log::parse_line(line).is_ok(),
                _ => false,
            })?;
        }
        let mut lines: Vec<_> = self.read.iter().map(|name| (*name).to_owned()).collect();
        write_list(&self.files, &list, &lines)?;
        for name in &self.read {
            let path = place(files, &self.directory, name)?;
            let backup = with_suffix(&path, BACKUP);
            match files.rename(&path, &backup) {
                Err(error) if is_held(&error) && *name != REFERENCE_JOURNAL => {
                    copy(&self.files, &path, &backup)?;
                    lines.push(copied(name));
                    write_list(&self.files, &list, &lines)?;
                    empty(files, &path)?;
                }
                renamed => renamed.map_err(FileError::on("rename", &path))?,
            }
        }
        if !self.unclaimed.is_empty() {
            messages_log::write(Arc::clone(&self.files), &unclaimed, self.unclaimed)?;
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

/// The file itself, if its name is a symbolic link. The journal of the reference is a directory, whose link is renamed.
fn place(files: &dyn Files, directory: &Path, name: &str) -> Result<PathBuf, FileError> {
    let path = directory.join(name);
    if name == REFERENCE_JOURNAL {
        return Ok(path);
    }
    Ok(files.destination(&path).map_err(FileError::on("read", &path))?.path)
}

/// The line of a file whose `.bak` is a complete copy, while the file itself may be empty.
fn copied(name: &str) -> String {
    format!("{name} copied")
}

fn write_list(files: &Arc<dyn Files>, list: &Path, lines: &[String]) -> Result<(), FileError> {
    let mut file = AtomicFile::create(Arc::clone(files), list)?;
    for line in lines {
        file.write(|out| out.extend_from_slice(format!("{line}\n").as_bytes()))?;
    }
    file.commit()
}

fn take_back(shared: &Arc<dyn Files>, directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let files = shared.as_ref();
    let list = directory.join(SETTING_ASIDE);
    if !exists(files, &list)? {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    let mut file = files.open(&list).map_err(FileError::on("read", &list))?;
    file.read_to_end(&mut names).map_err(FileError::on("read", &list))?;
    let mut recovered = Vec::new();
    for name in [MESSAGES_UNCLAIMED, MESSAGES_LOG, REFERENCE_JOURNAL, NTFS_LOG, STATS_LOG] {
        let path = place(files, directory, name)?;
        let backup = with_suffix(&path, BACKUP);
        let is_listed = |wanted: &str| names.split(|&b| b == b'\n').any(|line| line == wanted.as_bytes());
        // What was written in place of the unclaimed messages is less than they were.
        let is_free = name == MESSAGES_UNCLAIMED || !exists(files, &path)?;
        if is_listed(&copied(name)) {
            copy(shared, &backup, &path)?;
            recovered.push(path);
        } else if is_listed(name) && is_free && exists(files, &backup)? {
            files.rename(&backup, &path).map_err(FileError::on("rename", &backup))?;
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
