//! All sessions of the server, and how they end with it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::connections::{Connections, Place};
use crate::session_handle::SessionHandle;

/// How long the end waits for a client that takes nothing of what was promised to it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long it waits for clients that take it slowly, and for commands that are being executed.
const LIMIT: Duration = Duration::from_secs(10);
/// How long it waits for threads to let go of connections that were cut off.
const LETTING_GO: Duration = Duration::from_secs(2);

/// What the task of a connection does.
pub enum Stage {
    /// There is no session yet.
    Handshake,
    /// It serves this session.
    Session(Arc<SessionHandle>),
}

/// The sessions that are connected, by number, and the tasks of all connections.
#[derive(Default)]
pub struct Sessions {
    next: AtomicU64,
    connected: Mutex<HashMap<u64, Arc<SessionHandle>>>,
    connections: Arc<Connections<Stage>>,
}

/// How the connections ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionsEnd {
    /// Sessions that there were.
    pub sessions: usize,
    /// Those that did not end by themselves.
    pub cut_off: usize,
    /// Connections of threads that do not answer: they are there still.
    pub left: usize,
}

impl Sessions {
    /// Runs the task of a connection on the current thread; `None`: the server is about to end. The end waits until the task has
    /// dropped its place, and ends it if need be.
    ///
    /// A session that began later could answer commands whose effects nobody would save any more.
    pub(crate) fn run<F>(&self, stage: Stage, task: impl FnOnce(Place<Stage>) -> F) -> Option<AbortHandle>
    where
        F: Future<Output = ()> + 'static,
    {
        self.connections.run(stage, task)
    }

    /// Enters a session under the next number.
    pub(super) fn enter(&self, make: impl FnOnce(u64) -> SessionHandle) -> Arc<SessionHandle> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let handle = Arc::new(make(number));
        self.connected.lock().insert(number, Arc::clone(&handle));
        handle
    }

    /// Removes a session that is not connected any more.
    pub(super) fn leave(&self, handle: &SessionHandle) {
        self.connected.lock().remove(&handle.number());
    }

    /// Ends all connections and waits until they are gone: afterwards no client is answered. Handshakes are cut off. Sessions end
    /// with what they have promised to their clients, unless a client does not take it.
    pub async fn end(&self) -> SessionsEnd {
        self.connections.close();
        self.connections.abort(|stage| matches!(stage, Stage::Handshake));
        let open = self.all();
        for session in &open {
            session.gets_on();
            session.mailbox().close();
        }
        let (deadline, mut cut_off) = (Instant::now() + LIMIT, 0);
        while timeout(PATIENCE, self.connections.all_gone()).await.is_err() {
            let is_over = Instant::now() >= deadline;
            let left = self.connections.len();
            let cut_off_now = self.connections.abort(|stage| match stage {
                Stage::Handshake => true,
                Stage::Session(session) => is_over || !session.gets_on(),
            });
            cut_off += cut_off_now;
            if cut_off_now >= left {
                let _ = timeout(LETTING_GO, self.connections.all_gone()).await;
                break;
            }
        }
        SessionsEnd { sessions: open.len(), cut_off, left: self.connections.len() }
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
