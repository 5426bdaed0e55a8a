//! The tasks that serve connections: from accepting on every one is known, so that the end of the server can end them and wait
//! until they are gone.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Tasks that run, each with what is known of it.
pub struct Connections<T> {
    state: Mutex<State<T>>,
    all_gone: Notify,
}

struct State<T> {
    /// No more tasks begin.
    closed: bool,
    next: u64,
    running: HashMap<u64, (T, AbortHandle)>,
}

impl<T> Default for Connections<T> {
    fn default() -> Self {
        let state = State { closed: false, next: 0, running: HashMap::new() };
        Self { state: Mutex::new(state), all_gone: Notify::new() }
    }
}

/// A task is waited for as long as it has this.
pub struct Place<T> {
    connections: Arc<Connections<T>>,
    number: u64,
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        let mut state = self.connections.state.lock();
        state.running.remove(&self.number);
        if state.running.is_empty() {
            self.connections.all_gone.notify_waiters();
        }
    }
}

impl<T> Connections<T> {
    /// Runs a task on the current thread and returns what ends it early; `None`: no more tasks begin. The task has to keep its
    /// place longer than everything that it could still change something with.
    #[expect(clippy::disallowed_methods, reason = "who gives the task has it watched, with what belongs to it")]
    pub fn run<F>(self: &Arc<Self>, known: T, task: impl FnOnce(Place<T>) -> F) -> Option<AbortHandle>
    where
        F: Future<Output = ()> + 'static,
    {
        let mut state = self.state.lock();
        if state.closed {
            return None;
        }
        let number = state.next;
        state.next += 1;
        // It runs as soon as this thread is free, and finds itself entered.
        let task = actix_rt::spawn(task(Place { connections: Arc::clone(self), number })).abort_handle();
        state.running.insert(number, (known, task.clone()));
        Some(task)
    }

    /// Number of tasks that have their places.
    pub fn len(&self) -> usize {
        self.state.lock().running.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// No more tasks begin.
    pub fn close(&self) {
        self.state.lock().closed = true;
    }

    /// Ends tasks, wherever they are. They are gone a moment later: see [`Self::all_gone`].
    pub fn abort(&self, mut which: impl FnMut(&T) -> bool) -> usize {
        let mut chosen = Vec::new();
        self.state.lock().running.values().filter(|(known, _)| which(known)).for_each(|(_, task)| {
            chosen.push(task.clone());
        });
        // Not under the lock, which a task takes when it is dropped.
        chosen.iter().for_each(AbortHandle::abort);
        chosen.len()
    }

    /// Waits until no task has a place.
    pub async fn all_gone(&self) {
        loop {
            let gone = self.all_gone.notified();
            if self.is_empty() {
                return;
            }
            gone.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt;

    use super::*;

    #[actix::test]
    async fn the_end_waits_for_who_has_a_place_and_lets_nobody_begin() {
        let connections: Arc<Connections<&str>> = Arc::default();
        let (finish, finished) = tokio::sync::oneshot::channel::<()>();
        let task = |place| async move {
            let _ = finished.await;
            drop(place);
            pending::<()>().await;
        };
        assert!(connections.run("first", task).is_some());
        connections.close();
        assert!(connections.run("late", |_| pending()).is_none());
        assert!(connections.all_gone().now_or_never().is_none());
        drop(finish);
        connections.all_gone().await;
    }

    #[actix::test]
    async fn what_is_ended_is_gone_with_all_it_has() {
        let connections: Arc<Connections<&str>> = Arc::default();
        let held = Arc::new(());
        for name in ["stuck", "at work"] {
            let held = Arc::clone(&held);
            let task = |place| async move {
                let (_place, _held) = (place, held);
                pending::<()>().await;
            };
            assert!(connections.run(name, task).is_some());
        }
        assert_eq!(connections.abort(|name| *name == "stuck"), 1);
        while connections.len() > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(Arc::strong_count(&held), 2);
        connections.abort(|_| true);
        connections.all_gone().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
