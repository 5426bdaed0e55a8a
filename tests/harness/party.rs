//! The parties of a queue: recipient, sender, notifier.

use std::sync::Arc;

use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::command::{Command, RecipientCommand};
use smp_client::protocol::id::{MessageId, RecipientId, SenderId};
use smp_client::protocol::message::Content;
use smp_client::protocol::response::{EncryptedMessage, QueueInfo, Response};
use smp_client::{Client, Event, NewQueueOptions, Notifier, Queue, QueueKind, Reply};

use super::event::next_event;
use super::request::{By, GET, QUE, SUB, ack, ask, key, ok, send, send_and_notify, subscribed};

/// A queue in the hands of its recipient, on one connection.
#[derive(Clone)]
pub struct Recipient {
    pub client: Client,
    pub queue: Queue,
}

/// A queue in the hands of its sender, on one connection.
#[derive(Clone)]
pub struct Sender {
    pub client: Client,
    pub id: SenderId,
    /// `None`: sends unsigned.
    pub key: Option<Arc<AuthPrivateKey>>,
}

impl Recipient {
    /// A new queue, subscribed, that anybody can send to: a messaging queue, where there are modes.
    pub async fn new(client: &Client) -> Self {
        Self::with(client, NewQueueOptions::default()).await
    }

    /// A new contact queue.
    pub async fn contact(client: &Client) -> Self {
        let kind = QueueKind::Contact(None);
        Self::with(client, NewQueueOptions { kind, ..NewQueueOptions::default() }).await
    }

    /// A new queue of its own kind.
    pub async fn with(client: &Client, options: NewQueueOptions) -> Self {
        let queue = client.create_queue(options).await.expect("a queue can be created");
        Self { client: client.clone(), queue }
    }

    /// A new queue secured with a fresh Ed25519 key, and its sender on another connection.
    pub async fn secured(client: &Client, sender: &Client) -> (Self, Sender) {
        let this = Self::new(client).await;
        let sender_key = super::request::ed25519();
        assert_eq!(this.ask(key(sender_key.public())).await, ok(this.id()));
        let sender = this.sender(sender).signing(sender_key);
        (this, sender)
    }

    /// The same queue on another connection.
    pub fn on(&self, client: &Client) -> Self {
        Self { client: client.clone(), queue: self.queue.on(client) }
    }

    pub fn id(&self) -> RecipientId {
        self.queue.recipient_id()
    }

    /// The key of the recipient.
    pub fn key(&self) -> &AuthPrivateKey {
        &self.queue.credentials().key
    }

    /// The sender, who signs nothing yet.
    pub fn sender(&self, client: &Client) -> Sender {
        Sender { client: client.clone(), id: self.queue.sender_id(), key: None }
    }

    /// Sends a command of the recipient.
    pub async fn ask(&self, command: Command) -> Reply {
        ask(&self.client, self.id(), command, By::Key(self.key())).await
    }

    /// `SUB` succeeds.
    pub async fn subscribe(&self) {
        assert_eq!(self.ask(SUB).await, subscribed(self.client.version(), self.id()));
    }

    /// The next event must be a message of this queue.
    pub async fn pushed(&self) -> EncryptedMessage {
        match next_event(&self.client).await {
            Event::Message(id, message) if id == self.id() => message,
            other => panic!("a message of the queue should have come, but there is {other:?}"),
        }
    }

    /// The next event must be the message with this body.
    pub async fn receives(&self, body: &[u8]) -> EncryptedMessage {
        let message = self.pushed().await;
        assert_eq!(self.body(&message), body);
        message
    }

    /// `GET` finds this body.
    pub async fn gets(&self, body: &[u8]) -> EncryptedMessage {
        self.answered_with(self.ask(GET).await, body)
    }

    /// `ACK` is answered by `OK`.
    pub async fn acknowledge(&self, message: &EncryptedMessage) {
        assert_eq!(self.ask(ack(message.id)).await, ok(self.id()));
    }

