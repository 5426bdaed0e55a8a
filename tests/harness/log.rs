//! What a server in the process of the test tells its operator.

use std::sync::{Arc, Mutex, PoisonError};

use slog::{Drain, Logger, OwnedKVList, Record, o};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::GIVE_UP;

/// The lines so far; clones have the same ones.
#[derive(Clone, Default)]
pub struct Log(Arc<State>);

#[derive(Default)]
struct State {
    lines: Mutex<Vec<String>>,
    grown: Notify,
}

impl Log {
    /// Writes here.
    pub fn logger(&self) -> Logger {
        Logger::root(self.clone().ignore_res(), o!())
    }

    /// All lines.
    pub fn lines(&self) -> Vec<String> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines have this text.
    pub fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }

    /// Waits until so many lines have this text.
    pub async fn has(&self, count: usize, text: &str) {
        let told = async {
            loop {
                let grown = self.0.grown.notified();
                if self.count(text) >= count {
                    return;
                }
                grown.await;
            }
        };
        let told = timeout(GIVE_UP, told).await;
        assert!(told.is_ok(), "{text:?} is not told: {:#?}", self.lines());
    }
}

impl Drain for Log {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), slog::Never> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner).push(record.msg().to_string());
        self.0.grown.notify_waiters();
        Ok(())
    }
}
