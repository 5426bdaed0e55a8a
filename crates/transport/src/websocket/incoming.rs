//! What the bytes from the peer mean.

use std::io::Cursor;

use smp_protocol::block::BLOCK_SIZE;
use thiserror::Error;
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::mask::Mask;
use super::{MAX_CONTROL, MAX_HEADER};

/// The frames from the peer, of which one at a time is on its way.
pub(super) struct Incoming {
    role: Role,
    state: State,
    /// Bytes of the unfinished message, the frame on its way included; `None` if there is no such message.
    message: Option<usize>,
}

enum State {
    Header { bytes: [u8; MAX_HEADER], filled: usize },
    Block { left: usize, mask: Mask },
    Control(ControlFrame),
    Ended,
}

struct ControlFrame {
    kind: Control,
    payload: [u8; MAX_CONTROL],
    length: usize,
    filled: usize,
    mask: Mask,
}

/// What is to be read next.
pub(super) enum Wanted<'a> {
    /// Up to so many bytes of a block.
    Block(usize),
    /// Bytes for this place, see [`Incoming::framing_read`].
    Framing(&'a mut [u8]),
    /// Nothing: the peer has closed, or broken the rules.
    Nothing,
}

/// What the peer asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// An answer with this payload.
    Ping(Vec<u8>),
    /// An echo of this close.
    Close(Option<CloseCode>),
}

/// Why reading fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Violation {
    #[error("a WebSocket frame breaks the rules of RFC 6455")]
    Frame,
    #[error("a WebSocket message does not have the size of a block")]
    BlockSize,
}

impl Violation {
    /// What the peer is told.
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::Frame => CloseCode::Protocol,
            Self::BlockSize => CloseCode::Policy,
        }
    }
}

impl State {
    const HEADER: Self = Self::Header { bytes: [0; MAX_HEADER], filled: 0 };
}

impl Incoming {
    pub fn new(role: Role) -> Self {
        Self { role, state: State::HEADER, message: None }
    }

    /// What comes next.
    pub fn wanted(&mut self) -> Wanted<'_> {
        match &mut self.state {
            // The first two bytes tell how many follow; one at a time never takes what is behind the header.
            State::Header { bytes, filled } => Wanted::Framing(&mut bytes[*filled..(*filled + 1).max(2)]),
            State::Block { left, .. } => Wanted::Block(*left),
            State::Control(frame) => Wanted::Framing(&mut frame.payload[frame.filled..frame.length]),
            State::Ended => Wanted::Nothing,
        }
    }

    /// These are the next bytes of the block; they are unmasked in place.
    pub fn block_read(&mut self, bytes: &mut [u8]) {
        if let State::Block { left, mask } = &mut self.state {
            mask.apply(bytes);
            *left -= bytes.len();
            if *left == 0 {
                self.state = State::HEADER;
            }
        }
    }

    /// So many bytes were read to their place.
    pub fn framing_read(&mut self, length: usize) -> Result<Option<Signal>, Violation> {
        let result = self.next(length);
        if matches!(result, Err(_) | Ok(Some(Signal::Close(_)))) {
            self.state = State::Ended;
        }
        result
    }

    fn next(&mut self, length: usize) -> Result<Option<Signal>, Violation> {
        match &mut self.state {
            State::Header { bytes, filled } => {
                *filled += length;
                let header = FrameHeader::parse(&mut Cursor::new(&bytes[..*filled])).map_err(|_| Violation::Frame)?;
                header.map_or(Ok(None), |(header, length)| self.begin(&header, length))
            }
            State::Control(frame) => {
                frame.filled += length;
                self.end_control()
            }
            State::Block { .. } | State::Ended => Ok(None),
        }
    }

    fn begin(&mut self, header: &FrameHeader, length: u64) -> Result<Option<Signal>, Violation> {
        // Clients mask, servers do not.
        if header.rsv1 || header.rsv2 || header.rsv3 || header.mask.is_some() != (self.role == Role::Server) {
            return Err(Violation::Frame);
        }
        let mask = header.mask.map_or_else(Mask::default, Mask::from);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match header.opcode {
            OpCode::Data(kind) => self.begin_data(kind, header.is_final, length, mask).map(|()| None),
            OpCode::Control(kind) if header.is_final && length <= MAX_CONTROL => {
                let payload = [0; MAX_CONTROL];
                self.state = State::Control(ControlFrame { kind, payload, length, filled: 0, mask });
                self.end_control()
            }
            OpCode::Control(_) => Err(Violation::Frame),
        }
    }

    /// A block is passed on while it arrives. If its message has not ended with it, only empty fragments may follow.
    fn begin_data(&mut self, kind: Data, is_final: bool, length: usize, mask: Mask) -> Result<(), Violation> {
        let before = match (kind, self.message) {
            (Data::Text | Data::Binary, None) => 0,
            (Data::Continue, Some(received)) => received,
            _ => return Err(Violation::Frame),
        };
        let received = before.saturating_add(length);
        if received > BLOCK_SIZE || (is_final && received < BLOCK_SIZE) {
            return Err(Violation::BlockSize);
        }
        self.message = (!is_final).then_some(received);
        self.state = if length == 0 { State::HEADER } else { State::Block { left: length, mask } };
        Ok(())
    }

    fn end_control(&mut self) -> Result<Option<Signal>, Violation> {
        let State::Control(frame) = &mut self.state else { return Ok(None) };
        let payload = &mut frame.payload[..frame.length];
        if frame.filled < payload.len() {
            return Ok(None);
        }
        frame.mask.apply(payload);
        let signal = match frame.kind {
            Control::Ping => Some(Signal::Ping(payload.to_vec())),
            Control::Close => Some(Signal::Close(close_code(payload)?)),
            Control::Pong | Control::Reserved(_) => None,
        };
        self.state = State::HEADER;
        Ok(signal)
    }
}

/// Why the peer closes. The text behind the code is not looked at.
fn close_code(payload: &[u8]) -> Result<Option<CloseCode>, Violation> {
    match payload {
        [] => Ok(None),
        [high, low, ..] => {
            let code = CloseCode::from(u16::from_be_bytes([*high, *low]));
            if code.is_allowed() { Ok(Some(code)) } else { Err(Violation::Frame) }
        }
        [_] => Err(Violation::Frame),
    }
}
