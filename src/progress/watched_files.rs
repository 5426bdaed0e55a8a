//! Files whose reading and writing is shown while it takes long.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smp_store::files::{Access, Aside, Destination, Files, LogFile, ReadAt, RealFiles, SlotFile};

use super::Progress;

/// Files of the operating system. What is read from its start to its end, and what is written anew, is shown until
/// [`Self::rest`].
#[derive(Clone, Default)]
pub struct WatchedFiles {
    rests: Arc<AtomicBool>,
}

impl WatchedFiles {
    /// Shows nothing from now on: the work of a running server has no end.
    pub fn rest(&self) {
        self.rests.store(true, Ordering::Relaxed);
    }

    fn rests(&self) -> bool {
        self.rests.load(Ordering::Relaxed)
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Files for WatchedFiles {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let file = std::fs::File::open(path)?;
        if self.rests() {
            return Ok(Box::new(file));
        }
        let progress = Progress::new(format!("reading {}", name(path)), file.metadata()?.len());
        Ok(Box::new(ReadFile { file, progress }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let file = RealFiles.create(path)?;
        if self.rests() {
            return Ok(file);
        }
        let progress = Progress::endless(format!("writing {}", name(path)));
        Ok(Box::new(WrittenFile { file, progress }))
    }

    fn create_aside(&self, aside: &Path, replaced: &Path, access: Access) -> io::Result<Aside> {
        let Aside { file, is_alike } = RealFiles.create_aside(aside, replaced, access)?;
        if self.rests() {
            return Ok(Aside { file, is_alike });
        }
        let progress = Progress::endless(format!("writing {}", name(replaced)));
        Ok(Aside { file: Box::new(WrittenFile { file, progress }), is_alike })
    }

    fn destination(&self, path: &Path) -> io::Result<Destination> {
        RealFiles.destination(path)
    }

    fn rewrite(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        RealFiles.rewrite(path)
    }

    fn open_read_at(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        RealFiles.open_read_at(path)
    }

    fn expect(&self, path: &Path) {
        RealFiles.expect(path);
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        RealFiles.open_append(path)
    }

    fn open_slots(&self, path: &Path) -> io::Result<Box<dyn SlotFile>> {
        RealFiles.open_slots(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        RealFiles.exists(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        RealFiles.create_directory(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        RealFiles.list(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        RealFiles.sync_directory(directory)
    }
}

struct ReadFile {
    file: std::fs::File,
    progress: Progress,
}

impl Read for ReadFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if count == 0 {
            self.progress.finish();
        } else {
            self.progress.advance(count as u64);
        }
        Ok(count)
    }
}

impl Drop for ReadFile {
    fn drop(&mut self) {
        self.progress.finish();
    }
}

struct WrittenFile {
    file: Box<dyn LogFile>,
    progress: Progress,
}

impl LogFile for WrittenFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.progress.advance(count as u64);
        Ok(count)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }

    /// The file is complete; what is appended later is not shown.
    fn sync(&mut self) -> io::Result<()> {
        self.progress.finish();
        self.file.sync()
    }
}
