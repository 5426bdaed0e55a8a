//! The actor of a session: its mailbox, and its end.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message};
use slog::Logger;
use smp_protocol::batch::MAX_TRANSMISSIONS;
use smp_protocol::error::ErrorType;
use smp_protocol::id::EntityId;
use smp_protocol::response::Response;
use smp_transport::block::CLOSE_LIMIT;
use smp_transport::handshake::ServerSession;
use smp_transport::stream::SmpStream;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::BlockSource;
use super::answers::Answers;
use super::bodies::Bodies;
use super::endings::{Endings, SubscriptionBooks};
use super::errands::{ErrandLimits, Errands};
use super::outbox::{Outbox, Outgoing};
use super::reader::{Reader, RegistryShards};
use super::sessions::{Sessions, Stage};
use super::terms::Terms;
use super::writer::Writer;
use crate::body_reader::BodyReader;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::faults::{self, FaultPoint};
use crate::guard::Guard;
use crate::names::NameResolution;
use crate::notifications::NotificationDesk;
use crate::registry::Unsubscribe;
use crate::relays::{Forwarding, NewRelays};
use crate::session_handle::{Delivery, Event, NotifierEvent, SessionHandle, SessionMailbox};
use crate::stats::{OpenConnection, Stats};

/// What all sessions of a thread work with.
pub struct SessionContext {
    /// All queues.
    pub directory: Arc<Directory>,
    /// Executes commands.
    pub registry: RegistryShards,
    /// Reads messages from the journal.
    pub body_reader: BodyReader,
    /// Has the notifier subscriptions.
    pub notifications: NotificationDesk,
    /// Where subscriptions are noted.
    pub books: SubscriptionBooks,
    /// Forwards to other relays.
    pub forwarding: Forwarding,
    /// Resolves names.
    pub names: NameResolution,
    /// Commands in work elsewhere, for each session.
    pub errand_limits: ErrandLimits,
    /// All sessions.
    pub sessions: Arc<Sessions>,
    /// Counters.
    pub stats: Arc<Stats>,
    /// The time.
    pub clock: Clock,
    /// Transmissions that may wait for the socket before the reader is held back.
    pub queue_size: usize,
    /// How long `END` and `DELD` events are collected.
    pub event_interval: Duration,
    /// Time for the rest of a block that has begun.
    pub block_timeout: Duration,
    /// Where they are not, answers do not hold them.
    pub messages_are_in_memory: bool,
    /// How long a client may take nothing of what is written to it.
    pub write_timeout: Duration,
    /// Keeps panics inside.
    pub guard: Guard,
    /// Log of the server.
    pub logger: Logger,
}

/// Time for the commands in work when the connection is to end.
const EXECUTION_LIMIT: Duration = Duration::from_secs(10);

/// One client connection.
pub struct Session {
    context: Arc<SessionContext>,
    handle: Arc<SessionHandle>,
    outbox: Rc<Outbox>,
    closing: Rc<Notify>,
    endings: Rc<RefCell<Endings>>,
    /// Ends the connection wherever it is.
    task: Option<AbortHandle>,
}

impl Session {
    /// Starts a session on the current thread, unless the server is about to end.
    pub fn open(context: Arc<SessionContext>, session: ServerSession<SmpStream>, connection: OpenConnection) {
        Self::create(|actor| {
            let clock = context.clock.clone();
            let service = session.service.as_ref().map(|service| service.id);
            let handle = context
                .sessions
                .enter(|number| SessionHandle::new(number, service, Box::new(Mailbox(actor.address())), clock.now()));
            let outbox = Rc::new(Outbox::new(Arc::clone(&handle), context.queue_size));
            let closing = Rc::new(Notify::new());
            let mut this = Self { context, handle, outbox, closing, endings: Rc::default(), task: None };
            this.task = this.converse(actor.address(), session, connection);
            if this.task.is_none() {
                actor.stop();
            }
            this
        });
    }

