//! The actor of a session: its mailbox, and its end.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message};
use futures_util::FutureExt;
use smp_protocol::batch::MAX_TRANSMISSIONS;
use smp_protocol::error::ErrorType;
use smp_protocol::id::EntityId;
use smp_protocol::response::Response;
use smp_transport::block::CLOSE_LIMIT;
use smp_transport::handshake::{Reader as BlockSource, ServerSession};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::answers::Answers;
use super::outbox::{Outbox, Outgoing};
use super::reader::{Reader, RegistryShards, Terms};
use super::sessions::Sessions;
use super::writer::Writer;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::guard::Guard;
use crate::notifications::{self, Notifications};
use crate::registry::Unsubscribe;
use crate::session_handle::{Delivery, Event, NotifierEvent, SessionHandle, SessionMailbox};
use crate::stats::Stats;
use crate::verify::ServiceIdentity;

/// What all sessions of a thread work with.
pub struct SessionContext {
    /// All queues.
    pub directory: Arc<Directory>,
    /// Executes commands.
    pub registry: RegistryShards,
    /// Has the notifier subscriptions.
    pub notifications: Addr<Notifications>,
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
    /// Keeps panics inside.
    pub guard: Guard,
}

/// One client connection.
pub struct Session {
    context: Arc<SessionContext>,
    handle: Arc<SessionHandle>,
    outbox: Rc<Outbox>,
    closing: Rc<Notify>,
    /// Events that wait to be sent together.
    events: Vec<Outgoing>,
}

impl Session {
    /// Starts a session on the current thread.
    pub fn open(context: Arc<SessionContext>, session: ServerSession) -> Addr<Self> {
        Self::create(|actor| {
            let clock = context.clock.clone();
            let service = session.service.as_ref().map(|service| service.id);
            let handle = context
                .sessions
                .enter(|number| SessionHandle::new(number, service, Box::new(Mailbox(actor.address())), clock.now()));
            let outbox = Rc::new(Outbox::new(Arc::clone(&handle), context.queue_size));
            let closing = Rc::new(Notify::new());
            let this = Self { context, handle, outbox, closing, events: Vec::new() };
            this.converse(actor.address(), session);
            this
        })
    }

    /// Runs reader and writer until the connection is over, and then tells the actor.
    fn converse(&self, actor: Addr<Self>, session: ServerSession) {
        let service = session.service.map(|service| {
            Arc::new(ServiceIdentity {
                id: service.id,
                role: service.role,
                fingerprint: service.fingerprint,
                session_key: service.session_key,
            })
        });
        let terms = Rc::new(Terms {
            version: session.version,
            session_id: session.session_id,
            session_key: session.session_key,
            service,
        });
        let context = &self.context;
        let reader = Reader {
            source: session.reader,
            terms: Rc::clone(&terms),
            handle: Arc::clone(&self.handle),
            actor: actor.clone(),
            outbox: Rc::clone(&self.outbox),
            closing: Rc::clone(&self.closing),
            directory: Arc::clone(&context.directory),
            registry: context.registry.clone(),
            stats: Arc::clone(&context.stats),
            clock: context.clock.clone(),
        };
        let writer = Writer {
            sink: session.writer,
            outbox: Rc::clone(&self.outbox),
            terms,
            handle: Arc::clone(&self.handle),
            clock: context.clock.clone(),
        };
        let (guard, sessions) = (context.guard.clone(), Arc::clone(&context.sessions));
        let conversation = conversation(reader, writer, actor.clone());
        actix_rt::spawn(async move {
            let ended = std::panic::AssertUnwindSafe(conversation).catch_unwind().await;
            // Everything is on its way: the end of the server need not wait for the client.
            sessions.closed();
            match ended {
                Ok(Some(source)) => wait_for_client(source).await,
                Ok(None) => {}
                Err(_) => {
                    guard.panicked();
                    actor.do_send(Disconnected);
                }
            }
        });
    }

    fn push_event(&mut self, entity: EntityId, response: Response, context: &mut Context<Self>) {
        if self.events.is_empty() {
            context.run_later(self.context.event_interval, |this, _| this.flush_events());
        }
        self.events.push(Outgoing::event(entity, response));
    }

