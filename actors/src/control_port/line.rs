//! Lines of the operator, which may be passwords: what was read is wiped when it is not needed any more.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};
use zeroize::{Zeroize, Zeroizing};

/// Most bytes of a line, its end included.
pub const MAX_LINE: usize = 4096;

/// Reads lines from a connection. They are in no other buffer than this one, which never grows.
pub struct LineReader<R> {
    stream: R,
    buffer: Zeroizing<Box<[u8]>>,
    /// Bytes that were read and belong to no line that was taken.
    filled: usize,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its end; what is not UTF-8 is replaced.
    Text(Zeroizing<String>),
    /// More bytes than a line may have.
    TooLong,
    /// Nothing more will come.
    End,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub fn new(stream: R) -> Self {
        Self { stream, buffer: Zeroizing::new(vec![0; MAX_LINE].into_boxed_slice()), filled: 0 }
    }

    /// The next line. The last one need not be ended.
    pub async fn next(&mut self) -> io::Result<Line> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer[searched..self.filled].iter().position(|byte| *byte == b'\n') {
                return Ok(Line::Text(self.take(searched + end + 1)));
            }
            if self.filled == MAX_LINE {
                return Ok(Line::TooLong);
            }
            searched = self.filled;
            match self.stream.read(&mut self.buffer[self.filled..]).await? {
                0 if self.filled == 0 => return Ok(Line::End),
                0 => return Ok(Line::Text(self.take(self.filled))),
                more => self.filled += more,
            }
        }
    }

    /// Takes the first bytes; what follows them comes to the front.
    fn take(&mut self, length: usize) -> Zeroizing<String> {
        let line = self.buffer[..length].strip_suffix(b"\n").unwrap_or(&self.buffer[..length]);
        let text = text(line.strip_suffix(b"\r").unwrap_or(line));
        self.buffer.copy_within(length..self.filled, 0);
        let rest = self.filled - length;
        self.buffer[rest..self.filled].zeroize();
        self.filled = rest;
        text
    }
}

/// Takes its place once: a text that grew would leave copies behind.
fn text(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * char::REPLACEMENT_CHARACTER.len_utf8()));
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::ReadBuf;

    use super::*;

    /// Bytes that come in pieces.
    struct Pieces(VecDeque<&'static [u8]>);

    impl AsyncRead for Pieces {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if let Some(piece) = self.0.pop_front() {
                let (now, later) = piece.split_at(piece.len().min(buffer.remaining()));
                buffer.put_slice(now);
                if !later.is_empty() {
                    self.0.push_front(later);
                }
            }
            Poll::Ready(Ok(()))
        }
    }

    fn line(text: &str) -> Line {
        Line::Text(Zeroizing::new(text.to_owned()))
    }

    #[tokio::test]
    async fn lines_come_one_by_one_and_leave_nothing_behind() {
        let pieces = [&b"auth sec"[..], b"ret\r\nhelp\n\n\xff", b"x\nrest"];
        let mut reader = LineReader::new(Pieces(pieces.into()));
        assert_eq!(reader.next().await.unwrap(), line("auth secret"));
        let left = |reader: &LineReader<_>| reader.buffer.windows(6).any(|bytes| bytes == b"secret");
        assert!(!left(&reader), "only the next lines are in the buffer");
        for text in ["help", "", "\u{fffd}x", "rest"] {
            assert_eq!(reader.next().await.unwrap(), line(text));
        }
        assert_eq!(reader.next().await.unwrap(), Line::End);
        assert!(reader.buffer.iter().all(|byte| *byte == 0));
    }

    #[tokio::test]
    async fn long_lines_are_refused() {
        const LONGEST: [u8; MAX_LINE] = [b'x'; MAX_LINE];
        let mut reader = LineReader::new(Pieces([&LONGEST[1..], b"\n"].into()));
        assert_eq!(reader.next().await.unwrap(), line(&"x".repeat(MAX_LINE - 1)));
        let mut reader = LineReader::new(Pieces([&LONGEST[..], b"\n"].into()));
        assert_eq!(reader.next().await.unwrap(), Line::TooLong);
    }
}
