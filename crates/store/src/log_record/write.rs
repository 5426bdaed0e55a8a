//! Writing lines of the queue log exactly as the reference does.

use smp_protocol::key::AuthKey;

use super::LogRecord;
use crate::date::Date;
use crate::parse::{put_base64, put_integer};
use crate::record::{Link, Notifier, QueueRecord, QueueStatus, ServiceRecord};

impl LogRecord {
    /// Appends the line with its LF.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Create(queue) => return queue.write_create(out),
            Self::NewService(service) => return service.write_line(out),
            Self::Link(queue, link) => {
                tag(out, "LINK", queue);
                put_spaced(out, link.id());
                put_link_data(out, link);
            }
            Self::DeleteLink(queue) => tag(out, "LDELETE", queue),
            Self::Secure(queue, key) => {
                tag(out, "SECURE", queue);
                put_spaced(out, key.to_spki());
            }
            Self::Keys(queue, keys) => {
                tag(out, "KEYS", queue);
                out.push(b' ');
                put_keys(out, keys.as_slice());
            }
            Self::Notifier(queue, notifier) => {
                tag(out, "NOTIFIER", queue);
                out.push(b' ');
                put_notifier(out, notifier);
            }
            Self::DeleteNotifier(queue) => tag(out, "NDELETE", queue),
            Self::Suspend(queue) => tag(out, "SUSPEND", queue),
            Self::Block(queue, info) => {
                tag(out, "BLOCK", queue);
                out.push(b' ');
                put_text(out, &info.to_string());
            }
            Self::Unblock(queue) => tag(out, "UNBLOCK", queue),
            Self::Delete(queue) => tag(out, "DELETE", queue),
            Self::Time(queue, date) => {
                tag(out, "TIME", queue);
                out.push(b' ');
                put_date(out, *date);
            }
            Self::QueueService(queue, party, service) => {
                tag(out, "QUEUE_SERVICE", queue);
                out.extend_from_slice(&[b' ', party.letter(), b' ']);
                put_optional(out, service.as_ref());
            }
        }
        out.push(b'\n');
    }
}

impl QueueRecord {
    /// Appends the `CREATE` line of the queue with its LF.
    pub fn write_create(&self, out: &mut Vec<u8>) {
        self.put_create(out, true);
    }

    /// Appends what a compacted log holds about the queue: its `CREATE` line. The reference cannot read a line with both
    /// a blocking notice and a service and would lose the queue; the service then has a line of its own, which both read.
    pub fn write_compacted(&self, out: &mut Vec<u8>) {
        self.put_create(out, !self.has_notice());
        if let Some(service) = self.service.as_deref().filter(|_| self.has_notice()) {
            tag(out, "QUEUE_SERVICE", self.recipient_id);
            put_text(out, " R ");
            put_base64(out, service.as_ref());
            out.push(b'\n');
        }
    }

    /// Lines that [`Self::write_compacted`] writes.
    pub fn compacted_lines(&self) -> usize {
        1 + usize::from(self.has_notice() && self.service.is_some())
    }

    fn has_notice(&self) -> bool {
        matches!(&self.status, QueueStatus::Blocked(info) if info.notice.is_some())
    }

    fn put_create(&self, out: &mut Vec<u8>, with_service: bool) {
        put_text(out, "CREATE rid=");
        put_base64(out, self.recipient_id.as_ref());
        put_text(out, " rk=");
        put_keys(out, self.recipient_keys.as_slice());
        put_text(out, " rdh=");
        put_base64(out, self.dh_secret.as_bytes());
        put_text(out, " sid=");
        put_base64(out, self.sender_id.as_ref());
        put_text(out, " sk=");
        put_optional(out, self.sender_key.as_ref().map(AuthKey::to_spki));
        if let Some(mode) = self.mode {
            put_text(out, " queue_mode=");
            out.push(mode.letter());
        }
        if let Some(link) = &self.link {
            put_text(out, " link_id=");
            put_base64(out, link.id().as_ref());
            put_text(out, " queue_data=");
            put_base64(out, &link.data().fixed);
            put_spaced(out, &link.data().user);
        }
        if let Some(notifier) = &self.notifier {
            put_text(out, " notifier=");
            put_notifier(out, notifier);
        }
        if let Some(date) = self.updated_at {
            put_text(out, " updated_at=");
            put_date(out, date);
        }
        match &self.status {
            QueueStatus::Active => {}
            QueueStatus::Off => put_text(out, " status=off"),
            QueueStatus::Blocked(info) => {
                put_text(out, " status=blocked,");
                put_text(out, &info.to_string());
            }
        }
        if let Some(service) = self.service.as_deref().filter(|_| with_service) {
            put_text(out, " rsrv=");
            put_base64(out, service.as_ref());
        }
        out.push(b'\n');
    }
}

