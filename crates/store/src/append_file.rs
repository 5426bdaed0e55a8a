//! A file of whole lines that grows: an append happens completely or not at all.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::FileError;
use crate::files::{Files, LogFile};

pub(crate) struct AppendFile {
    file: Box<dyn LogFile>,
    path: PathBuf,
    /// Where the last whole append ended.
    length: u64,
    /// Something may follow `length`: a failed append that could not be cut off yet.
    ragged: bool,
}

impl AppendFile {
    pub(crate) fn open(files: &dyn Files, path: &Path) -> Result<Self, FileError> {
        let file = files.open_append(path).map_err(FileError::on("open", path))?;
        Self::of(file, path)
    }

    /// Continues a file that is open already and will be found at `path`.
    pub(crate) fn of(file: Box<dyn LogFile>, path: &Path) -> Result<Self, FileError> {
        let length = file.length().map_err(FileError::on("read the length of", path))?;
        Ok(Self { file, path: path.to_path_buf(), length, ragged: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// One write. After a failed or short one the file ends where it ended before; if even that fails, the next append
    /// cuts it first.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.cut_back()?;
        self.ragged = true;
        let error = match self.write_once(bytes) {
            Ok(n) if n == bytes.len() => {
                self.ragged = false;
                self.length += u64::try_from(n).unwrap_or(u64::MAX);
                return Ok(());
            }
            Ok(n) => {
                let text = format!("only {n} of {} bytes were written", bytes.len());
                io::Error::new(io::ErrorKind::WriteZero, text)
            }
            Err(error) => error,
        };
        // The failed write is what the operator must hear about; a failing cut is reported by the next append.
        let _ = self.cut_back();
        Err(FileError::new("append to", &self.path, error))
    }

    fn write_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn cut_back(&mut self) -> Result<(), FileError> {
        if self.ragged {
            self.file.truncate(self.length).map_err(FileError::on("cut off a failed append to", &self.path))?;
            self.ragged = false;
        }
        Ok(())
    }

    /// Cuts off what was appended since the file had this length; if that fails, the next append does it first.
    pub(crate) fn take_back(&mut self, length: u64) {
        self.length = length;
        self.ragged = true;
        let _ = self.cut_back();
    }

    pub(crate) fn sync(&mut self) -> Result<(), FileError> {
        self.file.sync().map_err(FileError::on("sync", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::files::RealFiles;
    use crate::files::faulty::{Fault, FaultyFiles, Operation};

    #[test]
    fn failed_and_short_appends_leave_whole_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
        let mut file = AppendFile::open(&files, &path).unwrap();
        file.append(b"one\n").unwrap();
        faults.fail(Operation::Write, Fault::NoSpace);
        let error = file.append(b"two\n").unwrap_err().to_string();
        assert!(error.contains("append to") && error.contains("log") && error.contains("free some space"), "{error}");
        faults.heal();
        faults.shorten_next_write(2);
        let error = file.append(b"three\n").unwrap_err().to_string();
        assert!(error.contains("only 2 of 6 bytes"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"one\n");
        file.append(b"four\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\nfour\n");
        assert_eq!(file.length(), 9);
    }

    #[test]
    fn what_cannot_be_cut_at_once_is_cut_before_the_next_append() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
        let mut file = AppendFile::open(&files, &path).unwrap();
        faults.shorten_next_write(2);
        faults.fail(Operation::Truncate, Fault::InputOutput);
        assert!(file.append(b"one\n").is_err());
        assert!(file.append(b"two\n").unwrap_err().to_string().contains("cut off"));
        assert_eq!(std::fs::read(&path).unwrap(), b"on");
        faults.heal();
        file.append(b"three\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three\n");
    }
}
