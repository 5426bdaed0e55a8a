//! What keeps a panic inside the actor in which it happened.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;

use crate::supervisor::ChildReport;

/// Runs the work of one actor and reports its panics and restarts to the supervisor.
#[derive(Clone)]
pub struct Guard {
    name: Arc<str>,
    supervisor: Arc<dyn ChildReport>,
}

impl Guard {
    /// For the actor with this name.
    pub fn new(name: impl Into<Arc<str>>, supervisor: Arc<dyn ChildReport>) -> Self {
        Self { name: name.into(), supervisor }
    }

    /// Runs work whose state is consistent even if it panics half-way; `None` if it did.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(work));
        if result.is_err() {
            self.panicked();
        }
        result.ok()
    }

    /// The same for work that waits.
    pub async fn watch<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let result = AssertUnwindSafe(work).catch_unwind().await;
        if result.is_err() {
            self.panicked();
        }
        result.ok()
    }

    /// Begins work beside the actor, on its thread. A panic ends this work only.
    #[expect(clippy::disallowed_methods, reason = "it is watched here")]
    pub fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        let guard = self.clone();
        actix_rt::spawn(async move { guard.watch(work).await });
    }

    /// The work panicked.
    pub fn panicked(&self) {
        self.supervisor.panicked(&self.name);
    }

    /// The actor runs again.
    pub fn restarted(&self) {
        self.supervisor.restarted(&self.name);
    }
}
