//! Lines of the log that somebody outside can cause as often as he likes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use slog::{Level, Logger, info, warn};
use tokio::time::sleep;

/// Lines in an interval; further ones are counted.
const LINES: u32 = 10;
/// The interval.
const MINUTE: Duration = Duration::from_mins(1);

/// Allows a few lines of a kind in a minute, and tells how many were left out.
pub struct LimitedLog {
    logger: Logger,
    level: Level,
    what: &'static str,
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl LimitedLog {
    /// For lines of this level; `what` they tell of, in the plural.
    pub fn new(logger: &Logger, level: Level, what: &'static str) -> Arc<Self> {
        Self::with_interval(logger, level, what, MINUTE)
    }

    fn with_interval(logger: &Logger, level: Level, what: &'static str, interval: Duration) -> Arc<Self> {
        Arc::new(Self { logger: logger.clone(), level, what, interval, state: Mutex::default() })
    }

    /// Whether the line may be written. Must be called on a thread of an actor.
    #[expect(clippy::disallowed_methods, reason = "it only waits and writes a line")]
    pub fn allows_line(self: &Arc<Self>) -> bool {
        let mut state = self.state.lock();
        let now = Instant::now();
        if state.since.is_none_or(|since| now.duration_since(since) >= self.interval) {
            state.since = Some(now);
            state.written = 0;
        }
        if state.written < LINES {
            state.written += 1;
            return true;
        }
        state.left_out += 1;
        if state.left_out == 1 {
            let this = Arc::clone(self);
            actix_rt::spawn(async move {
                sleep(this.interval).await;
                this.tell();
            });
        }
        false
    }

    fn tell(&self) {
        let left_out = std::mem::take(&mut self.state.lock().left_out);
        let (what, seconds) = (self.what, self.interval.as_secs());
        match self.level {
            Level::Warning | Level::Error | Level::Critical => {
                warn!(self.logger, "{left_out} more {what} within {seconds} s, left out of the log");
            }
            Level::Info | Level::Debug | Level::Trace => {
                info!(self.logger, "{left_out} more {what} within {seconds} s, left out of the log");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use slog::{Drain, Never, OwnedKVList, Record, o};
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::*;

    struct Lines(std::sync::Mutex<UnboundedSender<String>>);

    impl Drain for Lines {
        type Ok = ();
        type Err = Never;

        fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
            let _ = self.0.lock().unwrap().send(record.msg().to_string());
            Ok(())
        }
    }

    #[test]
    fn most_lines_are_counted_and_told_in_one() {
        let (sender, mut lines) = unbounded_channel();
        let logger = Logger::root(Lines(std::sync::Mutex::new(sender)), o!());
        actix_rt::System::new().block_on(async move {
            let log = LimitedLog::with_interval(&logger, Level::Warning, "failures", Duration::from_secs(1));
            let allowed = (0..1000).filter(|_| log.allows_line()).count();
            assert_eq!(allowed, 10);
            assert_eq!(lines.recv().await.unwrap(), "990 more failures within 1 s, left out of the log");
            assert!(log.allows_line(), "the next interval has begun");
        });
    }
}
