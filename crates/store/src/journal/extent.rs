//! Which segments there should be, so that one that somebody has removed or emptied is missed.
//!
//! File `extent`, changed in place, because space is freed when the disk is full. Integers are little-endian:
//!
//! | Bytes | Content |
//! |---|---|
//! | 0..8 | number of the oldest segment |
//! | 8..16 | number after that of the youngest one |
//! | 16..20 | CRC-32 of bytes 0..16 |
//!
//! A segment is entered when something was written to it and struck out before it is removed: one that is entered exists and is
//! not empty. A file that is missing or damaged tells nothing.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::atomic_file::sync_parent;
use crate::error::FileError;
use crate::files::{Files, SlotFile};

const EXTENT: &str = "extent";
const CHECKED: usize = 16;
const LENGTH: usize = CHECKED + 4;

/// The numbers of all segments, in memory and in their file.
pub(super) struct Extent {
    files: Arc<dyn Files>,
    path: PathBuf,
    file: Option<Box<dyn SlotFile>>,
    numbers: Range<u64>,
}

impl Extent {
    /// Reads the file in a directory, which need not exist.
    pub(super) fn open(files: &Arc<dyn Files>, directory: &Path) -> Result<Self, FileError> {
        let path = directory.join(EXTENT);
        let numbers = match files.open_read_at(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0..0,
            Err(error) => return Err(FileError::new("read", &path, error)),
            Ok(file) => {
                let mut bytes = [0; LENGTH];
                file.read_exact_at(&mut bytes, 0).ok().and_then(|()| decode(&bytes)).unwrap_or(0..0)
            }
        };
        Ok(Self { files: Arc::clone(files), path, file: None, numbers })
    }

    /// The numbers that are not among these, which are in their order.
    pub(super) fn missing_among(&self, found: &[u64]) -> Vec<u64> {
        let of_found = found.first().map_or(0, |first| *first)..found.last().map_or(0, |last| *last + 1);
        let expected = if self.numbers.is_empty() { of_found } else { self.numbers.clone() };
        let some = expected.take(found.len().saturating_add(MOST_MISSING));
        some.filter(|number| found.binary_search(number).is_err()).collect()
    }

    /// Whether something was written to the segment with this number.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    /// The segment with this number is removed.
    pub(super) fn strike_out(&mut self, number: u64) -> Result<(), FileError> {
        if self.contains(number) { self.set(number + 1..self.numbers.end) } else { Ok(()) }
    }

    /// The segments from the one number to before the other one exist.
    pub(super) fn set(&mut self, numbers: Range<u64>) -> Result<(), FileError> {
        if numbers == self.numbers {
            return Ok(());
        }
        let path = self.path.clone();
        let file = self.file()?;
        file.write_all_at(&encode(&numbers), 0).map_err(FileError::on("write", &path))?;
        file.sync().map_err(FileError::on("sync", &path))?;
        self.numbers = numbers;
        Ok(())
    }

    fn file(&mut self) -> Result<&mut Box<dyn SlotFile>, FileError> {
        match &mut self.file {
            Some(file) => Ok(file),
            file => {
                let opened = self.files.open_slots(&self.path).map_err(FileError::on("open", &self.path))?;
                sync_parent(self.files.as_ref(), &self.path)?;
                Ok(file.insert(opened))
            }
        }
    }
}

/// Of more than so many the rest is not named.
const MOST_MISSING: usize = 100;

fn encode(numbers: &Range<u64>) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(&numbers.start.to_le_bytes());
    bytes[8..CHECKED].copy_from_slice(&numbers.end.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..CHECKED]);
    bytes[CHECKED..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; LENGTH]) -> Option<Range<u64>> {
    let (numbers, checksum) = bytes.split_at(CHECKED);
    if crc32fast::hash(numbers).to_le_bytes() != *checksum {
        return None;
    }
    let (start, end) = numbers.split_at(8);
    Some(u64::from_le_bytes(start.try_into().ok()?)..u64::from_le_bytes(end.try_into().ok()?))
}
