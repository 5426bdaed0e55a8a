//! The index of a segment: its headers without the bodies, so that a start need not read these.
//!
//! | Bytes | Content, integers little-endian |
//! |---|---|
//! | 0..8 | `SMPJIDX2` |
//! | then 84 per record | offset of the record, 4 bytes, and its header without its checksum |
//! | last 8 | checksum of the entries, with the key of the segment |
//!
//! It is written when a segment is complete. One that is missing or damaged, or of another segment, is made anew from the segment.
//! That of a segment without a key begins with `SMPJIDX1` and ends with a CRC-32 of everything before.

use std::path::Path;
use std::sync::Arc;

use super::format::Format;
use super::record::{FIELDS_LENGTH, Header};
use super::segment::{Segment, index_path};
use crate::atomic_file::AtomicFile;
use crate::error::FileError;
use crate::files::Files;

const MAGIC_LENGTH: usize = 8;
const ENTRY_LENGTH: usize = 4 + FIELDS_LENGTH;
/// Bytes of an index that are read in any case.
const LONGEST_OF_SHORT_SEGMENTS: u64 = 16 << 20;

/// Headers of a segment with their offsets, as they are in the index.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<u8>,
}

impl Index {
    /// Adds a record.
    pub fn push(&mut self, offset: u32, header: &[u8; FIELDS_LENGTH]) {
        self.entries.extend_from_slice(&offset.to_le_bytes());
        self.entries.extend_from_slice(header);
    }

    /// The records with their offsets. What is none is left out.
    pub fn iter(&self, format: &Format) -> impl Iterator<Item = (u32, Header)> {
        let (entries, _) = self.entries.as_chunks::<ENTRY_LENGTH>();
        entries.iter().filter_map(move |entry| {
            let (offset, header) = entry.split_first_chunk()?;
            Some((u32::from_le_bytes(*offset), format.of_index(header.try_into().ok()?)?))
        })
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.entries.len() / ENTRY_LENGTH
    }

    /// Bytes of all entries.
    pub fn length(&self) -> usize {
        self.entries.len()
    }

    /// Writes the file.
    pub fn save(
        &self,
        files: &Arc<dyn Files>,
        directory: &Path,
        number: u64,
        format: &Format,
    ) -> Result<(), FileError> {
        let mut file = AtomicFile::create(Arc::clone(files), &index_path(directory, number))?;
        file.write(|out| {
            out.extend_from_slice(format.index_magic());
            out.extend_from_slice(&self.entries);
            out.extend_from_slice(&format.index_checksum(&self.entries));
        })?;
        file.commit()
    }

    /// Replaces what is here by what the file says; whether it is there and sound. If not, nothing is here.
    pub fn load(&mut self, files: &dyn Files, directory: &Path, segment: &Segment) -> Result<bool, FileError> {
        let path = index_path(directory, segment.number());
        let sound =
            files.exists(&path).map_err(FileError::on("look for", &path))? && self.read(files, &path, segment)?;
        if !sound {
            self.entries.clear();
        }
        Ok(sound)
    }

    fn read(&mut self, files: &dyn Files, path: &Path, segment: &Segment) -> Result<bool, FileError> {
        let Some(format) = segment.format() else { return Ok(false) };
        let file = files.open_read_at(path).map_err(FileError::on("read", path))?;
        let length = file.length().map_err(FileError::on("read the length of", path))?;
        let mut checksum = format.index_checksum(&[]);
        let Some(length) = length.checked_sub((MAGIC_LENGTH + checksum.len()) as u64) else { return Ok(false) };
        // No index is longer than its segment, but the segment may have been cut off since.
        let longest = segment.length()?.max(LONGEST_OF_SHORT_SEGMENTS);
        let Some(length) = usize::try_from(length).ok().filter(|_| length <= longest) else { return Ok(false) };
        self.entries.resize(length, 0);
        let mut magic = [0; MAGIC_LENGTH];
        let mut offset = 0;
        for part in [&mut magic[..], &mut self.entries, &mut checksum] {
            file.read_exact_at(part, offset).map_err(FileError::on("read", path))?;
            offset += part.len() as u64;
        }
        let is_whole = magic == *format.index_magic() && length.is_multiple_of(ENTRY_LENGTH);
        Ok(is_whole && format.index_checksum(&self.entries) == checksum)
    }
}