    /// Runs reader and writer until the connection is over, and then tells the actor. `None`: the server is about to end.
    fn converse(
        &self,
        actor: Addr<Self>,
        session: ServerSession<SmpStream>,
        connection: OpenConnection,
    ) -> Option<AbortHandle> {
        let (terms, source, sink) = Terms::of(session);
        let terms = Rc::new(terms);
        let context = &self.context;
        let reader = Reader {
            source,
            terms: Rc::clone(&terms),
            handle: Arc::clone(&self.handle),
            actor: actor.clone(),
            outbox: Rc::clone(&self.outbox),
            closing: Rc::clone(&self.closing),
            endings: Rc::clone(&self.endings),
            errands: Errands::new(
                context.errand_limits,
                Rc::clone(&self.outbox),
                Arc::clone(&context.stats),
                context.guard.clone(),
            ),
            directory: Arc::clone(&context.directory),
            registry: context.registry.clone(),
            forwarding: context.forwarding.clone(),
            new_relays: NewRelays::new(context.forwarding.new_relays),
            names: context.names.clone(),
            stats: Arc::clone(&context.stats),
            clock: context.clock.clone(),
            block_timeout: context.block_timeout,
            messages_are_in_memory: context.messages_are_in_memory,
        };
        let writer = Writer {
            sink,
            outbox: Rc::clone(&self.outbox),
            bodies: Bodies::new(Arc::clone(context), Arc::clone(&self.handle)),
            terms,
            handle: Arc::clone(&self.handle),
            context: Arc::clone(context),
            has_given_up: Cell::new(false),
        };
        let guard = context.guard.clone();
        let conversation = conversation(reader, writer, Departure(actor));
        context.sessions.run(Stage::Session(Arc::clone(&self.handle)), |place| async move {
            let ended = guard.watch(conversation).await;
            // Everything is on its way: the end of the server need not wait for the client.
            drop(place);
            if let Some(Some(source)) = ended {
                guard.watch(wait_for_client(source)).await;
            }
            drop(connection);
        })
    }

    /// Handles a message. A panic ends the session, and nothing else.
    fn work(&mut self, actor: &mut Context<Self>, work: impl FnOnce(&mut Self, &mut Context<Self>)) {
        if catch_unwind(AssertUnwindSafe(|| work(self, actor))).is_err() {
            self.context.guard.panicked();
            actor.stop();
        }
    }

    /// The session lost a subscription: it is told in a while, together with others.
    fn lose(&self, entity: EntityId, event: Event, context: &mut Context<Self>) {
        if self.endings.borrow_mut().add(entity, event) {
            context.run_later(self.context.event_interval, |this, actor| {
                this.work(actor, |this, _| {
                    this.endings.borrow_mut().fall_due();
                    this.tell_endings();
                });
            });
        }
    }

    fn tell_endings(&self) {
        let books = &self.context.books;
        let told = self.endings.borrow_mut().take(|entity| books.has(&self.handle, entity));
        if told.is_empty() {
            return;
        }
        let stats = &self.context.stats.subscriptions;
        stats.ended.add(told.len());
        stats.end_batches.add(told.len() / MAX_TRANSMISSIONS + 1);
        self.outbox.push(told.into_iter().map(|(entity, event)| Outgoing::event(entity, words(event))));
    }
}

/// An event as the client is told of it.
fn words(event: Event) -> Response {
    match event {
        Event::Ended => Response::End,
        Event::Deleted => Response::Deleted,
        Event::ServiceEnded(queues) => Response::ServiceEnd(queues),
        Event::Blocked(info) => Response::Error(ErrorType::Blocked(info)),
        Event::Failed(error) => Response::Error(error),
        Event::AllMessagesSent => Response::AllMessagesSent,
    }
}

/// Reads and writes until the client leaves, the session is told to close, or the socket fails. Returns what is left of the
/// connection if it was closed in good order.
async fn conversation(reader: Reader, writer: Writer, departure: Departure) -> Option<BlockSource> {
    let mut reading = Box::pin(reader.run());
    let mut writing = Box::pin(writer.run());
    tokio::select! {
        (source, _) = &mut reading => {
            // From here on nothing is registered for the session; what it was promised before is still sent.
            drop(departure);
            if let Ok((mut sink, Ok(()))) = timeout(CLOSE_LIMIT, writing).await
                && sink.shutdown().await.is_ok()
            {
                return Some(source);
            }
            None
        }
        _ = &mut writing => None,
    }
}

