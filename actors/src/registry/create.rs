//! `NEW` (behaviour.md §3.2).

use std::sync::Arc;

use smp_protocol::command::{BasicAuth, LinkData, NewNotifier, NewQueue, QueueMode, QueueRequest, SubscribeMode};
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::id::{CorrId, LinkId, NotifierId, RecipientId, SenderId};
use smp_protocol::key::{DhPrivateKey, DhPublicKey};
use smp_protocol::response::{QueueIds, Response};
use smp_store::date::Date;
use smp_store::log_record::LogRecord;
use smp_store::record::{Link, Notifier, QueueRecord, QueueStatus};

use super::batch::{Executed, Requester, Slot};
use super::change::Then;
use super::shard::{Shard, Step};
use crate::queue::Queue;
use crate::services::AreaKind;
use crate::session_handle::SessionHandle;
use crate::verify::Agreed;

/// Attempts to find IDs that are not taken.
const ATTEMPTS: usize = 3;

/// A queue to be created, with everything in it but the random IDs.
struct Draft {
    new: NewQueue,
    mode: Option<QueueMode>,
    /// Chosen by the client and derived from the correlation ID.
    sender_id: Option<SenderId>,
    /// Link ID, if the client chose it, and link data.
    link: Option<(Option<LinkId>, LinkData)>,
}

impl Shard {
    pub(super) fn create(
        &mut self,
        (requester, slot): (&Requester, Slot),
        new: NewQueue,
        corr_id: &CorrId,
        agreed: &Agreed,
    ) -> Step {
        if !self.may_create(new.password.as_ref()) {
            return ErrorType::Auth.into();
        }
        if requester.service.is_some() && new.subscribe == SubscribeMode::CreateOnly {
            return ErrorType::from(CommandError::Prohibited).into();
        }
        let mut draft = match Draft::new(new, corr_id) {
            Ok(draft) => draft,
            Err(error) => return error.into(),
        };
        for _ in 0..ATTEMPTS {
            let (record, ids) = match self.record_of(&draft, requester, agreed) {
                Ok(made) => made,
                Err(error) => return error.into(),
            };
            let queue = Arc::new(Queue::new(record));
            if self.directory.insert(&queue).is_ok() {
                return self.created(requester, slot, &mut draft, &queue, ids);
            }
            if draft.sender_id.is_some() {
                // One answer whichever of the IDs is taken, and no second attempt: NEW must not tell which IDs exist.
                return ErrorType::Auth.into();
            }
        }
        ErrorType::Internal.into()
    }

    fn may_create(&self, given: Option<&BasicAuth>) -> bool {
        self.policy.new_queues && self.policy.password.allows(given)
    }

    /// A record with fresh random IDs. Link data that no store can hold are refused.
    fn record_of(
        &self,
        draft: &Draft,
        requester: &Requester,
        agreed: &Agreed,
    ) -> Result<(QueueRecord, QueueIds), ErrorType> {
        let (notifier, notifier_ids) = draft.new.notifier.as_ref().map(new_notifier).unzip();
        let link = draft
            .link
            .as_ref()
            .map(|(id, data)| Link::new(id.clone().unwrap_or_else(LinkId::random), data.clone()).map(Box::new));
        let service = requester.service.as_ref().map(|service| service.id);
        let record = QueueRecord {
            recipient_id: self.own_id(),
            recipient_keys: draft.new.recipient_key.clone().into(),
            dh_secret: agreed.secret.clone(),
            sender_id: draft.sender_id.unwrap_or_else(SenderId::random),
            sender_key: None,
            mode: draft.mode,
            link: link.transpose().map_err(|_| ErrorType::Auth)?,
            notifier,
            status: QueueStatus::Active,
            updated_at: Some(Date::from_unix_seconds(self.now())),
            service: service.map(Box::new),
        };
        let ids = QueueIds {
            recipient_id: record.recipient_id,
            sender_id: record.sender_id,
            server_dh_key: agreed.server_key,
            mode: record.mode,
            link_id: record.link.as_ref().map(|link| link.id().clone()),
            service_id: service,
            notifier: notifier_ids,
        };
        Ok((record, ids))
    }

    /// A random recipient ID that falls to this shard.
    fn own_id(&self) -> RecipientId {
        loop {
            let id = RecipientId::random();
            if self.directory.shard_of(&id) == self.index {
                return id;
            }
        }
    }

    fn created(
        &mut self,
        requester: &Requester,
        slot: Slot,
        draft: &mut Draft,
        queue: &Arc<Queue>,
        ids: QueueIds,
    ) -> Step {
        let Some(mut live) = queue.live() else { return ErrorType::Internal.into() };
        if draft.new.subscribe == SubscribeMode::Subscribe {
            self.replace_subscriber(&requester.session, queue, &mut live);
        }
        if draft.new.notifier.is_some() {
            self.stats.notifications.created_with_queue.count();
        }
        let record = LogRecord::Create(queue.record().clone());
        let answer = Executed::response(Response::Ids(Box::new(ids)));
        self.change(Some(&requester.session), queue, live, record, Then::Answer(slot, answer))
    }
}

impl Shard {
    /// The queue exists. One that was made by a service belongs to it, and the service is subscribed.
    pub(super) fn apply_create(&mut self, cause: Option<&Arc<SessionHandle>>, queue: &Arc<Queue>) {
        self.stats.queues.created.count();
        self.stats.queues.now.change(1);
        let service = queue.record().service.as_deref().copied();
        if let Some(service) = service {
            self.join_service(cause, &service, AreaKind::Messages, queue.recipient_id().as_ref());
        }
    }
}

impl Draft {
    /// A client may choose the sender ID only as its correlation ID dictates, so that `NEW` does not tell which IDs exist.
    fn new(mut new: NewQueue, corr_id: &CorrId) -> Result<Self, ErrorType> {
        let request = new.request.take();
        let mode = request.as_ref().map(QueueRequest::mode);
        let (sender_id, link) = match request {
            Some(QueueRequest::Messaging(Some(link))) => (Some(link.sender_id), Some((None, link.data))),
            Some(QueueRequest::Contact(Some(link))) => (Some(link.sender_id), Some((Some(link.link_id), link.data))),
            Some(QueueRequest::Messaging(None) | QueueRequest::Contact(None)) | None => (None, None),
        };
        let sender_id = match sender_id {
            None => None,
            Some(claimed) => {
                let derived = SenderId::from_corr_id(corr_id);
                if claimed.as_ref() != derived.as_ref() {
                    return Err(CommandError::Prohibited.into());
                }
                Some(derived)
            }
        };
        Ok(Self { new, mode, sender_id, link })
    }
}

/// A notifier with a fresh ID and key, and what its owner is told.
pub(super) fn new_notifier(request: &NewNotifier) -> (Box<Notifier>, (NotifierId, DhPublicKey)) {
    let key = DhPrivateKey::generate();
    let id = NotifierId::random();
    let secret = key.agree(&request.dh_key);
    (Box::new(Notifier { id, key: request.key.clone(), secret, service: None }), (id, key.public()))
}
