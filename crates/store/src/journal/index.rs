//! The index of a segment: its headers without the bodies, so that a start need not read these.
//!
//! | Bytes | Content, integers little-endian |
//! |---|---|
//! | 0..8 | `SMPJIDX1` |
//! | then 84 per record | offset of the record, 4 bytes, and its header |
//! | last 4 | CRC-32 of everything before |
//!
//! It is written when a segment is complete. One that is missing or damaged is made anew from the segment.

use std::path::Path;
use std::sync::Arc;

use super::record::{HEADER_LENGTH, Header, MAGIC};
use super::segment::{Segment, index_path};
use crate::atomic_file::AtomicFile;
use crate::error::FileError;
use crate::files::Files;

const INDEX_MAGIC: &[u8; 8] = b"SMPJIDX1";
const ENTRY_LENGTH: usize = 4 + HEADER_LENGTH;
const CHECKSUM_LENGTH: usize = 4;

/// Headers of a segment with their offsets, as they are in the index.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<u8>,
}

impl Index {
    /// Adds a record.
    pub fn push(&mut self, offset: u32, header: &[u8; HEADER_LENGTH]) {
        self.entries.extend_from_slice(&offset.to_le_bytes());
        self.entries.extend_from_slice(header);
    }

    /// All records that have a sound header, with their offsets.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Header)> {
        let (entries, _) = self.entries.as_chunks::<ENTRY_LENGTH>();
        entries.iter().filter_map(|entry| {
            let (offset, header) = entry.split_first_chunk()?;
            Some((u32::from_le_bytes(*offset), Header::decode_sound(header.try_into().ok()?)?))
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
    pub fn save(&self, files: &Arc<dyn Files>, directory: &Path, number: u64) -> Result<(), FileError> {
        let mut file = AtomicFile::create(Arc::clone(files), &index_path(directory, number))?;
        file.write(|out| {
            out.extend_from_slice(INDEX_MAGIC);
            out.extend_from_slice(&self.entries);
            out.extend_from_slice(&self.checksum());
        })?;
        file.commit()
    }

    /// Replaces what is here by what the file says; whether it is there and sound. If not, nothing is here.
    pub fn load(&mut self, files: &dyn Files, directory: &Path, number: u64) -> Result<bool, FileError> {
        let path = index_path(directory, number);
        let sound = files.exists(&path).map_err(FileError::on("look for", &path))? && self.read(files, &path)?;
        if !sound {
            self.entries.clear();
        }
        Ok(sound)
    }

    fn read(&mut self, files: &dyn Files, path: &Path) -> Result<bool, FileError> {
        let file = files.open_read_at(path).map_err(FileError::on("read", path))?;
        let length = file.length().map_err(FileError::on("read the length of", path))?;
        let length = usize::try_from(length).unwrap_or(0);
        let Some(length) = length.checked_sub(INDEX_MAGIC.len() + CHECKSUM_LENGTH) else { return Ok(false) };
        self.entries.resize(length, 0);
        let (mut magic, mut checksum) = ([0; INDEX_MAGIC.len()], [0; CHECKSUM_LENGTH]);
        let mut offset = 0;
        for part in [&mut magic[..], &mut self.entries, &mut checksum] {
            file.read_exact_at(part, offset).map_err(FileError::on("read", path))?;
            offset += part.len() as u64;
        }
        Ok(magic == *INDEX_MAGIC && length % ENTRY_LENGTH == 0 && self.checksum() == checksum)
    }

    fn checksum(&self) -> [u8; CHECKSUM_LENGTH] {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(INDEX_MAGIC);
        checksum.update(&self.entries);
        checksum.finalize().to_le_bytes()
    }
}

/// What reading a segment without its index found.
#[derive(Debug, Default)]
pub struct Scan {
    /// The sound records.
    pub index: Index,
    /// Bytes between sound records that are none, and records whose body differs from its checksum.
    pub damaged: usize,
    /// Bytes after the last sound record: a write that did not end.
    pub torn: usize,
}

/// Reads a whole segment. After a damaged place it goes on with the next sound record.
pub fn scan(segment: &Segment) -> Result<Scan, FileError> {
    let mut content = vec![0; usize::try_from(segment.length()?).unwrap_or(0)];
    segment.read(&mut content, 0)?;
    let (mut found, mut position, mut end) = (Scan::default(), 0, 0);
    while let Some(start) = find(&content, position) {
        let Some((header, length)) = sound_record(&content[start..]) else {
            position = start + 1;
            continue;
        };
        found.damaged += start - end;
        found.index.push(u32::try_from(start).unwrap_or(u32::MAX), &header.encode());
        position = start + length;
        end = position;
    }
    found.torn = content.len() - end;
    Ok(found)
}

fn find(content: &[u8], position: usize) -> Option<usize> {
    let rest = content.get(position..)?;
    rest.windows(MAGIC.len()).position(|window| *window == MAGIC).map(|found| position + found)
}

fn sound_record(bytes: &[u8]) -> Option<(Header, usize)> {
    let header = Header::decode(bytes.first_chunk()?)?;
    let length = header.record_length();
    let body = bytes.get(HEADER_LENGTH..length)?;
    (crc32fast::hash(body) == header.body_checksum).then_some((header, length))
}
