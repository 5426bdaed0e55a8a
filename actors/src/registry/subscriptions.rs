//! Which queues of a shard each session has to do with: what is to be forgotten when the session ends.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use crate::queue::Queue;
use crate::session_handle::SessionHandle;

/// Queues by session. A queue stays listed, once, also after its subscription was taken over or the queue deleted: it costs a
/// pointer until the session ends or the same queue is subscribed again.
#[derive(Default)]
pub(super) struct Subscriptions {
    hasher: RandomState,
    sessions: HashMap<u64, HashTable<Arc<Queue>>>,
}

impl Subscriptions {
    /// Lists a queue under a session.
    pub fn add(&mut self, session: &SessionHandle, queue: &Arc<Queue>) {
        let hash = |queue: &Arc<Queue>| self.hasher.hash_one(Arc::as_ptr(queue));
        let queues = self.sessions.entry(session.number()).or_default();
        queues.entry(hash(queue), |other| Arc::ptr_eq(other, queue), hash).or_insert_with(|| Arc::clone(queue));
    }

    /// Takes a queue off the list of a session.
    pub fn remove(&mut self, session: &SessionHandle, queue: &Arc<Queue>) {
        let Some(queues) = self.sessions.get_mut(&session.number()) else { return };
        let hash = self.hasher.hash_one(Arc::as_ptr(queue));
        if let Ok(entry) = queues.find_entry(hash, |other| Arc::ptr_eq(other, queue)) {
            entry.remove();
        }
        if queues.is_empty() {
            self.sessions.remove(&session.number());
        }
    }

    /// Ends the list of a session.
    pub fn remove_session(&mut self, session: &SessionHandle) -> impl Iterator<Item = Arc<Queue>> + use<> {
        self.sessions.remove(&session.number()).unwrap_or_default().into_iter()
    }
}
