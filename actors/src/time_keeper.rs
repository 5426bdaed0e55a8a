//! Keeps messages from expiring by a clock that is wrong.
//!
//! A clock that has jumped by more than messages live since the state was last written is not believed: either it is wrong, or
//! the server stood still for long, and only the operator can tell. Everything else goes on meanwhile. It is believed again
//! when it comes back, or when the operator has confirmed it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use actix_rt::task::spawn_blocking;
use slog::{Logger, warn};
use smp_config::settings::Settings;
use smp_store::date::Date;
use smp_store::error::FileError;
use smp_store::time_record::{TimeRecord, longest_jump};

use crate::clock::Clock;

/// Between two looks at the clock.
pub const INTERVAL: Duration = Duration::from_mins(1);
/// Seconds between two records of the time.
const RECORD_INTERVAL: i64 = 600;
const DAY: i64 = 86_400;

/// Looks at the clock from time to time, and records the time as long as it is believed.
#[derive(Clone)]
pub struct TimeKeeper {
    clock: Clock,
    record: TimeRecord,
    /// Seconds by which the clock may jump.
    longest_jump: i64,
    /// When the state was last written, as far as is known.
    last: Arc<AtomicI64>,
    recorded: Arc<AtomicI64>,
    /// The operator knows that the clock is not believed.
    told: Arc<AtomicBool>,
    logger: Logger,
}

impl TimeKeeper {
    /// Finds out whether the clock is believed.
    pub fn begin(clock: &Clock, record: TimeRecord, settings: &Settings, logger: &Logger) -> Result<Self, FileError> {
        let lifetime = settings.message_ttl().unwrap_or(settings.ntf_ttl());
        let last = record.read()?;
        let keeper = Self {
            longest_jump: longest_jump(lifetime),
            last: Arc::new(AtomicI64::new(last.unwrap_or_else(|| clock.now()))),
            recorded: Arc::default(),
            told: Arc::default(),
            clock: clock.clone(),
            record,
            logger: logger.clone(),
        };
        keeper.believe(keeper.last.load(Ordering::Relaxed));
        keeper.is_trusted();
        Ok(keeper)
    }

    /// Up to how long after this time the clock is believed.
    fn believe(&self, last: i64) {
        self.last.store(last, Ordering::Relaxed);
        self.clock.trust_until(last.saturating_add(self.longest_jump));
    }

    /// Whether the clock is believed now. The operator is told when that changes.
    fn is_trusted(&self) -> bool {
        let now = self.clock.now();
        let is_trusted = self.clock.is_trusted(now);
        if is_trusted {
            if self.told.swap(false, Ordering::Relaxed) {
                note!(self.logger, "the clock is believed again: messages expire");
            }
        } else if !self.told.swap(true, Ordering::Relaxed) {
            let last = self.last.load(Ordering::Relaxed);
            warn!(
                self.logger,
                "the clock shows {}, {} days after the state was last written ({}): messages do not expire until it comes back; \
                 if it is right, run `smp-server confirm-clock`",
                Date::from_unix_seconds(now),
                (now - last) / DAY,
                Date::from_unix_seconds(last)
            );
        }
        is_trusted
    }

    /// Looks at the clock, and returns whether it is believed. What the operator has confirmed meanwhile counts.
    pub async fn look(&self) -> bool {
        if !self.is_trusted() {
            let record = self.record.clone();
            if let Ok(Ok(Some(confirmed))) = spawn_blocking(move || record.read()).await {
                self.believe(confirmed.max(self.last.load(Ordering::Relaxed)));
            }
            return self.is_trusted();
        }
        let now = self.clock.now();
        self.believe(now.max(self.last.load(Ordering::Relaxed)));
        if now - self.recorded.load(Ordering::Relaxed) >= RECORD_INTERVAL {
            let this = self.clone();
            // What cannot be written now is written another time.
            let _ = spawn_blocking(move || this.record_now()).await;
        }
        true
    }

    /// Records the time if the clock is believed. This blocks.
    pub fn record_now(&self) {
        let now = self.clock.now();
        // A clock that was ahead once must not hide that it is behind now.
        if !self.clock.is_trusted(now) || now < self.last.load(Ordering::Relaxed) {
            return;
        }
        self.recorded.store(now, Ordering::Relaxed);
        if let Err(failure) = self.record.write(now) {
            warn!(self.logger, "{failure}; the next start may not believe the clock");
        }
    }
}
