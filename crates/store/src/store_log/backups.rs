//! Time-stamped backups of the queue log and their rotation (operations.md §6.6).

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::atomic_file::with_suffix;
use crate::error::FileError;
use crate::files::{Files, directory_of};
use crate::timestamp;

const DAY: Duration = Duration::from_hours(24);
/// Younger backups are all kept.
const YOUNG: Duration = DAY;
/// How many of the others are kept whatever their age.
const KEPT: usize = 3;
/// What is older is removed.
const OLD: Duration = DAY.saturating_mul(21);

/// A name for the backup made at `now` that no file has.
pub(super) fn free_name(files: &dyn Files, log: &Path, now: SystemTime) -> Result<PathBuf, FileError> {
    let mut time = now;
    loop {
        let path = with_suffix(log, &format!(".{}", timestamp::format(time)));
        if !files.exists(&path).map_err(FileError::on("look for", &path))? {
            return Ok(path);
        }
        time += Duration::from_nanos(1);
    }
}

/// Removes old backups of `log` and tells which.
pub(super) fn rotate(files: &dyn Files, log: &Path, now: SystemTime) -> Result<Vec<PathBuf>, FileError> {
    let directory = directory_of(log);
    let log = log.file_name().unwrap_or_default().to_string_lossy();
    let names = files.list(directory).map_err(FileError::on("list", directory))?;
    let times = names.iter().filter_map(|name| backup_time(name.to_str()?, &log)).collect();
    let mut removed = Vec::new();
    for time in outdated(times, now) {
        let path = directory.join(format!("{log}.{}", timestamp::format(time)));
        files.remove(&path).map_err(FileError::on("remove", &path))?;
        removed.push(path);
    }
    Ok(removed)
}

/// The newest backup of `log`, if there is one.
pub fn newest(files: &dyn Files, log: &Path) -> Option<PathBuf> {
    let name = log.file_name()?.to_str()?;
    let names = files.list(directory_of(log)).ok()?;
    let newest = names.iter().filter_map(|found| backup_time(found.to_str()?, name)).max()?;
    Some(with_suffix(log, &format!(".{}", timestamp::format(newest))))
}

/// The time in the name of a backup; `None` for every other file, copies made by the operator included.
fn backup_time(name: &str, log: &str) -> Option<SystemTime> {
    let suffix = name.strip_prefix(log)?.strip_prefix('.')?;
    timestamp::parse(suffix).filter(|&time| timestamp::format(time) == suffix)
}

fn outdated(mut times: Vec<SystemTime>, now: SystemTime) -> Vec<SystemTime> {
    let older_than = |limit| move |time: &SystemTime| now.duration_since(*time).is_ok_and(|age| age > limit);
    times.retain(older_than(YOUNG));
    times.sort_unstable();
    times.truncate(times.len().saturating_sub(KEPT));
    times.retain(older_than(OLD));
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::simulated::SimulatedDisk;
    use crate::names::STORE_LOG;

    const NOW: &str = "2026-11-23T12:00:00Z";

    fn rotated(names: &[&str]) -> Vec<String> {
        let directory = Path::new("/state");
        let paths: Vec<_> = names.iter().map(|name| directory.join(name)).collect();
        let disk = SimulatedDisk::with_files(paths.iter().map(|path| (path.as_path(), Vec::new())));
        let removed = rotate(&disk, &directory.join(STORE_LOG), timestamp::parse(NOW).unwrap()).unwrap();
        assert_eq!(disk.paths().len() + removed.len(), names.len());
        removed
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().replace("smp-server-store.log.", ""))
            .collect()
    }

    fn backups(times: &[&str]) -> Vec<String> {
        let names: Vec<String> = times.iter().map(|time| format!("{STORE_LOG}.{time}")).collect();
        rotated(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn only_old_ones_beyond_three_go() {
        let old = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00.5Z", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"];
        assert_eq!(backups(&old), old[..1]);
        assert_eq!(backups(&old[..3]), [""; 0]);
        let young = ["2026-11-22T12:00:00Z", "2026-11-23T11:00:00Z"];
        assert_eq!(backups(&[&old[..], &young].concat()), old[..1], "those of the last day do not count");
        let middle = ["2026-11-10T00:00:00Z", "2026-11-11T00:00:00Z", "2026-11-12T00:00:00Z", "2026-11-13T00:00:00Z"];
        assert_eq!(backups(&middle), [""; 0]);
        assert_eq!(backups(&[&old[..], &middle].concat()), old);
    }

    #[test]
    fn other_files_stay() {
        let names = [
            "smp-server-store.log",
            "smp-server-store.log.bak",
            "smp-server-store.log.start",
            "smp-server-store.log.2020-01-01",
            "smp-server-store.log.2020-01-01T00:00:00.50Z",
            "smp-server-store.log.2020-01-01T00:00:00Z.gz",
            "smp-server-messages.log.2020-01-01T00:00:00Z",
        ];
        assert_eq!(rotated(&names), [""; 0]);
    }

    #[test]
    fn names_are_never_used_twice() {
        let log = Path::new("/state").join(STORE_LOG);
        let taken = Path::new("/state").join(format!("{STORE_LOG}.{NOW}"));
        let disk = SimulatedDisk::with_files([(taken.as_path(), Vec::new())]);
        let name = free_name(&disk, &log, timestamp::parse(NOW).unwrap()).unwrap();
        assert_eq!(name, with_suffix(&log, ".2026-11-23T12:00:00.000000001Z"));
    }
}
