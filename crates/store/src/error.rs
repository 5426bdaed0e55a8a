//! Failures of file operations.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file operation that failed. One line: what failed, on which file, why, what to do.
#[derive(Debug, Error)]
#[error("cannot {action} {}: {source}; {}", path.display(), remedy(source))]
pub struct FileError {
    /// What was tried, as a verb: `append to`, `rename`.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// The answer of the operating system.
    pub source: io::Error,
}

impl FileError {
    pub(crate) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_path_buf(), source }
    }

    /// For `map_err`.
    pub(crate) fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::new(action, path, source)
    }

    /// Whether the file does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space on this disk",
        io::ErrorKind::WriteZero => "check that the disk is not full",
        io::ErrorKind::PermissionDenied => "make the user of the server its owner (chown)",
        io::ErrorKind::ReadOnlyFilesystem => "mount the file system writable",
        io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => {
            "it is mounted by itself: mount the directory that it is in"
        }
        io::ErrorKind::IsADirectory => "remove that directory: a file belongs there",
        io::ErrorKind::AlreadyExists => "move it to another directory",
        io::ErrorKind::NotFound => "check that the state directory exists",
        _ => "check the disk and the system log",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_with_path_and_remedy() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let text = FileError::new("append to", Path::new("/state/x.log"), full).to_string();
        assert_eq!(text, "cannot append to /state/x.log: no storage space; free some space on this disk");
    }
}
