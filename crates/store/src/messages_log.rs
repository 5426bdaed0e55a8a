//! `smp-server-messages.log`: undelivered messages, written on an orderly stop (operations.md §7.1, §7.2).
//!
//! | Line, without its LF | Meaning |
//! |---|---|
//! | `v3 <rid> <msg id> <seconds> flags=T\|F <body>` | message; `T` asks for a notification |
//! | `v3 <rid> <msg id> <seconds> quota` | the queue was full |
//!
//! Lines of one queue are adjacent, oldest first. The body is base64url of 0 to 16088 bytes. When read, `flags=…` may be
//! missing (no notification) and characters after its `T` or `F` are ignored.

mod restore;

use std::borrow::Borrow;
use std::path::Path;
use std::sync::Arc;

use smp_protocol::id::RecipientId;
use smp_protocol::message::MAX_STORED_BODY;

pub use restore::{RestoreRules, RestoredMessages, restore};

use crate::atomic_file::AtomicFile;
use crate::error::FileError;
use crate::files::Files;
use crate::message_body::MessageBody;
use crate::message_queue::{StoredContent, StoredMessage};
use crate::names::MESSAGES_LOG;
use crate::parse::{Fields, ParseError, put_base64, put_integer};

/// Replaces the file by these messages and tells how many there were, markers included. Messages of a queue must be
/// adjacent, oldest first.
pub fn save<M: Borrow<StoredMessage>>(
    files: Arc<dyn Files>,
    directory: &Path,
    messages: impl IntoIterator<Item = (RecipientId, M)>,
) -> Result<u64, FileError> {
    write(files, &directory.join(MESSAGES_LOG), messages)
}

/// The same with a file of another name.
pub fn write<M: Borrow<StoredMessage>>(
    files: Arc<dyn Files>,
    path: &Path,
    messages: impl IntoIterator<Item = (RecipientId, M)>,
) -> Result<u64, FileError> {
    let mut file = AtomicFile::create(files, path)?;
    let mut count = 0;
    for (queue, message) in messages {
        let mut written = Ok(());
        file.write(|out| written = write_line(&queue, message.borrow(), out))?;
        written?;
        count += 1;
    }
    file.commit()?;
    Ok(count)
}

/// Appends the line of a message with its LF. Fails if the body cannot be read.
pub fn write_line(queue: &RecipientId, message: &StoredMessage, out: &mut Vec<u8>) -> Result<(), FileError> {
    out.extend_from_slice(b"v3 ");
    put_base64(out, queue.as_ref());
    out.push(b' ');
    message.write(out)?;
    out.push(b'\n');
    Ok(())
}

/// Reads one line without its LF.
pub fn parse_line(line: &[u8]) -> Result<(RecipientId, StoredMessage), ParseError> {
    let mut fields = Fields::new(line);
    fields.require("v3 ")?;
    let queue = fields.base64("ID of 24 bytes").map(RecipientId::from)?;
    fields.require(" ")?;
    Ok((queue, StoredMessage::read(&mut fields)?))
}

impl StoredMessage {
    /// Appends the record of the message: a line without version and queue. Fails if the body cannot be read.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), FileError> {
        put_base64(out, self.id.as_ref());
        out.push(b' ');
        put_integer(out, self.timestamp);
        match &self.content {
            StoredContent::Message { notify, body } => {
                out.extend_from_slice(if *notify { b" flags=T " } else { b" flags=F " });
                put_base64(out, &body.read()?);
            }
            StoredContent::QuotaMarker => out.extend_from_slice(b" quota"),
        }
        Ok(())
    }

    /// Reads what [`Self::write`] appends; it takes the whole input.
    pub fn parse(record: &[u8]) -> Result<Self, ParseError> {
        Self::read(&mut Fields::new(record))
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, ParseError> {
        let id = fields.base64("message ID of 24 bytes")?.into();
        fields.require(" ")?;
        let timestamp = fields.integer("time in seconds")?;
        fields.require(" ")?;
        let content = if fields.rest() == b"quota" {
            fields.skip(fields.rest().len());
            StoredContent::QuotaMarker
        } else {
            let notify = flags(fields)?;
            StoredContent::Message { notify, body: body(fields)? }
        };
        fields.finish()?;
        Ok(Self { id, timestamp, content })
    }
}

