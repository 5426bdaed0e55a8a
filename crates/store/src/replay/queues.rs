//! The state that a log describes, line by line.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use smp_protocol::id::{LinkId, NotifierId, RecipientId, ServiceId};
use smp_protocol::key::AuthKey;

use super::Problem;
use super::places::Places;
use crate::log_record::{LogRecord, ServiceParty};
use crate::record::{Link, Notifier, QueueRecord, QueueStatus, ServiceRecord};

type Applied = Result<(), Problem>;

/// Queues and services with the uniqueness of all their IDs. A record is applied completely or not at all.
#[derive(Debug, Default)]
pub struct StoredQueues {
    queues: Vec<QueueRecord>,
    out_of_order: bool,
    recipients: Places,
    senders: Places,
    /// The recipient IDs of deleted queues stay taken.
    deleted: HashSet<RecipientId>,
    /// Deleted without having been created: the line that made them is damaged or missing.
    deleted_unseen: HashSet<RecipientId>,
    notifiers: HashSet<NotifierId>,
    links: HashSet<LinkId>,
    services: BTreeMap<ServiceId, ServiceRecord>,
    fingerprints: HashMap<[u8; 32], ServiceId>,
}

impl StoredQueues {
    /// Applies the next record.
    pub fn apply(&mut self, record: LogRecord) -> Applied {
        match record {
            LogRecord::Create(queue) => self.create(queue),
            LogRecord::Link(id, link) => self.link(&id, link),
            LogRecord::DeleteLink(id) => self.delete_link(&id),
            LogRecord::Secure(id, key) => self.secure(&id, key),
            LogRecord::Keys(id, keys) => self.change(&id, |queue| queue.recipient_keys = keys),
            LogRecord::Notifier(id, notifier) => self.notifier(&id, notifier),
            LogRecord::DeleteNotifier(id) => self.delete_notifier(&id),
            LogRecord::Suspend(id) => self.change(&id, |queue| queue.status = QueueStatus::Off),
            LogRecord::Block(id, info) => self.change(&id, |queue| queue.status = QueueStatus::Blocked(Box::new(info))),
            LogRecord::Unblock(id) => self.change(&id, |queue| queue.status = QueueStatus::Active),
            LogRecord::Delete(id) => self.delete(&id),
            LogRecord::Time(id, date) => self.change(&id, |queue| queue.updated_at = Some(date)),
            LogRecord::NewService(service) => self.new_service(service),
            LogRecord::QueueService(id, party, service) => self.queue_service(&id, party, service),
        }
    }

    /// Number of queues created, also those deleted later.
    pub fn created(&self) -> usize {
        self.recipients.len() + self.deleted.len()
    }

    /// Whether live queues were created in the order of their IDs.
    pub fn are_in_order(&self) -> bool {
        !self.out_of_order
    }

    /// Takes the IDs of all queues that a record deletes and no later one makes.
    pub fn take_deleted(&mut self) -> HashSet<RecipientId> {
        let mut deleted = std::mem::take(&mut self.deleted);
        deleted.extend(self.deleted_unseen.drain());
        deleted
    }

    /// Live queues and services, each in the order of IDs.
    pub fn into_sorted(self) -> (Vec<QueueRecord>, Vec<ServiceRecord>) {
        let mut queues = self.queues;
        if self.out_of_order {
            queues.sort_unstable_by_key(|queue| queue.recipient_id);
        }
        (queues, self.services.into_values().collect())
    }

    fn find(&self, id: &RecipientId) -> Result<usize, Problem> {
        let place = self.recipients.find(id.as_ref(), |place| self.queues[place].recipient_id == *id);
        place.ok_or_else(|| if self.deleted.contains(id) { Problem::DeletedQueue } else { Problem::UnknownQueue })
    }

    fn change(&mut self, id: &RecipientId, change: impl FnOnce(&mut QueueRecord)) -> Applied {
        let place = self.find(id)?;
        change(&mut self.queues[place]);
        Ok(())
    }

