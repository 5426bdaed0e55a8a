//! `LSET` and `LDEL` (behaviour.md §3.7). `LKEY` and `LGET` only read the link.

use std::sync::Arc;

use smp_protocol::command::LinkData;
use smp_protocol::error::ErrorType;
use smp_protocol::id::LinkId;
use smp_store::log_record::LogRecord;
use smp_store::record::Link;

use super::batch::{Executed, Requester, Slot};
use super::change::Then;
use super::shard::{Shard, Step};
use crate::queue::{LiveGuard, Queue};

impl Shard {
    /// Sets link data, or replaces the part that may change. The ID and the fixed part stay as they are, and nobody may take
    /// the link of another queue.
    pub(super) fn set_link(
        &mut self,
        requester: &Requester,
        slot: Slot,
        queue: &Arc<Queue>,
        live: LiveGuard<'_>,
        id: LinkId,
        data: LinkData,
    ) -> Step {
        let is_new = {
            let record = queue.record();
            if record.is_secured_messaging() {
                return ErrorType::Auth.into();
            }
            match &record.link {
                Some(own) if *own.id() != id || own.data().fixed != data.fixed => return ErrorType::Auth.into(),
                own => own.is_none(),
            }
        };
        let Ok(link) = Link::new(id.clone(), data) else { return ErrorType::Auth.into() };
        if is_new && self.directory.insert_link(queue, id).is_err() {
            return ErrorType::Auth.into();
        }
        let record = LogRecord::Link(*queue.recipient_id(), link);
        self.change(Some(&requester.session), queue, live, record, Then::Answer(slot, Executed::OK))
    }

    /// Takes the link away.
    pub(super) fn apply_delete_link(&mut self, queue: &Arc<Queue>) {
        let link = queue.record_mut().link.take();
        if let Some(link) = link {
            self.directory.remove_link(queue, link.id());
        }
    }
}
