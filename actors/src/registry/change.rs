//! Changes of queue records: validated, written to the store log, and only then applied and answered.
//!
//! While the line of a change is on its way to the log the queue is *changing*: commands that come for it are parked behind the
//! change, so that they find the record either before or after it, never in between. A change that cannot be written leaves no
//! trace, and its command is answered with `ERR STORE`.

use std::collections::VecDeque;
use std::sync::Arc;

use smp_protocol::error::ErrorType;
use smp_store::date::Date;
use smp_store::log_record::LogRecord;
use smp_store::record::{Link, QueueStatus};
use tokio::sync::oneshot;

use super::batch::{Executed, Requester, Slot};
use super::operator::{OperatorAnswer, OperatorJob};
use super::shard::{Shard, Step};
use crate::faults::{self, FaultPoint};
use crate::queue::{ChangeToken, LiveGuard, Queue};
use crate::session_handle::SessionHandle;
use crate::verify::VerifiedCommand;

/// Whether lines were written; if not, the text of the answer.
pub type AppendResult = Result<(), &'static str>;

/// Where the lines of changes go.
pub trait ChangeLog: Send {
    /// Takes whole lines. If there is a token, [`Shard::appended`] is to be called with it once the lines are written or cannot
    /// be. Lines are written in the order in which they were given.
    fn append(&self, lines: Vec<u8>, token: Option<ChangeToken>);
}

/// A change on its way to the log.
pub(super) struct PendingChange {
    queue: Arc<Queue>,
    /// `None`: the operator.
    cause: Option<Arc<SessionHandle>>,
    record: LogRecord,
    then: Then,
    parked: VecDeque<Parked>,
}

/// What follows a change.
pub(super) enum Then {
    /// The command is done.
    Answer(Slot, Executed),
    /// The command is executed again, on the changed record.
    Resume(Job),
    /// The operator is told.
    Tell(oneshot::Sender<OperatorAnswer>, OperatorAnswer),
}

/// What waits for a change.
pub(super) enum Parked {
    /// A command of a client.
    Command(Job),
    /// A command of the operator.
    Operator(OperatorJob),
}

/// A command with everything that its execution needs.
pub(super) struct Job {
    pub requester: Requester,
    pub slot: Slot,
    pub command: VerifiedCommand,
    /// The command has changed the queue and is executed again.
    pub is_resumed: bool,
}

impl Shard {
    /// Sends a validated change to the log. Without a log it is applied at once.
    pub(super) fn change(
        &mut self,
        cause: Option<&Arc<SessionHandle>>,
        queue: &Arc<Queue>,
        mut live: LiveGuard<'_>,
        record: LogRecord,
        then: Then,
    ) -> Step {
        let Some(log) = &self.log else {
            drop(live);
            self.apply(cause, queue, record);
            return match then {
                Then::Answer(_, executed) => Step::Done(executed),
                Then::Resume(job) => self.execute(Job { is_resumed: true, ..job }),
                Then::Tell(reply, answer) => {
                    let _ = reply.send(answer);
                    Step::Waiting
                }
            };
        };
        let mut line = Vec::with_capacity(256);
        record.write(&mut line);
        let token = self.next_change;
        self.next_change += 1;
        live.changing = Some(token);
        drop(live);
        faults::pass(FaultPoint::RegistryChange, None);
        let (cause, queue) = (cause.cloned(), Arc::clone(queue));
        self.changes.insert(token, PendingChange { queue, cause, record, then, parked: VecDeque::new() });
        log.append(line, Some(token));
        Step::Waiting
    }

    /// The change that commands for a queue wait for. One that a panic lost is waited for no longer.
    pub(super) fn change_of(&self, live: &mut LiveGuard<'_>) -> Option<ChangeToken> {
        let token = live.changing?;
        live.changing = self.changes.contains_key(&token).then_some(token);
        live.changing
    }

    /// Lets a command wait for the change of its queue.
    pub(super) fn park(&mut self, token: ChangeToken, job: Job) -> Step {
        self.park_behind(token, Parked::Command(job));
        Step::Waiting
    }

    /// The token must be of [`Self::change_of`].
    pub(super) fn park_behind(&mut self, token: ChangeToken, parked: Parked) {
        if let Some(change) = self.changes.get_mut(&token) {
            change.parked.push_back(parked);
        }
    }

