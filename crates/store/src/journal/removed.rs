//! Giving back the space of a segment bit by bit.
//!
//! File systems free a file in one piece, and whatever is synced meanwhile waits: the 64 MiB of a segment took ext4 10 ms, in
//! which no message was accepted. Nobody notices small pieces.

use crate::files::LogFile;

/// A segment that has no name any more. Dropping it gives the rest of its space back at once.
pub struct RemovedSegment {
    /// `None`: it could not be opened, and its space is free already.
    file: Option<Box<dyn LogFile>>,
    length: u64,
    /// Bytes that are freed at once.
    piece: u64,
}

impl RemovedSegment {
    pub(super) fn new(file: Option<Box<dyn LogFile>>, length: u64, piece: u64) -> Self {
        Self { file, length, piece }
    }

    /// Frees a piece from the end, and tells whether there is more. This blocks.
    pub fn free_piece(&mut self) -> bool {
        let Some(file) = &mut self.file else { return false };
        self.length = self.length.saturating_sub(self.piece);
        // What cannot be cut off is freed in one piece.
        file.truncate(self.length).is_ok() && self.length > 0
    }
}