    fn create(&mut self, queue: QueueRecord) -> Applied {
        let (recipient_id, sender_id) = (&queue.recipient_id, &queue.sender_id);
        let recipient =
            self.recipients.vacancy(recipient_id.as_ref(), |at| self.queues[at].recipient_id == *recipient_id);
        let sender = self.senders.vacancy(sender_id.as_ref(), |at| self.queues[at].sender_id == *sender_id);
        let taken = self.deleted.contains(recipient_id)
            || queue.notifier.as_ref().is_some_and(|notifier| self.notifiers.contains(&notifier.id))
            || queue.link.as_ref().is_some_and(|link| self.links.contains(link.id()));
        let (Some(recipient), Some(sender), false) = (recipient, sender, taken) else {
            return Err(Problem::DuplicateQueue);
        };
        let place = u32::try_from(self.queues.len()).map_err(|_| Problem::TooManyQueues)?;
        self.deleted_unseen.remove(recipient_id);
        recipient.fill(place);
        sender.fill(place);
        self.out_of_order |= self.queues.last().is_some_and(|last| last.recipient_id > queue.recipient_id);
        self.notifiers.extend(queue.notifier.as_ref().map(|notifier| notifier.id));
        self.links.extend(queue.link.as_ref().map(|link| link.id().clone()));
        self.queues.push(queue);
        Ok(())
    }

    fn link(&mut self, id: &RecipientId, link: Link) -> Applied {
        let place = self.find(id)?;
        let free = match &self.queues[place].link {
            Some(old) => old.id() == link.id() && old.data().fixed == link.data().fixed,
            None => !self.links.contains(link.id()),
        };
        if !free {
            return Err(Problem::LinkConflict);
        }
        self.links.insert(link.id().clone());
        self.queues[place].link = Some(Box::new(link));
        Ok(())
    }

    fn delete_link(&mut self, id: &RecipientId) -> Applied {
        let place = self.find(id)?;
        if let Some(link) = self.queues[place].link.take() {
            self.links.remove(link.id());
        }
        Ok(())
    }

    fn secure(&mut self, id: &RecipientId, key: AuthKey) -> Applied {
        let place = self.find(id)?;
        match &mut self.queues[place].sender_key {
            Some(old) if *old != key => Err(Problem::SenderKeyConflict),
            slot => {
                *slot = Some(key);
                Ok(())
            }
        }
    }

    fn notifier(&mut self, id: &RecipientId, notifier: Notifier) -> Applied {
        let place = self.find(id)?;
        if !self.notifiers.insert(notifier.id) {
            return Err(Problem::DuplicateNotifier);
        }
        if let Some(old) = self.queues[place].notifier.replace(Box::new(notifier)) {
            self.notifiers.remove(&old.id);
        }
        Ok(())
    }

    fn delete_notifier(&mut self, id: &RecipientId) -> Applied {
        let place = self.find(id)?;
        if let Some(old) = self.queues[place].notifier.take() {
            self.notifiers.remove(&old.id);
        }
        Ok(())
    }

    fn delete(&mut self, id: &RecipientId) -> Applied {
        let place = self.find(id).inspect_err(|problem| {
            if *problem == Problem::UnknownQueue {
                self.deleted_unseen.insert(*id);
            }
        })?;
        let queue = self.queues.swap_remove(place);
        let [place, last] = [place, self.queues.len()].map(|place| u32::try_from(place).unwrap_or(u32::MAX));
        self.recipients.remove(id.as_ref(), place);
        self.senders.remove(queue.sender_id.as_ref(), place);
        self.deleted.insert(*id);
        if let Some(moved) = self.queues.get(place as usize) {
            self.recipients.relocate(moved.recipient_id.as_ref(), last, place);
            self.senders.relocate(moved.sender_id.as_ref(), last, place);
            self.out_of_order = true;
        }
        if let Some(notifier) = &queue.notifier {
            self.notifiers.remove(&notifier.id);
        }
        if let Some(link) = &queue.link {
            self.links.remove(link.id());
        }
        Ok(())
    }

