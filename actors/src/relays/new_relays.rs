//! How many connections to relays one client may have made.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_mins(1);

/// Counts the relays of a session that were not connected before it asked for them.
pub struct NewRelays {
    in_a_minute: usize,
    since: Cell<Option<Instant>>,
    count: Cell<usize>,
}

impl NewRelays {
    /// So many are allowed in a minute.
    pub fn new(in_a_minute: usize) -> Self {
        Self { in_a_minute, since: Cell::new(None), count: Cell::new(0) }
    }

    /// Counts one more; false if that is too many.
    pub(super) fn one_more(&self, now: Instant) -> bool {
        if self.since.get().is_none_or(|since| now.duration_since(since) >= MINUTE) {
            self.since.set(Some(now));
            self.count.set(0);
        }
        let is_allowed = self.count.get() < self.in_a_minute;
        self.count.set(self.count.get() + usize::from(is_allowed));
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_minute() {
        let (new, begin) = (NewRelays::new(2), Instant::now());
        let at = |seconds| new.one_more(begin + Duration::from_secs(seconds));
        assert_eq!([0, 30, 59, 60, 61, 62].map(at), [true, true, false, true, true, false]);
    }
}
