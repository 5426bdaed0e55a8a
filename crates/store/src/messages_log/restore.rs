//! Restoring messages (operations.md §7.3, behaviour.md §8.4).

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use smp_protocol::id::{MessageId, RecipientId};

use super::parse_line;
use crate::content_error::ContentError;
use crate::damage::Damage;
use crate::lines::Lines;
use crate::message_queue::{MessageQueue, Stored, StoredMessage};

/// What is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreRules {
    /// Messages with an earlier time, seconds since 1970, are expired: now − time to live. `None`: nothing expires.
    pub oldest: Option<i64>,
    /// Most messages of one queue.
    pub quota: usize,
}

/// Restored messages and counts of what was not restored.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RestoredMessages {
    /// Queues with at least one message or marker.
    pub queues: HashMap<RecipientId, MessageQueue>,
    /// Messages, markers not included.
    pub stored: u64,
    /// Messages that were too old.
    pub expired: u64,
    /// Messages that did not fit their queue.
    pub over_quota: u64,
    /// Messages and markers of unknown queues, which do not expire.
    pub unknown: Vec<(RecipientId, StoredMessage)>,
    /// Lines that are left out.
    pub damage: Damage,
}

/// Reads the whole file; `known` tells which queues there are.
pub fn restore(
    reader: impl BufRead,
    rules: &RestoreRules,
    known: impl FnMut(&RecipientId) -> bool,
) -> Result<RestoredMessages, ContentError> {
    let mut restored = RestoredMessages::default();
    restored.read(reader, rules, known)?;
    Ok(restored)
}

impl RestoredMessages {
    /// Adds what another file says. Messages that are here already are left out.
    pub fn read(
        &mut self,
        reader: impl BufRead,
        rules: &RestoreRules,
        mut known: impl FnMut(&RecipientId) -> bool,
    ) -> Result<(), ContentError> {
        let here = self.ids();
        let mut marked = HashSet::new();
        let mut lines = Lines::new(reader);
        while let Some(line) = lines.next()? {
            let number = line.number;
            match parse_line(line.content) {
                Ok((queue, message)) if here.contains(&(queue, message.id)) => {}
                Ok((queue, message)) if known(&queue) => {
                    if message.is_marker() {
                        marked.insert(queue);
                    }
                    self.add(queue, message, rules);
                }
                Ok(unknown) => self.unknown.push(unknown),
                Err(error) => self.damage.add(number, error),
            }
        }
        for queue in marked {
            if let Some(messages) = self.queues.get_mut(&queue) {
                messages.close();
            }
        }
        Ok(())
    }

    fn ids(&self) -> HashSet<(RecipientId, MessageId)> {
        let known =
            self.queues.iter().flat_map(|(queue, messages)| messages.iter().map(|message| (*queue, message.id)));
        known.chain(self.unknown.iter().map(|(queue, message)| (*queue, message.id))).collect()
    }

