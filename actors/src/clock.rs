//! The time of day, which tests and simulations may set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    set: Option<Arc<AtomicI64>>,
    trust: Arc<Trust>,
}

/// Up to which time the clock is believed.
#[derive(Debug)]
struct Trust {
    until: AtomicI64,
}

impl Default for Trust {
    fn default() -> Self {
        Self { until: AtomicI64::new(i64::MAX) }
    }
}

impl Clock {
    /// The clock of the system.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that shows what the given variable says.
    pub fn set_by(seconds: Arc<AtomicI64>) -> Self {
        Self { set: Some(seconds), ..Self::default() }
    }

    /// Seconds since 1970; a system clock before 1970 counts as 0.
    pub fn now(&self) -> i64 {
        match &self.set {
            Some(seconds) => seconds.load(Ordering::Relaxed),
            None => {
                let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
            }
        }
    }
    /// The time, if it is believed. Nothing expires by a clock that is not.
    pub fn trusted_now(&self) -> Option<i64> {
        Some(self.now()).filter(|now| self.is_trusted(*now))
    }

    /// Whether it is believed when it shows this.
    pub fn is_trusted(&self, now: i64) -> bool {
        now <= self.trust.until.load(Ordering::Relaxed)
    }

    /// From now on it is believed up to this time, here and in all copies.
    pub fn trust_until(&self, until: i64) {
        self.trust.until.store(until, Ordering::Relaxed);
    }
}
