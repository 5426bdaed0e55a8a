//! Segments: the files of the journal, and the places in them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::format::{Format, SEGMENT_HEADER_LENGTH, SegmentKey};
use super::key_table::{QueueKey, SEAL_LENGTH, does_not_open};
use super::record::{HEADER_LENGTH, Header};
use crate::error::FileError;
use crate::files::{Files, ReadAt};

/// Ending of a file of records.
const SEGMENT: &str = "segment";
/// Ending of the copy of its headers.
const INDEX: &str = "index";
/// Ending of one that cannot be read any more, and is kept for whoever can mend it.
const UNREADABLE: &str = "unreadable";
/// Digits of a number in a name.
const NUMBER_LENGTH: usize = 16;
/// The greatest number that can be followed by another one.
const LAST_NUMBER: u64 = 9_999_999_999_999_998;
/// Bytes by which the form of records is known.
const LONGEST_START: usize = 80;

/// A file of records. It can be read as long as a message is in it, whether or not it still has a name.
pub struct Segment {
    number: u64,
    path: PathBuf,
    file: Box<dyn ReadAt>,
    /// `None`: not known, and no record can be read.
    format: Option<Format>,
    messages: AtomicUsize,
}

impl Segment {
    /// Opens a segment.
    pub fn open(files: &dyn Files, directory: &Path, number: u64) -> Result<Self, FileError> {
        let mut segment = Self::of(files, directory, number, None)?;
        let mut start = [0; LONGEST_START];
        let length = usize::try_from(segment.length()?).map_or(LONGEST_START, |length| length.min(LONGEST_START));
        segment.read(&mut start[..length], 0)?;
        segment.format = Format::of(&start[..length]);
        Ok(segment)
    }

    /// Opens a segment that was made with this key.
    pub fn made(files: &dyn Files, directory: &Path, number: u64, key: &Arc<SegmentKey>) -> Result<Self, FileError> {
        Self::of(files, directory, number, Some(Format::Keyed(Arc::clone(key))))
    }

    fn of(files: &dyn Files, directory: &Path, number: u64, format: Option<Format>) -> Result<Self, FileError> {
        let path = segment_path(directory, number);
        let file = files.open_read_at(&path).map_err(FileError::on("read", &path))?;
        Ok(Self { number, path, file, format, messages: AtomicUsize::new(0) })
    }

    /// The form of its records.
    pub fn format(&self) -> Option<&Format> {
        self.format.as_ref()
    }

    /// Whether there are records in it that nobody can read, because its beginning is damaged.
    pub fn is_unreadable(&self) -> Result<bool, FileError> {
        Ok(self.format.is_none() && self.length()? >= (SEGMENT_HEADER_LENGTH + HEADER_LENGTH) as u64)
    }

    /// Segments are numbered in the order of their creation.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of messages in it that are used or wait to be.
    pub fn messages(&self) -> usize {
        self.messages.load(Ordering::Acquire)
    }

    /// Counts messages that are used or wait to be.
    pub(super) fn hold(&self, messages: usize) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
    }

    /// Counts one of them no more.
    pub(super) fn release(&self) {
        self.messages.fetch_sub(1, Ordering::Release);
    }

    /// Length in bytes.
    pub fn length(&self) -> Result<u64, FileError> {
        self.file.length().map_err(FileError::on("read the length of", &self.path))
    }

    /// Fills the buffer.
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), FileError> {
        self.file.read_exact_at(buffer, offset).map_err(FileError::on("read", &self.path))
    }
}

/// A segment that has a message: it stays as long as that is used.
struct Used(Arc<Segment>);

impl Used {
    fn new(segment: &Arc<Segment>) -> Self {
        segment.hold(1);
        Self(Arc::clone(segment))
    }
}

impl Clone for Used {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A body in the journal: 32 bytes that name it. Cloning shares it.
#[derive(Clone)]
pub struct Filed {
    segment: Used,
    checksum: u64,
    /// Where its record begins.
    offset: u32,
    /// As it is stored.
    length: u16,
    /// Opens a sealed body.
    key: Option<Arc<QueueKey>>,
}

impl Filed {
    pub(super) fn new(segment: &Arc<Segment>, offset: u32, header: &Header) -> Self {
        let Header { body_length: length, body_checksum: checksum, .. } = *header;
        Self { segment: Used::new(segment), checksum, offset, length, key: None }
    }

    /// The same place, opened with this key.
    #[must_use]
    pub(super) fn opened_with(self, key: Option<Arc<QueueKey>>) -> Self {
        Self { key, ..self }
    }

    /// Another place of the same body.
    #[must_use]
    pub fn moved_to(&self, place: Self) -> Self {
        place.opened_with(self.key.clone())
    }

    /// The file that it is in.
    pub fn path(&self) -> &Path {
        self.segment.0.path()
    }

    /// Number of bytes of the body.
    pub fn length(&self) -> usize {
        usize::from(self.length) - if self.key.is_some() { SEAL_LENGTH } else { 0 }
    }

    /// Reads the body, compares it with its checksum, and opens it if it is sealed. One that differs or does not open is an error of
    /// kind [`io::ErrorKind::InvalidData`].
    pub fn read(&self) -> Result<Vec<u8>, FileError> {
        let stored = self.read_stored()?;
        match &self.key {
            None => Ok(stored),
            Some(key) => {
                let failed = |_| FileError::new("read", self.segment.0.path(), does_not_open());
                key.open(stored).map_err(failed)
            }
        }
    }

    /// The body as it is stored.
    pub fn read_stored(&self) -> Result<Vec<u8>, FileError> {
        let segment = &self.segment.0;
        let mut body = vec![0; self.length.into()];
        if let Some(format) = segment.format() {
            let offset = u64::from(self.offset) + format.header_length() as u64;
            segment.read(&mut body, offset)?;
            if format.body_checksum(offset, &body) == self.checksum {
                return Ok(body);
            }
        }
        let source = io::Error::new(io::ErrorKind::InvalidData, "a message differs from its checksum");
        Err(FileError::new("read", segment.path(), source))
    }
}

/// Whether they are the same place.
impl PartialEq for Filed {
    fn eq(&self, other: &Self) -> bool {
        self.segment.0.number == other.segment.0.number && self.offset == other.offset
    }
}

impl Eq for Filed {}

/// Path of a segment.
pub fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016}.{SEGMENT}"))
}

/// Path of the index of a segment.
pub fn index_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016}.{INDEX}"))
}

/// Path of a segment that cannot be read any more.
pub fn unreadable_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016}.{UNREADABLE}"))
}

/// Numbers of the segments in a directory, in their order; none if there is no such directory.
pub fn segment_numbers(files: &dyn Files, directory: &Path) -> Result<Vec<u64>, FileError> {
    let names = match files.list(directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::new("list", directory, error)),
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name.to_str()?)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The number in the name of a segment. Files with other names are none of ours.
fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SEGMENT)?.strip_suffix('.')?;
    let is_number = digits.len() == NUMBER_LENGTH && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| is_number && *number <= LAST_NUMBER)
}
