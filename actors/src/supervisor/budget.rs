//! How often an actor may be restarted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Restarts of each actor in the last minute.
#[derive(Debug, Default)]
pub(super) struct RestartBudget {
    restarts: HashMap<Arc<str>, VecDeque<Instant>>,
}

impl RestartBudget {
    /// Restarts of one actor that are tolerated within [`Self::PERIOD`].
    pub const RESTARTS: usize = 5;
    /// After this a restart is forgotten.
    pub const PERIOD: Duration = Duration::from_secs(60);

    /// Notes a restart and returns how many this actor had in the period, this one included.
    pub fn spend(&mut self, child: &Arc<str>, now: Instant) -> usize {
        let restarts = self.restarts.entry(Arc::clone(child)).or_default();
        restarts.push_back(now);
        while restarts.front().is_some_and(|first| now.duration_since(*first) > Self::PERIOD) {
            restarts.pop_front();
        }
        restarts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_counted_per_actor_and_forgotten() {
        let mut budget = RestartBudget::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let start = Instant::now();
        for n in 1..=6 {
            assert_eq!(budget.spend(&a, start), n);
        }
        assert_eq!(budget.spend(&b, start), 1);
        assert_eq!(budget.spend(&a, start + Duration::from_secs(61)), 1);
    }
}
