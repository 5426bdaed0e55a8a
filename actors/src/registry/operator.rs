//! What the operator does to queues: blocking, unblocking, deleting (behaviour.md §6, §10.2).

use std::sync::Arc;

use actix::Message;
use smp_protocol::error::{BlockingInfo, ErrorType};
use smp_store::log_record::LogRecord;
use smp_store::record::QueueStatus;
use tokio::sync::oneshot;

use super::change::{Parked, Then};
use super::shard::Shard;
use crate::faults::{self, FaultPoint};
use crate::queue::Queue;
use crate::services::AreaKind;
use crate::session_handle::Event;

/// A decision of the operator about a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorCommand {
    /// Nobody can use it from now on.
    Block(BlockingInfo),
    /// It can be used again.
    Unblock,
    /// It ends, with its messages.
    Delete,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorAnswer {
    /// Blocked.
    Blocked {
        /// Until now it could be used.
        was_active: bool,
    },
    /// It can be used again; why it could not.
    Unblocked(BlockingInfo),
    /// It was not blocked.
    WasActive,
    /// It was not blocked, but suspended by its recipient, whose decision stands.
    IsSuspended,
    /// Deleted with so many undelivered messages.
    Deleted(usize),
    /// Nothing was changed.
    Failed(ErrorType),
}

/// A command of the operator on its way to the shard of the queue.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OperatorJob {
    /// The queue.
    pub queue: Arc<Queue>,
    /// What to do.
    pub command: OperatorCommand,
    /// Gets the answer once the change is in the store log.
    pub reply: oneshot::Sender<OperatorAnswer>,
}

impl OperatorJob {
    fn answer(self, answer: OperatorAnswer) {
        // Without anybody who waits there is nobody to tell.
        let _ = self.reply.send(answer);
    }
}

impl Shard {
    /// Executes a command of the operator, between those of clients. One that panics is dropped, which tells whoever waits for the
    /// answer.
    pub fn operate(&mut self, job: OperatorJob) {
        if self.is_closed() {
            return job.answer(OperatorAnswer::Failed(ErrorType::Internal));
        }
        self.confine(|shard| {
            faults::pass(FaultPoint::RegistryOperator, None);
            shard.operate_on(job);
        });
    }

    fn operate_on(&mut self, job: OperatorJob) {
        let queue = Arc::clone(&job.queue);
        let Some(mut live) = queue.live() else { return job.answer(OperatorAnswer::Failed(ErrorType::Auth)) };
        if let Some(token) = self.change_of(&mut live) {
            drop(live);
            return self.park_behind(token, Parked::Operator(job));
        }
        let id = *queue.recipient_id();
        let status = queue.record().status.clone();
        let (record, answer) = match (job.command, status) {
            (OperatorCommand::Delete, _) => (LogRecord::Delete(id), OperatorAnswer::Deleted(live.messages.len())),
            (OperatorCommand::Unblock, QueueStatus::Blocked(info)) => {
                (LogRecord::Unblock(id), OperatorAnswer::Unblocked(*info))
            }
            (OperatorCommand::Unblock, QueueStatus::Active) => return job.answer(OperatorAnswer::WasActive),
            (OperatorCommand::Unblock, QueueStatus::Off) => return job.answer(OperatorAnswer::IsSuspended),
            (OperatorCommand::Block(info), status) => {
                (LogRecord::Block(id, info), OperatorAnswer::Blocked { was_active: status == QueueStatus::Active })
            }
        };
        // Nothing is left to be done here: whoever waits is told by the change.
        let _ = self.change(None, &queue, live, record, Then::Tell(job.reply, answer));
    }

    /// The queue is blocked. Whoever is subscribed to it is told; the subscription stays.
    pub(super) fn apply_block(&mut self, queue: &Arc<Queue>, info: BlockingInfo) {
        let old = std::mem::replace(&mut queue.record_mut().status, QueueStatus::Blocked(Box::new(info)));
        if old == QueueStatus::Active {
            self.stats.queues.blocked.count();
        }
        let service = queue.record().service.as_deref().and_then(|id| self.services.find(id));
        let session = match service {
            Some(service) => service.area(AreaKind::Messages).subscriber(),
            None => queue.live_if_any().and_then(|live| {
                let current = live.subscriber.as_ref().filter(|subscriber| subscriber.is_current())?;
                Some(Arc::clone(&current.session))
            }),
        };
        if let Some(session) = session.filter(|session| session.is_connected()) {
            session.mailbox().notice((*queue.recipient_id()).into(), Event::Blocked(info));
        }
    }
}
