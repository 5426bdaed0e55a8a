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
    /// The server ends: sessions that come now are closed at once.
    closing: AtomicBool,
    closed: Notify,
}

impl Sessions {
    /// Enters a new session under the next number.
    pub(super) fn enter(&self, make: impl FnOnce(u64) -> SessionHandle) -> Arc<SessionHandle> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let handle = Arc::new(make(number));
        self.open.fetch_add(1, Ordering::AcqRel);
        self.connected.lock().insert(number, Arc::clone(&handle));
        if self.closing.load(Ordering::Acquire) {
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
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.closed.notify_waiters();
        }
    }

    /// Number of sessions whose socket is open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Closes all sessions, also those whose handshake is under way, and returns how many there were.
    pub fn close_all(&self) -> usize {
        self.closing.store(true, Ordering::Release);
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
