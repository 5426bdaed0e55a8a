//! A client with its connection: what it asked, what it was told, and what it believes.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use smp_actors::registry::{Batch, BatchReply, Executed};
use smp_actors::session::Endings;
use smp_actors::session_handle::{Delivery, Event, NotifierEvent, SessionHandle, SessionMailbox};
use smp_actors::verify::{Asker, Passed, ServiceIdentity, Verified};
use smp_protocol::error::ErrorType;
use smp_protocol::id::{CorrId, EntityId, MessageId, NotifierId, SessionId};
use smp_protocol::key::{DhPrivateKey, SigningKey};
use smp_protocol::transmission::{Credentials, ServiceCredentials, Wire};
use smp_protocol::version::Version;
use smp_store::message_queue::StoredMessage;
use tokio::sync::oneshot;

use crate::commands::Asked;
use crate::ledger::{Body, KnownQueue, Ledger};
use crate::outbox::{Outbox, Outgoing};
use crate::relay::Relay;
use crate::story::Tick;

const VERSION: Version = Version::MAX;

/// What the mailbox of a session was sent, with the tick.
pub enum Told {
    Message(Delivery, Tick),
    Notice(EntityId, Event),
    Notifications(Vec<NotifierEvent>),
    Answers(AnsweredBlock),
}

/// A block with all its answers.
pub struct AnsweredBlock {
    pub sent_at: Tick,
    pub taken_at: Tick,
    pub answers: Vec<(Asked, Executed)>,
}

/// What other actors see of the session.
struct Mailbox {
    told: Arc<Mutex<VecDeque<Told>>>,
    now: Arc<Mutex<Tick>>,
}

impl SessionMailbox for Mailbox {
    fn deliver(&self, delivery: Delivery) {
        self.told.lock().push_back(Told::Message(delivery, *self.now.lock()));
    }

    fn notice(&self, entity: EntityId, event: Event) {
        self.told.lock().push_back(Told::Notice(entity, event));
    }

    fn notify(&self, notifications: Vec<NotifierEvent>) {
        self.told.lock().push_back(Told::Notifications(notifications));
    }

    fn close(&self) {}
}

/// Keys of a service.
pub struct ServiceKeys {
    pub identity: Arc<ServiceIdentity>,
    pub session_key: SigningKey,
}

/// A client.
pub struct Client {
    pub handle: Arc<SessionHandle>,
    pub service: Option<Arc<ServiceKeys>>,
    pub endings: Endings,
    pub outbox: Outbox,
    /// How fast it reads, in this run.
    pub speed: u32,
    /// Queues that it believes to be subscribed to by itself.
    pub subscribed: BTreeSet<usize>,
    /// Notifiers that it believes to be subscribed to.
    pub notified: BTreeSet<EntityId>,
    /// It believes to be subscribed for its service.
    pub serves: bool,
    /// Messages that it has not acknowledged.
    pub holding: Vec<(usize, MessageId)>,
    /// Queues that it asked with `GET`.
    pub got: BTreeSet<usize>,
    /// Messages that it got, by queue.
    pub messages: BTreeSet<(usize, Body)>,
    /// Notifiers that it was notified for.
    pub notifications: BTreeSet<EntityId>,
    told: Arc<Mutex<VecDeque<Told>>>,
    session_id: SessionId,
    server_key: DhPrivateKey,
    block: Option<Block>,
}

/// A block in work.
struct Block {
    taken_at: Tick,
    /// `None`: verified, but not with the shards yet.
    sent_at: Option<Tick>,
    answers: Vec<(Asked, Option<Executed>)>,
    /// Verified commands, by shard.
    batches: Vec<(usize, Vec<(usize, Verified)>)>,
    replies: Vec<oneshot::Receiver<BatchReply>>,
}

/// Something that a client can do next.
#[derive(Debug, Clone, Copy)]
pub enum ClientStep {
    /// The reader sends verified commands to the shards.
    Send,
    /// The reader has all answers.
    Complete,
    /// The actor takes a message of its mailbox.
    Take,
    /// The writer writes something.
    Write,
}

impl Client {
    /// A client with a fresh connection.
    pub fn new(number: u64, service: Option<Arc<ServiceKeys>>, speed: u32, now: &Arc<Mutex<Tick>>) -> Self {
        let told: Arc<Mutex<VecDeque<Told>>> = Arc::default();
        let mailbox = Mailbox { told: Arc::clone(&told), now: Arc::clone(now) };
        let id = service.as_ref().map(|service| service.identity.id);
        Self {
            handle: Arc::new(SessionHandle::new(number, id, Box::new(mailbox), 0)),
            service,
            endings: Endings::default(),
            outbox: Outbox::default(),
            speed,
            subscribed: BTreeSet::new(),
            notified: BTreeSet::new(),
            serves: false,
            holding: Vec::new(),
            got: BTreeSet::new(),
            messages: BTreeSet::new(),
            notifications: BTreeSet::new(),
            told,
            session_id: SessionId::try_from(&[7; 32][..]).expect("32 bytes"),
            server_key: DhPrivateKey::generate(),
            block: None,
        }
    }

    /// Whether no block is in work.
    pub fn is_idle(&self) -> bool {
        self.block.is_none()
    }

    pub fn steps(&self) -> Vec<ClientStep> {
        let mut steps = Vec::new();
        match &self.block {
            Some(block) if block.sent_at.is_none() => steps.push(ClientStep::Send),
            Some(block) if block.replies.iter().all(|reply| !reply.is_empty()) => steps.push(ClientStep::Complete),
            _ => {}
        }
        if !self.told.lock().is_empty() {
            steps.push(ClientStep::Take);
        }
        if self.outbox.is_ready() {
            steps.push(ClientStep::Write);
        }
        steps
    }

