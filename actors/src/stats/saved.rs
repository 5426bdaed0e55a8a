//! The counters as they are saved and as they start again (behaviour.md §8.5, §9.1).

use std::time::SystemTime;

use smp_store::stats::{Counters, NameCounters, RelayCounters, ServiceCounters, StatsSnapshot};

use super::{Counter, NameStats, RelayRequests, ServiceStats, Stats};

/// A counter, and how to find its place in the saved form.
type Place<'s, Saved> = (&'s Counter, fn(&mut Saved) -> &mut i64);

impl Stats {
    /// The counters that start at zero every day.
    fn daily(&self) -> [Place<'_, Counters>; 40] {
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
    fn lasting(&self) -> [Place<'_, Counters>; 2] {
        [
            (&self.notifications.created_with_queue, |c| &mut c.ntf_new_created),
            (&self.messages.send_blocked, |c| &mut c.msg_sent_block),
        ]
    }

    /// The single counters in the saved form.
    fn to_saved(&self) -> Counters {
        self.read(Counter::get)
    }

    /// The same; the daily ones start again at zero.
    fn take_day(&self) -> Counters {
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
    fn restore(&self, mut saved: Counters) {
        for (counter, place) in self.daily().into_iter().chain(self.lasting()) {
            counter.set(u64::try_from(*place(&mut saved)).unwrap_or_default());
        }
    }
}

/// A group of counters, with the group of the saved form that it belongs to.
pub trait Group {
    /// The saved form.
    type Saved: Copy + Default;
    /// Counters with their places in it.
    fn places(&self) -> Vec<Place<'_, Self::Saved>>;

    /// The counters in the saved form.
    fn to_saved(&self) -> Self::Saved {
        self.read(Counter::get)
    }

    /// The same; counting starts again at zero.
    fn take_day(&self) -> Self::Saved {
        self.read(Counter::take)
    }

    /// Reads every counter in some way.
    fn read(&self, number: impl Fn(&Counter) -> u64) -> Self::Saved {
        let mut saved = Self::Saved::default();
        for (counter, place) in self.places() {
            *place(&mut saved) = i64::try_from(number(counter)).unwrap_or(i64::MAX);
        }
        saved
    }

    /// Goes on from saved counters.
    fn restore(&self, mut saved: Self::Saved) {
        for (counter, place) in self.places() {
            counter.set(u64::try_from(*place(&mut saved)).unwrap_or_default());
        }
    }
}

impl Group for NameStats {
    type Saved = NameCounters;

    fn places(&self) -> Vec<Place<'_, NameCounters>> {
        vec![
            (&self.requests, |c| &mut c.requests),
            (&self.found, |c| &mut c.successes),
            (&self.not_found, |c| &mut c.not_found),
            (&self.failed, |c| &mut c.resolver_errors),
            (&self.disabled, |c| &mut c.disabled),
        ]
    }
}

impl Group for RelayRequests {
    type Saved = RelayCounters;

    fn places(&self) -> Vec<Place<'_, RelayCounters>> {
        vec![
            (&self.requests, |c| &mut c.requests),
            (&self.successes, |c| &mut c.successes),
            (&self.not_connected, |c| &mut c.errors_connect),
            (&self.incompatible, |c| &mut c.errors_compat),
            (&self.failed, |c| &mut c.errors_other),
        ]
    }
}

/// The two counters that never grow are kept as saved.
impl Group for ServiceStats {
    type Saved = ServiceCounters;

    fn places(&self) -> Vec<Place<'_, ServiceCounters>> {
        vec![
            (&self.associated, |c| &mut c.assoc_new),
            (&self.duplicate, |c| &mut c.assoc_duplicate),
            (&self.reassociated, |c| &mut c.assoc_updated),
            (&self.dissociated, |c| &mut c.assoc_removed),
            (&self.subscriptions, |c| &mut c.sub_count),
            (&self.never_duplicate, |c| &mut c.sub_duplicate),
            (&self.queues, |c| &mut c.sub_queues),
            (&self.never_ended, |c| &mut c.sub_end),
        ]
    }
}

