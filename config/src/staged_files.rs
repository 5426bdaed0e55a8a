//! Replacing several files so that each is either the old one or the complete new one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use smp_store::atomic_file::{AtomicFile, recover};
use smp_store::error::FileError;
use smp_store::files::{Files, RealFiles};

pub(crate) use smp_store::files::Access;

use crate::paths::Directories;
use crate::remedy;

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}{}", path.display(), remedy::for_writing(source))]
pub struct WriteError {
    /// The file, or its directory.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

impl WriteError {
    fn of(error: FileError, path: &Path) -> Self {
        Self { path: path.to_path_buf(), source: error.source }
    }
}

/// Files written aside and synced, waiting to take their places together.
///
/// Dropping it without [`commit`](Self::commit) leaves every old file as it was.
#[derive(Default)]
pub(crate) struct StagedFiles {
    files: Vec<(AtomicFile, PathBuf)>,
}

impl StagedFiles {
    /// Nothing staged yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Writes `content` to a temporary file beside `path` and syncs it.
    pub(crate) fn stage(&mut self, path: PathBuf, access: Access, content: &[u8]) -> Result<(), WriteError> {
        let stage = || {
            let mut file = AtomicFile::create_for(files(), &path, access)?;
            file.write(|out| out.extend_from_slice(content))?;
            file.sync()?;
            Ok(file)
        };
        let file = stage().map_err(|error| WriteError::of(error, &path))?;
        self.files.push((file, path));
        Ok(())
    }

    /// Moves every file to its place, in the order of staging, and syncs the directories.
    ///
    /// Each move is atomic. A power failure between two of them leaves some files new and some old.
    pub(crate) fn commit(self) -> Result<(), WriteError> {
        for (file, path) in self.files {
            file.commit().map_err(|error| WriteError::of(error, &path))?;
        }
        Ok(())
    }
}

/// Finishes the rewriting of files that are mounted by themselves, if it was interrupted.
pub fn finish_rewriting(directories: &Directories) -> Result<(), FileError> {
    for path in
        [directories.ini(), directories.server_key(), directories.server_certificate(), directories.fingerprint()]
    {
        recover(files().as_ref(), &path)?;
    }
    Ok(())
}

fn files() -> Arc<dyn Files> {
    Arc::new(RealFiles)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn replaces_content_and_mode() {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("server.key");
        for (before, after) in [(0o644, 0o600), (0o640, 0o640)] {
            fs::write(&secret, "old").unwrap();
            fs::set_permissions(&secret, Permissions::from_mode(before)).unwrap();

            let mut staged = StagedFiles::new();
            staged.stage(secret.clone(), Access::Owner, b"new").unwrap();
            assert_eq!(fs::read(&secret).unwrap(), b"old");
            staged.commit().unwrap();
            assert_eq!(fs::read(&secret).unwrap(), b"new");
            assert_eq!(mode(&secret), after);
        }
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