    fn new_service(&mut self, service: ServiceRecord) -> Applied {
        let known_id = self.fingerprints.get(&service.fingerprint);
        match (known_id, self.services.get(&service.id)) {
            (None, None) => {
                self.fingerprints.insert(service.fingerprint, service.id);
                self.services.insert(service.id, service);
                Ok(())
            }
            (Some(_), Some(known)) if known.fingerprint == service.fingerprint && known.role == service.role => Ok(()),
            _ => Err(Problem::ServiceConflict),
        }
    }

    fn queue_service(&mut self, id: &RecipientId, party: ServiceParty, service: Option<ServiceId>) -> Applied {
        let place = self.find(id)?;
        let queue = &mut self.queues[place];
        match party {
            ServiceParty::Recipient => queue.service = service.map(Box::new),
            ServiceParty::Notifier => queue.notifier.as_mut().ok_or(Problem::NoNotifier)?.service = service,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use smp_protocol::error::{BlockingInfo, BlockingReason};

    use super::*;
    use crate::date::Date;
    use crate::log_record::samples::{link, notifier, plain_queue, service};

    fn id(n: u8) -> RecipientId {
        plain_queue(n).recipient_id
    }

    fn applied(records: impl IntoIterator<Item = LogRecord>) -> StoredQueues {
        let mut queues = StoredQueues::default();
        for record in records {
            queues.apply(record).unwrap();
        }
        queues
    }

    fn created(numbers: impl IntoIterator<Item = u8>) -> StoredQueues {
        applied(numbers.into_iter().map(|n| LogRecord::Create(plain_queue(n))))
    }

    #[test]
    fn the_first_queue_keeps_its_ids() {
        let mut queues = created([1]);
        queues.apply(LogRecord::Link(id(1), link(7, b"user"))).unwrap();
        queues.apply(LogRecord::Notifier(id(1), notifier(8))).unwrap();
        let same_sender = QueueRecord { recipient_id: id(3), ..plain_queue(1) };
        let same_link = QueueRecord { link: Some(Box::new(link(7, b"other"))), ..plain_queue(4) };
        let same_notifier = QueueRecord { notifier: Some(Box::new(notifier(8))), ..plain_queue(5) };
        for queue in [plain_queue(1), same_sender, same_link, same_notifier] {
            assert_eq!(queues.apply(LogRecord::Create(queue)), Err(Problem::DuplicateQueue));
        }
        assert_eq!(queues.into_sorted().0.len(), 1);
    }

    #[test]
    fn deleting_frees_all_but_the_recipient_id() {
        let mut queues = created([1, 2, 3]);
        queues.apply(LogRecord::Link(id(1), link(7, b"user"))).unwrap();
        queues.apply(LogRecord::Delete(id(1))).unwrap();
        assert_eq!(queues.apply(LogRecord::Delete(id(1))), Err(Problem::DeletedQueue));
        assert_eq!(queues.apply(LogRecord::Create(plain_queue(1))), Err(Problem::DuplicateQueue));
        assert_eq!(queues.apply(LogRecord::Link(id(3), link(7, b"user"))), Ok(()));
        assert_eq!(queues.apply(LogRecord::Suspend(id(3))), Ok(()), "the queue that took the free place is found");
        let (queues, _) = queues.into_sorted();
        assert_eq!(queues.iter().map(|q| q.recipient_id).collect::<Vec<_>>(), [id(2), id(3)]);
        assert_eq!(queues[1].status, QueueStatus::Off);
    }

    #[test]
    fn only_a_record_deletes_a_queue() {
        let mut queues = created([1, 2]);
        queues.apply(LogRecord::Delete(id(1))).unwrap();
        assert_eq!(queues.apply(LogRecord::Delete(id(3))), Err(Problem::UnknownQueue), "its line may be damaged");
        assert_eq!(queues.apply(LogRecord::Suspend(id(4))), Err(Problem::UnknownQueue));
        assert_eq!(queues.apply(LogRecord::Delete(id(5))), Err(Problem::UnknownQueue));
        queues.apply(LogRecord::Create(plain_queue(5))).unwrap();
        assert_eq!(queues.created(), 3);
        let mut deleted: Vec<_> = queues.take_deleted().into_iter().collect();
        deleted.sort_unstable();
        assert_eq!(deleted, [id(1), id(3)]);
    }

    #[test]
    fn links() {
        let mut queues = created([1, 2]);
        queues.apply(LogRecord::Link(id(1), link(7, b"user"))).unwrap();
        queues.apply(LogRecord::Link(id(1), link(7, b"changed"))).unwrap();
        assert_eq!(queues.apply(LogRecord::Link(id(1), link(8, b"user"))), Err(Problem::LinkConflict));
        assert_eq!(queues.apply(LogRecord::Link(id(2), link(7, b"user"))), Err(Problem::LinkConflict));
        queues.apply(LogRecord::DeleteLink(id(1))).unwrap();
        queues.apply(LogRecord::DeleteLink(id(1))).unwrap();
        queues.apply(LogRecord::Link(id(2), link(7, b"user"))).unwrap();
        assert!(queues.into_sorted().0[0].link.is_none());
    }

    #[test]
    fn sender_keys_are_set_once() {
        let mut queues = created([1]);
        let [key, other] = [1, 2].map(|n| AuthKey::Ed25519([n; 32]));
        queues.apply(LogRecord::Secure(id(1), key.clone())).unwrap();
        queues.apply(LogRecord::Secure(id(1), key.clone())).unwrap();
        assert_eq!(queues.apply(LogRecord::Secure(id(1), other)), Err(Problem::SenderKeyConflict));
        assert_eq!(queues.into_sorted().0[0].sender_key, Some(key));
    }

    #[test]
    fn notifiers_and_their_services() {
        let mut queues = created([1, 2]);
        let serve = |n, service| LogRecord::QueueService(id(n), ServiceParty::Notifier, service);
        let service = ServiceId::from([9; 24]);
        assert_eq!(queues.apply(serve(1, Some(service))), Err(Problem::NoNotifier));
        queues.apply(LogRecord::Notifier(id(1), notifier(7))).unwrap();
        queues.apply(serve(1, Some(service))).unwrap();
        assert_eq!(queues.apply(LogRecord::Notifier(id(2), notifier(7))), Err(Problem::DuplicateNotifier));
        queues.apply(LogRecord::Notifier(id(1), notifier(8))).unwrap();
        queues.apply(LogRecord::Notifier(id(2), notifier(7))).unwrap();
        queues.apply(LogRecord::DeleteNotifier(id(2))).unwrap();
        let (queues, _) = queues.into_sorted();
        assert_eq!(queues[0].notifier.as_deref(), Some(&notifier(8)), "replacing clears the service");
        assert_eq!(queues[1].notifier, None);
    }

    #[test]
    fn services_are_known_by_id_and_certificate() {
        let mut queues = applied([LogRecord::NewService(service(1)), LogRecord::NewService(service(2))]);
        assert_eq!(queues.apply(LogRecord::NewService(service(1))), Ok(()));
        let other_id = ServiceRecord { id: [3; 24].into(), ..service(1) };
        let other_certificate = ServiceRecord { fingerprint: [3; 32], ..service(1) };
        for service in [other_id, other_certificate] {
            assert_eq!(queues.apply(LogRecord::NewService(service)), Err(Problem::ServiceConflict));
        }
        assert_eq!(queues.into_sorted().1, [service(1), service(2)]);
    }

    #[test]
    fn status_time_and_unknown_queues() {
        let mut queues = created([1]);
        let info = BlockingInfo { reason: BlockingReason::Spam, notice: None };
        queues.apply(LogRecord::Block(id(1), info)).unwrap();
        queues.apply(LogRecord::Time(id(1), Date::from_unix_seconds(86400))).unwrap();
        assert_eq!(queues.apply(LogRecord::Unblock(id(2))), Err(Problem::UnknownQueue));
        let (queues, _) = queues.into_sorted();
        assert_eq!(queues[0].status, QueueStatus::Blocked(Box::new(info)));
        assert_eq!(queues[0].updated_at, Some(Date::from_unix_seconds(86400)));
    }
}
