//! One shard of the registry: a state machine that executes commands in the order in which they come.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smp_protocol::error::ErrorType;
use smp_protocol::id::{MessageId, RecipientId};

use super::batch::{Batch, Executed, OpenBatch, Requester, Slot};
use super::change::{ChangeLog, Job, PendingChange};
use super::journal::{JournalToken, Journaling, MessageJournal};
use super::services::Peers;
use super::subscriptions::Subscriptions;
use crate::activity::{Activity, PeriodEnds};
use crate::clock::Clock;
use crate::create_password::CreatePassword;
use crate::directory::Directory;
use crate::faults::{self, FaultPoint};
use crate::notification::NotificationMailbox;
use crate::queue::ChangeToken;
use crate::services::Services;
use crate::session_handle::SessionHandle;
use crate::stats::Stats;
use crate::verify::VerifiedCommand;

/// What the operator decided about queues.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether queues may be created at all.
    pub new_queues: bool,
    /// Password for creating queues.
    pub password: CreatePassword,
    /// Messages that a queue holds.
    pub quota: usize,
    /// Age in seconds at which messages expire; `None`: never.
    pub message_ttl: Option<i64>,
    /// Whether sending to a queue removes its expired messages.
    pub expire_on_send: bool,
}

/// A shard and all that it knows. The queues themselves are in the directory.
pub struct Shard {
    pub(super) index: usize,
    pub(super) directory: Arc<Directory>,
    pub(super) policy: Policy,
    pub(super) stats: Arc<Stats>,
    pub(super) log: Option<Box<dyn ChangeLog>>,
    pub(super) journal: Option<Box<dyn MessageJournal>>,
    pub(super) notifications: Box<dyn NotificationMailbox>,
    pub(super) services: Arc<Services>,
    pub(super) peers: Arc<dyn Peers>,
    pub(super) clock: Clock,
    pub(super) changes: HashMap<ChangeToken, PendingChange>,
    pub(super) next_change: ChangeToken,
    pub(super) journaling: HashMap<JournalToken, Journaling>,
    pub(super) next_journal_token: JournalToken,
    /// The oldest messages of queues, which the disk did not give.
    pub(super) unread: HashMap<RecipientId, MessageId>,
    pub(super) subscriptions: Subscriptions,
    pub(super) activity: Activity,
    batches: HashMap<usize, OpenBatch>,
    next_batch: usize,
    panicked: bool,
    /// The queues are saved: nothing is executed any more.
    closed: bool,
}

/// What a shard works with.
pub struct ShardParts {
    /// Which shard it is.
    pub index: usize,
    /// All queues.
    pub directory: Arc<Directory>,
    /// Decisions of the operator.
    pub policy: Policy,
    /// Counters.
    pub stats: Arc<Stats>,
    /// The store log, if there is one.
    pub log: Option<Box<dyn ChangeLog>>,
    /// The journal of messages, if they are kept in one.
    pub journal: Option<Box<dyn MessageJournal>>,
    /// Where notifications go.
    pub notifications: Box<dyn NotificationMailbox>,
    /// All services.
    pub services: Arc<Services>,
    /// All shards.
    pub peers: Arc<dyn Peers>,
    /// The time.
    pub clock: Clock,
    /// Active queues, as saved.
    pub activity: Activity,
}

/// State of a command.
#[expect(clippy::large_enum_variant, reason = "lives for the moment of one return")]
pub(super) enum Step {
    /// It has its answer.
    Done(Executed),
    /// It waits for the store log or the journal; [`Shard::finish`] will be called.
    Waiting,
}

impl From<ErrorType> for Step {
    fn from(error: ErrorType) -> Self {
        Self::Done(error.into())
    }
}