    /// The line of a change is in the log, or cannot be written: finishes its command and those parked behind it.
    pub fn appended(&mut self, token: ChangeToken, result: AppendResult) {
        let Some(change) = self.changes.remove(&token) else { return };
        let PendingChange { queue, cause, record, then, parked } = change;
        if let Some(mut live) = queue.live_if_any() {
            live.changing = None;
        }
        let ended = self.confine(|shard| {
            faults::pass(FaultPoint::RegistryAppended, None);
            match result {
                Ok(()) => shard.apply(cause.as_ref(), &queue, record),
                Err(_) => shard.forget(&queue, &record),
            }
        });
        let failure = match (result, ended) {
            (Ok(()), Some(())) => None,
            (Ok(()), None) => Some(ErrorType::Internal),
            (Err(text), _) => Some(ErrorType::Store(text.to_owned())),
        };
        match (then, failure) {
            (Then::Answer(slot, executed), None) => self.finish(slot, executed),
            (Then::Resume(job), None) => self.run(Job { is_resumed: true, ..job }),
            (Then::Tell(reply, answer), None) => drop(reply.send(answer)),
            (Then::Answer(slot, _) | Then::Resume(Job { slot, .. }), Some(error)) => self.finish(slot, error.into()),
            (Then::Tell(reply, _), Some(error)) => drop(reply.send(OperatorAnswer::Failed(error))),
        }
        // Run in their order: the first one that changes the queue again parks the others behind itself.
        for parked in parked {
            match parked {
                Parked::Command(job) => self.run(job),
                Parked::Operator(job) => self.operate(job),
            }
        }
    }

    /// Gives back the IDs that a change had reserved.
    fn forget(&mut self, queue: &Arc<Queue>, record: &LogRecord) {
        match record {
            LogRecord::Create(_) => {
                self.directory.remove(queue);
                if let Some(subscriber) = queue.end().and_then(|live| live.subscriber) {
                    self.forget_subscriber(queue, &subscriber);
                }
            }
            LogRecord::Notifier(_, notifier) => self.directory.remove_notifier(queue, &notifier.id),
            LogRecord::Link(_, link) if !has_link(queue, link) => self.directory.remove_link(queue, link.id()),
            // They reserve nothing.
            LogRecord::Link(..)
            | LogRecord::Secure(..)
            | LogRecord::Keys(..)
            | LogRecord::DeleteLink(_)
            | LogRecord::DeleteNotifier(_)
            | LogRecord::Suspend(_)
            | LogRecord::Block(..)
            | LogRecord::Unblock(_)
            | LogRecord::Delete(_)
            | LogRecord::Time(..)
            | LogRecord::NewService(_)
            | LogRecord::QueueService(..) => {}
        }
    }

    /// Applies a change to the record and to what follows from it. Cannot fail: it was validated. Sessions other than `cause`
    /// are told.
    pub(super) fn apply(&mut self, cause: Option<&Arc<SessionHandle>>, queue: &Arc<Queue>, change: LogRecord) {
        match change {
            LogRecord::Create(_) => self.apply_create(cause, queue),
            LogRecord::Delete(_) => self.apply_delete(cause, queue),
            LogRecord::Notifier(_, notifier) => self.apply_notifier(cause, queue, Some(Box::new(notifier))),
            LogRecord::DeleteNotifier(_) => self.apply_notifier(cause, queue, None),
            LogRecord::DeleteLink(_) => self.apply_delete_link(queue),
            LogRecord::Block(_, info) => self.apply_block(queue, info),
            LogRecord::QueueService(_, party, service) => self.apply_association(cause, queue, party, service),
            // Nothing else follows from these.
            LogRecord::Link(_, link) => queue.record_mut().link = Some(Box::new(link)),
            LogRecord::Secure(_, key) => queue.record_mut().sender_key = Some(key),
            LogRecord::Keys(_, keys) => queue.record_mut().recipient_keys = keys,
            LogRecord::Suspend(_) => queue.record_mut().status = QueueStatus::Off,
            LogRecord::Unblock(_) => queue.record_mut().status = QueueStatus::Active,
            LogRecord::Time(_, date) => queue.record_mut().updated_at = Some(date),
            // Of no queue: services are entered by their registrar.
            LogRecord::NewService(_) => {}
        }
    }

    /// Notes the first use of a queue on a day (behaviour.md §3.1.3). Nothing waits for the line.
    pub(super) fn touch(&mut self, queue: &Queue) {
        let today = self.today();
        if queue.record().updated_at == Some(today) {
            return;
        }
        queue.record_mut().updated_at = Some(today);
        self.log_unanswered(&LogRecord::Time(*queue.recipient_id(), today));
    }

    /// Logs a change that is applied whether or not the line can be written.
    pub(super) fn log_unanswered(&self, record: &LogRecord) {
        if let Some(log) = &self.log {
            let mut line = Vec::with_capacity(64);
            record.write(&mut line);
            log.append(line, None);
        }
    }

    fn today(&self) -> Date {
        Date::from_unix_seconds(self.now())
    }
}

fn has_link(queue: &Queue, link: &Link) -> bool {
    queue.record().link.as_ref().is_some_and(|own| own.id() == link.id())
}
