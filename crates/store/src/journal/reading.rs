//! Reading the indexes of all segments at start.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use super::buckets::{Buckets, Found};
use super::index::Index;
use super::record::Kind;
use super::scan::scan;
use super::segment::{Segment, index_path, segment_path};
use crate::error::FileError;
use crate::files::Files;

/// A segment that was read.
pub(super) struct ReadSegment {
    pub(super) segment: Arc<Segment>,
    /// Length in bytes.
    pub(super) length: u64,
    /// Messages that were ever put into it.
    pub(super) puts: usize,
    /// A sequence number after those of its records.
    pub(super) next_sequence: u64,
    /// Bytes that are not sound, of one that had no index.
    pub(super) damaged: u64,
    /// Bytes of a write that did not end.
    pub(super) torn: u64,
    /// It had no index, and no record was found.
    pub(super) is_blank: bool,
    /// Messages of its index that the file does not hold any more.
    pub(super) cut_off: usize,
}

/// Reads the segments with these numbers. Returns them in their order, and their records as each thread found them.
pub(super) fn read_segments(
    files: &Arc<dyn Files>,
    directory: &Path,
    numbers: &[u64],
) -> Result<(Vec<ReadSegment>, Vec<Buckets>), FileError> {
    let next = AtomicUsize::new(0);
    let (read, segments) = channel();
    let of_each_thread = thread::scope(|scope| {
        // Without that thread it takes longer, and nothing else.
        let _ = thread::Builder::new().spawn_scoped(scope, || expect(files, directory, numbers));
        rayon::broadcast(|threads| {
            let (mut index, mut buckets) = (Index::default(), Buckets::default());
            loop {
                let position = next.fetch_add(1, Ordering::Relaxed);
                let Some(number) = numbers.get(position) else { return buckets };
                let mut segment = read_segment(files, directory, *number, &mut index);
                if let Ok(segment) = &mut segment {
                    if buckets.is_empty() {
                        buckets.reserve(index.len() * numbers.len() / threads.num_threads());
                    }
                    segment.look_through(position, &index, &mut buckets);
                }
                let _ = read.send((position, segment));
            }
        })
    });
    drop(read);
    let mut segments: Vec<_> = segments.into_iter().collect();
    segments.sort_unstable_by_key(|(position, _)| *position);
    let segments = segments.into_iter().map(|(_, segment)| segment).collect::<Result<_, _>>()?;
    Ok((segments, of_each_thread))
}

/// The system fetches the indexes from the disk before they are read, many at a time.
fn expect(files: &Arc<dyn Files>, directory: &Path, numbers: &[u64]) {
    for number in numbers {
        files.expect(&index_path(directory, *number));
    }
}

/// Reads a segment into `index`.
fn read_segment(
    files: &Arc<dyn Files>,
    directory: &Path,
    number: u64,
    index: &mut Index,
) -> Result<ReadSegment, FileError> {
    let segment = Arc::new(Segment::open(files.as_ref(), directory, number)?);
    let (mut damaged, mut torn, mut is_blank) = (0, 0, false);
    if !index.load(files.as_ref(), directory, &segment)? {
        // What a killed process wrote may be in the memory of the system only: from now on it counts as safe.
        let path = segment_path(directory, number);
        let mut file = files.open_append(&path).map_err(FileError::on("open", &path))?;
        file.sync().map_err(FileError::on("sync", &path))?;
        let found = scan(&segment)?;
        if let Some(format) = segment.format() {
            found.index.save(files, directory, number, format)?;
        }
        is_blank = found.index.len() == 0;
        (*index, damaged, torn) = (found.index, found.damaged, found.torn);
    }
    let length = segment.length()?;
    Ok(ReadSegment { segment, length, puts: 0, next_sequence: 0, damaged, torn, is_blank, cut_off: 0 })
}

impl ReadSegment {
    /// Adds its records to the others. `position` is its place among all segments.
    fn look_through(&mut self, position: usize, index: &Index, buckets: &mut Buckets) {
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        let segment = Arc::clone(&self.segment);
        let Some(format) = segment.format() else { return };
        for (offset, header) in index.iter(format) {
            // Numbers are bounded when headers are read.
            self.next_sequence = self.next_sequence.max(header.sequence.saturating_add(1));
            let is_message = matches!(header.kind, Kind::Message { .. });
            if is_message && u64::from(offset).saturating_add(format.record_length(&header)) > self.length {
                self.cut_off += 1;
                continue;
            }
            self.puts += usize::from(is_message);
            buckets.add(Found { header, offset, segment: position });
        }
    }
}
