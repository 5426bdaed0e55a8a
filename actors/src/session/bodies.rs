//! The bodies of messages that go to a client: those in the journal are read when their turn to be written has come.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use smp_protocol::response::Response;
use smp_store::journal::Filed;
use smp_store::message_body::MessageBody;
use smp_store::message_queue::StoredContent;
use tokio::time::timeout;

use super::actor::SessionContext;
use super::outbox::Outgoing;
use crate::registry::{Answer, Unreadable};
use crate::session_handle::{Delivery, SessionHandle};

/// So long a disk may take that what is packed already goes in the same block.
const MOMENT: Duration = Duration::from_millis(50);

/// A body in memory; nothing else than a message has one.
pub(super) type Body = Option<Arc<[u8]>>;

/// What became of a body that is read.
#[expect(clippy::large_enum_variant, reason = "lives for the moment of one return")]
pub(super) enum Read {
    /// The transmission can be written.
    Ready(Outgoing, Body),
    /// There is nothing to be written.
    Nothing,
    /// It takes longer.
    Later,
}

/// Where one session gets bodies from.
struct BodySource {
    context: Arc<SessionContext>,
    handle: Arc<SessionHandle>,
}

/// Reads one body after the other.
pub(super) struct Bodies {
    source: Rc<BodySource>,
    reading: Option<LocalBoxFuture<'static, Read>>,
}

impl Bodies {
    /// For a session that has nothing to read yet.
    pub fn new(context: Arc<SessionContext>, handle: Arc<SessionHandle>) -> Self {
        Self { source: Rc::new(BodySource { context, handle }), reading: None }
    }

    /// Begins to read the body of a transmission.
    pub fn begin(&mut self, item: Outgoing, place: Filed) {
        let source = Rc::clone(&self.source);
        self.reading = Some(async move { source.read(item, place).await }.boxed_local());
    }

    /// Whether a body is being read.
    pub fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// The transmission that was begun, as soon as it is read; after a moment something else may be more urgent.
    pub async fn finish(&mut self, nothing_else_waits: bool) -> Read {
        let Some(reading) = &mut self.reading else { return Read::Nothing };
        let read =
            if nothing_else_waits { reading.await } else { timeout(MOMENT, reading).await.unwrap_or(Read::Later) };
        if !matches!(read, Read::Later) {
            self.reading = None;
        }
        read
    }
}

impl BodySource {
    /// The transmission with the body that is in this place. If it cannot be read, the shard of the queue is told, and decides
    /// what goes instead: another message, the answer that there is none, or nothing.
    async fn read(&self, mut item: Outgoing, mut place: Filed) -> Read {
        loop {
            let Answer::Message(delivery) = &item.content else { return Read::Ready(item, None) };
            let error = match self.context.body_reader.read(&place).await {
                Ok(body) => return Read::Ready(item, Some(body.into())),
                Err(error) => error,
            };
            let unreadable = Unreadable {
                session: Arc::clone(&self.handle),
                queue: delivery.recipient_id,
                message: delivery.message.id,
                error,
            };
            item.content = match self.report(unreadable).await {
                Some(next) => Answer::Message(next),
                None if item.is_answer() => Answer::Response(Response::Ok),
                None => return Read::Nothing,
            };
            match at_hand(&item.content) {
                Ok(body) => return Read::Ready(item, body),
                Err(next) => place = next,
            }
        }
    }

    /// A shard that is gone has nothing more to say.
    async fn report(&self, unreadable: Unreadable) -> Option<Delivery> {
        let shard = self.context.directory.shard_of(&unreadable.queue);
        self.context.registry.shards[shard].send(unreadable).await.ok().flatten()
    }
}

/// The body of what is to be written, or the place that it has to be read from.
pub(super) fn at_hand(content: &Answer) -> Result<Body, Filed> {
    match content {
        Answer::Message(Delivery { message, .. }) => match &message.content {
            StoredContent::Message { body: MessageBody::Held(bytes), .. } => Ok(Some(Arc::clone(bytes))),
            StoredContent::Message { body: MessageBody::Filed(place), .. } => Err(place.clone()),
            StoredContent::QuotaMarker => Ok(None),
        },
        Answer::Response(_) => Ok(None),
    }
}
