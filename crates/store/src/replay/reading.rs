//! Lines on their way from the file to where they are applied.

use std::io::{self, BufRead};
use std::mem;
use std::sync::mpsc::SyncSender;

use crate::lines::{Line, Lines};
use crate::log_record::{LogRecord, ParseError};

/// Batches that may be on their way: they bound the memory.
pub(super) const BATCHES: usize = 4;
/// Lines in a batch, so that handing them over costs next to nothing.
const BATCH: usize = 256;

/// A line that was read.
pub(super) struct ReadLine {
    pub(super) parsed: Result<LogRecord, ParseError>,
    /// The line itself, if it does not parse.
    pub(super) content: Vec<u8>,
    /// It is the last one, and has no end.
    pub(super) torn: bool,
}

/// Reads all lines. Ends early if nobody takes them any more.
pub(super) fn read_lines(reader: impl BufRead, batches: &SyncSender<Vec<ReadLine>>) -> io::Result<()> {
    let mut lines = Lines::new(reader);
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(line) = lines.next()? {
        let parsed = parse(&line);
        let content = if parsed.is_err() { line.content.to_vec() } else { Vec::new() };
        batch.push(ReadLine { parsed, content, torn: !line.terminated });
        if batch.len() == BATCH && batches.send(mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_err() {
            return Ok(());
        }
    }
    let _ = batches.send(batch);
    Ok(())
}

/// A CR at the end is ignored: an editor left it there.
fn parse(line: &Line<'_>) -> Result<LogRecord, ParseError> {
    if line.cut {
        return Err(ParseError { expected: "a line of at most 1 MiB", position: 0 });
    }
    LogRecord::parse(line.content.strip_suffix(b"\r").unwrap_or(line.content))
}
