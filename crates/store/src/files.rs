//! The file operations that the store does, behind a trait so that tests can make disks fail.

mod aside;
#[cfg(any(test, feature = "fault-injection"))]
pub mod faulty;
mod rehearsal;
#[cfg(any(test, feature = "fault-injection"))]
pub mod simulated;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

pub(crate) use aside::directory_of;
pub use aside::{Access, Aside, Destination, Found};
pub use rehearsal::RehearsedFiles;

/// A file that grows at its end.
pub trait LogFile: Send {
    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// One write at the end; returns how many of the bytes were written.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts the file to `length` bytes.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Returns when content and length are on disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that is read at any place, by many at once.
pub trait ReadAt: Send + Sync {
    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Fills the buffer with what begins at `offset`.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

/// A file that is changed in place.
pub trait SlotFile: Send {
    /// Writes all of the bytes at `offset`, over what is there; a file that is too short grows.
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Returns when content and length are on disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// Operations on the files of one machine.
pub trait Files: Send + Sync {
    /// Opens an existing file to be read from its start.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;
    /// Opens an existing file to be read at any place; it stays readable when its name is removed.
    fn open_read_at(&self, path: &Path) -> io::Result<Box<dyn ReadAt>>;
    /// Tells the system that a whole file will be read soon. Nothing depends on what it makes of that.
    fn expect(&self, path: &Path);
    /// Opens a file to be appended to; creates it if missing.
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn LogFile>>;
    /// Opens a file to be changed in place; creates it, for the owner alone, if missing.
    fn open_slots(&self, path: &Path) -> io::Result<Box<dyn SlotFile>>;
    /// Creates an empty file in place of whatever has that name.
    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>>;
    /// Follows the symbolic links that the name may be, to where content is to be kept.
    fn destination(&self, path: &Path) -> io::Result<Destination>;
    /// Creates a file that does not exist yet, to take the place of `replaced`, whose mode, owner and group it gets.
    fn create_aside(&self, aside: &Path, replaced: &Path, access: Access) -> io::Result<Aside>;
    /// Opens an existing file, empties it, and keeps it where it is.
    fn rewrite(&self, path: &Path) -> io::Result<Box<dyn LogFile>>;
    /// Renames atomically, replacing `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Whether the file exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// When the content of a file was last changed. Nothing is lost where that cannot be told.
    fn changed_at(&self, path: &Path) -> io::Result<SystemTime> {
        fs::metadata(path)?.modified()
    }
    /// Creates a directory, for the owner alone, if it is missing.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// Names in a directory.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;
    /// Returns when creations, renames and removals in this directory are on disk.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
}

/// The files of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

impl Files for RealFiles {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }

    fn open_read_at(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        Ok(Box::new(File::open(path)?))
    }

    fn expect(&self, path: &Path) {
        if let Ok(file) = File::open(path) {
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::WillNeed);
        }
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(OpenOptions::new().append(true).create(true).open(path)?))
    }

    fn open_slots(&self, path: &Path) -> io::Result<Box<dyn SlotFile>> {
        let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Ok(Box::new(options))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        Ok(Box::new(OpenOptions::new().append(true).create_new(true).open(path)?))
    }

    fn destination(&self, path: &Path) -> io::Result<Destination> {
        aside::destination(path)
    }

    fn create_aside(&self, aside: &Path, replaced: &Path, access: Access) -> io::Result<Aside> {
        aside::create(aside, replaced, access)
    }

    fn rewrite(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(OpenOptions::new().write(true).truncate(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        fs::exists(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(directory)?.map(|entry| entry.map(|e| e.file_name())).collect()
    }

    /// Network file systems that cannot sync directories are trusted to keep names without it.
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        match File::open(directory)?.sync_all() {
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            result => result,
        }
    }
}

impl ReadAt for File {
    fn length(&self) -> io::Result<u64> {
        self.metadata().map(|m| m.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }
}

impl SlotFile for File {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

impl LogFile for File {
    fn length(&self) -> io::Result<u64> {
        self.metadata().map(|m| m.len())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
