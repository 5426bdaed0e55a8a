//! Replacing a file so that at every instant either the old or the whole new content is found: write aside, sync,
//! rename, sync the directory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::FileError;
use crate::files::{Files, LogFile};
use crate::names::ASIDE;

/// Bytes collected before they are written.
const CHUNK: usize = 256 * 1024;

/// New content of a file, not visible under its name before [`AtomicFile::commit`]. Dropped before that, it is removed.
pub struct AtomicFile {
    files: Arc<dyn Files>,
    path: PathBuf,
    aside: PathBuf,
    /// `None` once committed or handed over.
    file: Option<Box<dyn LogFile>>,
    buffer: Vec<u8>,
}

impl AtomicFile {
    /// Starts the new content of `path`, beside it, with `.new` appended to the name.
    pub fn create(files: Arc<dyn Files>, path: &Path) -> Result<Self, FileError> {
        let aside = with_suffix(path, ASIDE);
        let file = files.create(&aside).map_err(FileError::on("create", &aside))?;
        Ok(Self { files, path: path.to_path_buf(), aside, file: Some(file), buffer: Vec::with_capacity(CHUNK) })
    }

    /// Adds what `fill` appends to the buffer.
    pub fn write(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Result<(), FileError> {
        fill(&mut self.buffer);
        if self.buffer.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    /// Makes the new content the content of the file.
    pub fn commit(mut self) -> Result<(), FileError> {
        self.sync()?;
        self.files.rename(&self.aside, &self.path).map_err(FileError::on("replace", &self.path))?;
        self.file = None;
        sync_parent(self.files.as_ref(), &self.path)
    }

    /// The same for content that is not worth a flush of the disk: after a power failure either content, or none, is found.
    pub fn commit_unsynced(mut self) -> Result<(), FileError> {
        self.flush()?;
        self.files.rename(&self.aside, &self.path).map_err(FileError::on("replace", &self.path))?;
        self.file = None;
        Ok(())
    }

    /// Hands over the file beside `path`, complete and on disk, to be renamed by the caller.
    pub(crate) fn into_aside(mut self) -> Result<(Box<dyn LogFile>, PathBuf), FileError> {
        self.sync()?;
        let file = self.file.take().ok_or_else(|| closed(&self.aside))?;
        Ok((file, self.aside.clone()))
    }

    fn sync(&mut self) -> Result<(), FileError> {
        self.flush()?;
        let file = self.file.as_mut().ok_or_else(|| closed(&self.aside))?;
        file.sync().map_err(FileError::on("sync", &self.aside))
    }

    fn flush(&mut self) -> Result<(), FileError> {
        let file = self.file.as_mut().ok_or_else(|| closed(&self.aside))?;
        write_all(file.as_mut(), &self.buffer).map_err(FileError::on("write", &self.aside))?;
        self.buffer.clear();
        Ok(())
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // A leftover does no harm: nothing reads it and the next write replaces it.
            let _ = self.files.remove(&self.aside);
        }
    }
}

/// `path` with `suffix` appended to its last name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

/// Syncs the directory of `path`.
pub(crate) fn sync_parent(files: &dyn Files, path: &Path) -> Result<(), FileError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
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
