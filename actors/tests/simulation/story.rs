//! One interleaving: clients do what comes to their minds, and everything happens in an order that the seed decides.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use smp_actors::registry::{Answer, Executed};
use smp_actors::session_handle::{Delivery, Event};
use smp_actors::verify::ServiceIdentity;
use smp_protocol::command::QueueMode;
use smp_protocol::error::ErrorType;
use smp_protocol::handshake::ServiceRole;
use smp_protocol::id::ServiceId;
use smp_protocol::key::{SigningKey, VerifyingKey};
use smp_protocol::response::Response;
use smp_store::date::Date;
use smp_store::record::{CertificateChain, ServiceRecord};

use crate::client::{AnsweredBlock, Client, ClientStep, ServiceKeys, Told};
use crate::commands::{Asked, Recipient, new_key};
use crate::ledger::{Ledger, Times};
use crate::outbox::Outgoing;
use crate::relay::{Relay, Step, Storage};

/// Number of a step of the simulation.
pub type Tick = u64;

/// Clients without a service; as many as the service has come on top.
const CLIENTS: usize = 3;
const SERVICE_CLIENTS: usize = 2;
/// Blocks that clients send before the story ends.
const BLOCKS: usize = 24;
const COMMANDS_IN_A_BLOCK: usize = 3;
const MAX_QUEUES: usize = 4;
/// Age in seconds at which messages expire, where they do.
pub const MESSAGE_TTL: i64 = 1000;

/// Something that can happen next.
#[derive(Clone, Copy)]
enum Happening {
    Relay(Step),
    Client(usize, ClientStep),
    /// A client thinks of something new.
    Idea(usize),
    /// The ends that a session collects are due.
    EndsDue(usize),
    /// A client loses its connection and makes another one.
    Reconnection(usize),
    /// Time goes on, and a shard looks for expired messages.
    Time,
    /// A shard tries again what could not be read.
    ReadAgain,
}

/// A run.
pub struct Story {
    pub random: fastrand::Rng,
    pub relay: Relay,
    pub clients: Vec<Client>,
    pub ledger: Ledger,
    now: Arc<Mutex<Tick>>,
    /// Out of 256 messages that are read from the disk, so many cannot be.
    pub read_failures: u8,
    blocks: usize,
    connections: u64,
    /// How fast each kind of happening is, in this run.
    speeds: [u32; 5],
}

