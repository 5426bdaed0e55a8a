//! The simulated surroundings of the real shards.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use parking_lot::Mutex;
use smp_actors::activity::Activity;
use smp_actors::clock::Clock;
use smp_actors::create_password::CreatePassword;
use smp_actors::directory::Directory;
use smp_actors::notification::{NotificationMailbox, PendingNotification};
use smp_actors::notifications::NotificationArea;
use smp_actors::queue::ChangeToken;
use smp_actors::registry::{
    AppendResult, Batch, ChangeLog, JournalResult, JournalToken, Peers, Policy, Shard, ShardParts, Unreadable,
};
use smp_actors::services::{ServiceWalk, Services};
use smp_actors::session::SubscriptionBooks;
use smp_actors::session_handle::{Delivery, SessionHandle};
use smp_protocol::id::{NotifierId, ServiceId};
use smp_store::files::simulated::SimulatedDisk;
use smp_store::record::{QueueRecord, ServiceRecord};
use smp_store::store_log::{Damage, StoreLog};
use tokio::sync::oneshot;

use crate::journal::SimulatedJournal;

/// Noon of some day.
const NOW: i64 = 1_790_000_000;
const QUOTA: usize = 4;
/// Portions of the directory that a walk does in one step, at most.
const PORTIONS_IN_A_STEP: usize = 24;

/// Who sends to a mailbox. Messages of one sender stay in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Session(u64),
    Shard(usize),
    StoreLog,
    Journal,
}

/// Messages of several senders, each in their order.
type Mailbox<T> = BTreeMap<Source, VecDeque<T>>;

/// What shards are sent.
enum Mail {
    Batch(Box<Batch>),
    Appended(ChangeToken, AppendResult),
    Journaled(JournalToken, JournalResult),
    Unreadable(Box<Unreadable>, oneshot::Sender<Option<Delivery>>),
    Unsubscribe(Arc<SessionHandle>),
    Walk(Arc<ServiceWalk>, usize),
}

/// What the notifications area is sent.
enum AreaMail {
    Notify(NotifierId, Option<ServiceId>, Box<PendingNotification>),
    Forget(NotifierId, Option<u64>),
    Unsubscribe(Arc<SessionHandle>),
}

/// The mailboxes of all shards.
struct Mailboxes(Vec<Mutex<Mailbox<Mail>>>);

impl Mailboxes {
    fn send(&self, shard: usize, source: Source, mail: Mail) {
        self.0[shard].lock().entry(source).or_default().push_back(mail);
    }
}

impl Peers for Mailboxes {
    fn shards(&self) -> usize {
        self.0.len()
    }

    fn walk(&self, walk: Arc<ServiceWalk>) {
        for shard in 0..self.0.len() {
            self.send(shard, Source::Shard(shard), Mail::Walk(Arc::clone(&walk), 0));
        }
    }
}

/// Lines on their way to the disk, by shard and change.
type Lines = VecDeque<(usize, Vec<u8>, Option<ChangeToken>)>;

/// The store log as one shard sees it.
struct ShardLog(usize, Arc<Mutex<Lines>>);

impl ChangeLog for ShardLog {
    fn append(&self, lines: Vec<u8>, token: Option<ChangeToken>) {
        self.1.lock().push_back((self.0, lines, token));
    }
}

/// The notifications area as one shard sees it.
struct ShardArea(usize, Arc<Mutex<NotificationArea>>, Arc<Mutex<Mailbox<AreaMail>>>);

impl ShardArea {
    fn send(&self, mail: AreaMail) {
        self.2.lock().entry(Source::Shard(self.0)).or_default().push_back(mail);
    }
}

impl NotificationMailbox for ShardArea {
    fn notify(&self, notifier: NotifierId, service: Option<ServiceId>, notification: PendingNotification) {
        self.send(AreaMail::Notify(notifier, service, Box::new(notification)));
    }

    fn subscribe(&self, notifier: NotifierId, session: Arc<SessionHandle>, service: Option<ServiceId>) {
        self.1.lock().subscribe(notifier, &session, service);
    }

    fn forget(&self, notifier: NotifierId, cause: Option<u64>) {
        self.send(AreaMail::Forget(notifier, cause));
    }
}

/// Something that the relay can do next.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// A shard takes a message of its mailbox.
    Shard(usize, Source),
    /// The area takes a message of its mailbox.
    Area(Source),
    /// The area gives away what waits.
    Notifications,
    /// The disk has written something of the store log.
    StoreLog,
    /// The disk has written something of the journal.
    Journal,
    /// A shard removes expired messages.
    Expiry(usize),
    /// A shard tries again what could not be read.
    ReadAgain(usize),
}