    /// The reader takes a block and verifies its commands.
    pub fn take_block(&mut self, commands: Vec<Asked>, relay: &Relay, ledger: &Ledger, now: Tick) {
        let mut block =
            Block { taken_at: now, sent_at: None, answers: Vec::new(), batches: Vec::new(), replies: Vec::new() };
        // The home shard of a connection makes its queues.
        let home = usize::try_from(self.handle.number()).unwrap_or_default() % relay.shard_count();
        for (position, asked) in commands.into_iter().enumerate() {
            let answer = match self.verify(&asked, relay, ledger) {
                Err(error) => Some(error.into()),
                Ok(verified) => {
                    let shard = verified.queue().map_or(home, |q| relay.directory.shard_of(q.recipient_id()));
                    match block.batches.iter_mut().find(|(number, _)| *number == shard) {
                        Some((_, batch)) => batch.push((position, verified)),
                        None => block.batches.push((shard, vec![(position, verified)])),
                    }
                    None
                }
            };
            block.answers.push((asked, answer));
        }
        self.block = Some(block);
    }

    fn verify(&self, asked: &Asked, relay: &Relay, ledger: &Ledger) -> Result<Verified, ErrorType> {
        let wire = Wire::connection(VERSION, &self.session_id);
        let (mut entity, command, key) = asked.command(ledger);
        let own_key;
        let service = self.service.as_ref();
        let key = match (asked, service) {
            (Asked::SubscribeService, Some(service)) => {
                entity = service.identity.id.into();
                own_key = smp_protocol::authorization::AuthPrivateKey::Signing(service.session_key.clone());
                Some(&own_key)
            }
            _ => key.as_deref(),
        };
        let by_service = service.filter(|_| asked.is_signed_by_service()).map(|service| ServiceCredentials {
            fingerprint: &service.identity.fingerprint,
            session_key: &service.session_key,
        });
        let credentials = Credentials { key, session_key: None, service: by_service };
        let mut bytes = Vec::new();
        wire.write_command(&command, &CorrId::random(), &entity, &credentials, &mut bytes);
        let transmission = wire.read(&bytes).expect("well-formed");
        let command = transmission.command(VERSION).expect("well-formed");
        let asker = Asker { session_key: &self.server_key, service: service.map(|service| &*service.identity) };
        match asker.verify(&transmission, command, &relay.directory, None) {
            Ok(Passed::Execute(verified)) => Ok(verified),
            Ok(Passed::Unauthorized(_)) => unreachable!("clients ask for nothing that needs no queue"),
            Err(error) => Err(error),
        }
    }

    /// The reader sends the verified commands to the shards.
    pub fn send(&mut self, relay: &Relay, now: Tick) {
        let Some(block) = &mut self.block else { return };
        block.sent_at = Some(now);
        self.endings.block_taken();
        for (shard, commands) in std::mem::take(&mut block.batches) {
            let (reply, receiver) = oneshot::channel();
            block.replies.push(receiver);
            let service = self.service.as_ref().map(|service| Arc::clone(&service.identity));
            let session = Arc::clone(&self.handle);
            relay.send_batch(shard, Batch { session, version: VERSION, service, commands, reply });
        }
    }

    /// The reader hands the answers to the actor and is ready for the next block.
    pub fn complete(&mut self) {
        let Some(Block { taken_at, sent_at, mut answers, replies, .. }) = self.block.take() else { return };
        for mut reply in replies {
            for (position, executed) in reply.try_recv().expect("complete") {
                answers[position].1 = Some(executed);
            }
        }
        let answers =
            answers.into_iter().map(|(asked, answer)| (asked, answer.expect("every command is answered"))).collect();
        let sent_at = sent_at.expect("sent before it is answered");
        self.told.lock().push_back(Told::Answers(AnsweredBlock { sent_at, taken_at, answers }));
    }

    /// It was answered that it is subscribed to a queue. A service is so for all its queues.
    pub fn believes_to_be_subscribed(&mut self, queue: usize) {
        if self.service.is_some() {
            self.serves = true;
        } else {
            self.subscribed.insert(queue);
        }
    }

    /// It has a message to acknowledge.
    pub fn hold(&mut self, queue: usize, message: MessageId) {
        if !self.holding.contains(&(queue, message)) {
            self.holding.push((queue, message));
        }
    }

    /// It got a message of a queue.
    pub fn got_message(&mut self, queue: usize, message: &StoredMessage) {
        self.hold(queue, message.id);
        self.messages.extend(Body::of(message).map(|body| (queue, body)));
    }

    /// It removed or replaced the notifier of a queue; it is not told of its own doing.
    pub fn forget_notifiers(&mut self, queue: &KnownQueue, except: Option<NotifierId>) {
        for notifier in queue.notifiers.iter().filter(|notifier| Some(notifier.id) != except) {
            self.notified.remove(&notifier.id.into());
        }
    }

    /// The next message of the mailbox.
    pub fn take(&mut self) -> Option<Told> {
        self.told.lock().pop_front()
    }

    /// The client is going to be told what ended.
    pub fn tell_endings(&mut self, relay: &Relay) {
        let handle = Arc::clone(&self.handle);
        for (entity, event) in self.endings.take(|entity| relay.books.has(&handle, entity)) {
            self.outbox.push(Outgoing::Ended(entity, event));
        }
    }

    /// The client reads that something ended.
    pub fn learn_end(&mut self, entity: &EntityId, event: &Event, ledger: &Ledger) {
        if matches!(event, Event::ServiceEnded(_)) {
            self.serves = false;
        } else if let Some(queue) = ledger.queue_of(entity) {
            self.subscribed.remove(&queue);
        } else {
            self.notified.remove(entity);
        }
    }
}
