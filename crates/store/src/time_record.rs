//! `smp-server-time`: when the state was last written by a server whose clock was right.
//!
//! A clock that is years ahead makes everything look expired. So a server remembers the time, and does not believe a clock that
//! has jumped by more than messages live. The time is in the file and not that of the file, so that a server with a wrong clock does not
//! change it. Without the file it is the time of the newest of the other files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::atomic_file::AtomicFile;
use crate::error::FileError;
use crate::files::Files;
use crate::names::{JOURNAL, MESSAGES_LOG, NTFS_LOG, STATS_LOG, STORE_LOG, TIME};
use crate::timestamp;

/// Shorter jumps are no reason for doubts, however short messages live: no clock is set wrong by hours.
const SHORTEST_JUMP: i64 = 86_400;

/// Seconds by which a clock may have jumped and is still believed, where messages live this long.
pub fn longest_jump(lifetime: Duration) -> i64 {
    i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX).max(SHORTEST_JUMP)
}

/// The time that a state directory remembers.
#[derive(Clone)]
pub struct TimeRecord {
    files: Arc<dyn Files>,
    directory: PathBuf,
}

impl TimeRecord {
    /// That of this directory.
    pub fn new(files: Arc<dyn Files>, directory: &Path) -> Self {
        Self { files, directory: directory.to_path_buf() }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.directory.join(TIME)
    }

    /// Seconds since 1970; `None` if nothing was ever written.
    pub fn read(&self) -> Result<Option<i64>, FileError> {
        let path = self.path();
        let mut text = String::new();
        match self.files.open(&path).and_then(|mut file| io::Read::read_to_string(&mut file, &mut text)) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {}
            Err(error) => return Err(FileError::new("read", &path, error)),
        }
        Ok(timestamp::parse(text.trim()).or_else(|| self.newest_file()).map(seconds))
    }

    /// What is stored before is expired by a clock that shows `now`, both in seconds since 1970; `None`: nothing is, because
    /// nothing expires or the clock is not believed.
    pub fn oldest(&self, now: i64, lifetime: Option<Duration>) -> Result<Option<i64>, FileError> {
        let Some(lifetime) = lifetime else { return Ok(None) };
        let is_believed = self.read()?.is_none_or(|last| now.saturating_sub(last) <= longest_jump(lifetime));
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        Ok(is_believed.then(|| now.saturating_sub(seconds)))
    }

    /// Remembers this time, in seconds since 1970.
    pub fn write(&self, now: i64) -> Result<(), FileError> {
        let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(now).unwrap_or(0));
        let mut file = AtomicFile::create(Arc::clone(&self.files), &self.path())?;
        file.write(|out| {
            out.extend_from_slice(timestamp::format(time).as_bytes());
            out.push(b'\n');
        })?;
        file.commit()
    }

    fn newest_file(&self) -> Option<SystemTime> {
        let names = [STORE_LOG, MESSAGES_LOG, NTFS_LOG, STATS_LOG];
        let journal = self.directory.join(JOURNAL);
        let of_journal = self.files.list(&journal).unwrap_or_default().into_iter().map(|name| journal.join(name));
        let paths = names.iter().map(|name| self.directory.join(name)).chain(of_journal);
        paths.filter_map(|path| self.files.changed_at(&path).ok()).max()
    }
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::files::RealFiles;

    #[test]
    fn without_the_file_it_is_the_time_of_the_newest_other_one() {
        let directory = tempfile::tempdir().unwrap();
        let record = TimeRecord::new(Arc::new(RealFiles), directory.path());
        assert_eq!(record.read().unwrap(), None);
        fs::create_dir(directory.path().join(JOURNAL)).unwrap();
        for (name, time) in
            [(STORE_LOG.to_owned(), 1_000), (format!("{JOURNAL}/1.segment"), 3_000), (STATS_LOG.to_owned(), 2_000)]
        {
            let file = File::create(directory.path().join(name)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(time)).unwrap();
        }
        assert_eq!(record.read().unwrap(), Some(3_000));
        record.write(500).unwrap();
        assert_eq!(record.read().unwrap(), Some(500));
        assert_eq!(fs::read_to_string(record.path()).unwrap(), "1970-01-01T00:08:20Z\n");
        let day = Duration::from_hours(24);
        assert_eq!(record.oldest(90_000, Some(day)).unwrap(), None, "more than a day later");
        assert_eq!(record.oldest(86_900, Some(day)).unwrap(), Some(500));
        assert_eq!(record.oldest(86_900, Some(Duration::from_secs(2))).unwrap(), Some(86_898));
        assert_eq!(record.oldest(86_900, None).unwrap(), None);
        fs::write(record.path(), b"\xff torn").unwrap();
        assert_eq!(record.read().unwrap(), Some(3_000));
    }
}
