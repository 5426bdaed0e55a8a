//! The time of day, which tests and simulations may set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    set: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The clock of the system.
    pub fn system() -> Self {
        Self { set: None }
    }

    /// A clock that shows what the given variable says.
    pub fn set_by(seconds: Arc<AtomicI64>) -> Self {
        Self { set: Some(seconds) }
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
}