impl Story {
    pub fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let (keys, record) = service();
        let keys = Arc::new(keys);
        let storage = Storage {
            has_journal: random.bool(),
            message_ttl: random.bool().then_some(MESSAGE_TTL),
            expires_on_send: random.bool(),
        };
        let mut relay = Relay::new(random.usize(1..=3), vec![record], storage);
        let read_failures = if random.bool() { 0 } else { 32 };
        relay.write_failures = if random.bool() { 0 } else { 64 };
        let now: Arc<Mutex<Tick>> = Arc::default();
        let mut client = |n: usize| {
            let speed = 1 << random.u32(0..6);
            Client::new(n as u64, (n >= CLIENTS).then(|| Arc::clone(&keys)), speed, &now)
        };
        let clients: Vec<_> = (0..CLIENTS + SERVICE_CLIENTS).map(&mut client).collect();
        let speeds = std::array::from_fn(|_| 1 << random.u32(0..6));
        let mut ledger = Ledger::default();
        ledger.writes_may_fail = relay.write_failures > 0;
        let connections = clients.len() as u64;
        Self { random, relay, clients, ledger, now, read_failures, blocks: BLOCKS, connections, speeds }
    }

    /// Panics when a client was deceived.
    pub fn run(mut self) {
        while let Some(happening) = self.choose() {
            self.happen(happening);
        }
        self.end();
    }

    /// Lets everything come to rest without new ideas.
    pub fn rest(&mut self) {
        self.blocks = 0;
        loop {
            while let Some(happening) = self.choose() {
                self.happen(happening);
            }
            // Notifications are given away from time to time, and messages tried again.
            self.happen(Happening::Relay(Step::Notifications));
            for shard in 0..self.relay.shard_count() {
                self.happen(Happening::Relay(Step::ReadAgain(shard)));
            }
            if self.choose().is_none() {
                break;
            }
        }
        assert!(self.clients.iter().all(Client::is_idle), "a block was never answered");
        assert!(self.clients.iter().all(|client| client.outbox.is_empty()), "an answer was never written");
    }

    fn choose(&mut self) -> Option<Happening> {
        let mut choices: Vec<(u32, Happening)> = Vec::new();
        let relay_steps = self.relay.steps();
        let speed = |step: &Step| match step {
            Step::Shard(..) => self.speeds[0],
            Step::StoreLog | Step::Journal => self.speeds[1],
            Step::Expiry(_) | Step::ReadAgain(_) => 1,
            Step::Area(_) | Step::Notifications => self.speeds[2],
        };
        choices.extend(relay_steps.into_iter().map(|step| (speed(&step), Happening::Relay(step))));
        for (n, client) in self.clients.iter().enumerate() {
            let speed = |step| if matches!(step, ClientStep::Write) { client.speed } else { self.speeds[3] };
            choices.extend(client.steps().into_iter().map(|step| (speed(step), Happening::Client(n, step))));
            if client.endings.is_waiting() {
                choices.push((self.speeds[4], Happening::EndsDue(n)));
            }
            if self.blocks > 0 && client.is_idle() {
                choices.push((4, Happening::Idea(n)));
            }
            if self.blocks > 0 && self.random.u8(..) < 4 {
                choices.push((1, Happening::Reconnection(n)));
            }
        }
        if self.blocks > 0 && self.random.u8(..) < 16 {
            choices.extend([(1, Happening::Time), (1, Happening::ReadAgain)]);
        }
        let total: u32 = choices.iter().map(|(weight, _)| weight).sum();
        if total == 0 {
            return None;
        }
        let mut at = self.random.u32(..total);
        choices.into_iter().find_map(|(weight, happening)| match at.checked_sub(weight) {
            Some(rest) => {
                at = rest;
                None
            }
            None => Some(happening),
        })
    }

    fn happen(&mut self, happening: Happening) {
        *self.now.lock() += 1;
        match happening {
            Happening::Relay(step) => self.relay.take(step, &mut self.random),
            Happening::Client(n, ClientStep::Send) => self.clients[n].send(&self.relay, *self.now.lock()),
            Happening::Client(n, ClientStep::Complete) => self.clients[n].complete(),
            Happening::Client(n, ClientStep::Take) => self.take_told(n),
            Happening::Client(n, ClientStep::Write) => self.write(n),
            Happening::Idea(n) => {
                self.blocks -= 1;
                let commands = (0..self.random.usize(1..=COMMANDS_IN_A_BLOCK)).filter_map(|_| self.idea(n)).collect();
                self.ask(n, commands);
            }
            Happening::EndsDue(n) => {
                self.clients[n].endings.fall_due();
                self.clients[n].tell_endings(&self.relay);
            }
            Happening::Reconnection(n) => self.reconnect(n),
            Happening::Time => {
                let later = self.random.i64(0..MESSAGE_TTL);
                self.let_pass(later);
                let shard = self.random.usize(..self.relay.shard_count());
                self.relay.take(Step::Expiry(shard), &mut self.random);
            }
            Happening::ReadAgain => {
                let shard = self.random.usize(..self.relay.shard_count());
                self.relay.take(Step::ReadAgain(shard), &mut self.random);
            }
        }
    }

    /// So many seconds pass.
    pub fn let_pass(&mut self, seconds: i64) {
        self.relay.time.fetch_add(seconds, Ordering::Relaxed);
        if let Some(ttl) = self.relay.storage.message_ttl {
            self.ledger.may_expire(self.relay.now() - ttl);
        }
    }

    /// A client sends a block.
    pub fn ask(&mut self, n: usize, commands: Vec<Asked>) {
        for asked in &commands {
            self.ledger.asks(asked, self.relay.now());
            if let Asked::OfRecipient { queue, what, .. } = asked {
                match what {
                    Recipient::Get => drop(self.clients[n].got.insert(*queue)),
                    Recipient::Acknowledge(id) => self.clients[n].holding.retain(|held| held != &(*queue, *id)),
                    _ => {}
                }
            }
        }
        let now = *self.now.lock();
        self.clients[n].take_block(commands, &self.relay, &self.ledger, now);
    }

    fn idea(&mut self, n: usize) -> Option<Asked> {
        let random = &mut self.random;
        let queues = self.ledger.queues.len();
        let serves = self.clients[n].service.is_some();
        if queues == 0 || (queues < MAX_QUEUES && random.u8(..) < 24) {
            let mode = if random.bool() { QueueMode::Messaging } else { QueueMode::Contact };
            return Some(Asked::Create { mode, key: new_key(), subscribes: serves || random.bool() });
        }
        let queue = random.usize(..queues);
        let known = &self.ledger.queues[queue];
        let key = if known.replaced.answered_at.is_some() { random.usize(..2) } else { 0 };
        let of_recipient = |what| Some(Asked::OfRecipient { queue, key, what });
        match random.u8(..100) {
            0..18 if serves => Some(Asked::SubscribeService),
            0..30 => of_recipient(Recipient::Subscribe),
            30..34 if !serves => of_recipient(Recipient::Get),
            30..52 => {
                let held = &self.clients[n].holding;
                let (queue, id) = *held.get(random.usize(..held.len().max(1)))?;
                let key = usize::from(self.ledger.queues[queue].replaced.answered_at.is_some());
                Some(Asked::OfRecipient { queue, key, what: Recipient::Acknowledge(id) })
            }
            52..56 => of_recipient(Recipient::Secure(random.usize(..2))),
            56..60 if known.mode == QueueMode::Messaging => {
                Some(Asked::SecureBySender { queue, key: random.usize(..2) })
            }
            60..63 if known.mode == QueueMode::Contact => of_recipient(Recipient::ReplaceKeys),
            63..64 => of_recipient(Recipient::Suspend),
            64..66 => of_recipient(Recipient::Delete),
            66..69 => of_recipient(Recipient::SetNotifier(new_key())),
            69..70 => of_recipient(Recipient::DeleteNotifier),
            70..75 if !serves && !known.notifiers.is_empty() => {
                Some(Asked::SubscribeNotifier { queue, notifier: random.usize(..known.notifiers.len()) })
            }
            _ => {
                let known_key = known.sender_keys.iter().position(|sender| sender.set.answered_at.is_some());
                let key = if random.u8(..) < 230 { known_key } else { None };
                let body = self.ledger.next_body(self.clients[n].handle.number());
                Some(Asked::Send { queue, key, body })
            }
        }
    }

    fn take_told(&mut self, n: usize) {
        match self.clients[n].take() {
            Some(Told::Message(delivery, at)) => self.clients[n].outbox.push(Outgoing::Message(delivery, at)),
            Some(Told::Notice(_, Event::AllMessagesSent)) | None => {}
            Some(Told::Notice(entity, event)) => drop(self.clients[n].endings.add(entity, event)),
            Some(Told::Notifications(notifications)) => {
                self.clients[n].outbox.push(Outgoing::Notifications(notifications));
            }
            Some(Told::Answers(block)) => self.take_answers(n, block),
        }
    }

    pub fn receive(&mut self, n: usize, delivery: &Delivery, handed_out_at: Tick) {
        let queue = self.ledger.queue_of(&delivery.recipient_id.into());
        // A service may be told of a new queue by its first message.
        let Some(queue) = queue else { return };
        let may_be_refused = self.ledger.writes_may_fail && self.relay.journal.is_some();
        self.ledger.queues[queue].receive(&delivery.message, handed_out_at, may_be_refused);
        self.clients[n].got_message(queue, &delivery.message);
    }

    /// Answers go to the outbox, then the messages that are owed.
    fn take_answers(&mut self, n: usize, AnsweredBlock { sent_at, taken_at, answers }: AnsweredBlock) {
        let times = Times { taken_at, sent_at, now: *self.now.lock() };
        let client = &mut self.clients[n];
        let mut owed = Vec::new();
        for (asked, Executed { answer, owed: message }) in answers {
            client.outbox.push(Outgoing::Answer { asked, answer, times });
            owed.extend(message);
        }
        for delivery in owed {
            client.outbox.push(Outgoing::Message(delivery, sent_at));
        }
        client.endings.block_answered();
        client.tell_endings(&self.relay);
    }

    /// A client reads an answer.
    pub fn read_answer(&mut self, n: usize, asked: &Asked, answer: &Answer, times: Times) {
        let times = Times { now: *self.now.lock(), ..times };
        self.ledger.answered(asked, answer, times);
        self.believe(n, asked, answer);
        if let Answer::Message(delivery) = answer {
            self.receive(n, delivery, times.sent_at);
        }
    }

    /// What a client concludes from an answer.
    fn believe(&mut self, n: usize, asked: &Asked, answer: &Answer) {
        let Answer::Response(response) = answer else { return };
        let client = &mut self.clients[n];
        match (asked, response) {
            (Asked::Create { subscribes: true, .. }, Response::Ids(_)) => {
                client.believes_to_be_subscribed(self.ledger.queues.len() - 1);
            }
            (Asked::OfRecipient { queue, what: Recipient::Subscribe, .. }, Response::Subscribed(_)) => {
                client.believes_to_be_subscribed(*queue);
            }
            (Asked::OfRecipient { queue, what: Recipient::Subscribe, .. }, Response::Error(_)) => {
                let may_be_prohibited = client.got.contains(queue);
                let is_auth = matches!(response, Response::Error(ErrorType::Auth));
                let is_store = matches!(response, Response::Error(ErrorType::Store(_)));
                assert!(may_be_prohibited || is_auth || is_store, "prohibited without a reason");
            }
            (Asked::OfRecipient { queue, what: Recipient::Acknowledge(id), .. }, Response::Error(ErrorType::Auth))
                if self.relay.directory.recipient(&self.ledger.queues[*queue].recipient_id).is_some() =>
            {
                client.hold(*queue, *id);
            }
            (Asked::OfRecipient { queue, what: Recipient::Delete, .. }, Response::Ok) => {
                client.subscribed.remove(queue);
                client.forget_notifiers(&self.ledger.queues[*queue], None);
            }
            (Asked::OfRecipient { queue, what: Recipient::SetNotifier(_), .. }, Response::NotifierId(id, _)) => {
                client.forget_notifiers(&self.ledger.queues[*queue], Some(*id));
            }
            (Asked::OfRecipient { queue, what: Recipient::DeleteNotifier, .. }, Response::Ok) => {
                client.forget_notifiers(&self.ledger.queues[*queue], None);
            }
            (Asked::SubscribeNotifier { queue, notifier }, Response::Subscribed(_)) => {
                client.notified.insert(self.ledger.queues[*queue].notifiers[*notifier].id.into());
            }
            (Asked::SubscribeService, Response::ServiceSubscribed(_)) => client.serves = true,
            _ => {}
        }
    }

    fn reconnect(&mut self, n: usize) {
        self.relay.disconnect(&self.clients[n].handle);
        let service = self.clients[n].service.clone();
        let speed = 1 << self.random.u32(0..6);
        self.clients[n] = Client::new(self.connections, service, speed, &self.now);
        self.connections += 1;
    }

    /// A client that was not there before.
    pub fn new_client(&mut self) -> usize {
        self.clients.push(Client::new(self.connections, None, 32, &self.now));
        self.connections += 1;
        self.clients.len() - 1
    }
}

fn service() -> (ServiceKeys, ServiceRecord) {
    let session_key = SigningKey::generate_ed25519();
    let VerifyingKey::Ed25519(public) = session_key.verifying_key() else { unreachable!("an Ed25519 key") };
    let (id, role, fingerprint) = (ServiceId::random(), ServiceRole::Messaging, [1; 32]);
    let chain = CertificateChain::new([vec![0x30, 0x00]]).expect("not empty");
    let created_at = Date::from_unix_seconds(0);
    let identity = Arc::new(ServiceIdentity { id, role, fingerprint, session_key: public });
    (ServiceKeys { identity, session_key }, ServiceRecord { id, role, chain, fingerprint, created_at })
}
