//! Replacing a file so that at every instant either the old or the whole new content is found: write aside, sync,
//! rename, sync the directory. Symbolic links are followed: what they lead to is replaced.
//!
//! A file that is mounted by itself cannot be renamed, and neither can one keep a group that its writer may not give. Such a
//! file is rewritten in its place. Meanwhile the complete new content is beside it, as `….complete`, from where
//! [`moves::recover`] takes it when the process did not get to the end.

mod leftovers;
pub(crate) mod moves;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use crate::error::FileError;
use crate::files::{Access, Aside, Destination, Files, Found, LogFile, directory_of};

pub use leftovers::{remove_leftovers, remove_leftovers_in};
pub use moves::recover;

/// Bytes collected before they are written.
const CHUNK: usize = 256 * 1024;
/// Most bytes of new content that can be made nowhere but in memory.
const MOST_IN_MEMORY: usize = 16 * 1024 * 1024;
/// Names that are tried for the new content. They are taken only by what dead processes left.
const MOST_NAMES: usize = 1_000;

/// New content of a file, not visible under its name before [`AtomicFile::commit`]. Dropped before that, it is removed.
pub struct AtomicFile {
    files: Arc<dyn Files>,
    path: PathBuf,
    new: New,
    /// What is not written yet. It may be a secret.
    buffer: Zeroizing<Vec<u8>>,
}

/// Where the new content is.
enum New {
    /// Beside the file.
    Beside { file: Box<dyn LogFile>, path: PathBuf, is_alike: bool },
    /// In the buffer, because nothing can be made beside the file, though it can be written itself.
    Buffered { refusal: Option<FileError> },
    /// In its place, or handed over.
    Gone,
}

impl AtomicFile {
    /// Starts the new content of `path`, which keeps its mode, owner and group.
    pub fn create(files: Arc<dyn Files>, path: &Path) -> Result<Self, FileError> {
        Self::create_for(files, path, Access::Everyone)
    }

    /// The same for a file that not everybody may read.
    pub fn create_for(files: Arc<dyn Files>, path: &Path, access: Access) -> Result<Self, FileError> {
        let Destination { path, found } = files.destination(path).map_err(FileError::on("replace", path))?;
        let new = match found {
            Found::Device => New::Buffered { refusal: None },
            Found::Nothing | Found::File => match create_beside(files.as_ref(), &path, access) {
                Err(error) if found == Found::File && is_refused(&error.source) => {
                    files.open_append(&path).map_err(FileError::on("write", &path))?;
                    New::Buffered { refusal: Some(error) }
                }
                new => new?,
            },
        };
        Ok(Self { files, path, new, buffer: Zeroizing::new(Vec::with_capacity(CHUNK)) })
    }

