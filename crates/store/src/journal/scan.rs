//! Reading a segment that has no index.
//!
//! A record that has a sound header is skipped by its length, whatever its body is. Behind a header that is not sound, the next
//! sound one is looked for byte by byte. It has to have a checksum that only this server can make, so that it is never found in
//! bytes that a sender chose. In a segment without a key nothing is looked for: what follows is given up.

use memchr::memmem;

use super::format::Format;
use super::index::Index;
use super::record::{HEADER_LENGTH, MAGIC};
use super::segment::Segment;
use crate::error::FileError;

/// Bytes that are read at once; every record is shorter.
const WINDOW: usize = 1 << 20;

/// More than so many bytes are not the rest of one record.
const LONGEST_RECORD: u64 = 1 << 14;

/// What reading a segment without its index found.
#[derive(Debug, Default)]
pub struct Scan {
    /// The sound records.
    pub index: Index,
    /// Bytes of records that are not sound.
    pub damaged: u64,
    /// Bytes after the last record: a write that did not end.
    pub torn: u64,
}

/// Reads a whole segment.
pub fn scan(segment: &Segment) -> Result<Scan, FileError> {
    let (mut found, length) = (Scan::default(), segment.length()?);
    let Some(format) = segment.format() else {
        // Not even the beginning was written, or all of it is lost.
        let lost = if segment.is_unreadable()? { &mut found.damaged } else { &mut found.torn };
        *lost = length;
        return Ok(found);
    };
    let mut content = Content { segment, length, window: Vec::new(), start: 0 };
    let mut position = format.first_record();
    while position < length {
        let Ok(offset) = u32::try_from(position) else {
            // Nothing is ever written there.
            found.damaged += length - position;
            return Ok(found);
        };
        let Some(header) = format.header(position, content.at(position, format.header_length())?) else {
            let skipped = format.length_of_unknown(position, content.at(position, format.header_length())?);
            let next = match skipped.map(|length| position + length) {
                None => content.next_record(position + 1, format)?,
                next => next,
            };
            let Some(next) = next.filter(|next| *next <= length) else { break };
            found.damaged += next - position;
            position = next;
            continue;
        };
        let record = format.record_length(&header);
        if record > length - position {
            break;
        }
        let body_offset = position + format.header_length() as u64;
        let body = content.at(body_offset, header.body_length.into())?;
        if format.body_checksum(body_offset, body) == header.body_checksum {
            found.index.push(offset, &format.indexed(&header));
        } else {
            found.damaged += record;
        }
        position += record;
    }
    found.give_up(length.saturating_sub(position), format);
    Ok(found)
}

impl Scan {
    /// Nothing sound follows.
    fn give_up(&mut self, rest: u64, format: &Format) {
        // Without a key, sound records may follow that are not looked for.
        let is_damage = matches!(format, Format::Unkeyed) && rest > LONGEST_RECORD;
        let lost = if is_damage { &mut self.damaged } else { &mut self.torn };
        *lost += rest;
    }
}

/// The content of a segment, of which a part is in memory.
struct Content<'a> {
    segment: &'a Segment,
    length: u64,
    window: Vec<u8>,
    /// Where the part begins.
    start: u64,
}

impl Content<'_> {
    /// At least so many bytes at a position, fewer at the end.
    fn at(&mut self, position: u64, length: usize) -> Result<&[u8], FileError> {
        let available = usize::try_from(self.length.saturating_sub(position)).unwrap_or(usize::MAX);
        let length = length.min(available);
        let place = |position: u64, start: u64| usize::try_from(position.checked_sub(start)?).ok();
        let in_window = |window: &[u8], start| place(position, start).is_some_and(|at| window.len() >= at + length);
        if !in_window(&self.window, self.start) {
            self.window.resize(available.min(WINDOW), 0);
            self.start = position;
            self.segment.read(&mut self.window, position)?;
        }
        let at = place(position, self.start).unwrap_or_default();
        Ok(&self.window[at..at + length])
    }

    /// Where the next sound header is.
    fn next_record(&mut self, mut position: u64, format: &Format) -> Result<Option<u64>, FileError> {
        if matches!(format, Format::Unkeyed) {
            return Ok(None);
        }
        while position < self.length {
            let bytes = self.at(position, WINDOW)?;
            for found in memmem::find_iter(bytes, &MAGIC) {
                if format.header(position + found as u64, &bytes[found..]).is_some() {
                    return Ok(Some(position + found as u64));
                }
            }
            // The next one may begin in this part and end in the next.
            let Some(looked_at) = bytes.len().checked_sub(HEADER_LENGTH - 1).filter(|n| *n > 0) else { break };
            position += looked_at as u64;
        }
        Ok(None)
    }
}
