//! Takes blocks from the socket, verifies their commands and has them executed, one block after the other.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::Addr;
use actix::dev::SendError;
use smp_protocol::batch;
use smp_protocol::command::{Command, NotifierCommand, RecipientCommand, SenderCommand};
use smp_protocol::error::{ErrorType, NameError, ProxyError};
use smp_protocol::id::SessionId;
use smp_protocol::key::DhPrivateKey;
use smp_protocol::response::Response;
use smp_protocol::transmission::{Rejected, Transmission, Wire};
use smp_protocol::version::Version;
use smp_transport::block::Disconnected;
use smp_transport::handshake::Reader as BlockSource;
use tokio::sync::{Notify, oneshot};

use super::actor::Session;
use super::answers::AnswersInWork;
use super::outbox::{Outbox, Outgoing};
use crate::block_pool::PooledBlock;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::faults::{self, FaultPoint};
use crate::registry::{Answer, Batch, Executed, QueueRegistry};
use crate::session_handle::SessionHandle;
use crate::stats::Stats;
use crate::verify::{Asker, Passed, ServiceIdentity, Verified};

/// What the handshake of a session settled.
pub(super) struct Terms {
    pub version: Version,
    pub session_id: SessionId,
    pub session_key: DhPrivateKey,
    pub service: Option<Arc<ServiceIdentity>>,
}

/// The registry as a session sees it.
#[derive(Clone)]
pub struct RegistryShards {
    /// All shards, by their numbers.
    pub shards: Arc<[Addr<QueueRegistry>]>,
    /// The shard on the thread of the session: it makes the queues that the session asks for.
    pub home: usize,
}

/// Verifications between two chances for other sessions of the thread: each takes tens of microseconds.
const VERIFICATIONS_IN_A_ROW: usize = 8;

/// The reading part of a session.
pub(super) struct Reader {
    pub source: BlockSource,
    pub terms: Rc<Terms>,
    pub handle: Arc<SessionHandle>,
    pub actor: Addr<Session>,
    pub outbox: Rc<Outbox>,
    pub closing: Rc<Notify>,
    pub directory: Arc<Directory>,
    pub registry: RegistryShards,
    pub stats: Arc<Stats>,
    pub clock: Clock,
}

/// The commands of one block, sorted for their execution.
#[derive(Default)]
struct Sorted {
    answers: AnswersInWork,
    /// By shard.
    batches: Vec<(usize, Vec<(usize, Verified)>)>,
    rejected: Vec<Outgoing>,
}

impl Reader {
    /// Works until the client leaves or the session is to close.
    pub async fn run(mut self) -> (BlockSource, Result<(), Disconnected>) {
        let result = self.work().await;
        (self.source, result)
    }

    async fn work(&mut self) -> Result<(), Disconnected> {
        loop {
            self.outbox.wait_for_room().await;
            tokio::select! {
                biased;
                () = self.closing.notified() => return Ok(()),
                ready = self.source.ready() => ready?,
            }
            let sorted = {
                let mut block = PooledBlock::take();
                let content = self.source.read(&mut block).await?;
                self.handle.received_at.store(self.clock.now(), Ordering::Relaxed);
                faults::pass(FaultPoint::Session, Some(self.terms.version));
                match content.map_err(drop).and_then(|content| batch::split(content).map_err(drop)) {
                    Ok(transmissions) => self.sort(&transmissions).await,
                    Err(()) => Sorted { rejected: vec![outgoing(Rejected::block())], ..Sorted::default() },
                }
            };
            self.execute(sorted).await;
        }
    }

    /// Parses and verifies the transmissions of a block.
    async fn sort(&self, transmissions: &[&[u8]]) -> Sorted {
        let mut sorted = Sorted::default();
        let wire = Wire::connection(self.terms.version, &self.terms.session_id);
        let mut kinds = BlockKind::default();
        for (number, bytes) in transmissions.iter().enumerate() {
            if number % VERIFICATIONS_IN_A_ROW == VERIFICATIONS_IN_A_ROW - 1 {
                tokio::task::yield_now().await;
            }
            let parsed = wire.read(bytes).and_then(|t| t.command(self.terms.version).map(|command| (t, command)));
            match parsed {
                Ok((transmission, command)) => {
                    kinds.add(&command);
                    self.sort_one(transmission, command, &mut sorted);
                }
                Err(rejected) => sorted.rejected.push(outgoing(rejected)),
            }
        }
        kinds.count(&self.stats);
        sorted
    }

