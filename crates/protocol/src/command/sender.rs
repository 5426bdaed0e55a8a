//! Commands of the sender, addressed to a sender ID (wire.md §6.3, §6.5).

use std::fmt;

use super::Arguments;
use crate::encoding::{Decoded, Encode, Malformed};
use crate::key::AuthKey;
use crate::message::flags_and_body;

/// What a sender may do with a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderCommand {
    /// `SKEY`: set the sender's key of a messaging queue.
    Secure(AuthKey),
    /// `SEND`
    Send(SendMessage),
}

/// Arguments of `SEND`.
#[derive(Clone, PartialEq, Eq)]
pub struct SendMessage {
    /// Ask for a notification.
    pub notify: bool,
    /// Opaque; what fits a block.
    pub body: Box<[u8]>,
}

impl fmt::Debug for SendMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendMessage({} bytes)", self.body.len())
    }
}

impl SenderCommand {
    pub(super) fn parse(tag: &[u8], arguments: Arguments<'_>) -> Decoded<Self> {
        match tag {
            b"SKEY" => arguments.parse(AuthKey::decode).map(Self::Secure),
            b"SEND" => arguments.parse(|i| {
                let (notify, body) = flags_and_body(i)?;
                Ok(Self::Send(SendMessage { notify, body: body.into() }))
            }),
            _ => Err(Malformed),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Secure(key) => {
                out.put(b"SKEY ");
                key.encode(out);
            }
            Self::Send(message) => {
                out.put(b"SEND ");
                out.put_bool(message.notify);
                out.push(b' ');
                out.put(&message.body);
            }
        }
    }
}
