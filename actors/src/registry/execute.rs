//! What every command of a queue passes before its own rules (behaviour.md §2.9).
//!
//! 1. A deleted queue answers `AUTH`.
//! 2. While a change of the queue is on its way to the log the command waits for it.
//! 3. The key that authorized the command must still be the right one: the record may have changed since verification.
//! 4. A blocked queue answers `BLOCKED`, except to `SEND` (which has its own order), `OFF`, `DEL` and `NSUB`.
//! 5. The first use on a day is noted, except by `OFF`, `DEL` and `NSUB`.

use smp_protocol::command::{LinkCommand, RecipientCommand, SenderCommand};
use smp_protocol::error::ErrorType;
use smp_protocol::response::Response;
use smp_store::log_record::LogRecord;
use smp_store::record::QueueStatus;

use super::batch::Executed;
use super::change::{Job, Then};
use super::shard::{Shard, Step};
use crate::queue::Queue;
use crate::verify::{VerifiedCommand, may_be_secured_with, notifier_key};

impl Shard {
    pub(super) fn recipient(&mut self, job: Job) -> Step {
        let VerifiedCommand::Recipient { queue, .. } = &job.command else { return ErrorType::Internal.into() };
        let queue = queue.clone();
        let Some(mut live) = queue.live() else { return ErrorType::Auth.into() };
        if let Some(token) = self.change_of(&mut live) {
            drop(live);
            return self.park(token, job);
        }
        let VerifiedCommand::Recipient { command, key, .. } = &job.command else { return ErrorType::Internal.into() };
        if !queue.record().recipient_keys.as_slice().contains(key) {
            return ErrorType::Auth.into();
        }
        if *command == RecipientCommand::Subscribe {
            if let Some(error) = blocked(&queue) {
                return error.into();
            }
            self.touch(&queue);
            return self.subscribe(job, &queue, live);
        }
        let Job { requester, slot, command: VerifiedCommand::Recipient { command, .. }, .. } = job else {
            return ErrorType::Internal.into();
        };
        let (who, session) = (&requester, &requester.session);
        match command {
            RecipientCommand::Suspend => {
                let record = LogRecord::Suspend(*queue.recipient_id());
                return self.change(Some(session), &queue, live, record, Then::Answer(slot, Executed::OK));
            }
            RecipientCommand::Delete => {
                let record = LogRecord::Delete(*queue.recipient_id());
                return self.change(Some(session), &queue, live, record, Then::Answer(slot, Executed::OK));
            }
            RecipientCommand::Subscribe
            | RecipientCommand::SecureSender(_)
            | RecipientCommand::SetRecipientKeys(_)
            | RecipientCommand::SetLink(..)
            | RecipientCommand::DeleteLink
            | RecipientCommand::SetNotifier(_)
            | RecipientCommand::DeleteNotifier
            | RecipientCommand::Get
            | RecipientCommand::Acknowledge(_)
            | RecipientCommand::QueueInfo => {}
        }
        if let Some(error) = blocked(&queue) {
            return error.into();
        }
        self.touch(&queue);
        match command {
            RecipientCommand::Get => self.get(who, &queue, live),
            RecipientCommand::Acknowledge(id) => self.acknowledge((who, slot), &queue, live, id.as_ref()),
            RecipientCommand::SecureSender(key) => self.set_sender_key(who, slot, &queue, live, key, Executed::OK),
            RecipientCommand::SetRecipientKeys(keys) => self.set_recipient_keys(who, slot, &queue, live, keys),
            RecipientCommand::SetLink(id, data) => self.set_link(who, slot, &queue, live, id, data),
            RecipientCommand::DeleteLink => {
                let record = LogRecord::DeleteLink(*queue.recipient_id());
                self.change(Some(session), &queue, live, record, Then::Answer(slot, Executed::OK))
            }
            RecipientCommand::SetNotifier(new) => self.set_notifier(who, slot, &queue, live, &new),
            RecipientCommand::DeleteNotifier => self.delete_notifier(who, slot, &queue, live),
            RecipientCommand::QueueInfo => Self::queue_info(who, &queue, live),
            RecipientCommand::Subscribe | RecipientCommand::Suspend | RecipientCommand::Delete => {
                ErrorType::Internal.into()
            }
        }
    }

    pub(super) fn sender(&mut self, job: Job) -> Step {
        let VerifiedCommand::Sender { queue, .. } = &job.command else { return ErrorType::Internal.into() };
        let queue = queue.clone();
        let Some(mut live) = queue.live() else { return ErrorType::Auth.into() };
        if let Some(token) = self.change_of(&mut live) {
            drop(live);
            return self.park(token, job);
        }
        let Job { requester, slot, command: VerifiedCommand::Sender { command, key, .. }, .. } = job else {
            return ErrorType::Internal.into();
        };
        match command {
            SenderCommand::Send(_) if queue.record().sender_key != key => ErrorType::Auth.into(),
            SenderCommand::Send(message) => {
                self.touch(&queue);
                self.send((&requester, slot), &queue, live, message)
            }
            SenderCommand::Secure(key) => {
                if let Some(error) = blocked(&queue) {
                    return error.into();
                }
                self.touch(&queue);
                self.set_sender_key(&requester, slot, &queue, live, key, Executed::OK)
            }
        }
    }

    pub(super) fn link(&mut self, job: Job) -> Step {
        let VerifiedCommand::Link { queue, .. } = &job.command else { return ErrorType::Internal.into() };
        let queue = queue.clone();
        let Some(mut live) = queue.live() else { return ErrorType::Auth.into() };
        if let Some(token) = self.change_of(&mut live) {
            drop(live);
            return self.park(token, job);
        }
        let Job { requester, slot, command: VerifiedCommand::Link { link_id, command, .. }, .. } = job else {
            return ErrorType::Internal.into();
        };
        if let Some(error) = blocked(&queue) {
            return error.into();
        }
        let found = {
            let record = queue.record();
            let link = record.link.as_ref().filter(|link| *link.id() == link_id);
            let allowed = match &command {
                LinkCommand::SecureAndGet(key) => may_be_secured_with(&record, key),
                LinkCommand::Get => record.is_contact(),
            };
            link.filter(|_| allowed).map(|link| Response::Link(record.sender_id, link.data().clone()))
        };
        let Some(response) = found else { return ErrorType::Auth.into() };
        self.touch(&queue);
        let answer = Executed::response(response);
        match command {
            LinkCommand::SecureAndGet(key) => self.set_sender_key(&requester, slot, &queue, live, key, answer),
            LinkCommand::Get => Step::Done(answer),
        }
    }

    pub(super) fn notifier(&mut self, job: Job) -> Step {
        let VerifiedCommand::Notifier { queue, notifier_id, key } = &job.command else {
            return ErrorType::Internal.into();
        };
        let (queue, notifier_id) = (queue.clone(), *notifier_id);
        let is_current = notifier_key(&queue.record(), &notifier_id).is_some_and(|current| current == *key);
        let Some(mut live) = queue.live() else { return ErrorType::Auth.into() };
        if let Some(token) = self.change_of(&mut live) {
            drop(live);
            return self.park(token, job);
        }
        if !is_current {
            return ErrorType::Auth.into();
        }
        self.subscribe_notifier(job, &queue, live, notifier_id)
    }
}

fn blocked(queue: &Queue) -> Option<ErrorType> {
    match &queue.record().status {
        QueueStatus::Blocked(info) => Some(ErrorType::Blocked(**info)),
        QueueStatus::Active | QueueStatus::Off => None,
    }
}