    fn sort_one(&self, transmission: Transmission<'_>, command: Command, sorted: &mut Sorted) {
        let asker = Asker { session_key: &self.terms.session_key, service: self.terms.service.as_deref() };
        let counter = CommandKind::of(&command);
        match asker.verify(&transmission, command, &self.directory) {
            Err(error) => {
                counter.count_rejected(&error, &self.stats);
                let Transmission { corr_id, entity, .. } = transmission;
                sorted.rejected.push(outgoing(Rejected { corr_id, entity, error }));
            }
            Ok(Passed::Unauthorized(command)) => {
                let position = sorted.answers.enter(transmission.corr_id, transmission.entity);
                sorted.answers.set(position, answer_at_once(&command));
            }
            Ok(Passed::Execute(verified)) => {
                let queue = verified.queue();
                let shard = queue.map_or(self.registry.home, |q| self.directory.shard_of(q.recipient_id()));
                let position = sorted.answers.enter(transmission.corr_id, transmission.entity);
                match sorted.batches.iter_mut().find(|(number, _)| *number == shard) {
                    Some((_, commands)) => commands.push((position, verified)),
                    None => sorted.batches.push((shard, vec![(position, verified)])),
                }
            }
        }
    }

    /// Has the commands executed and their answers sent. Answers go through the mailbox of the session, behind the messages
    /// that the shards pushed to it before they answered.
    async fn execute(&self, sorted: Sorted) {
        let Sorted { mut answers, batches, rejected } = sorted;
        self.outbox.push(rejected);
        for (shard, commands) in batches {
            let (reply, receiver) = oneshot::channel();
            let batch = Batch {
                session: Arc::clone(&self.handle),
                version: self.terms.version,
                service: self.terms.service.clone(),
                commands,
                reply,
            };
            answers.expect(receiver);
            let address = &self.registry.shards[shard];
            if let Err(SendError::Full(batch)) = address.try_send(batch) {
                // A closed mailbox drops the reply, which is then answered as a failure.
                let _ = address.send(batch).await;
            }
        }
        self.actor.do_send(answers.complete().await);
    }
}

fn outgoing(rejected: Rejected) -> Outgoing {
    let Rejected { corr_id, entity, error } = rejected;
    Outgoing::answer(corr_id, entity, Answer::Response(Response::Error(error)))
}

/// Commands without a queue.
fn answer_at_once(command: &Command) -> Executed {
    match command {
        Command::Ping => Executed::response(Response::Pong),
        Command::Resolve(_) => ErrorType::Name(NameError::NoResolver).into(),
        _ => ErrorType::from(ProxyError::BasicAuth).into(),
    }
}

/// What the counters of refused commands tell apart.
#[derive(Clone, Copy)]
enum CommandKind {
    Subscribe,
    Get,
    Send,
    SubscribeNotifier,
    Other,
}

impl CommandKind {
    fn of(command: &Command) -> Self {
        match command {
            Command::Recipient(RecipientCommand::Subscribe) => Self::Subscribe,
            Command::Recipient(RecipientCommand::Get) => Self::Get,
            Command::Sender(SenderCommand::Send(_)) => Self::Send,
            Command::Notifier(NotifierCommand::Subscribe) => Self::SubscribeNotifier,
            _ => Self::Other,
        }
    }

    fn count_rejected(self, error: &ErrorType, stats: &Stats) {
        if *error != ErrorType::Auth {
            return;
        }
        match self {
            Self::Subscribe => stats.subscriptions.unauthorized.count(),
            Self::Get => stats.messages.get_unauthorized.count(),
            Self::Send => stats.messages.send_unauthorized.count(),
            Self::SubscribeNotifier => stats.notifications.unauthorized.count(),
            Self::Other => {}
        }
    }
}

/// Whether a block has several commands of one party: some counters count such blocks by their first command.
#[derive(Default)]
struct BlockKind {
    commands: usize,
    recipient: usize,
    notifier: usize,
    first: Option<FirstCommand>,
}

#[derive(Clone, Copy)]
enum FirstCommand {
    Delete,
    Subscribe,
    DeleteNotifier,
    SubscribeNotifier,
}

impl BlockKind {
    fn add(&mut self, command: &Command) {
        if self.commands == 0 {
            self.first = match command {
                Command::Recipient(RecipientCommand::Delete) => Some(FirstCommand::Delete),
                Command::Recipient(RecipientCommand::Subscribe) => Some(FirstCommand::Subscribe),
                Command::Recipient(RecipientCommand::DeleteNotifier) => Some(FirstCommand::DeleteNotifier),
                Command::Notifier(NotifierCommand::Subscribe) => Some(FirstCommand::SubscribeNotifier),
                _ => None,
            };
        }
        self.commands += 1;
        self.recipient += usize::from(matches!(command, Command::Recipient(_)));
        self.notifier += usize::from(matches!(command, Command::Notifier(_)));
    }

    fn count(&self, stats: &Stats) {
        if self.commands < 2 || (self.recipient != self.commands && self.notifier != self.commands) {
            return;
        }
        match self.first {
            Some(FirstCommand::Delete) => stats.queues.deleted_blocks.count(),
            Some(FirstCommand::Subscribe) => stats.subscriptions.blocks.count(),
            Some(FirstCommand::DeleteNotifier) => stats.notifications.deleted_blocks.count(),
            Some(FirstCommand::SubscribeNotifier) => stats.notifications.subscribed_blocks.count(),
            None => {}
        }
    }
}