impl Stats {
    /// All groups in the saved form, the active queues left empty.
    pub fn snapshot(&self, from_time: SystemTime) -> StatsSnapshot {
        StatsSnapshot {
            counters: self.to_saved(),
            relays: self.relays.all.to_saved(),
            relays_own: self.relays.own.to_saved(),
            forwards: self.forwards.all.to_saved(),
            forwards_own: self.forwards.own.to_saved(),
            forwards_received: i64::try_from(self.forwards_received.get()).unwrap_or(i64::MAX),
            rcv_services: self.receiving_services.to_saved(),
            ntf_services: self.notified_services.to_saved(),
            names: self.names.to_saved(),
            ..StatsSnapshot::new(from_time)
        }
    }

    /// The same; what is counted by the day starts again at zero.
    pub fn take_snapshot(&self, from_time: SystemTime) -> StatsSnapshot {
        StatsSnapshot {
            counters: self.take_day(),
            relays: self.relays.all.take_day(),
            relays_own: self.relays.own.take_day(),
            forwards: self.forwards.all.take_day(),
            forwards_own: self.forwards.own.take_day(),
            forwards_received: i64::try_from(self.forwards_received.take()).unwrap_or(i64::MAX),
            names: self.names.take_day(),
            ..self.snapshot(from_time)
        }
    }

    /// Goes on from a snapshot.
    pub fn restore_snapshot(&self, saved: &StatsSnapshot) {
        self.restore(saved.counters);
        self.relays.all.restore(saved.relays);
        self.relays.own.restore(saved.relays_own);
        self.forwards.all.restore(saved.forwards);
        self.forwards.own.restore(saved.forwards_own);
        self.forwards_received.set(u64::try_from(saved.forwards_received).unwrap_or_default());
        self.receiving_services.restore(saved.rcv_services);
        self.notified_services.restore(saved.ntf_services);
        self.names.restore(saved.names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_own_places<G: Group + Default>(named: impl Fn(&G::Saved) -> Vec<i64>) {
        let group = G::default();
        for (n, (counter, _)) in group.places().into_iter().enumerate() {
            counter.add(n + 1);
        }
        let saved = group.to_saved();
        let values = named(&saved);
        assert!((1..).zip(&values).all(|(n, value)| n == *value), "{values:?}");

        let other = G::default();
        other.restore(saved);
        assert_eq!(named(&other.take_day()), values);
        assert!(named(&other.to_saved()).iter().all(|value| *value == 0));
    }

    #[test]
    fn every_counter_of_a_group_has_its_own_place() {
        assert_own_places::<NameStats>(|saved| saved.named().map(|(_, value)| value).collect());
        assert_own_places::<RelayRequests>(|saved| saved.named().map(|(_, value)| value).collect());
        assert_own_places::<ServiceStats>(|saved| saved.named().map(|(_, value)| value).collect());
    }

    #[test]
    fn a_snapshot_is_restored_in_full() {
        let stats = Stats::default();
        let groups = [&stats.relays.all, &stats.relays.own, &stats.forwards.all, &stats.forwards.own];
        for (n, group) in groups.into_iter().enumerate() {
            group.requests.add(n + 1);
        }
        stats.forwards_received.add(5);
        stats.receiving_services.queues.add(6);
        stats.notified_services.queues.add(7);
        stats.names.found.add(8);
        let saved = stats.snapshot(SystemTime::UNIX_EPOCH);
        let other = Stats::default();
        other.restore_snapshot(&saved);
        assert_eq!(other.take_snapshot(SystemTime::UNIX_EPOCH), saved);
        let rest = other.snapshot(SystemTime::UNIX_EPOCH);
        assert_eq!((rest.relays.requests, rest.forwards_received, rest.names.successes), (0, 0, 0));
        assert_eq!((rest.rcv_services.sub_queues, rest.ntf_services.sub_queues), (6, 7), "services count for ever");
    }

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
