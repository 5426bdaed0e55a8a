//! What goes to the peer: blocks, and control frames between them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use smp_protocol::block::BLOCK_SIZE;
use smp_protocol::id::random_bytes;
use tokio::io::AsyncWrite;
use tungstenite::Bytes;
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::MAX_HEADER;
use super::mask::Mask;

/// The frames to the peer, of which one at a time is on its way.
pub(super) struct Outgoing {
    role: Role,
    block: Option<BlockFrame>,
    /// What is left of the control frame on its way.
    control: Bytes,
    /// A control frame was written and not flushed.
    flush_due: bool,
    /// Payload of the pong that goes next. A ping replaces the one before it, so that pings cannot pile up.
    pong: Option<Vec<u8>>,
    /// The close frame that goes next.
    close: Option<Farewell>,
    /// A close frame was sent or goes next: the last frame.
    closed: bool,
}

/// A close frame.
struct Farewell {
    /// `None` in the echo of a close without one.
    code: Option<CloseCode>,
}

impl Outgoing {
    pub fn new(role: Role) -> Self {
        Self { role, block: None, control: Bytes::new(), flush_due: false, pong: None, close: None, closed: false }
    }

    /// A ping is to be answered.
    pub fn pong(&mut self, payload: Vec<u8>) {
        if !self.closed {
            self.pong = Some(payload);
        }
    }

    /// Nothing follows after what is on its way.
    pub fn close(&mut self, code: Option<CloseCode>) {
        if !self.closed {
            self.close = Some(Farewell { code });
            self.closed = true;
        }
    }

    /// Sends the control frames that wait, unless a block is on its way.
    pub fn poll_controls<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.block.is_none() {
            while !self.control.is_empty() {
                let written = ready!(Pin::new(&mut *stream).poll_write(cx, &self.control))?;
                drop(self.control.split_to(at_least_one(written)?));
                self.flush_due = true;
            }
            if self.flush_due {
                ready!(Pin::new(&mut *stream).poll_flush(cx))?;
                self.flush_due = false;
            }
            let Some(frame) = self.next_control() else { break };
            self.control = frame.into();
        }
        Poll::Ready(Ok(()))
    }

    fn next_control(&mut self) -> Option<Vec<u8>> {
        if let Some(payload) = self.pong.take() {
            return Some(control_frame(self.role, Control::Pong, &payload));
        }
        let code = self.close.take()?.code.map(|code| u16::from(code).to_be_bytes());
        Some(control_frame(self.role, Control::Close, code.as_ref().map_or(&[][..], |code| &code[..])))
    }

    /// Sends bytes of blocks.
    pub fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_controls(stream, cx))?;
        if bytes.is_empty() || (self.closed && self.block.is_none()) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let role = self.role;
        let block = self.block.get_or_insert_with(|| BlockFrame::new(role));
        loop {
            let taken = ready!(block.poll_write(stream, cx, bytes))?;
            if taken > 0 {
                if block.left == 0 {
                    self.block = None;
                }
                return Poll::Ready(Ok(taken));
            }
        }
    }

    pub fn poll_flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_controls(stream, cx))?;
        Pin::new(stream).poll_flush(cx)
    }

    /// A block that was left unfinished leaves no place for a close frame.
    pub fn poll_shutdown<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.close(Some(CloseCode::Normal));
        ready!(self.poll_controls(stream, cx))?;
        Pin::new(stream).poll_shutdown(cx)
    }
}

/// The frame of a block on its way.
struct BlockFrame {
    header: [u8; MAX_HEADER],
    /// Bytes of the header that are left, at its end.
    header_left: usize,
    /// Bytes of the block that are left.
    left: usize,
    /// Of a client.
    mask: Option<Mask>,
}

impl BlockFrame {
    fn new(role: Role) -> Self {
        let key = mask_key(role);
        let mut bytes = Vec::with_capacity(MAX_HEADER);
        put_header(OpCode::Data(Data::Binary), key, BLOCK_SIZE, &mut bytes);
        let mut header = [0; MAX_HEADER];
        header[MAX_HEADER - bytes.len()..].copy_from_slice(&bytes);
        Self { header, header_left: bytes.len(), left: BLOCK_SIZE, mask: key.map(Mask::from) }
    }

    /// Writes what is left of the header, and some of `bytes`. Returns how many of `bytes` were taken.
    fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = &bytes[..bytes.len().min(self.left)];
        let mut masked;
        let payload = match self.mask {
            None => bytes,
            Some(mut mask) => {
                masked = [0; BLOCK_SIZE];
                let masked = &mut masked[..bytes.len()];
                masked.copy_from_slice(bytes);
                mask.apply(masked);
                masked
            }
        };
        let header = &self.header[MAX_HEADER - self.header_left..];
        let parts = [IoSlice::new(header), IoSlice::new(payload)];
        let written = at_least_one(ready!(Pin::new(stream).poll_write_vectored(cx, &parts))?)?;
        let of_header = written.min(self.header_left);
        let taken = written - of_header;
        self.header_left -= of_header;
        self.left -= taken;
        if let Some(mask) = &mut self.mask {
            mask.skip(taken);
        }
        Poll::Ready(Ok(taken))
    }
}

/// The mask has to be unpredictable (RFC 6455 §10.3).
fn mask_key(role: Role) -> Option<[u8; 4]> {
    (role == Role::Client).then(random_bytes)
}

fn put_header(opcode: OpCode, mask: Option<[u8; 4]>, length: usize, out: &mut Vec<u8>) {
    let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
    header.format(length as u64, out).expect("writing into memory does not fail");
}

fn control_frame(role: Role, kind: Control, payload: &[u8]) -> Vec<u8> {
    let key = mask_key(role);
    let mut frame = Vec::new();
    put_header(OpCode::Control(kind), key, payload.len(), &mut frame);
    let header = frame.len();
    frame.extend_from_slice(payload);
    if let Some(key) = key {
        Mask::from(key).apply(&mut frame[header..]);
    }
    frame
}

fn at_least_one(written: usize) -> io::Result<usize> {
    if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) }
}
