//! What is written to the journal, and what is read from it again.

use std::io;
use std::path::Path;

use smp_protocol::id::{MessageId, RecipientId};
use smp_protocol::message::MAX_STORED_BODY;

use super::format::SegmentKey;
use super::key_table::{QueueKey, SEAL_LENGTH};
use super::record::{HEADER_LENGTH, Header, Kind};
use super::segment::Filed;
use crate::error::FileError;
use crate::message_body::MessageBody;
use crate::message_queue::{StoredContent, StoredMessage};

/// Something to be written.
pub enum Entry<'a> {
    /// A message or marker of a queue.
    Put(&'a RecipientId, &'a StoredMessage),
    /// It was taken out.
    Remove(&'a RecipientId, &'a MessageId),
    /// A record goes to the end of the journal.
    Move(&'a Placed, &'a [u8]),
}

/// A record of a message and where its body is.
pub struct Placed {
    pub(super) header: Header,
    /// The body.
    pub body: Filed,
}

impl Placed {
    /// The queue.
    pub fn queue(&self) -> &RecipientId {
        &self.header.queue
    }

    /// The message.
    pub fn message(&self) -> &MessageId {
        &self.header.message
    }

    /// Whether a message or marker that is in a queue now was read from here.
    pub fn is_place_of(&self, message: &StoredMessage) -> bool {
        match &message.content {
            StoredContent::Message { body: MessageBody::Filed(filed), .. } => *filed == self.body,
            StoredContent::Message { .. } => false,
            StoredContent::QuotaMarker => self.header.kind == Kind::QuotaMarker && message.id == self.header.message,
        }
    }
}

impl Entry<'_> {
    /// Bytes of its record, if the body is sealed.
    pub(super) fn length(&self) -> usize {
        HEADER_LENGTH
            + match self {
                Self::Put(_, StoredMessage { content: StoredContent::Message { body, .. }, .. }) => {
                    body.length() + SEAL_LENGTH
                }
                Self::Put(..) | Self::Remove(..) => 0,
                Self::Move(_, body) => body.len(),
            }
    }

    /// Appends its record to `out`, sealed if there is a key.
    pub(super) fn write(
        &self,
        key: Option<&QueueKey>,
        sequence: u64,
        to: &Destination<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Header, FileError> {
        let mut append = |header: Header, body: &[u8]| to.append(header, body, out);
        let (kind, body, queue, message, timestamp) = match self {
            Entry::Move(placed, body) => return append(placed.header, body),
            Entry::Put(queue, message) => match &message.content {
                StoredContent::Message { notify, body } => {
                    (Kind::Message { notify: *notify }, Some(body.read()?), *queue, &message.id, message.timestamp)
                }
                StoredContent::QuotaMarker => (Kind::QuotaMarker, None, *queue, &message.id, message.timestamp),
            },
            Entry::Remove(queue, message) => (Kind::Removal, None, *queue, *message, 0),
        };
        let plain = body.as_deref().unwrap_or_default();
        let sealed = key.map(|key| key.seal(plain));
        let header = Header {
            kind,
            sealed: sealed.is_some(),
            body_length: 0,
            sequence,
            timestamp,
            queue: *queue,
            message: *message,
            body_checksum: 0,
        };
        append(header, sealed.as_deref().unwrap_or(plain))
    }
}

/// Where a record is written.
pub(super) struct Destination<'a> {
    pub(super) segment: &'a Path,
    pub(super) key: &'a SegmentKey,
    pub(super) offset: u32,
}

impl Destination<'_> {
    fn append(&self, mut header: Header, body: &[u8], out: &mut Vec<u8>) -> Result<Header, FileError> {
        let added = if header.sealed { SEAL_LENGTH } else { 0 };
        let length = u16::try_from(body.len()).ok().filter(|_| body.len() <= MAX_STORED_BODY + added);
        header.body_length = length.ok_or_else(|| {
            let text = format!("a message of {} bytes is longer than any can be", body.len());
            FileError::new("append to", self.segment, io::Error::new(io::ErrorKind::InvalidInput, text))
        })?;
        let offset = u64::from(self.offset);
        header.body_checksum = self.key.of_body(offset + HEADER_LENGTH as u64, body);
        out.extend_from_slice(&header.encode(self.key, offset));
        out.extend_from_slice(body);
        Ok(header)
    }
}
