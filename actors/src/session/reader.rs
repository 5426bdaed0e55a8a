//! Takes blocks from the socket, verifies their commands and has them executed, one block after the other.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix::Addr;
use actix::dev::SendError;
use smp_protocol::batch;
use smp_protocol::command::{ProxyCommand, may_hold_password};
use smp_protocol::error::ErrorType;
use smp_protocol::id::{CorrId, EntityId};
use smp_protocol::response::Response;
use smp_protocol::transmission::{Rejected, Transmission, Wire};
use smp_transport::block::Disconnected;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::BlockSource;
use super::actor::Session;
use super::endings::Endings;
use super::errands::{Errand, Errands};
use super::kinds::{BlockKind, count_rejected};
use super::outbox::{Outbox, Outgoing};
use super::sorted::{Origin, Sorted};
use super::terms::Terms;
use crate::block_pool::PooledBlock;
use crate::clock::Clock;
use crate::command_kind::CommandKind;
use crate::directory::Directory;
use crate::faults::{self, FaultPoint};
use crate::names::NameResolution;
use crate::registry::{Answer, Batch, QueueRegistry};
use crate::relays::{Forwarding, Found, NewRelays};
use crate::session_handle::SessionHandle;
use crate::stats::{MailboxDepth, Stats};
use crate::verify::{Asker, Passed, Unauthorized, Verified};

/// The registry as a session sees it.
#[derive(Clone)]
pub struct RegistryShards {
    /// All shards, by their numbers.
    pub shards: Arc<[Addr<QueueRegistry>]>,
    /// How many batches wait for each of them.
    pub depths: Arc<[Arc<MailboxDepth>]>,
    /// The shard on the thread of the session: it makes the queues that the session asks for.
    pub home: usize,
}

/// Large answers that may be made at a time. The rest of the block waits for room.
const LARGE_ANSWERS: usize = 4;
/// Commands that are verified together.
const VERIFIED_TOGETHER: usize = 16;
/// What is done between two chances for other sessions of the thread, in verifications: each takes about twenty microseconds.
const TURN: usize = 16;
/// What the secret of a new queue takes, in verifications.
const AGREEMENT: usize = 2;

/// The work of a session for which others of its thread wait.
#[derive(Default)]
struct Turn {
    done: usize,
}