impl Shard {
    /// A shard without subscriptions.
    pub fn new(parts: ShardParts) -> Self {
        Self {
            index: parts.index,
            directory: parts.directory,
            policy: parts.policy,
            stats: parts.stats,
            log: parts.log,
            journal: parts.journal,
            notifications: parts.notifications,
            services: parts.services,
            peers: parts.peers,
            clock: parts.clock,
            changes: HashMap::new(),
            next_change: 0,
            journaling: HashMap::new(),
            next_journal_token: 0,
            unread: HashMap::new(),
            subscriptions: Subscriptions::default(),
            activity: parts.activity,
            batches: HashMap::new(),
            next_batch: 0,
            panicked: false,
            closed: false,
        }
    }

    /// Executes the commands of a batch, first to last.
    pub fn execute_batch(&mut self, batch: Batch) {
        let Batch { session, version, service, commands, reply } = batch;
        let number = self.next_batch;
        self.next_batch += 1;
        let open = OpenBatch::new(reply, commands.len());
        if commands.is_empty() {
            return open.reply();
        }
        self.batches.insert(number, open);
        let requester = Requester { session, version, service };
        for (position, verified) in commands {
            let slot = Slot { batch: number, position };
            let (requester, command) = (requester.clone(), verified.into_command());
            self.run(Job { requester, slot, command, is_resumed: false });
        }
    }

    /// From now on commands are answered with `ERR INTERNAL`: what is executed while the queues are saved would be lost.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether commands are not executed any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Executes one command. A panic costs only this command: it is answered with `ERR INTERNAL`.
    pub(super) fn run(&mut self, job: Job) {
        let slot = job.slot;
        if self.closed {
            return self.finish(slot, ErrorType::Internal.into());
        }
        let step = self.confine(|shard| {
            faults::pass(FaultPoint::RegistryCommand, Some(job.requester.version));
            shard.execute(job)
        });
        match step {
            Some(Step::Done(executed)) => self.finish(slot, executed),
            Some(Step::Waiting) => {}
            None => self.finish(slot, ErrorType::Internal.into()),
        }
    }

    /// Does work that is about one queue or one session; `None` if it panicked, which is nobody else's business.
    pub(super) fn confine<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(|| work(self)));
        self.panicked |= result.is_err();
        result.ok()
    }

    /// Whether anything panicked since this was last asked: then the actor is to be restarted.
    pub fn take_panicked(&mut self) -> bool {
        std::mem::take(&mut self.panicked)
    }

    pub(super) fn execute(&mut self, job: Job) -> Step {
        match job.command {
            VerifiedCommand::Create { new, corr_id, agreed } => {
                self.create((&job.requester, job.slot), *new, &corr_id, &agreed)
            }
            VerifiedCommand::Recipient { .. } => self.recipient(job),
            VerifiedCommand::Sender { .. } => self.sender(job),
            VerifiedCommand::Link { .. } => self.link(job),
            VerifiedCommand::Notifier { .. } => self.notifier(job),
            VerifiedCommand::Service(command) => self.service_command(&job.requester, &command),
        }
    }

    /// A command has its answer; the last one of a batch sends the reply.
    pub(super) fn finish(&mut self, slot: Slot, executed: Executed) {
        let Some(open) = self.batches.get_mut(&slot.batch) else { return };
        if open.finish(slot.position, executed)
            && let Some(open) = self.batches.remove(&slot.batch)
        {
            open.reply();
        }
    }

    /// Forgets a session that is not connected any more. What was delivered to it stays stored.
    pub fn unsubscribe(&mut self, session: &SessionHandle) {
        self.confine(|shard| {
            faults::pass(FaultPoint::RegistryMessage, None);
            if let Some(service) = session.service().and_then(|id| shard.services.find(&id)) {
                service.unsubscribe(session);
            }
        });
        for queue in self.subscriptions.remove_session(session) {
            self.confine(|_| queue.forget_session(session));
        }
    }

    /// The active queues of the shard; the periods that are over are forgotten.
    pub fn take_activity(&mut self, ends: PeriodEnds) -> Activity {
        let activity = self.activity.clone();
        self.activity.end(ends);
        activity
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.clock.now()
    }
}
