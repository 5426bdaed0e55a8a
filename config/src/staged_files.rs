//! Replacing several files so that each is either the old one or the complete new one.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::remedy;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Mode 0600, whatever the umask.
    Owner,
    /// Mode 0644 less the umask.
    Everyone,
}

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}{}", path.display(), remedy::for_writing(source))]
pub struct WriteError {
    /// The file, or its directory.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

/// Files written aside and synced, waiting to take their places together.
///
/// Dropping it without [`commit`](Self::commit) leaves every old file as it was.
#[derive(Default)]
pub(crate) struct StagedFiles {
    files: Vec<(NamedTempFile, PathBuf)>,
}

impl StagedFiles {
    /// Nothing staged yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Writes `content` to a temporary file beside `path` and syncs it.
    pub(crate) fn stage(&mut self, path: PathBuf, access: Access, content: &[u8]) -> Result<(), WriteError> {
        match write_aside(&path, access, content) {
            Ok(file) => self.files.push((file, path)),
            Err(source) => return Err(WriteError { path, source }),
        }
        Ok(())
    }

    /// Moves every file to its place, in the order of staging, and syncs the directories.
    ///
    /// Each move is atomic. A power failure between two of them leaves some files new and some old.
    pub(crate) fn commit(self) -> Result<(), WriteError> {
        let mut directories: Vec<PathBuf> = Vec::new();
        for (file, path) in self.files {
            directories.push(directory_of(&path).to_owned());
            file.persist(&path).map_err(|error| WriteError { path, source: error.error })?;
        }
        directories.dedup();
        for path in directories {
            File::open(&path)
                .and_then(|directory| directory.sync_all())
                .map_err(|source| WriteError { path, source })?;
        }
        Ok(())
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn write_aside(path: &Path, access: Access, content: &[u8]) -> io::Result<NamedTempFile> {
    let mode = match access {
        Access::Owner => 0o600,
        Access::Everyone => 0o644,
    };
    let directory = directory_of(path);
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(directory)?;
    keep_owner(file.as_file(), path, directory)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Gives the file to the owner of the one it replaces, else to the owner of the directory: a command run as root must
/// not leave files that the server, running as another user, cannot read. Users other than root own what they write.
fn keep_owner(file: &File, path: &Path, directory: &Path) -> io::Result<()> {
    let wanted = fs::metadata(path).or_else(|_| fs::metadata(directory))?;
    let actual = file.metadata()?;
    if (actual.uid(), actual.gid()) == (wanted.uid(), wanted.gid()) {
        return Ok(());
    }
    match fchown(file, Some(wanted.uid()), Some(wanted.gid())) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn replaces_content_and_mode() {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("server.key");
        fs::write(&secret, "old").unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();

        let mut staged = StagedFiles::new();
        staged.stage(secret.clone(), Access::Owner, b"new").unwrap();
        assert_eq!(fs::read(&secret).unwrap(), b"old");
        staged.commit().unwrap();
        assert_eq!(fs::read(&secret).unwrap(), b"new");
        assert_eq!(mode(&secret), 0o600);
    }

    #[test]
    fn dropping_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("server.crt");
        fs::write(&file, "old").unwrap();
        let mut staged = StagedFiles::new();
        staged.stage(file.clone(), Access::Everyone, b"new").unwrap();
        drop(staged);
        assert_eq!(fs::read(&file).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn errors_name_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("absent").join("server.key");
        let error = StagedFiles::new().stage(path.clone(), Access::Owner, b"").unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot write {}: ", path.display())));
    }
}
