//! Which queues there are, were, or may be.

use smp_protocol::id::RecipientId;
use smp_store::record::QueueRecord;
use smp_store::replay::{self, QueueStanding};
use smp_store::store_log::Loaded;

/// What the store log says of queues. It sorts them, so that no second map of all is needed.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// `None`: there is no store log.
    log: Option<&'a replay::Replayed>,
    pub(super) is_missing: bool,
}

impl<'a> Known<'a> {
    pub(super) fn of(log: Option<&'a Loaded>) -> Self {
        Self { log: log.map(Loaded::replayed), is_missing: !log.is_some_and(Loaded::exists) }
    }

    pub(super) fn names_queues(self) -> bool {
        self.log.is_some_and(|log| !log.is_empty())
    }

    pub(super) fn queues(self) -> &'a [QueueRecord] {
        self.log.map_or(&[], |log| &log.queues)
    }

    pub(super) fn standing(self, id: &RecipientId) -> QueueStanding {
        self.log.map_or(QueueStanding::Unknown, |log| log.standing(id))
    }

    pub(super) fn is_live(self, id: &RecipientId) -> bool {
        self.standing(id) == QueueStanding::Live
    }

    /// [`Self::standing`] for IDs that are asked for in their order, which is faster for many.
    pub(super) fn in_order(self) -> impl FnMut(&RecipientId) -> QueueStanding + use<'a> {
        let mut rest = None;
        move |id| {
            let is_before = |queue: &QueueRecord| queue.recipient_id < *id;
            let queues = self.queues();
            let from_first = || queues[queues.partition_point(is_before)..].iter().peekable();
            let rest = rest.get_or_insert_with(from_first);
            while rest.next_if(|queue| is_before(queue)).is_some() {}
            match rest.peek() {
                Some(queue) if queue.recipient_id == *id => QueueStanding::Live,
                _ if self.log.is_some_and(|log| log.deleted.contains(id)) => QueueStanding::Deleted,
                _ => QueueStanding::Unknown,
            }
        }
    }
}
