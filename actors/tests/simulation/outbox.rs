//! What goes to a client: the outbox of its session, and what reads the bodies of messages for it. Clients may be slow, the disk may
//! fail, and may have lost something.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use smp_actors::registry::{Answer, Unreadable};
use smp_actors::session_handle::{Delivery, Event, NotifierEvent};
use smp_protocol::id::EntityId;
use smp_protocol::response::Response;
use smp_store::error::FileError;
use smp_store::message_body::MessageBody;
use smp_store::message_queue::StoredContent;
use tokio::sync::oneshot;

use crate::commands::Asked;
use crate::ledger::{Body, Times};
use crate::story::{Story, Tick};

/// A transmission on its way to a client.
pub enum Outgoing {
    Answer { asked: Asked, answer: Answer, times: Times },
    Message(Delivery, Tick),
    Ended(EntityId, Event),
    Notifications(Vec<NotifierEvent>),
}

/// All of them.
#[derive(Default)]
pub struct Outbox {
    waiting: VecDeque<Outgoing>,
    /// A message could not be read, and its shard has not said yet what goes instead.
    reported: Option<(Outgoing, oneshot::Receiver<Option<Delivery>>)>,
}

impl Outbox {
    pub fn push(&mut self, outgoing: Outgoing) {
        self.waiting.push_back(outgoing);
    }

    /// Whether something can be written.
    pub fn is_ready(&self) -> bool {
        self.reported.as_ref().map_or(!self.waiting.is_empty(), |(_, reply)| !reply.is_empty())
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.reported.is_none()
    }

    /// The next one: what was reported with what the shard said, or the oldest.
    fn next(&mut self) -> Option<Outgoing> {
        let Some((reported, mut reply)) = self.reported.take() else { return self.waiting.pop_front() };
        match (reported, reply.try_recv().expect("it is ready")) {
            (Outgoing::Answer { asked, times, .. }, Some(next)) => {
                Some(Outgoing::Answer { asked, answer: Answer::Message(next), times })
            }
            (Outgoing::Answer { asked, times, .. }, None) => {
                Some(Outgoing::Answer { asked, answer: Answer::Response(Response::Ok), times })
            }
            (Outgoing::Message(_, at), next) => next.map(|next| Outgoing::Message(next, at)),
            (Outgoing::Ended(..) | Outgoing::Notifications(_), _) => unreachable!("they have no bodies"),
        }
    }
}

impl Outgoing {
    /// The message in it, if its body has to be read.
    fn on_disk(&self) -> Option<&Delivery> {
        let (Self::Answer { answer: Answer::Message(delivery), .. } | Self::Message(delivery, _)) = self else {
            return None;
        };
        let StoredContent::Message { body: MessageBody::Filed(_), .. } = &delivery.message.content else { return None };
        Some(delivery)
    }
}

impl Story {
    /// The socket of a client takes one transmission.
    pub fn write(&mut self, n: usize) {
        let Some(outgoing) = self.clients[n].outbox.next() else { return };
        if let Some(delivery) = outgoing.on_disk()
            && let Some(error) = self.disk_fails(delivery)
        {
            let (reply, receiver) = oneshot::channel();
            let (session, queue) = (Arc::clone(&self.clients[n].handle), delivery.recipient_id);
            let unreadable = Unreadable { session, queue, message: delivery.message.id, error };
            self.relay.report(unreadable, reply);
            self.clients[n].outbox.reported = Some((outgoing, receiver));
            return;
        }
        match outgoing {
            Outgoing::Answer { asked, answer, times } => self.read_answer(n, &asked, &answer, times),
            Outgoing::Message(delivery, at) => self.receive(n, &delivery, at),
            Outgoing::Ended(entity, event) => self.clients[n].learn_end(&entity, &event, &self.ledger),
            Outgoing::Notifications(notifications) => {
                self.clients[n].notifications.extend(notifications.into_iter().map(|(notifier, _)| notifier));
            }
        }
    }

    /// Now and then a body is damaged, or the disk does not give it.
    fn disk_fails(&mut self, delivery: &Delivery) -> Option<FileError> {
        if self.random.u8(..) >= self.read_failures {
            return None;
        }
        let kind = if self.random.bool() { io::ErrorKind::InvalidData } else { io::ErrorKind::Other };
        if kind == io::ErrorKind::InvalidData {
            let queue = self.ledger.queue_of(&delivery.recipient_id.into());
            let lost = Body::of(&delivery.message);
            if let Some((queue, body)) = queue.zip(lost) {
                self.ledger.queues[queue].excused.insert(body);
            }
        }
        Some(FileError { action: "read", path: PathBuf::new(), source: kind.into() })
    }
}
