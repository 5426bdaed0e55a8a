//! `smp-server-ntfs.log`: undelivered notifications, written on an orderly stop (operations.md §7.4).
//!
//! `v1 <notifier id> <msg id> <seconds> <nonce> <metadata>` LF; oldest first per notifier. IDs and nonce are base64url of
//! 24 bytes, the metadata of the encrypted notification (144 bytes).

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use smp_protocol::id::{MessageId, NotifierId};

use crate::atomic_file::AtomicFile;
use crate::content_error::ContentError;
use crate::damage::Damage;
use crate::error::FileError;
use crate::files::Files;
use crate::lines::Lines;
use crate::names::NTFS_LOG;
use crate::parse::{Fields, ParseError, put_base64, put_integer};

const LONGEST_METADATA: usize = 1024;

/// A notification that waits for its notifier.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredNotification {
    /// The message it tells of.
    pub message_id: MessageId,
    /// When that was stored, seconds since 1970.
    pub timestamp: i64,
    /// Nonce of the encryption.
    pub nonce: [u8; 24],
    /// Encrypted message ID and time, 1 to 1024 bytes.
    pub metadata: Box<[u8]>,
}

/// Metadata never reach a log.
impl fmt::Debug for StoredNotification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredNotification")
    }
}

/// Restored notifications.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RestoredNotifications {
    /// Per notifier, oldest first.
    pub notifiers: HashMap<NotifierId, Vec<StoredNotification>>,
    /// How many.
    pub stored: u64,
    /// How many were too old.
    pub expired: u64,
    /// Lines that are left out.
    pub damage: Damage,
}

/// Replaces the file by these notifications, also if there are none, and tells how many there were.
pub fn save<N: Borrow<StoredNotification>>(
    files: Arc<dyn Files>,
    directory: &Path,
    notifications: impl IntoIterator<Item = (NotifierId, N)>,
) -> Result<u64, FileError> {
    let mut file = AtomicFile::create(files, &directory.join(NTFS_LOG))?;
    let mut count = 0;
    for (notifier, notification) in notifications {
        file.write(|out| write_line(&notifier, notification.borrow(), out))?;
        count += 1;
    }
    file.commit()?;
    Ok(count)
}

/// Appends a line with its LF.
pub fn write_line(notifier: &NotifierId, notification: &StoredNotification, out: &mut Vec<u8>) {
    out.extend_from_slice(b"v1 ");
    put_base64(out, notifier.as_ref());
    out.push(b' ');
    put_base64(out, notification.message_id.as_ref());
    out.push(b' ');
    put_integer(out, notification.timestamp);
    for bytes in [&notification.nonce[..], &notification.metadata] {
        out.push(b' ');
        put_base64(out, bytes);
    }
    out.push(b'\n');
}

/// Reads one line without its LF.
pub fn parse_line(line: &[u8]) -> Result<(NotifierId, StoredNotification), ParseError> {
    let mut fields = Fields::new(line);
    fields.require("v1 ")?;
    let notifier = fields.base64("ID of 24 bytes").map(NotifierId::from)?;
    fields.require(" ")?;
    let message_id = fields.base64("message ID of 24 bytes").map(MessageId::from)?;
    fields.require(" ")?;
    let timestamp = fields.integer("time in seconds")?;
    fields.require(" ")?;
    let nonce = fields.base64("nonce of 24 bytes")?;
    fields.require(" ")?;
    let start = fields;
    let metadata = fields.long_base64("metadata")?.into_boxed_slice();
    fields.finish()?;
    if metadata.is_empty() || metadata.len() > LONGEST_METADATA {
        return Err(start.error("metadata of 1 to 1024 bytes"));
    }
    Ok((notifier, StoredNotification { message_id, timestamp, nonce, metadata }))
}

/// Reads the whole file. Notifications with a time before `oldest` (seconds since 1970) are expired. Damaged lines are left
/// out. Notifiers need not exist any more.
pub fn restore(reader: impl BufRead, oldest: Option<i64>) -> Result<RestoredNotifications, ContentError> {
    let mut restored = RestoredNotifications::default();
    let mut lines = Lines::new(reader);
    while let Some(line) = lines.next()? {
        let number = line.number;
        match parse_line(line.content) {
            Ok((_, notification)) if oldest.is_some_and(|oldest| notification.timestamp < oldest) => {
                restored.expired += 1;
            }
            Ok((notifier, notification)) => {
                restored.notifiers.entry(notifier).or_default().push(notification);
                restored.stored += 1;
            }
            Err(error) => restored.damage.add(number, error),
        }
    }
    Ok(restored)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn notification(timestamp: i64) -> StoredNotification {
        StoredNotification { message_id: [1; 24].into(), timestamp, nonce: [2; 24], metadata: [3; 144].into() }
    }

    fn file(timestamps: &[i64]) -> Vec<u8> {
        let mut file = Vec::new();
        for &time in timestamps {
            write_line(&[9; 24].into(), &notification(time), &mut file);
        }
        file
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(ids: ([u8; 24], [u8; 24], [u8; 24]), timestamp: i64, metadata in vec(any::<u8>(), 1..300)) {
            let notification =
                StoredNotification { message_id: ids.1.into(), timestamp, nonce: ids.2, metadata: metadata.into() };
            let mut line = Vec::new();
            write_line(&ids.0.into(), &notification, &mut line);
            prop_assert_eq!(line.pop(), Some(b'\n'));
            prop_assert_eq!(parse_line(&line), Ok((ids.0.into(), notification)));
        }

        #[test]
        fn any_bytes_are_safe(line: Vec<u8>) {
            let _ = parse_line(&line);
        }
    }

    #[test]
    fn old_ones_expire() {
        let restored = restore(&file(&[1, 5, 6])[..], Some(5)).unwrap();
        assert_eq!((restored.stored, restored.expired), (2, 1));
        assert_eq!(restored.notifiers[&[9; 24].into()], [notification(5), notification(6)]);
        assert_eq!(restore(&b""[..], None).unwrap(), RestoredNotifications::default());
    }

    #[test]
    fn damaged_lines_are_left_out() {
        let torn = [&file(&[1])[..], b"v1 torn"].concat();
        let restored = restore(&torn[..], None).unwrap();
        assert_eq!((restored.stored, restored.damage.first.unwrap().0), (1, 2));
        let damaged = [b"v1 damaged\n", &file(&[1])[..]].concat();
        let restored = restore(&damaged[..], None).unwrap();
        assert_eq!((restored.stored, restored.damage.first.unwrap().0), (1, 1));
    }
}