impl ServiceRecord {
    /// Appends the `NEW_SERVICE` line of the service with its LF.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        put_text(out, "NEW_SERVICE service_id=");
        put_base64(out, self.id.as_ref());
        put_text(out, " role=");
        out.push(self.role.letter());
        put_text(out, " cert=");
        put_list(out, self.chain.as_slice());
        put_text(out, " cert_hash=");
        put_base64(out, &self.fingerprint);
        put_text(out, " created_at=");
        put_date(out, self.created_at);
        out.push(b'\n');
    }
}

fn tag(out: &mut Vec<u8>, name: &str, queue: impl AsRef<[u8]>) {
    put_text(out, name);
    put_spaced(out, queue);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn put_spaced(out: &mut Vec<u8>, bytes: impl AsRef<[u8]>) {
    out.push(b' ');
    put_base64(out, bytes.as_ref());
}

fn put_optional(out: &mut Vec<u8>, bytes: Option<impl AsRef<[u8]>>) {
    if let Some(bytes) = bytes {
        put_base64(out, bytes.as_ref());
    }
}

fn put_list(out: &mut Vec<u8>, items: impl IntoIterator<Item = impl AsRef<[u8]>>) {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        put_base64(out, item.as_ref());
    }
}

fn put_keys(out: &mut Vec<u8>, keys: &[AuthKey]) {
    put_list(out, keys.iter().map(AuthKey::to_spki));
}

fn put_link_data(out: &mut Vec<u8>, link: &Link) {
    put_spaced(out, &link.data().fixed);
    put_spaced(out, &link.data().user);
}

fn put_notifier(out: &mut Vec<u8>, notifier: &Notifier) {
    put_base64(out, notifier.id.as_ref());
    put_spaced(out, notifier.key.to_spki());
    put_spaced(out, notifier.secret.as_bytes());
    if let Some(service) = &notifier.service {
        put_text(out, " nsrv=");
        put_base64(out, service.as_ref());
    }
}

fn put_date(out: &mut Vec<u8>, date: Date) {
    put_integer(out, date.unix_seconds());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use smp_protocol::error::{BlockingInfo, BlockingReason, Notice};
    use smp_protocol::id::ServiceId;

    use super::*;
    use crate::log_record::samples::{plain_queue, record};

    proptest! {
        #[test]
        fn what_is_written_is_read(record in record()) {
            let mut line = Vec::new();
            record.write(&mut line);
            prop_assert_eq!(line.pop(), Some(b'\n'));
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(LogRecord::parse(&line), Ok(record));
        }
    }

    #[test]
    fn a_notice_and_a_service_take_two_lines_in_a_compacted_log() {
        let info = BlockingInfo { reason: BlockingReason::Spam, notice: Some(Notice { ttl_seconds: None }) };
        let mut queue = plain_queue(1);
        queue.service = Some(Box::new(ServiceId::from([9; 24])));
        let mut lines = Vec::new();
        queue.write_compacted(&mut lines);
        assert_eq!(lines.split_inclusive(|&b| b == b'\n').count(), 1);
        queue.status = QueueStatus::Blocked(Box::new(info));
        lines.clear();
        queue.write_compacted(&mut lines);
        let text = String::from_utf8(lines).unwrap();
        let (create, service) = text.split_once('\n').unwrap();
        assert!(create.ends_with("status=blocked,reason=spam,notice={}"));
        assert!(service.starts_with("QUEUE_SERVICE ") && service.ends_with('\n'));
    }
}
