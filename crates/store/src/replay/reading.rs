//! Lines on their way from the file to where they are applied.

use std::io::{self, BufRead};

use crate::lines::{Line, Lines};
use crate::log_record::{LogRecord, ParseError};

/// Bytes taken at a time: handing them over costs next to nothing, and they stay in the cache of a processor until they are applied.
const CHUNK: usize = 512 * 1024;

/// Some lines of the file.
#[derive(Default)]
pub(super) struct Chunk {
    text: Vec<u8>,
    ends: Vec<End>,
    first: u64,
}

/// Where a line ends in the text of its chunk, and how it ended in the file.
struct End {
    at: usize,
    terminated: bool,
    cut: bool,
}

impl Chunk {
    /// Takes the next lines in place of those that are here. Returns whether there were any.
    pub(super) fn fill(&mut self, lines: &mut Lines<impl BufRead>) -> io::Result<bool> {
        self.text.clear();
        self.ends.clear();
        while self.text.len() < CHUNK
            && let Some(line) = lines.next()?
        {
            if self.ends.is_empty() {
                self.first = line.number;
            }
            self.text.extend_from_slice(line.content);
            self.ends.push(End { at: self.text.len(), terminated: line.terminated, cut: line.cut });
        }
        Ok(!self.ends.is_empty())
    }

    /// The lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut start = 0;
        (self.first..).zip(&self.ends).map(move |(number, &End { at, terminated, cut })| {
            let content = &self.text[start..at];
            start = at;
            Line { number, content, terminated, cut }
        })
    }
}

/// A CR at the end is ignored: an editor left it there.
pub(super) fn parse(line: Line<'_>) -> Result<LogRecord, ParseError> {
    if line.cut {
        return Err(ParseError { expected: "a line of at most 1 MiB", position: 0 });
    }
    LogRecord::parse(line.content.strip_suffix(b"\r").unwrap_or(line.content))
}
