//! Which queues were used in the current day, week and month: hashes of their IDs, never the IDs (behaviour.md §9.2).

use std::collections::HashMap;

use smp_protocol::id::RecipientId;
use smp_store::daily_csv::ActiveCounts;
use smp_store::stats::{ActiveQueues, QueueHashes, queue_hash};

/// A queue was used in this day.
const DAY: u8 = 1;
/// A queue was used in this week.
const WEEK: u8 = 2;
/// A queue was used in this month.
const MONTH: u8 = 4;

/// Queues with the periods in which they were used.
#[derive(Debug, Clone, Default)]
pub struct ActiveHashes(HashMap<i64, u8>);

impl ActiveHashes {
    /// The queue is in use now.
    fn note(&mut self, hash: i64) {
        self.0.insert(hash, DAY | WEEK | MONTH);
    }

    /// Adds what another shard, or a saved file, knows.
    pub fn add(&mut self, other: &Self) {
        for (hash, periods) in &other.0 {
            *self.0.entry(*hash).or_default() |= periods;
        }
    }

    /// Forgets the periods that are over.
    fn end(&mut self, over: u8) {
        self.0.retain(|_, periods| {
            *periods &= !over;
            *periods != 0
        });
    }

    /// How many queues were used: this day, and in the week and the month if they end.
    pub fn counts(&self, ends: PeriodEnds) -> ActiveCounts {
        let of = |period: u8| self.0.values().filter(|periods| **periods & period != 0).count() as u64;
        ActiveCounts { day: of(DAY), week: ends.week.then(|| of(WEEK)), month: ends.month.then(|| of(MONTH)) }
    }

    /// The saved form.
    pub fn to_saved(&self) -> ActiveQueues {
        let of = |period: u8| {
            self.0.iter().filter(|(_, periods)| *periods & period != 0).map(|(hash, _)| *hash).collect::<QueueHashes>()
        };
        ActiveQueues { day: of(DAY), week: of(WEEK), month: of(MONTH) }
    }
}

impl From<&ActiveQueues> for ActiveHashes {
    fn from(saved: &ActiveQueues) -> Self {
        let mut hashes: HashMap<i64, u8> = HashMap::new();
        for (set, period) in [(&saved.day, DAY), (&saved.week, WEEK), (&saved.month, MONTH)] {
            for hash in set.as_slice() {
                *hashes.entry(*hash).or_default() |= period;
            }
        }
        Self(hashes)
    }
}

/// The active queues of one shard.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// Queues with messages.
    pub all: ActiveHashes,
    /// Queues with messages that ask for a notification.
    pub with_notification: ActiveHashes,
}

/// Periods that end at a midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeriodEnds {
    /// A day.
    pub day: bool,
    /// A week: the midnight begins a Monday.
    pub week: bool,
    /// A month: the midnight begins a first.
    pub month: bool,
}

impl Activity {
    /// A message was stored in the queue, or received from it.
    pub fn note(&mut self, id: &RecipientId, notify: bool) {
        let hash = queue_hash(id);
        self.all.note(hash);
        if notify {
            self.with_notification.note(hash);
        }
    }

    /// Adds what another shard, or a saved file, knows.
    pub fn add(&mut self, other: &Self) {
        self.all.add(&other.all);
        self.with_notification.add(&other.with_notification);
    }

    /// Forgets the periods that are over.
    pub fn end(&mut self, ends: PeriodEnds) {
        let bit = |ends: bool, period: u8| if ends { period } else { 0 };
        let over = bit(ends.day, DAY) | bit(ends.week, WEEK) | bit(ends.month, MONTH);
        self.all.end(over);
        self.with_notification.end(over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_end_one_by_one() {
        let mut activity = Activity::default();
        activity.note(&RecipientId::random(), false);
        activity.note(&RecipientId::random(), true);
        let sizes = |activity: &Activity| {
            let saved = activity.all.to_saved();
            [saved.day, saved.week, saved.month].map(|set| set.as_slice().len())
        };
        assert_eq!(sizes(&activity), [2, 2, 2]);
        assert_eq!(activity.with_notification.to_saved().day.as_slice().len(), 1);
        activity.end(PeriodEnds { day: true, ..PeriodEnds::default() });
        assert_eq!(sizes(&activity), [0, 2, 2]);
        let ends = PeriodEnds { week: true, ..PeriodEnds::default() };
        assert_eq!(activity.all.counts(ends), ActiveCounts { day: 0, week: Some(2), month: None });
        let saved = ActiveHashes::from(&activity.all.to_saved());
        assert_eq!(saved.to_saved(), activity.all.to_saved());
        activity.end(PeriodEnds { week: true, month: true, ..PeriodEnds::default() });
        assert_eq!(sizes(&activity), [0, 0, 0]);
    }
}
