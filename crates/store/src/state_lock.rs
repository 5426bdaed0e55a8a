//! One server per state directory. Two would ruin each other's files (operations.md §2.2).

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use thiserror::Error;

use crate::error::FileError;
use crate::names::LOCK;

/// The directory is ours until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct StateLock {
    /// None: nothing is changed in the directory.
    _file: Option<File>,
}

/// Why the directory cannot be used.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process holds the lock.
    #[error("another server runs in {}; stop it first, or use another state directory", .0.display())]
    Held(PathBuf),
    /// The lock file cannot be opened or locked.
    #[error(transparent)]
    File(#[from] FileError),
}

impl StateLock {
    /// Locks `smp-server.lock` in an existing directory, without waiting. The file stays when the lock is released:
    /// removing it would let two servers hold different files of the same name.
    pub fn acquire(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(LOCK);
        let file = OpenOptions::new().append(true).create(true).open(&path).map_err(FileError::on("open", &path))?;
        match lock(&file) {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(directory.to_path_buf())),
            Err(TryLockError::Error(error)) => Err(FileError::new("lock", &path, error).into()),
        }
    }
}

impl StateLock {
    /// Looks whether the directory could be locked, and leaves it to others.
    pub fn rehearse(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(LOCK);
        let opened = match OpenOptions::new().append(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
            }
            opened => opened.map(drop),
        };
        opened.map_err(FileError::on("open", &path))?;
        if Self::is_held(directory)? { Err(LockError::Held(directory.to_path_buf())) } else { Ok(Self { _file: None }) }
    }

    /// Whether a server runs in this directory. Makes no file.
    pub fn is_held(directory: &Path) -> Result<bool, FileError> {
        let path = directory.join(LOCK);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(FileError::on("open", &path))?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(FileError::new("lock", &path, error)),
        }
    }
}

fn lock(file: &File) -> Result<(), TryLockError> {
    loop {
        match file.try_lock() {
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_server_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!StateLock::is_held(directory.path()).unwrap());
        let lock = StateLock::acquire(directory.path()).unwrap();
        assert!(StateLock::is_held(directory.path()).unwrap());
        let error = StateLock::acquire(directory.path()).unwrap_err();
        assert!(matches!(error, LockError::Held(_)));
        let text = error.to_string();
        assert!(text.contains(directory.path().to_str().unwrap()) && text.contains("another server"), "{text}");
        drop(lock);
        assert!(!StateLock::is_held(directory.path()).unwrap());
        StateLock::acquire(directory.path()).unwrap();
    }

    #[test]
    fn a_missing_directory_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let text = StateLock::acquire(&missing).unwrap_err().to_string();
        assert!(text.contains("missing") && text.contains("check that the state directory exists"), "{text}");
    }
}