    fn flush_events(&mut self) {
        let events = std::mem::take(&mut self.events);
        let stats = &self.context.stats.subscriptions;
        stats.ended.add(events.len());
        stats.end_batches.add(events.len() / MAX_TRANSMISSIONS + 1);
        self.outbox.push(events);
    }
}

/// Reads and writes until the client leaves, the session is told to close, or the socket fails. Returns what is left of the
/// connection if it was closed in good order.
async fn conversation(reader: Reader, writer: Writer, actor: Addr<Session>) -> Option<BlockSource> {
    let mut reading = Box::pin(reader.run());
    let mut writing = Box::pin(writer.run());
    tokio::select! {
        (source, _) = &mut reading => {
            // From here on nothing is registered for the session; what it was promised before is still sent.
            actor.do_send(Disconnected);
            if let Ok((mut sink, Ok(()))) = timeout(CLOSE_LIMIT, writing).await
                && sink.shutdown().await.is_ok()
            {
                return Some(source);
            }
            None
        }
        _ = &mut writing => {
            actor.do_send(Disconnected);
            None
        }
    }
}

/// Lets the client take what was sent last before the socket goes.
async fn wait_for_client(mut source: BlockSource) {
    let _ = timeout(CLOSE_LIMIT, source.drain()).await;
}

impl Actor for Session {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        self.outbox.close();
    }
}

/// The client is gone, or nothing more is read from it.
#[derive(Message)]
#[rtype(result = "()")]
struct Disconnected;

impl Handler<Disconnected> for Session {
    type Result = ();

    fn handle(&mut self, _: Disconnected, actor: &mut Self::Context) {
        self.handle.disconnect();
        for shard in self.context.registry.shards.iter() {
            shard.do_send(Unsubscribe(Arc::clone(&self.handle)));
        }
        self.context.notifications.do_send(notifications::Unsubscribe(Arc::clone(&self.handle)));
        self.context.sessions.leave(&self.handle);
        actor.stop();
    }
}

impl Handler<Answers> for Session {
    type Result = ();

    fn handle(&mut self, Answers { answers, owed }: Answers, _: &mut Self::Context) {
        self.outbox.push(answers.into_iter().chain(owed));
    }
}

/// A message of a subscribed queue.
#[derive(Message)]
#[rtype(result = "()")]
struct Deliver(Delivery);

impl Handler<Deliver> for Session {
    type Result = ();

    fn handle(&mut self, Deliver(delivery): Deliver, _: &mut Self::Context) {
        self.outbox.push([Outgoing::message(delivery)]);
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
        match event {
            Event::Ended => self.push_event(entity, Response::End, actor),
            Event::Deleted => self.push_event(entity, Response::Deleted, actor),
            Event::ServiceEnded(queues) => self.push_event(entity, Response::ServiceEnd(queues), actor),
            Event::Blocked(info) => {
                self.outbox.push([Outgoing::event(entity, Response::Error(ErrorType::Blocked(info)))]);
            }
            Event::Failed(error) => self.outbox.push([Outgoing::event(entity, Response::Error(error))]),
            Event::AllMessagesSent => self.outbox.push([Outgoing::event(entity, Response::AllMessagesSent)]),
        }
    }
}

/// Notifications for subscribed notifiers.
#[derive(Message)]
#[rtype(result = "()")]
struct Notified(Vec<NotifierEvent>);

impl Handler<Notified> for Session {
    type Result = ();

    fn handle(&mut self, Notified(notifications): Notified, _: &mut Self::Context) {
        let events = notifications
            .into_iter()
            .map(|(notifier, encrypted)| Outgoing::event(notifier, Response::Notification(Box::new(encrypted))));
        self.outbox.push(events);
    }
}

/// The connection is to end.
#[derive(Message)]
#[rtype(result = "()")]
struct Close;

impl Handler<Close> for Session {
    type Result = ();

    fn handle(&mut self, _: Close, _: &mut Self::Context) {
        self.closing.notify_one();
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
