//! A disk in memory that can be switched off at any operation, and what is found on it afterwards.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Access, Aside, Destination, Files, Found, LogFile, ReadAt, SlotFile};

type Names = BTreeMap<PathBuf, usize>;

/// A disk in memory; clones are the same disk. Directories exist as soon as they are named.
#[derive(Debug, Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    files: Vec<Content>,
    names: Names,
    /// Files that are mounted by themselves: they cannot be renamed, replaced or removed.
    mounted: Vec<PathBuf>,
    /// Names after the last sync of the directory, then after each change since.
    history: Vec<Names>,
    /// Changing operations that still succeed; `None`: all.
    remaining: Option<u64>,
    /// Changing operations so far.
    done: u64,
    /// An operation has failed because none remained.
    stopped: bool,
}

#[derive(Debug, Clone, Default)]
struct Content {
    current: Vec<u8>,
    synced: Vec<u8>,
}

/// What became of writes that were not synced when the power failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsynced {
    Kept,
    Torn,
    Lost,
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk with these files, all safely stored.
    pub fn with_files<'a>(files: impl IntoIterator<Item = (&'a Path, Vec<u8>)>) -> Self {
        let disk = Self::new();
        {
            let mut contents = disk.lock();
            for (path, content) in files {
                contents.files.push(Content { current: content.clone(), synced: content });
                let file = contents.files.len() - 1;
                contents.names.insert(path.to_path_buf(), file);
            }
            contents.history = vec![contents.names.clone()];
        }
        disk
    }

    /// The file of this name is mounted by itself from now on; on disks that are found afterwards it is not.
    pub fn mount(&self, path: &Path) {
        self.lock().mounted.push(path.to_path_buf());
    }

    /// After `operations` more changes every operation fails: the process was killed or the power failed.
    pub fn stop_after(&self, operations: u64) {
        self.lock().remaining = Some(operations);
    }

    /// Number of changing operations so far.
    pub fn operations(&self) -> u64 {
        self.lock().done
    }

    /// Content of a file.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let contents = self.lock();
        contents.names.get(path).map(|&file| contents.files[file].current.clone())
    }

    /// All paths.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.lock().names.keys().cloned().collect()
    }

    /// The disk as the next process finds it if only the process was killed.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let contents = self.lock();
        contents.image(&contents.names, Unsynced::Kept)
    }

    /// The disks that may be found after the power failed: any number of the latest unsynced changes of names is
    /// missing, and unsynced writes are there, half there or missing.
    pub fn after_power_loss(&self) -> Vec<Self> {
        let contents = self.lock();
        let fates = [Unsynced::Kept, Unsynced::Torn, Unsynced::Lost];
        contents.history.iter().flat_map(|names| fates.map(|fate| contents.image(names, fate))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn image(&self, names: &Names, unsynced: Unsynced) -> SimulatedDisk {
        SimulatedDisk::with_files(names.iter().map(|(path, &file)| {
            let Content { current, synced } = &self.files[file];
            let content = match unsynced {
                Unsynced::Lost => synced.clone(),
                Unsynced::Torn if current.len() > synced.len() => {
                    current[..usize::midpoint(synced.len(), current.len())].to_vec()
                }
                Unsynced::Torn | Unsynced::Kept => current.clone(),
            };
            (path.as_path(), content)
        }))
    }

    fn running(&self) -> io::Result<()> {
        if self.remaining == Some(0) { Err(io::Error::other("the machine stopped")) } else { Ok(()) }
    }

    fn change(&mut self) -> io::Result<()> {
        self.running()?;
        self.stopped = false;
        self.remaining = self.remaining.map(|n| n - 1);
        self.done += 1;
        Ok(())
    }

    fn names_changed(&mut self) {
        if self.history.is_empty() {
            self.history.push(Names::new());
        }
        self.history.push(self.names.clone());
    }

    fn free(&self, path: &Path) -> io::Result<()> {
        if self.mounted.iter().any(|mounted| mounted == path) {
            Err(io::ErrorKind::ResourceBusy.into())
        } else {
            Ok(())
        }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn find_or_add(&mut self, path: &Path) -> io::Result<usize> {
        self.running()?;
        if let Ok(file) = self.find(path) {
            return Ok(file);
        }
        self.change()?;
        Ok(self.add(path))
    }

    fn add(&mut self, path: &Path) -> usize {
        self.files.push(Content::default());
        let file = self.files.len() - 1;
        self.names.insert(path.to_path_buf(), file);
        self.names_changed();
        file
    }
}

impl Files for SimulatedDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let contents = self.lock();
        contents.running()?;
        let file = contents.find(path)?;
        Ok(Box::new(Cursor::new(contents.files[file].current.clone())))
    }

    fn open_read_at(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        let contents = self.lock();
        contents.running()?;
        let file = contents.find(path)?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn expect(&self, _: &Path) {}

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let file = self.lock().find_or_add(path)?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn open_slots(&self, path: &Path) -> io::Result<Box<dyn SlotFile>> {
        let file = self.lock().find_or_add(path)?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let mut contents = self.lock();
        contents.change()?;
        let file = contents.add(path);
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn destination(&self, path: &Path) -> io::Result<Destination> {
        let found = if self.exists(path)? { Found::File } else { Found::Nothing };
        Ok(Destination { path: path.to_path_buf(), found })
    }

    fn create_aside(&self, aside: &Path, _: &Path, _: Access) -> io::Result<Aside> {
        if self.exists(aside)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(Aside { file: self.create(aside)?, is_alike: true })
    }

    fn rewrite(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let mut contents = self.lock();
        contents.change()?;
        let file = contents.find(path)?;
        contents.files[file].current.clear();
        drop(contents);
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut contents = self.lock();
        contents.free(from)?;
        contents.free(to)?;
        contents.change()?;
        let file = contents.find(from)?;
        contents.names.remove(from);
        contents.names.insert(to.to_path_buf(), file);
        contents.names_changed();
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut contents = self.lock();
        contents.free(path)?;
        contents.change()?;
        contents.find(path)?;
        contents.names.remove(path);
        contents.names_changed();
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let contents = self.lock();
        contents.running()?;
        Ok(contents.find(path).is_ok())
    }

    fn create_directory(&self, _: &Path) -> io::Result<()> {
        self.lock().running()
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let contents = self.lock();
        contents.running()?;
        let inside = contents.names.keys().filter(|path| path.parent() == Some(directory));
        Ok(inside.filter_map(|path| path.file_name().map(OsString::from)).collect())
    }

    fn sync_directory(&self, _directory: &Path) -> io::Result<()> {
        let mut contents = self.lock();
        contents.change()?;
        contents.history = vec![contents.names.clone()];
        Ok(())
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

impl ReadAt for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        LogFile::length(self)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let contents = self.disk.lock();
        contents.running()?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let content = contents.files[self.file].current.get(start..).unwrap_or_default();
        let source = content.get(..buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(source);
        Ok(())
    }
}

impl SlotFile for SimulatedFile {
    /// A write that the stop of the machine interrupts stores half of its bytes.
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut contents = self.disk.lock();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let stopped = contents.change().err();
        let interrupts = stopped.is_some() && !std::mem::replace(&mut contents.stopped, true);
        let written = match (&stopped, interrupts) {
            (None, _) => bytes,
            (Some(_), true) => &bytes[..bytes.len() / 2],
            (Some(_), false) => &[],
        };
        let content = &mut contents.files[self.file].current;
        if !written.is_empty() {
            content.resize(content.len().max(start + written.len()), 0);
            content[start..start + written.len()].copy_from_slice(written);
        }
        stopped.map_or(Ok(()), Err)
    }

    fn sync(&mut self) -> io::Result<()> {
        LogFile::sync(self)
    }
}

impl LogFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        let contents = self.disk.lock();
        contents.running()?;
        Ok(u64::try_from(contents.files[self.file].current.len()).unwrap_or(u64::MAX))
    }

    /// A write that the stop of the machine interrupts stores half of its bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut contents = self.disk.lock();
        if let Err(stopped) = contents.change() {
            if !std::mem::replace(&mut contents.stopped, true) {
                contents.files[self.file].current.extend_from_slice(&bytes[..bytes.len() / 2]);
            }
            return Err(stopped);
        }
        contents.files[self.file].current.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut contents = self.disk.lock();
        contents.change()?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        contents.files[self.file].current.truncate(length);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut contents = self.disk.lock();
        contents.change()?;
        let content = &mut contents.files[self.file];
        content.synced.clone_from(&content.current);
        Ok(())
    }
}