/// How messages are kept.
#[derive(Debug, Clone, Copy)]
pub struct Storage {
    pub has_journal: bool,
    /// Age in seconds at which messages expire.
    pub message_ttl: Option<i64>,
    pub expires_on_send: bool,
}

/// The relay.
pub struct Relay {
    pub directory: Arc<Directory>,
    pub books: SubscriptionBooks,
    /// Out of 256 writes, so many fail.
    pub write_failures: u8,
    /// Where messages are kept, if not in memory only.
    pub journal: Option<SimulatedJournal>,
    pub storage: Storage,
    /// The time of day.
    pub time: Arc<AtomicI64>,
    services: Vec<ServiceRecord>,
    area: Arc<Mutex<NotificationArea>>,
    shards: Vec<Shard>,
    mailboxes: Arc<Mailboxes>,
    area_mailbox: Arc<Mutex<Mailbox<AreaMail>>>,
    unwritten: Arc<Mutex<Lines>>,
    written: Vec<u8>,
}

impl Relay {
    /// A relay without queues that knows the services.
    pub fn new(shards: usize, services: Vec<ServiceRecord>, storage: Storage) -> Self {
        let directory = Arc::new(Directory::new(shards, 0));
        let known = Arc::new(Services::restored(services.clone()));
        let area = Arc::new(Mutex::new(NotificationArea::new(Arc::default(), Arc::clone(&known), 1000, 128)));
        let mailboxes = Arc::new(Mailboxes((0..shards).map(|_| Mutex::default()).collect()));
        let (area_mailbox, unwritten) = (Arc::default(), Arc::default());
        let journal = storage.has_journal.then(SimulatedJournal::new);
        let time = Arc::new(AtomicI64::new(NOW));
        let shard = |index| {
            Shard::new(ShardParts {
                index,
                directory: Arc::clone(&directory),
                policy: Policy {
                    new_queues: true,
                    password: CreatePassword::default(),
                    quota: QUOTA,
                    message_ttl: storage.message_ttl,
                    expire_on_send: storage.expires_on_send,
                },
                stats: Arc::default(),
                log: Some(Box::new(ShardLog(index, Arc::clone(&unwritten)))),
                journal: journal.as_ref().map(|journal| journal.of_shard(index)),
                notifications: Box::new(ShardArea(index, Arc::clone(&area), Arc::clone(&area_mailbox))),
                services: Arc::clone(&known),
                peers: Arc::clone(&mailboxes) as Arc<dyn Peers>,
                clock: Clock::set_by(Arc::clone(&time)),
                activity: Activity::default(),
            })
        };
        let shards = (0..shards).map(shard).collect();
        let notifications = Arc::clone(&area);
        let books = SubscriptionBooks { directory: Arc::clone(&directory), services: known, notifications };
        let (write_failures, written) = (0, Vec::new());
        Self {
            directory,
            books,
            write_failures,
            journal,
            storage,
            time,
            services,
            area,
            shards,
            mailboxes,
            area_mailbox,
            unwritten,
            written,
        }
    }

    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// A session sends a batch to a shard.
    pub fn send_batch(&self, shard: usize, batch: Batch) {
        self.mailboxes.send(shard, Source::Session(batch.session.number()), Mail::Batch(Box::new(batch)));
    }

    /// A session tells a shard that it cannot read a message.
    pub fn report(&self, unreadable: Unreadable, reply: oneshot::Sender<Option<Delivery>>) {
        let shard = self.directory.shard_of(&unreadable.queue);
        let source = Source::Session(unreadable.session.number());
        self.mailboxes.send(shard, source, Mail::Unreadable(Box::new(unreadable), reply));
    }

    /// Seconds since 1970.
    pub fn now(&self) -> i64 {
        self.time.load(Ordering::Relaxed)
    }

    /// A session tells everybody that it ends.
    pub fn disconnect(&self, session: &Arc<SessionHandle>) {
        let source = Source::Session(session.number());
        session.disconnect();
        for shard in 0..self.shards.len() {
            self.mailboxes.send(shard, source, Mail::Unsubscribe(Arc::clone(session)));
        }
        let mail = AreaMail::Unsubscribe(Arc::clone(session));
        self.area_mailbox.lock().entry(source).or_default().push_back(mail);
    }