    /// `ACK` is answered by the next message, with this body.
    pub async fn acknowledge_for(&self, message: &EncryptedMessage, body: &[u8]) -> EncryptedMessage {
        self.answered_with(self.ask(ack(message.id)).await, body)
    }

    /// `ACK` is answered by the quota marker.
    pub async fn acknowledge_for_marker(&self, message: &EncryptedMessage) -> EncryptedMessage {
        let marker = self.message_of(self.ask(ack(message.id)).await);
        assert!(self.is_marker(&marker));
        marker
    }

    /// The next event must be the message with this body, which is acknowledged and was the last.
    pub async fn takes(&self, body: &[u8]) -> MessageId {
        let message = self.receives(body).await;
        self.acknowledge(&message).await;
        message.id
    }

    fn answered_with(&self, reply: Reply, body: &[u8]) -> EncryptedMessage {
        let message = self.message_of(reply);
        assert_eq!(self.body(&message), body);
        message
    }

    fn message_of(&self, reply: Reply) -> EncryptedMessage {
        assert_eq!(reply.entity, self.id().into());
        match reply.response {
            Response::Message(message) => message,
            other => panic!("MSG should be the answer, not {other:?}"),
        }
    }

    /// The body of a message.
    pub fn body(&self, message: &EncryptedMessage) -> Vec<u8> {
        match self.queue.open(message).expect("the message decrypts").content {
            Content::Message { body, .. } => body.clone(),
            Content::QuotaExceeded { .. } => panic!("a marker has no body"),
        }
    }

    /// Whether a message is the quota marker.
    pub fn is_marker(&self, message: &EncryptedMessage) -> bool {
        matches!(self.queue.open(message).expect("the message decrypts").content, Content::QuotaExceeded { .. })
    }

    /// `QUE`
    pub async fn info(&self) -> QueueInfo {
        match self.ask(QUE).await.response {
            Response::Info(info) => *info,
            other => panic!("INFO should be the answer, not {other:?}"),
        }
    }

    /// `NKEY`
    pub async fn notifier(&self) -> Notifier {
        self.queue.create_notifier(super::request::ed25519()).await.expect("a notifier can be made")
    }

    /// `KEY`, `RKEY` and the like must be answered by `OK`.
    pub async fn does(&self, command: Command) {
        assert_eq!(self.ask(command).await, ok(self.id()));
    }

    /// A command of the recipient, as a request.
    pub fn request(&self, command: RecipientCommand) -> smp_client::Request<'_> {
        self.queue.request(command)
    }
}

impl Sender {
    /// The same sender, signing with this key.
    #[must_use]
    pub fn signing(&self, key: impl Into<Arc<AuthPrivateKey>>) -> Self {
        Self { key: Some(key.into()), ..self.clone() }
    }

    /// The same sender, signing nothing.
    #[must_use]
    pub fn unsigned(&self) -> Self {
        Self { key: None, ..self.clone() }
    }

    /// The same sender on another connection.
    #[must_use]
    pub fn on(&self, client: &Client) -> Self {
        Self { client: client.clone(), ..self.clone() }
    }

    /// `SEND`
    pub async fn send(&self, body: &[u8]) -> Reply {
        self.ask(send(body)).await
    }

    /// `SEND` succeeds.
    pub async fn sends(&self, body: &[u8]) {
        assert_eq!(self.send(body).await, ok(self.id));
    }

    /// `SEND` with a notification succeeds.
    pub async fn notifies(&self, body: &[u8]) {
        assert_eq!(self.ask(send_and_notify(body)).await, ok(self.id));
    }

    async fn ask(&self, command: Command) -> Reply {
        let by = self.key.as_deref().map_or(By::Nobody, By::Key);
        ask(&self.client, self.id, command, by).await
    }
}

/// The next event must be a notification of this notifier; the message that it tells of.
pub async fn notified(client: &Client, notifier: &Notifier) -> MessageId {
    match next_event(client).await {
        Event::Notification(id, notification) if id == notifier.id() => {
            notifier.open(&notification).expect("the notification decrypts").0
        }
        other => panic!("a notification should have come, but there is {other:?}"),
    }
}
