//! WebSockets over TLS (wire.md §11, RFC 6455): one block is one binary message of 16384 bytes.
//!
//! [`WebSocketStream`] is a stream of bytes to what is above it, so that handshake and blocks are the same with and without
//! it. It passes bytes between TLS and the buffers of the caller and keeps none of its own, unlike the message streams of
//! WebSocket libraries: an idle connection costs a few hundred bytes more than TLS.

mod incoming;
mod mask;
mod outgoing;
mod upgrade;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::Role;

use incoming::{Incoming, Signal, Wanted};
use outgoing::Outgoing;

pub use upgrade::UpgradeError;

/// Bytes of the longest frame header.
const MAX_HEADER: usize = 14;
/// Most bytes in a control frame.
const MAX_CONTROL: usize = 125;

/// A stream of blocks in WebSocket messages.
///
/// Pings are answered and a close is echoed while the stream is read, or at the latest when it is written. Both halves may
/// be used from different tasks. Reading fails when a message is not a block or a frame breaks the rules; the peer is told
/// by a close frame. After a close, what is written is thrown away, as the peer would.
pub struct WebSocketStream<S> {
    stream: S,
    framing: Box<Framing>,
}

struct Framing {
    incoming: Incoming,
    outgoing: Outgoing,
    /// A write waits for `stream`, which wakes only whoever polled it last.
    writer_waits: bool,
}

impl<S> WebSocketStream<S> {
    fn new(stream: S, role: Role) -> Self {
        let framing = Framing { incoming: Incoming::new(role), outgoing: Outgoing::new(role), writer_waits: false };
        Self { stream, framing: Box::new(framing) }
    }
}

impl<S> fmt::Debug for WebSocketStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocketStream")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, framing } = self.get_mut();
        let had_ended = matches!(framing.incoming.wanted(), Wanted::Nothing);
        loop {
            framing.send_controls(stream, cx)?;
            let signal = match framing.incoming.wanted() {
                Wanted::Block(left) => return poll_block(stream, cx, left, buffer, &mut framing.incoming),
                Wanted::Framing(place) => {
                    let mut place = ReadBuf::new(place);
                    ready!(Pin::new(&mut *stream).poll_read(cx, &mut place))?;
                    match place.filled().len() {
                        0 => return Poll::Ready(Ok(())),
                        length => framing.incoming.framing_read(length),
                    }
                }
                Wanted::Nothing if had_ended => return poll_discard(stream, cx),
                Wanted::Nothing => return Poll::Ready(Ok(())),
            };
            match signal {
                Ok(None) => {}
                Ok(Some(Signal::Ping(payload))) => framing.outgoing.pong(payload),
                Ok(Some(Signal::Close(code))) => framing.outgoing.close(code),
                Err(violation) => {
                    framing.outgoing.close(Some(violation.close_code()));
                    framing.send_controls(stream, cx)?;
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, violation)));
                }
            }
        }
    }
}

impl Framing {
    /// Sends what control frames it can without waiting. A writer that waits does it itself.
    fn send_controls<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> io::Result<()> {
        if self.writer_waits {
            return Ok(());
        }
        match self.outgoing.poll_controls(stream, cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    fn note_writer<T>(&mut self, poll: Poll<T>) -> Poll<T> {
        self.writer_waits = poll.is_pending();
        poll
    }
}

fn poll_block<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    left: usize,
    buffer: &mut ReadBuf<'_>,
    incoming: &mut Incoming,
) -> Poll<io::Result<()>> {
    let most = left.min(buffer.remaining());
    let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
    ready!(Pin::new(stream).poll_read(cx, &mut part))?;
    let length = part.filled().len();
    incoming.block_read(part.filled_mut());
    buffer.advance(length);
    Poll::Ready(Ok(()))
}

/// Takes what still comes after the end, so that the peer is not cut off before it has read our last frame.
fn poll_discard<S: AsyncRead + Unpin>(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    let mut bytes = [0; 512];
    loop {
        let mut bytes = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut bytes))?;
        if bytes.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocketStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, framing } = self.get_mut();
        let poll = framing.outgoing.poll_write(stream, cx, bytes);
        framing.note_writer(poll)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, framing } = self.get_mut();
        let poll = framing.outgoing.poll_flush(stream, cx);
        framing.note_writer(poll)
    }

    /// Sends a close frame, unless there was one, and closes `stream`. Does not wait for the echo.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, framing } = self.get_mut();
        let poll = framing.outgoing.poll_shutdown(stream, cx);
        framing.note_writer(poll)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_connection_costs_little() {
        assert!(size_of::<WebSocketStream<()>>() + size_of::<Framing>() <= 512);
    }
}
