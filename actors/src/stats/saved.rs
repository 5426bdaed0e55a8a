//! The counters as they are saved and as they start again (behaviour.md §8.5, §9.1).

use smp_store::stats::Counters;

use super::{Counter, Stats};

/// A counter and its place in the saved form.
type Place<'s> = (&'s Counter, fn(&mut Counters) -> &mut i64);

impl Stats {
    /// The counters that start at zero every day.
    fn daily(&self) -> [Place<'_>; 40] {
        let (q, s, n, m) = (&self.queues, &self.subscriptions, &self.notifications, &self.messages);
        [
            (&q.created, |c| &mut c.q_created),
            (&q.secured, |c| &mut c.q_secured),
            (&q.deleted, |c| &mut c.q_deleted_all),
            (&q.deleted_new, |c| &mut c.q_deleted_new),
            (&q.deleted_secured, |c| &mut c.q_deleted_secured),
            (&q.deleted_blocks, |c| &mut c.q_deleted_all_b),
            (&q.blocked, |c| &mut c.q_blocked),
            (&s.with_message, |c| &mut c.q_sub),
            (&s.blocks, |c| &mut c.q_sub_all_b),
            (&s.unauthorized, |c| &mut c.q_sub_auth),
            (&s.duplicate, |c| &mut c.q_sub_duplicate),
            (&s.prohibited, |c| &mut c.q_sub_prohibited),
            (&s.ended, |c| &mut c.q_sub_end),
            (&s.end_batches, |c| &mut c.q_sub_end_b),
            (&n.created, |c| &mut c.ntf_created),
            (&n.deleted, |c| &mut c.ntf_deleted),
            (&n.deleted_blocks, |c| &mut c.ntf_deleted_b),
            (&n.subscribed, |c| &mut c.ntf_sub),
            (&n.subscribed_blocks, |c| &mut c.ntf_sub_b),
            (&n.unauthorized, |c| &mut c.ntf_sub_auth),
            (&n.duplicate, |c| &mut c.ntf_sub_duplicate),
            (&n.sent, |c| &mut c.msg_ntfs),
            (&n.batches, |c| &mut c.msg_ntfs_b),
            (&n.expired, |c| &mut c.msg_ntf_expired),
            (&m.sent, |c| &mut c.msg_sent),
            (&m.send_unauthorized, |c| &mut c.msg_sent_auth),
            (&m.send_over_quota, |c| &mut c.msg_sent_quota),
            (&m.send_too_large, |c| &mut c.msg_sent_large),
            (&m.received, |c| &mut c.msg_recv),
            (&m.received_by_get, |c| &mut c.msg_recv_get),
            (&m.got, |c| &mut c.msg_get),
            (&m.got_none, |c| &mut c.msg_get_no_msg),
            (&m.get_unauthorized, |c| &mut c.msg_get_auth),
            (&m.got_duplicate, |c| &mut c.msg_get_duplicate),
            (&m.get_prohibited, |c| &mut c.msg_get_prohibited),
            (&m.expired, |c| &mut c.msg_expired),
            (&m.sent_with_notification, |c| &mut c.msg_sent_ntf),
            (&m.received_with_notification, |c| &mut c.msg_recv_ntf),
            (&n.never_without_subscriber, |c| &mut c.msg_ntf_no_sub),
            (&n.never_lost, |c| &mut c.msg_ntf_lost),
        ]
    }

    /// The counters that only grow.
    fn lasting(&self) -> [Place<'_>; 2] {
        [
            (&self.notifications.created_with_queue, |c| &mut c.ntf_new_created),
            (&self.messages.send_blocked, |c| &mut c.msg_sent_block),
        ]
    }

    /// All counters in the saved form.
    pub fn to_saved(&self) -> Counters {
        self.read(Counter::get)
    }

    /// The same; the daily ones start again at zero.
    pub fn take_day(&self) -> Counters {
        self.read(Counter::take)
    }

    fn read(&self, daily: impl Fn(&Counter) -> u64) -> Counters {
        let mut saved = Counters { q_count: self.queues.now.get(), ..Counters::default() };
        for (counter, place) in self.daily() {
            *place(&mut saved) = i64::try_from(daily(counter)).unwrap_or(i64::MAX);
        }
        for (counter, place) in self.lasting() {
            *place(&mut saved) = i64::try_from(counter.get()).unwrap_or(i64::MAX);
        }
        saved
    }

    /// Goes on from saved counters. The number of queues is that of the store, not the saved one.
    pub fn restore(&self, mut saved: Counters) {
        for (counter, place) in self.daily().into_iter().chain(self.lasting()) {
            counter.set(u64::try_from(*place(&mut saved)).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_saved_counter_has_its_own_place() {
        let stats = Stats::default();
        for (n, (counter, _)) in stats.daily().into_iter().chain(stats.lasting()).enumerate() {
            counter.add(n + 1);
        }
        stats.queues.now.set(1000);
        for (_, value) in stats.to_saved().named() {
            assert_ne!(value, 0);
        }
        let mut values: Vec<_> = stats.to_saved().named().map(|(_, value)| value).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), stats.to_saved().named().count());

        let other = Stats::default();
        other.restore(stats.to_saved());
        other.queues.now.set(1000);
        assert_eq!(other.to_saved(), stats.to_saved());

        let day = other.take_day();
        assert_eq!(day, stats.to_saved());
        assert_eq!(other.to_saved().q_created, 0);
        assert_eq!(other.to_saved().msg_sent_block, stats.to_saved().msg_sent_block);
    }
}
