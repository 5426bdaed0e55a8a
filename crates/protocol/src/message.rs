//! Bodies of MSG and NMSG: what the server encrypts to the recipient (wire.md §8).

use std::fmt;

use crate::block;
use crate::crypto::secret_box::{self, Nonce, TAG_LENGTH};
use crate::encoding::{Decoded, Encode, Malformed, Reader};
use crate::id::MessageId;
use crate::key::DhSecret;

/// Largest body that a queue stores, in bytes, whatever the version of the sender.
pub const MAX_STORED_BODY: usize = 16088;
/// Bytes of every padded plaintext of MSG.
const PADDED: usize = MAX_STORED_BODY + 16 + 2;
/// Bytes of every body of MSG.
pub const SEALED_MESSAGE: usize = PADDED + TAG_LENGTH;
/// Bytes of the padded metadata of NMSG.
const PADDED_META: usize = 128;
/// Bytes of the encrypted metadata of NMSG.
pub const SEALED_META: usize = PADDED_META + TAG_LENGTH;

/// What a recipient finds in a MSG.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// `i64 timestamp ‖ T|F ‖ SP ‖ body`
    Message {
        /// When the server stored it, seconds since 1970.
        timestamp: i64,
        /// The sender asked for a notification.
        notify: bool,
        /// What the sender sent.
        body: Vec<u8>,
    },
    /// `QUOTA SP i64 timestamp`: the queue was full; the sender may send again once this is acknowledged.
    QuotaExceeded {
        /// When the first message was refused, seconds since 1970.
        timestamp: i64,
    },
}

/// Messages never reach a log (behaviour.md I-16).
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { body, .. } => write!(f, "Message({} bytes)", body.len()),
            Self::QuotaExceeded { .. } => f.write_str("QuotaExceeded"),
        }
    }
}

/// A message as stored, to be encrypted to its recipient.
#[derive(Clone, Copy)]
pub enum Plain<'a> {
    /// See [`Content::Message`]; `body` has at most 16088 bytes.
    Message {
        /// Seconds since 1970.
        timestamp: i64,
        /// Notification flag.
        notify: bool,
        /// Body as sent.
        body: &'a [u8],
    },
    /// See [`Content::QuotaExceeded`].
    QuotaExceeded {
        /// Seconds since 1970.
        timestamp: i64,
    },
}

/// Appends the 16122 bytes of an encrypted message body to `out`.
///
/// # Panics
///
/// If the body is longer than [`MAX_STORED_BODY`], which no queue accepts.
pub fn seal_message(secret: &DhSecret, id: &MessageId, plain: Plain<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.put_u16(0);
    match plain {
        Plain::Message { timestamp, notify, body } => {
            out.put_i64(timestamp);
            out.put_bool(notify);
            out.push(b' ');
            out.put(body);
        }
        Plain::QuotaExceeded { timestamp } => {
            out.put(b"QUOTA ");
            out.put_i64(timestamp);
        }
    }
    block::finish_padding(out, start, PADDED);
    out.resize(start + SEALED_MESSAGE, 0);
    secret_box::seal_in_place(secret, id.as_bytes(), &mut out[start..]);
}

/// Decrypts the body of a MSG.
pub fn open_message(secret: &DhSecret, id: &MessageId, sealed: &[u8]) -> Decoded<Content> {
    let padded = secret_box::open(secret, id.as_bytes(), sealed).map_err(|_| Malformed)?;
    let content = block::unpad(&padded)?;
    if let Some(timestamp) = content.strip_prefix(b"QUOTA ") {
        let mut input = Reader::new(timestamp);
        return input.i64().map(|timestamp| Content::QuotaExceeded { timestamp });
    }
    let mut input = Reader::new(content);
    let timestamp = input.i64()?;
    let (notify, body) = flags_and_body(&mut input)?;
    Ok(Content::Message { timestamp, notify, body: body.to_vec() })
}

/// Reads `T|F … SP body`: more flags may follow the first one, up to the space.
pub(crate) fn flags_and_body<'a>(input: &mut Reader<'a>) -> Decoded<(bool, &'a [u8])> {
    let notify = input.bool()?;
    while input.rest().first().is_some_and(|&b| b != b' ') {
        input.u8()?;
    }
    input.space()?;
    Ok((notify, input.tail()))
}

/// The metadata of a notification: `s(message ID) ‖ i64 timestamp`, encrypted to the recipient.
pub fn seal_notification(secret: &DhSecret, nonce: &Nonce, id: &MessageId, timestamp: i64) -> [u8; SEALED_META] {
    let mut meta = Vec::with_capacity(33);
    meta.put_short(id.as_ref());
    meta.put_i64(timestamp);
    let mut padded = [0; PADDED_META];
    block::pad_into(&meta, &mut padded).expect("33 bytes fit 128");
    let mut sealed = [0; SEALED_META];
    secret_box::seal_into(secret, nonce, &padded, &mut sealed);
    sealed
}

/// Decrypts the metadata of a notification: message ID and timestamp in seconds since 1970.
pub fn open_notification(secret: &DhSecret, nonce: &Nonce, sealed: &[u8]) -> Decoded<(MessageId, i64)> {
    let padded = secret_box::open(secret, nonce, sealed).map_err(|_| Malformed)?;
    let mut input = Reader::new(block::unpad(&padded)?);
    Ok((input.short()?.try_into()?, input.i64()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn messages_round_trip(timestamp: i64, notify: bool, body in proptest::collection::vec(any::<u8>(), 0..=MAX_STORED_BODY)) {
            let (secret, id) = (DhSecret::from([1; 32]), MessageId::random());
            let mut sealed = Vec::new();
            seal_message(&secret, &id, Plain::Message { timestamp, notify, body: &body }, &mut sealed);
            prop_assert_eq!(sealed.len(), SEALED_MESSAGE);
            // Readers look for the marker first, so that a timestamp of these very bytes would be taken for one.
            prop_assume!(!timestamp.to_be_bytes().starts_with(b"QUOTA "));
            let content = Content::Message { timestamp, notify, body };
            prop_assert_eq!(open_message(&secret, &id, &sealed), Ok(content));
        }
    }

    #[test]
    fn markers_have_the_size_of_messages() {
        let (secret, id) = (DhSecret::from([1; 32]), MessageId::random());
        let mut sealed = Vec::new();
        seal_message(&secret, &id, Plain::QuotaExceeded { timestamp: 7 }, &mut sealed);
        assert_eq!(sealed.len(), SEALED_MESSAGE);
        assert_eq!(open_message(&secret, &id, &sealed), Ok(Content::QuotaExceeded { timestamp: 7 }));
    }
}
