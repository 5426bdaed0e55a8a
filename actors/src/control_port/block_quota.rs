//! How many queues the operator may still block today.

use parking_lot::Mutex;
use smp_config::settings::BlockQuota;
use smp_store::date::Date;

/// Counts blocked queues by the day, in UTC.
#[derive(Debug)]
pub struct DailyBlocks {
    quota: BlockQuota,
    used: Mutex<(Date, u32)>,
}

impl DailyBlocks {
    /// `used` were blocked on the day `today` already.
    pub fn new(quota: BlockQuota, today: Date, used: u32) -> Self {
        Self { quota, used: Mutex::new((today, used)) }
    }

    /// Takes one of today's places. Fails with the number of places there are a day.
    pub fn claim(&self, today: Date) -> Result<(), u32> {
        let limit = match self.quota {
            BlockQuota::Unlimited => return Ok(()),
            BlockQuota::Prohibited => 0,
            BlockQuota::PerDay(limit) => limit,
        };
        let mut used = self.used.lock();
        if used.0 != today {
            *used = (today, 0);
        }
        if used.1 >= limit {
            return Err(limit);
        }
        used.1 += 1;
        Ok(())
    }

    /// A place that was claimed was not needed.
    pub fn give_back(&self) {
        let mut used = self.used.lock();
        used.1 = used.1.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_the_day() {
        let (monday, tuesday) = (Date::from_unix_seconds(0), Date::from_unix_seconds(86_400));
        let blocks = DailyBlocks::new(BlockQuota::PerDay(2), monday, 1);
        assert_eq!(blocks.claim(monday), Ok(()));
        assert_eq!(blocks.claim(monday), Err(2));
        blocks.give_back();
        assert_eq!([blocks.claim(monday), blocks.claim(monday)], [Ok(()), Err(2)]);
        assert_eq!([blocks.claim(tuesday), blocks.claim(tuesday), blocks.claim(tuesday)], [Ok(()), Ok(()), Err(2)]);
        assert_eq!(DailyBlocks::new(BlockQuota::Prohibited, monday, 0).claim(monday), Err(0));
        assert_eq!(DailyBlocks::new(BlockQuota::Unlimited, monday, 1000).claim(monday), Ok(()));
    }
}