/// Tells the actor that nothing more is read from the client, however that came about.
struct Departure(Addr<Session>);

impl Drop for Departure {
    fn drop(&mut self) {
        self.0.do_send(Disconnected);
    }
}

/// Lets the client take what was sent last before the socket goes.
async fn wait_for_client(mut source: BlockSource) {
    let _ = timeout(CLOSE_LIMIT, source.drain()).await;
}

impl Actor for Session {
    type Context = Context<Self>;

    /// However it came to this, nothing of the session is left: neither a subscription nor a connection that waits for it.
    fn stopped(&mut self, _: &mut Self::Context) {
        self.handle.disconnect();
        for shard in self.context.registry.shards.iter() {
            shard.do_send(Unsubscribe(Arc::clone(&self.handle)));
        }
        self.context.notifications.unsubscribe(&self.handle);
        self.context.sessions.leave(&self.handle);
        self.outbox.close();
        self.closing.notify_one();
    }
}

/// The client is gone, or nothing more is read from it.
#[derive(Message)]
#[rtype(result = "()")]
struct Disconnected;

impl Handler<Disconnected> for Session {
    type Result = ();

    fn handle(&mut self, _: Disconnected, actor: &mut Self::Context) {
        actor.stop();
    }
}

impl Handler<Answers> for Session {
    type Result = ();

    fn handle(&mut self, Answers { answers, owed }: Answers, actor: &mut Self::Context) {
        self.work(actor, |this, _| {
            faults::pass(FaultPoint::SessionAnswers, None);
            this.outbox.push_counted(answers);
            this.outbox.push(owed);
            this.endings.borrow_mut().block_answered();
            this.tell_endings();
        });
    }
}

/// A message of a subscribed queue.
#[derive(Message)]
#[rtype(result = "()")]
struct Deliver(Delivery);

impl Handler<Deliver> for Session {
    type Result = ();

    fn handle(&mut self, Deliver(delivery): Deliver, actor: &mut Self::Context) {
        self.work(actor, |this, _| this.outbox.push([Outgoing::message(delivery)]));
    }
}

/// Something happened to a subscription elsewhere.
#[derive(Message)]
#[rtype(result = "()")]
struct Notice {
    entity: EntityId,
    event: Event,
}

impl Handler<Notice> for Session {
    type Result = ();

    fn handle(&mut self, Notice { entity, event }: Notice, actor: &mut Self::Context) {
        self.work(actor, |this, actor| match event {
            Event::Ended | Event::Deleted | Event::ServiceEnded(_) => this.lose(entity, event, actor),
            Event::Blocked(_) | Event::Failed(_) | Event::AllMessagesSent => {
                this.outbox.push([Outgoing::event(entity, words(event))]);
            }
        });
    }
}

/// Notifications for subscribed notifiers.
#[derive(Message)]
#[rtype(result = "()")]
struct Notified(Vec<NotifierEvent>);

impl Handler<Notified> for Session {
    type Result = ();

    fn handle(&mut self, Notified(notifications): Notified, actor: &mut Self::Context) {
        let events = notifications
            .into_iter()
            .map(|(notifier, encrypted)| Outgoing::event(notifier, Response::Notification(Box::new(encrypted))));
        self.work(actor, |this, _| this.outbox.push(events));
    }
}

/// The connection is to end.
#[derive(Message)]
#[rtype(result = "()")]
struct Close;

impl Handler<Close> for Session {
    type Result = ();

    fn handle(&mut self, _: Close, context: &mut Self::Context) {
        self.closing.notify_one();
        // Whoever executes its commands may hang: the connection ends all the same.
        context.run_later(EXECUTION_LIMIT, |this, _| this.task.iter().for_each(AbortHandle::abort));
    }
}

/// The mailbox of a session.
struct Mailbox(Addr<Session>);

impl SessionMailbox for Mailbox {
    fn deliver(&self, delivery: Delivery) {
        self.0.do_send(Deliver(delivery));
    }

    fn notice(&self, entity: EntityId, event: Event) {
        self.0.do_send(Notice { entity, event });
    }

    fn notify(&self, notifications: Vec<NotifierEvent>) {
        self.0.do_send(Notified(notifications));
    }

    fn close(&self) {
        self.0.do_send(Close);
    }
}
