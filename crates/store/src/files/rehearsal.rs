//! Files on which everything can be tried, and of which nothing is changed: a check does with them what a start does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Access as Permission, access};

use super::{Access, Aside, Destination, Files, Found, LogFile, ReadAt, RealFiles, SlotFile, directory_of};

/// Most bytes of a new file that are kept to be read again. A start reads back only small ones.
const KEPT: usize = 1024 * 1024;

/// The files of the operating system as they would be. What may not be written there may not be written here.
#[derive(Clone, Default)]
pub struct RehearsedFiles(Arc<Mutex<BTreeMap<PathBuf, Change>>>);

/// What became of a name.
#[derive(Clone)]
enum Change {
    Removed,
    /// It is that of a file with another name on disk.
    Renamed(PathBuf),
    Made(Made),
    Directory,
}

/// A file that is in memory, as far as it is small.
#[derive(Clone, Default)]
struct Made(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    kept: Vec<u8>,
    length: u64,
}

/// Where a file is to be read.
enum Source {
    Disk(PathBuf),
    Memory(Made),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RehearsedFiles {
    fn source(&self, path: &Path) -> io::Result<Source> {
        match lock(&self.0).get(path) {
            None => Ok(Source::Disk(path.to_path_buf())),
            Some(Change::Renamed(on_disk)) => Ok(Source::Disk(on_disk.clone())),
            Some(Change::Made(made)) => Ok(Source::Memory(made.clone())),
            Some(Change::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            Some(Change::Removed) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn change(&self, path: &Path, change: Change) -> io::Result<()> {
        self.allow_changes_in(directory_of(path))?;
        lock(&self.0).insert(path.to_path_buf(), change);
        Ok(())
    }

    fn make(&self, path: &Path) -> io::Result<Made> {
        let made = Made::default();
        self.change(path, Change::Made(made.clone()))?;
        Ok(made)
    }

    fn allow_changes_in(&self, directory: &Path) -> io::Result<()> {
        if matches!(lock(&self.0).get(directory), Some(Change::Directory)) {
            return Ok(());
        }
        Ok(access(directory, Permission::WRITE_OK | Permission::EXEC_OK)?)
    }

    /// Opens a file to be written: one on disk that may be, else a new one.
    fn open_to_write(&self, path: &Path) -> io::Result<Made> {
        match self.source(path) {
            Ok(Source::Memory(made)) => Ok(made),
            Ok(Source::Disk(on_disk)) => match OpenOptions::new().append(true).open(on_disk) {
                Ok(file) => Ok(Made::beginning_with(file.metadata()?.len())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(path),
                Err(error) => Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(path),
            Err(error) => Err(error),
        }
    }
}

impl Files for RehearsedFiles {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        match self.source(path)? {
            Source::Disk(path) => RealFiles.open(&path),
            Source::Memory(made) => Ok(Box::new(Cursor::new(made.whole()?))),
        }
    }

    fn open_read_at(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        match self.source(path)? {
            Source::Disk(path) => RealFiles.open_read_at(&path),
            Source::Memory(made) => Ok(Box::new(made)),
        }
    }

    fn expect(&self, path: &Path) {
        RealFiles.expect(path);
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(self.open_to_write(path)?))
    }

    fn open_slots(&self, path: &Path) -> io::Result<Box<dyn SlotFile>> {
        Ok(Box::new(self.open_to_write(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(self.make(path)?))
    }

    fn destination(&self, path: &Path) -> io::Result<Destination> {
        let on_disk = RealFiles.destination(path)?;
        let found = match self.source(&on_disk.path) {
            Ok(Source::Disk(path)) if path == on_disk.path => on_disk.found,
            Ok(_) => Found::File,
            Err(_) => Found::Nothing,
        };
        Ok(Destination { path: on_disk.path, found })
    }

    fn create_aside(&self, aside: &Path, _: &Path, _: Access) -> io::Result<Aside> {
        Ok(Aside { file: self.create(aside)?, is_alike: true })
    }

    fn rewrite(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        self.open_to_write(path)?;
        let made = Made::default();
        lock(&self.0).insert(path.to_path_buf(), Change::Made(made.clone()));
        Ok(Box::new(made))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let moved = match self.source(from)? {
            Source::Memory(made) => Change::Made(made),
            Source::Disk(path) => {
                fs::symlink_metadata(&path)?;
                Change::Renamed(path)
            }
        };
        self.change(to, moved)?;
        self.change(from, Change::Removed)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if !self.exists(path)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.change(path, Change::Removed)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.source(path) {
            Ok(Source::Disk(path)) => RealFiles.exists(&path),
            Ok(Source::Memory(_)) => Ok(true),
            Err(error) => Ok(error.kind() == io::ErrorKind::IsADirectory),
        }
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() { Ok(()) } else { self.change(path, Change::Directory) }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let changes = lock(&self.0);
        let mut names = match RealFiles.list(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && changes.contains_key(directory) => Vec::new(),
            names => names?,
        };
        names.retain(|name| !changes.contains_key(&directory.join(name)));
        let made = changes
            .iter()
            .filter(|(path, change)| !matches!(change, Change::Removed) && path.parent() == Some(directory));
        names.extend(made.filter_map(|(path, _)| path.file_name().map(OsString::from)));
        Ok(names)
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl Made {
    /// What a file that is appended to has already is not needed.
    fn beginning_with(length: u64) -> Self {
        Self(Arc::new(Mutex::new(Content { kept: Vec::new(), length })))
    }

    fn whole(&self) -> io::Result<Vec<u8>> {
        let content = lock(&self.0);
        if content.kept.len() as u64 == content.length {
            Ok(content.kept.clone())
        } else {
            Err(io::Error::other("a check does not keep files of this size"))
        }
    }
}

impl LogFile for Made {
    fn length(&self) -> io::Result<u64> {
        Ok(lock(&self.0).length)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut content = lock(&self.0);
        if content.kept.len() as u64 == content.length && content.kept.len() + bytes.len() <= KEPT {
            content.kept.extend_from_slice(bytes);
        }
        content.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut content = lock(&self.0);
        content.kept.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        content.length = length;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for Made {
    fn length(&self) -> io::Result<u64> {
        LogFile::length(self)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let whole = self.whole()?;
        let rest = usize::try_from(offset).ok().and_then(|start| whole.get(start..)).unwrap_or_default();
        buffer.copy_from_slice(rest.get(..buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl SlotFile for Made {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut content = lock(&self.0);
        content.length = content.length.max(offset.saturating_add(bytes.len() as u64));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_seems_to_be_done_and_nothing_is() {
        let directory = tempfile::tempdir().unwrap();
        let [old, new, moved] = ["old", "new", "moved"].map(|name| directory.path().join(name));
        fs::write(&old, "old").unwrap();
        let files = RehearsedFiles::default();
        let content = |path: &Path| {
            let mut text = String::new();
            files.open(path).map(|mut file| file.read_to_string(&mut text).map(|_| text).unwrap()).ok()
        };
        files.create(&new).unwrap().write(b"new").unwrap();
        files.rename(&old, &moved).unwrap();
        assert_eq!([&old, &new, &moved].map(|path| content(path)), [None, Some("new".into()), Some("old".into())]);
        files.rename(&new, &old).unwrap();
        files.remove(&moved).unwrap();
        assert_eq!(content(&old).unwrap(), "new");
        assert_eq!(files.list(directory.path()).unwrap(), ["old"]);
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(!new.exists());
    }
}