fn flags(fields: &mut Fields<'_>) -> Result<bool, ParseError> {
    let start = *fields;
    if !fields.accept("flags=") {
        // Without flags a body always has bytes, and is not the start of a line that was not written to its end.
        let rest = fields.rest();
        let torn = b"flags=".starts_with(rest) || b"quota".starts_with(rest);
        return if torn { Err(start.error("flags or a body")) } else { Ok(false) };
    }
    let notify = fields.letter("T or F", |letter| match letter {
        b'T' => Ok(true),
        b'F' => Ok(false),
        _ => Err(()),
    })?;
    let rest = fields.rest();
    fields.skip(rest.iter().position(|&b| b == b' ').unwrap_or(rest.len()));
    fields.require(" ")?;
    Ok(notify)
}

fn body(fields: &mut Fields<'_>) -> Result<MessageBody, ParseError> {
    let start = *fields;
    let body = fields.long_base64("base64url")?;
    if body.len() <= MAX_STORED_BODY { Ok(body.into()) } else { Err(start.error("at most 16088 bytes")) }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "XXkfHdl8_vp3entPFSQav1e9Q3rUsSmE";

    fn content(rest: &str) -> Result<StoredContent, ParseError> {
        StoredMessage::parse(format!("{ID} 1719849600{rest}").as_bytes()).map(|message| message.content)
    }

    fn message(notify: bool, body: &[u8]) -> StoredContent {
        StoredContent::Message { notify, body: body.into() }
    }

    #[test]
    fn forms_that_are_read() {
        assert_eq!(content(" flags=T Zml4ZWQ=").unwrap(), message(true, b"fixed"));
        assert_eq!(content(" flags=F Zml4ZWQ").unwrap(), message(false, b"fixed"));
        assert_eq!(content(" flags=TXY,z Zml4ZWQ=").unwrap(), message(true, b"fixed"));
        assert_eq!(content(" Zml4ZWQ=").unwrap(), message(false, b"fixed"));
        assert_eq!(content(" flags=F ").unwrap(), message(false, b""));
        assert_eq!(content(" quota").unwrap(), StoredContent::QuotaMarker);
        let longest = vec![b'A'; 16088 / 3 * 4];
        assert!(content(&format!(" flags=F {}", String::from_utf8(longest).unwrap())).is_ok());
    }

    #[test]
    fn other_forms_are_errors() {
        let too_long = format!(" flags=F {}", "A".repeat(16089 / 3 * 4 + 4));
        for rest in [
            "",
            " ",
            " quot",
            " flag",
            " flags=",
            " flags=T",
            " flags=X AA==",
            " quota ",
            " flags=F A",
            " flags=F AA== x",
            "\tquota",
            &too_long,
        ] {
            assert!(content(rest).is_err(), "{rest:?}");
        }
        for line in ["", "v2 x", &format!("v3 {ID} {ID} x quota"), &format!("{ID} {ID} 1 quota")] {
            assert!(parse_line(line.as_bytes()).is_err(), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id: [u8; 24], queue: [u8; 24], timestamp: i64, notify: bool, body in vec(any::<u8>(), 0..200)) {
            for content in [StoredContent::QuotaMarker, message(notify, &body)] {
                let stored = StoredMessage { id: id.into(), timestamp, content };
                let mut line = Vec::new();
                write_line(&queue.into(), &stored, &mut line).unwrap();
                prop_assert_eq!(line.pop(), Some(b'\n'));
                prop_assert_eq!(parse_line(&line), Ok((queue.into(), stored)));
            }
        }

        #[test]
        fn any_bytes_are_safe(line: Vec<u8>) {
            let _ = parse_line(&line);
        }
    }
}