    fn add(&mut self, queue: RecipientId, message: StoredMessage, rules: &RestoreRules) {
        if message.is_marker() {
            self.queues.entry(queue).or_default().restore_marker(message, rules.quota);
        } else if rules.oldest.is_some_and(|oldest| message.timestamp < oldest) {
            self.expired += 1;
        } else {
            match self.queues.entry(queue).or_default().store(message, rules.quota) {
                Stored::Accepted { .. } => self.stored += 1,
                Stored::Full => self.over_quota += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message_queue::tests::{marker, message};
    use crate::messages_log::write_line;

    const RULES: RestoreRules = RestoreRules { oldest: None, quota: 3 };

    fn queue_id(n: u8) -> RecipientId {
        [n; 24].into()
    }

    fn file(messages: &[(u8, StoredMessage)]) -> Vec<u8> {
        let mut file = Vec::new();
        for (queue, message) in messages {
            write_line(&queue_id(*queue), message, &mut file).unwrap();
        }
        file
    }

    fn messages(restored: &RestoredMessages, queue: u8) -> Vec<StoredMessage> {
        restored.queues[&queue_id(queue)].iter().cloned().collect()
    }

    #[test]
    fn b_244_messages_order_and_marker_survive() {
        let saved = file(&[(1, message(3)), (1, message(1)), (1, marker(9)), (2, message(4))]);
        let restored = restore(&saved[..], &RULES, |_| true).unwrap();
        assert_eq!(messages(&restored, 1), [message(3), message(1), marker(9)]);
        assert_eq!((restored.stored, restored.expired, restored.over_quota), (3, 0, 0));
        assert!(!restored.queues[&queue_id(1)].can_write(), "below the quota, but marked");
        assert!(restored.queues[&queue_id(2)].can_write());
    }

    #[test]
    fn expired_messages_are_dropped_but_no_marker() {
        let saved = file(&[(1, message(1)), (1, message(5)), (1, marker(1)), (2, message(1))]);
        let restored = restore(&saved[..], &RestoreRules { oldest: Some(5), ..RULES }, |_| true).unwrap();
        assert_eq!(messages(&restored, 1), [message(5), marker(1)]);
        assert_eq!((restored.stored, restored.expired, restored.queues.len()), (1, 2, 1));
    }

    #[test]
    fn what_does_not_fit_leaves_a_marker() {
        let saved = file(&[1, 2, 3, 4, 5].map(|n| (1, message(n))));
        let restored = restore(&saved[..], &RULES, |_| true).unwrap();
        assert_eq!(messages(&restored, 1), [message(1), message(2), message(3), marker(4)]);
        assert_eq!((restored.stored, restored.over_quota), (3, 2));
        let full = file(&[(1, message(1)), (1, message(2)), (1, message(3)), (1, marker(4))]);
        let restored = restore(&full[..], &RULES, |_| true).unwrap();
        assert_eq!(messages(&restored, 1), [message(1), message(2), message(3), marker(4)]);
        assert_eq!((restored.stored, restored.over_quota), (3, 0));
    }

    #[test]
    fn markers_merge() {
        let saved = file(&[(1, marker(1)), (1, marker(2)), (1, message(3)), (1, marker(4))]);
        let restored = restore(&saved[..], &RULES, |_| true).unwrap();
        assert_eq!(messages(&restored, 1), [message(3), marker(4)]);
    }

    #[test]
    fn messages_of_unknown_queues_are_kept_apart_and_do_not_expire() {
        let saved = file(&[(1, message(3)), (2, message(2)), (1, message(4))]);
        let known = |queue: &RecipientId| *queue == queue_id(1);
        let restored = restore(&saved[..], &RestoreRules { oldest: Some(3), ..RULES }, known).unwrap();
        assert_eq!(messages(&restored, 1), [message(3), message(4)]);
        assert_eq!((restored.unknown, restored.expired), (vec![(queue_id(2), message(2))], 0));
    }

    #[test]
    fn what_is_in_two_files_is_restored_once() {
        let (first, second) =
            (file(&[(1, message(1)), (2, message(2))]), file(&[(1, message(1)), (2, message(2)), (1, message(3))]));
        let known = |queue: &RecipientId| *queue == queue_id(1);
        let mut restored = restore(&first[..], &RULES, known).unwrap();
        restored.read(&second[..], &RULES, known).unwrap();
        assert_eq!((messages(&restored, 1), restored.stored), (vec![message(1), message(3)], 2));
        assert_eq!(restored.unknown, [(queue_id(2), message(2))]);
    }

    #[test]
    fn damaged_lines_are_left_out() {
        for damaged in [&b"v3 torn"[..], b"v3 torn\n", b"\n"] {
            let saved = [&file(&[(1, message(1))]), damaged].concat();
            let restored = restore(&saved[..], &RULES, |_| true).unwrap();
            assert_eq!((restored.stored, restored.damage.lines, restored.damage.first.unwrap().0), (1, 1, 2));
        }
        let damaged = [&b"damaged\n"[..], &file(&[(1, message(1))]), b"damaged\n"].concat();
        let restored = restore(&damaged[..], &RULES, |_| true).unwrap();
        assert_eq!(restored.stored, 1);
        assert_eq!(restored.damage.to_string(), "2 lines cannot be read (first: line 1, v3 expected at byte 0)");
    }

    #[test]
    fn every_torn_tail_is_noticed_or_ends_with_a_shorter_body() {
        let saved = file(&[(1, message(1)), (1, message(2))]);
        let first = file(&[(1, message(1))]).len();
        for n in first + 1..saved.len() {
            let restored = restore(&saved[..n], &RULES, |_| true).unwrap();
            assert_eq!(messages(&restored, 1)[0], message(1));
            assert_eq!(restored.stored + restored.damage.lines, 2);
        }
    }
}