impl Turn {
    /// Gives others a chance once in a while.
    async fn has_done(&mut self, more: usize) {
        self.done += more;
        if self.done >= TURN {
            self.done = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// The reading part of a session.
pub(super) struct Reader {
    pub source: BlockSource,
    pub terms: Rc<Terms>,
    pub handle: Arc<SessionHandle>,
    pub actor: Addr<Session>,
    pub outbox: Rc<Outbox>,
    pub closing: Rc<Notify>,
    pub endings: Rc<RefCell<Endings>>,
    pub errands: Errands,
    pub directory: Arc<Directory>,
    pub registry: RegistryShards,
    pub forwarding: Forwarding,
    pub new_relays: NewRelays,
    pub names: NameResolution,
    pub stats: Arc<Stats>,
    pub clock: Clock,
    pub block_timeout: Duration,
    pub messages_are_in_memory: bool,
}

/// A block with its commands verified, in parts that are executed one after the other, and when it had come.
struct Taken {
    parts: Vec<Sorted>,
    since: Instant,
}

impl Reader {
    /// Works until the client leaves or the session is to close.
    pub async fn run(mut self) -> (BlockSource, Result<(), Disconnected>) {
        let result = self.work().await;
        (self.source, result)
    }

    /// Whatever it waits for, the session can be closed meanwhile; except that commands that were sent to the shards are waited
    /// for, so that the client learns what became of them.
    async fn work(&mut self) -> Result<(), Disconnected> {
        let closing = Rc::clone(&self.closing);
        loop {
            let Taken { parts, since } = tokio::select! {
                biased;
                () = closing.notified() => return Ok(()),
                taken = self.take_block() => taken?,
            };
            for part in parts {
                tokio::select! {
                    biased;
                    () = closing.notified() => return Ok(()),
                    () = self.outbox.wait_for_room() => {}
                }
                self.handle.begin_executing();
                let errands = self.execute(part, since).await;
                self.handle.end_executing();
                for errand in errands {
                    tokio::select! {
                        biased;
                        () = closing.notified() => return Ok(()),
                        () = self.errands.begin(errand, since) => {}
                    }
                }
            }
        }
    }

    /// Takes a block, as soon as there is room for its answers. Once it has begun it must not take too long. Nothing comes of a
    /// block that is given up.
    async fn take_block(&mut self) -> Result<Taken, Disconnected> {
        self.outbox.wait_for_room().await;
        self.source.ready().await?;
        let mut block = PooledBlock::take_for_secrets();
        let read = timeout(self.block_timeout, self.source.read(&mut block)).await;
        let content = read.map_err(io::Error::from)??;
        let since = Instant::now();
        self.handle.received_at.store(self.clock.now(), Ordering::Relaxed);
        faults::pass(FaultPoint::Session, Some(self.terms.version));
        let length = content.as_ref().map_or(usize::MAX, |content| content.len());
        let parts = match content.map_err(drop).and_then(|content| batch::split(content).map_err(drop)) {
            Ok(transmissions) => self.sort(&transmissions).await,
            Err(()) => {
                let rejected = vec![outgoing(Rejected::block())];
                vec![Sorted { rejected, may_hold_password: true, ..Sorted::default() }]
            }
        };
        let may_hold_password = parts.iter().any(|part| part.may_hold_password);
        block.holds_secrets_in(if may_hold_password { length } else { 0 });
        Ok(Taken { parts, since })
    }

    /// Parses and verifies the transmissions of a block. A part of it is full when its answers may hold too much.
    async fn sort(&self, transmissions: &[&[u8]]) -> Vec<Sorted> {
        let (mut full, mut sorted) = (Vec::new(), Sorted::default());
        let wire = Wire::connection(self.terms.version, &self.terms.session_id);
        let mut kinds = BlockKind::default();
        let asker = Asker { session_key: &self.terms.session_key, service: self.terms.service.as_deref() };
        let mut turn = Turn::default();
        for (number, some) in transmissions.chunks(VERIFIED_TOGETHER).enumerate() {
            if number > 0 {
                turn.has_done(VERIFIED_TOGETHER).await;
            }
            let parse = |bytes| {
                let transmission = wire.read(bytes)?;
                transmission.command(self.terms.version).map(|command| (transmission, command))
            };
            let parsed: Vec<_> = some.iter().copied().map(parse).collect();
            let proofs =
                asker.prove(parsed.iter().map(|parsed| parsed.as_ref().ok().map(|(t, c)| (t, c))), &self.directory);
            for (parsed, proved) in parsed.into_iter().zip(proofs) {
                match parsed {
                    Ok((transmission, command)) => {
                        sorted.may_hold_password |= may_hold_password(transmission.body);
                        kinds.add(&command);
                        let kind = CommandKind::of(&command);
                        if kind.has_large_answer(self.messages_are_in_memory) {
                            if sorted.large == LARGE_ANSWERS {
                                full.push(std::mem::take(&mut sorted));
                            }
                            sorted.large += 1;
                        }
                        let verified = asker.verify(&transmission, command, &self.directory, proved);
                        self.sort_one(transmission, kind, verified, &mut sorted);
                        if kind == CommandKind::New {
                            turn.has_done(AGREEMENT).await;
                        }
                    }
                    Err(rejected) => {
                        sorted.may_hold_password = true;
                        sorted.rejected.push(outgoing(rejected));
                    }
                }
            }
        }
        kinds.count(&self.stats);
        full.push(sorted);
        full
    }

    fn sort_one(
        &self,
        transmission: Transmission<'_>,
        kind: CommandKind,
        verified: Result<Passed, ErrorType>,
        sorted: &mut Sorted,
    ) {
        let Transmission { corr_id, entity, .. } = transmission;
        match verified {
            Err(error) => {
                count_rejected(kind, &error, &self.stats);
                sorted.rejected.push(outgoing(Rejected { corr_id, entity, error }));
            }
            Ok(Passed::Unauthorized(command)) => {
                let errands = sorted.errands.len();
                self.sort_unauthorized(kind, corr_id, entity, command, sorted);
                // Errands are answered by themselves.
                if sorted.errands.len() == errands {
                    sorted.answered.add(kind);
                }
            }
            Ok(Passed::Execute(verified)) => {
                sorted.answered.add(kind);
                let position = sorted.answers.enter(corr_id, entity);
                sorted.add(self.shard_of(&verified), Origin::Client, position, verified);
            }
        }
    }

    /// Commands that no shard executes, except those that other relays forward.
    fn sort_unauthorized(
        &self,
        kind: CommandKind,
        corr_id: CorrId,
        entity: EntityId,
        command: Unauthorized,
        sorted: &mut Sorted,
    ) {
        match command {
            Unauthorized::Ping => sorted.answer(corr_id, entity, Response::Pong),
            Unauthorized::Resolve(name) => match self.names.resolve(name) {
                Ok(lookup) => {
                    let answer = async { lookup.await.map_or_else(name_error, found_name) };
                    sorted.errands.push(Errand::of_names(kind, corr_id, entity, answer));
                }
                Err(error) => sorted.answer(corr_id, entity, name_error(error)),
            },
            Unauthorized::Proxy(ProxyCommand::Connect(relay)) => {
                let (address, password) = &*relay;
                match self.forwarding.connect(address, password.as_ref(), &self.new_relays) {
                    Found::Known(response) => sorted.answer(corr_id, entity, response),
                    Found::Later(answer) => sorted.errands.push(Errand::of_relays(kind, corr_id, entity, answer)),
                }
            }
            Unauthorized::Proxy(ProxyCommand::Forward(command)) => {
                match self.forwarding.forward(&entity, corr_id.clone(), command) {
                    Found::Known(response) => sorted.answer(corr_id, entity, response),
                    Found::Later(answer) => sorted.errands.push(Errand::of_relays(kind, corr_id, entity, answer)),
                }
            }
            Unauthorized::Proxy(ProxyCommand::Relay(encrypted)) => {
                self.sort_forwarded(corr_id, entity, &encrypted, sorted);
            }
        }
    }

    pub(super) fn shard_of(&self, verified: &Verified) -> usize {
        verified.queue().map_or(self.registry.home, |queue| self.directory.shard_of(queue.recipient_id()))
    }

    /// Has the commands executed and their answers sent. Answers go through the mailbox of the session, behind the messages
    /// that the shards pushed to it before they answered. Returns what is to be answered later.
    async fn execute(&self, sorted: Sorted, since: Instant) -> Vec<Errand> {
        let Sorted { mut answers, batches, rejected, errands, answered, may_hold_password: _, large: _ } = sorted;
        self.endings.borrow_mut().block_taken();
        self.outbox.push(rejected);
        for batch in batches {
            let (reply, receiver) = oneshot::channel();
            answers.expect(receiver);
            let (address, depth) = (&self.registry.shards[batch.shard], &self.registry.depths[batch.shard]);
            let (version, service) = match batch.origin {
                Origin::Client => (self.terms.version, self.terms.service.clone()),
                Origin::Forwarded(version) => (version, None),
            };
            let session = Arc::clone(&self.handle);
            let batch = Batch { session, version, service, commands: batch.commands, reply };
            depth.enter();
            if let Err(SendError::Full(batch)) = address.try_send(batch) {
                // A closed mailbox drops the reply, which is then answered as a failure.
                let _ = address.send(batch).await;
            }
        }
        let answers = answers.complete(&self.terms).await;
        // They count before they come through the mailbox.
        self.outbox.count(&answers.answers);
        self.actor.do_send(answers);
        self.stats.latencies.count_all(&answered, since.elapsed());
        errands
    }
}

fn outgoing(rejected: Rejected) -> Outgoing {
    let Rejected { corr_id, entity, error } = rejected;
    Outgoing::answer(corr_id, entity, Answer::Response(Response::Error(error)))
}

pub(super) fn name_error(error: smp_protocol::error::NameError) -> Response {
    Response::Error(ErrorType::Name(error))
}

pub(super) fn found_name(record: smp_protocol::response::NameRecord) -> Response {
    Response::Name(Box::new(record))
}