    /// Adds what `fill` appends to the buffer.
    pub fn write(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Result<(), FileError> {
        fill(&mut self.buffer);
        if self.buffer.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    /// Adds everything that `reader`, of `from`, gives.
    fn write_from(&mut self, mut reader: impl Read, from: &Path) -> Result<(), FileError> {
        loop {
            let filled = self.buffer.len();
            let read = reader.by_ref().take(CHUNK as u64).read_to_end(&mut self.buffer);
            read.map_err(FileError::on("read", from))?;
            if self.buffer.len() == filled {
                return Ok(());
            }
            self.flush()?;
        }
    }

    /// Returns when what was added is on disk, so that a full one is noticed before [`Self::commit`].
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.flush()?;
        match &mut self.new {
            New::Beside { file, path, .. } => file.sync().map_err(FileError::on("sync", path)),
            New::Buffered { .. } | New::Gone => Ok(()),
        }
    }

    /// Makes the new content the content of the file.
    pub fn commit(self) -> Result<(), FileError> {
        self.put(true)
    }

    /// The same for content that is not worth a flush of the disk: after a power failure either content, or none, is found.
    pub fn commit_unsynced(self) -> Result<(), FileError> {
        self.put(false)
    }

    fn put(mut self, synced: bool) -> Result<(), FileError> {
        if synced {
            self.sync()?;
        } else {
            self.flush()?;
        }
        let files = self.files.as_ref();
        match &self.new {
            New::Beside { path: aside, is_alike, .. } => {
                moves::replace(files, aside, &self.path, *is_alike, synced)?;
            }
            New::Buffered { .. } => moves::overwrite(files, &self.path, &self.buffer[..], synced)?,
            New::Gone => return Err(closed(&self.path)),
        }
        self.new = New::Gone;
        Ok(())
    }

    /// Hands over the file beside its destination, complete and on disk, to be renamed by the caller.
    pub(crate) fn into_aside(mut self) -> Result<(Box<dyn LogFile>, PathBuf), FileError> {
        self.sync()?;
        match std::mem::replace(&mut self.new, New::Gone) {
            New::Beside { file, path, .. } => Ok((file, path)),
            New::Buffered { refusal } => Err(refusal.unwrap_or_else(|| too_large(&self.path))),
            New::Gone => Err(closed(&self.path)),
        }
    }

    fn flush(&mut self) -> Result<(), FileError> {
        match &mut self.new {
            New::Beside { file, path, .. } => {
                write_all(file.as_mut(), &self.buffer).map_err(FileError::on("write", path))?;
                self.buffer.clear();
                Ok(())
            }
            New::Buffered { .. } if self.buffer.len() <= MOST_IN_MEMORY => Ok(()),
            New::Buffered { refusal } => Err(refusal.take().unwrap_or_else(|| too_large(&self.path))),
            New::Gone => Err(closed(&self.path)),
        }
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let New::Beside { path, .. } = &self.new {
            // A leftover does no harm: nothing reads it and the next start removes it.
            let _ = self.files.remove(path);
        }
    }
}

/// Every writer has a name of its own.
fn create_beside(files: &dyn Files, path: &Path, access: Access) -> Result<New, FileError> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut tries = 0;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let aside = with_suffix(path, &format!(".{}-{number}{}", process::id(), leftovers::ASIDE));
        match files.create_aside(&aside, path, access) {
            Ok(Aside { file, is_alike }) => return Ok(New::Beside { file, path: aside, is_alike }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < MOST_NAMES => tries += 1,
            Err(error) => return Err(FileError::new("create", &aside, error)),
        }
    }
}

/// Nothing may be made in the directory; a file in it may be writable all the same, above all if it is mounted by itself.
fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// `path` with `suffix` appended to its last name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

/// Syncs the directory of `path`.
pub(crate) fn sync_parent(files: &dyn Files, path: &Path) -> Result<(), FileError> {
    let directory = directory_of(path);
    files.sync_directory(directory).map_err(FileError::on("sync the directory", directory))
}

fn write_all(file: &mut dyn LogFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn too_large(path: &Path) -> FileError {
    FileError::new("write", path, io::ErrorKind::FileTooLarge.into())
}

fn closed(path: &Path) -> FileError {
    FileError::new("write", path, io::Error::other("it is closed already"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::RealFiles;
    use crate::files::faulty::{Fault, FaultyFiles, Operation};

    #[test]
    fn the_old_content_stays_until_the_new_one_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "old").unwrap();
        let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
        let files: Arc<dyn Files> = Arc::new(files);
        let replace = || {
            let mut file = AtomicFile::create(files.clone(), &path)?;
            file.write(|out| out.resize(CHUNK, b'x'))?;
            file.write(|out| out.push(b'y'))?;
            file.commit()
        };
        for operation in [Operation::Write, Operation::Sync, Operation::Rename] {
            faults.fail(operation, Fault::NoSpace);
            assert!(replace().is_err());
            assert_eq!(std::fs::read(&path).unwrap(), b"old");
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
            faults.heal();
        }
        faults.shorten_next_write(7);
        replace().unwrap();
        assert_eq!(std::fs::read(&path).unwrap().len(), CHUNK + 1);
    }
}
