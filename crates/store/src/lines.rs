//! Lines of a file, numbered and bounded.

use std::io::{self, BufRead, Read};

/// Longer lines are not kept whole: the longest that a server writes, link data of two times 65535 bytes or four
/// certificates of that size, are far shorter.
pub(crate) const LONGEST_LINE: usize = 1024 * 1024;

/// One line without its LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) content: &'a [u8],
    /// LF found: the line was written completely.
    pub(crate) terminated: bool,
    /// Longer than [`LONGEST_LINE`]: only its start is here.
    pub(crate) cut: bool,
}

/// Reads lines; memory is bounded whatever the file holds.
pub(crate) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), number: 0 }
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let limit = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX).saturating_add(1);
        self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer)?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let mut terminated = self.buffer.last() == Some(&b'\n');
        if terminated {
            self.buffer.pop();
        }
        let cut = self.buffer.len() > LONGEST_LINE;
        if cut {
            terminated = self.skip_rest()?;
        }
        Ok(Some(Line { number: self.number, content: &self.buffer, terminated, cut }))
    }

    fn skip_rest(&mut self) -> io::Result<bool> {
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                return Ok(false);
            }
            if let Some(n) = available.iter().position(|&b| b == b'\n') {
                self.reader.consume(n + 1);
                return Ok(true);
            }
            let n = available.len();
            self.reader.consume(n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ends() {
        let mut lines = Lines::new(&b"a\n\nlast"[..]);
        let line = |number, content, terminated| Some(Line { number, content, terminated, cut: false });
        assert_eq!(lines.next().unwrap(), line(1, b"a", true));
        assert_eq!(lines.next().unwrap(), line(2, b"", true));
        assert_eq!(lines.next().unwrap(), line(3, b"last", false));
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn long_lines_are_cut() {
        let text = [&vec![b'x'; LONGEST_LINE][..], b"\n", &vec![b'y'; 3 * LONGEST_LINE], b"\nz"].concat();
        let mut lines = Lines::new(&text[..]);
        let whole = lines.next().unwrap().unwrap();
        assert!(whole.content.len() == LONGEST_LINE && whole.terminated && !whole.cut);
        let cut = lines.next().unwrap().unwrap();
        assert!(cut.content.len() == LONGEST_LINE + 1 && cut.terminated && cut.cut);
        assert_eq!(lines.next().unwrap().unwrap().content, b"z");
    }
}
