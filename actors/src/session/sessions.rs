//! All sessions of the server.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::session_handle::SessionHandle;

/// The sessions that are connected, by number.
#[derive(Default)]
pub struct Sessions {
    next: AtomicU64,
    connected: Mutex<HashMap<u64, Arc<SessionHandle>>>,
    /// Sessions whose socket is not closed yet.
    open: AtomicUsize,
    /// The server ends: no more sessions are admitted.
    closing: AtomicBool,
    closed: Notify,
}

impl Sessions {
    /// Whether another session may begin; if so, it must be entered, and the end waits until it is closed.
    ///
    /// A session that began later could answer commands whose effects nobody would save any more.
    pub(super) fn admit(&self) -> bool {
        // In one order with `close_all` and `all_closed`: either this session is waited for or it is not admitted.
        self.open.fetch_add(1, Ordering::SeqCst);
        let is_admitted = !self.closing.load(Ordering::SeqCst);
        if !is_admitted {
            self.closed();
        }
        is_admitted
    }

    /// Enters an admitted session under the next number.
    pub(super) fn enter(&self, make: impl FnOnce(u64) -> SessionHandle) -> Arc<SessionHandle> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let handle = Arc::new(make(number));
        self.connected.lock().insert(number, Arc::clone(&handle));
        if self.closing.load(Ordering::SeqCst) {
            handle.mailbox().close();
        }
        handle
    }

    /// Removes a session that is not connected any more.
    pub(super) fn leave(&self, handle: &SessionHandle) {
        self.connected.lock().remove(&handle.number());
    }

    /// The socket of a session is closed.
    pub(super) fn closed(&self) {
        if self.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.closed.notify_waiters();
        }
    }

    /// Number of sessions whose socket is open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Closes all sessions, admits no more, and returns how many there were.
    pub fn close_all(&self) -> usize {
        self.closing.store(true, Ordering::SeqCst);
        let open = self.all();
        for session in &open {
            session.mailbox().close();
        }
        open.len()
    }

    /// Waits until the sockets of all sessions are closed.
    pub async fn all_closed(&self) {
        loop {
            let closed = self.closed.notified();
            if self.open() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Number of sessions.
    pub fn len(&self) -> usize {
        self.connected.lock().len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sessions of this moment.
    pub fn all(&self) -> Vec<Arc<SessionHandle>> {
        self.connected.lock().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn the_end_waits_for_who_was_admitted_and_admits_nobody() {
        let sessions = Sessions::default();
        assert!(sessions.admit());
        sessions.close_all();
        assert!(!sessions.admit());
        let mut end = Box::pin(sessions.all_closed());
        let mut context = Context::from_waker(Waker::noop());
        assert!(end.as_mut().poll(&mut context).is_pending());
        sessions.closed();
        assert!(end.as_mut().poll(&mut context).is_ready());
    }
}
