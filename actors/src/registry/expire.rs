//! Expiry of messages (behaviour.md §5).

use crate::directory::Directory;
use crate::faults::{self, FaultPoint};
use crate::queue::{LiveGuard, Queue};

use super::shard::Shard;

/// What a walk over queues found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Messages removed.
    pub expired: usize,
    /// Messages that remain, markers included.
    pub remaining: usize,
}

impl Shard {
    /// Removes expired messages from the queues of one portion of the directory.
    pub fn expire_portion(&mut self, portion: usize) -> Expired {
        let mut found = Expired::default();
        let now = self.now();
        for queue in self.directory.portion_of(self.index, portion) {
            self.confine(|shard| {
                faults::pass(FaultPoint::RegistryExpiry, None);
                let Some(mut live) = queue.live_if_any() else { return };
                found.expired += shard.expire_queue(&queue, &mut live, now);
                found.remaining += live.messages.len();
            });
        }
        found
    }

    /// Number of portions.
    pub const PORTIONS: usize = Directory::PORTIONS;

    /// A delivered message may expire too: its subscriber gets the next one with its `ACK`.
    pub(super) fn expire_queue(&self, queue: &Queue, live: &mut LiveGuard<'_>, now: i64) -> usize {
        let Some(ttl) = self.policy.message_ttl.filter(|_| self.clock.is_trusted(now)) else { return 0 };
        let mut expired = 0;
        for message in live.messages.expire(now.saturating_sub(ttl)) {
            expired += 1;
            if let Some(journal) = &self.journal {
                journal.remove(*queue.recipient_id(), message.id, None);
            }
        }
        self.stats.messages.expired.add(expired);
        expired
    }
}
