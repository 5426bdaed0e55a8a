//! `KEY`, `SKEY`, `RKEY` (behaviour.md §3.6).

use std::sync::Arc;

use smp_protocol::command::QueueMode;
use smp_protocol::error::ErrorType;
use smp_protocol::key::AuthKey;
use smp_store::log_record::LogRecord;

use super::batch::{Executed, Requester, Slot};
use super::change::Then;
use super::shard::{Shard, Step};
use crate::queue::{LiveGuard, Queue};

impl Shard {
    /// Sets the sender key, once. A repeat with the same key is written and counted again.
    pub(super) fn set_sender_key(
        &mut self,
        requester: &Requester,
        slot: Slot,
        queue: &Arc<Queue>,
        live: LiveGuard<'_>,
        key: AuthKey,
        answer: Executed,
    ) -> Step {
        if queue.record().sender_key.as_ref().is_some_and(|set| *set != key) {
            return ErrorType::Auth.into();
        }
        self.stats.queues.secured.count();
        let record = LogRecord::Secure(*queue.recipient_id(), key);
        self.change(Some(&requester.session), queue, live, record, Then::Answer(slot, answer))
    }

    /// Replaces the recipient keys of a contact queue; the key that authorized this need not be among them.
    pub(super) fn set_recipient_keys(
        &mut self,
        requester: &Requester,
        slot: Slot,
        queue: &Arc<Queue>,
        live: LiveGuard<'_>,
        keys: Vec<AuthKey>,
    ) -> Step {
        if queue.record().mode != Some(QueueMode::Contact) {
            return ErrorType::Auth.into();
        }
        let Ok(keys) = keys.try_into() else { return ErrorType::Internal.into() };
        let record = LogRecord::Keys(*queue.recipient_id(), keys);
        self.change(Some(&requester.session), queue, live, record, Then::Answer(slot, Executed::OK))
    }
}
