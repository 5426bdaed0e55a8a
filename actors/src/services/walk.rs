//! Delivery of what waits in all queues of a service, after its bulk subscription (behaviour.md §3.11).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use smp_protocol::id::{EntityId, ServiceId};

use crate::session_handle::{Event, SessionHandle};

/// A walk of all shards over the queues of a service.
pub struct ServiceWalk {
    /// Whose queues.
    pub service: ServiceId,
    /// Who gets the messages.
    pub session: Arc<SessionHandle>,
    shards: AtomicUsize,
}

impl ServiceWalk {
    /// A walk of this many shards.
    pub fn new(service: ServiceId, session: Arc<SessionHandle>, shards: usize) -> Self {
        Self { service, session, shards: AtomicUsize::new(shards) }
    }

    /// A shard has delivered everything. After the last one the session is told.
    pub fn shard_is_done(&self) {
        if self.shards.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.session.mailbox().notice(EntityId::EMPTY, Event::AllMessagesSent);
        }
    }
}