    /// What can happen next. Nothing, when everything is at rest.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (shard, mailbox) in self.mailboxes.0.iter().enumerate() {
            steps.extend(mailbox.lock().keys().map(|&source| Step::Shard(shard, source)));
        }
        steps.extend(self.area_mailbox.lock().keys().map(|&source| Step::Area(source)));
        if !self.unwritten.lock().is_empty() {
            steps.push(Step::StoreLog);
        }
        if self.journal.as_ref().is_some_and(|journal| journal.waiting() > 0) {
            steps.push(Step::Journal);
        }
        steps
    }

    pub fn take(&mut self, step: Step, random: &mut fastrand::Rng) {
        match step {
            Step::Shard(shard, source) => {
                let mail = next(&mut self.mailboxes.0[shard].lock(), source);
                self.deliver(shard, mail, random);
            }
            Step::Area(source) => {
                let mail = next(&mut self.area_mailbox.lock(), source);
                let mut area = self.area.lock();
                match mail {
                    AreaMail::Notify(id, service, notification) => area.notify(id, service, *notification),
                    AreaMail::Forget(id, cause) => area.forget(id, cause),
                    AreaMail::Unsubscribe(session) => area.unsubscribe(&session),
                }
            }
            Step::Notifications => self.area.lock().deliver(),
            Step::StoreLog => self.write(random),
            Step::Journal => self.write_journal(random),
            Step::Expiry(shard) => {
                for portion in 0..Shard::PORTIONS {
                    self.shards[shard].expire_portion(portion);
                }
            }
            Step::ReadAgain(shard) => self.shards[shard].deliver_unread(),
        }
    }

    fn deliver(&mut self, index: usize, mail: Mail, random: &mut fastrand::Rng) {
        let shard = &mut self.shards[index];
        match mail {
            Mail::Batch(batch) => shard.execute_batch(*batch),
            Mail::Appended(token, result) => shard.appended(token, result),
            Mail::Journaled(token, result) => shard.journaled(token, result),
            Mail::Unreadable(unreadable, reply) => {
                // A session that was cancelled does not wait for it.
                let _ = reply.send(shard.unreadable(&unreadable));
            }
            Mail::Unsubscribe(session) => shard.unsubscribe(&session),
            Mail::Walk(walk, begin) => {
                let end = (begin + random.usize(1..=PORTIONS_IN_A_STEP)).min(Shard::PORTIONS);
                (begin..end).for_each(|portion| shard.walk_portion(&walk, portion));
                if end == Shard::PORTIONS {
                    walk.shard_is_done();
                } else {
                    self.mailboxes.send(index, Source::Shard(index), Mail::Walk(walk, end));
                }
            }
        }
        assert!(!shard.take_panicked(), "a command panicked");
    }

    /// Writes some of the lines that wait, all or none of them.
    fn write(&mut self, random: &mut fastrand::Rng) {
        let mut unwritten = self.unwritten.lock();
        let count = random.usize(1..=unwritten.len());
        let result = if random.u8(..) < self.write_failures { Err("disk full") } else { Ok(()) };
        for (shard, lines, token) in unwritten.drain(..count) {
            if result.is_ok() {
                self.written.extend_from_slice(&lines);
            }
            if let Some(token) = token {
                self.mailboxes.send(shard, Source::StoreLog, Mail::Appended(token, result));
            }
        }
    }

    /// The same for messages and removals.
    fn write_journal(&mut self, random: &mut fastrand::Rng) {
        let Some(journal) = &mut self.journal else { return };
        let count = random.usize(1..=journal.waiting());
        for (shard, token, result) in journal.write(count, random.u8(..) < self.write_failures) {
            self.mailboxes.send(shard, Source::Journal, Mail::Journaled(token, result));
        }
    }

    /// All queues that a start on the written log would find.
    pub fn replay(&self) -> Vec<QueueRecord> {
        let mut log: Vec<u8> = Vec::new();
        for service in &self.services {
            smp_store::log_record::LogRecord::NewService(service.clone()).write(&mut log);
        }
        log.extend_from_slice(&self.written);
        let directory = Path::new("state");
        let disk = SimulatedDisk::with_files([(&*directory.join("smp-server-store.log"), log)]);
        let opened = StoreLog::open(Arc::new(disk), directory, SystemTime::UNIX_EPOCH, Damage::Refuse);
        opened.expect("the log has no bad line").replayed.queues.into_iter().collect()
    }
}

fn next<T>(mailbox: &mut Mailbox<T>, source: Source) -> T {
    let queue = mailbox.get_mut(&source).expect("a step names a sender whose messages wait");
    let mail = queue.pop_front().expect("empty queues are removed");
    if queue.is_empty() {
        mailbox.remove(&source);
    }
    mail
}
