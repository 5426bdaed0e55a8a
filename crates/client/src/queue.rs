//! A queue in the hands of its recipient (wire.md §6.3).

use std::fmt;
use std::sync::Arc;

use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::{Command, LinkData, NewNotifier, QueueMode, RecipientCommand};
use smp_protocol::id::{LinkId, MessageId, RecipientId, SenderId, ServiceId};
use smp_protocol::key::{AuthKey, DhPrivateKey, DhSecret};
use smp_protocol::message::{Content, open_message};
use smp_protocol::response::{EncryptedMessage, QueueInfo, Response};

use crate::{Client, ClientError, Notifier, NotifierCredentials, Request};

/// What the recipient has to keep to use a queue again over another connection.
#[derive(Clone)]
pub struct QueueCredentials {
    /// Names the queue to the recipient.
    pub recipient_id: RecipientId,
    /// Names the queue to its sender.
    pub sender_id: SenderId,
    /// Authorizes the recipient.
    pub key: Arc<AuthPrivateKey>,
    /// Decrypts messages.
    pub dh_secret: DhSecret,
    /// Mode as the server stored it; before version 9 unknown.
    pub mode: Option<QueueMode>,
    /// Name of the link made with the queue.
    pub link_id: Option<LinkId>,
    /// Service that the queue was made by.
    pub service_id: Option<ServiceId>,
    /// Notifier made with the queue.
    pub notifier: Option<Arc<NotifierCredentials>>,
}

impl fmt::Debug for QueueCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueCredentials")
    }
}

/// A decrypted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What is acknowledged.
    pub id: MessageId,
    /// What the sender sent, or that the queue was full.
    pub content: Content,
}

/// A queue and the connection over which its recipient uses it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    credentials: Arc<QueueCredentials>,
}

impl Queue {
    /// A queue that exists. [`Client::create_queue`] makes new ones.
    pub fn new(client: Client, credentials: impl Into<Arc<QueueCredentials>>) -> Self {
        Self { client, credentials: credentials.into() }
    }

    /// The same queue over another connection.
    #[must_use]
    pub fn on(&self, client: &Client) -> Self {
        Self { client: client.clone(), credentials: Arc::clone(&self.credentials) }
    }

    /// What has to be kept.
    pub fn credentials(&self) -> &Arc<QueueCredentials> {
        &self.credentials
    }

    /// Names the queue to the recipient; messages come with it.
    pub fn recipient_id(&self) -> RecipientId {
        self.credentials.recipient_id
    }

    /// Names the queue to its sender.
    pub fn sender_id(&self) -> SenderId {
        self.credentials.sender_id
    }

    /// The notifier made with the queue.
    pub fn notifier(&self) -> Option<Notifier> {
        let credentials = self.credentials.notifier.as_ref()?;
        Some(Notifier::new(self.client.clone(), Arc::clone(credentials)))
    }

    /// Any command of the recipient, as a request.
    pub fn request(&self, command: RecipientCommand) -> Request<'_> {
        Request::new(self.credentials.recipient_id, Command::Recipient(command), Some(&self.credentials.key))
    }

    async fn send(&self, command: RecipientCommand) -> Result<Response, ClientError> {
        self.client.submit(&self.request(command)).await?.response().await
    }

    async fn send_for_ok(&self, command: RecipientCommand) -> Result<(), ClientError> {
        ok(&self.send(command).await?)
    }

    /// `SUB`: messages become events of this connection, the first that waits at once. Returns the service that is
    /// subscribed, in a service session.
    pub async fn subscribe(&self) -> Result<Option<ServiceId>, ClientError> {
        subscribed(&self.send(RecipientCommand::Subscribe).await?)
    }

    /// `GET`: the next message, without subscribing. `None`: there is none.
    pub async fn get(&self) -> Result<Option<Received>, ClientError> {
        self.next_or_ok(RecipientCommand::Get).await
    }

    /// `ACK`: deletes the message that was delivered. Returns the next one, which will not come as an event; after
    /// [`Self::get`], and if there is none, `None`.
    pub async fn acknowledge(&self, id: &MessageId) -> Result<Option<Received>, ClientError> {
        self.next_or_ok(RecipientCommand::Acknowledge((*id).into())).await
    }

    async fn next_or_ok(&self, command: RecipientCommand) -> Result<Option<Received>, ClientError> {
        match self.send(command).await? {
            Response::Message(message) => self.open(&message).map(Some),
            other => ok(&other).map(|()| None),
        }
    }

    /// Decrypts a message of this queue.
    pub fn open(&self, message: &EncryptedMessage) -> Result<Received, ClientError> {
        let content = open_message(&self.credentials.dh_secret, &message.id, &message.body);
        content.map(|content| Received { id: message.id, content }).map_err(|_| ClientError::Crypto)
    }

    /// `KEY`: from now on only the holder of this key can send.
    pub async fn secure(&self, sender_key: &AuthKey) -> Result<(), ClientError> {
        self.send_for_ok(RecipientCommand::SecureSender(sender_key.clone())).await
    }

    /// `RKEY`: replaces the recipient keys of a contact queue, 1 to 255. The returned queue uses `own`, which is added to
    /// the `others`.
    pub async fn set_keys(&self, own: Arc<AuthPrivateKey>, others: &[AuthKey]) -> Result<Self, ClientError> {
        let keys = std::iter::once(own.public()).chain(others.iter().cloned()).collect();
        self.send_for_ok(RecipientCommand::SetRecipientKeys(keys)).await?;
        let credentials = QueueCredentials { key: own, ..(*self.credentials).clone() };
        Ok(Self::new(self.client.clone(), credentials))
    }

    /// `LSET`: sets the link data, or replaces its user part.
    pub async fn set_link(&self, link_id: &LinkId, data: LinkData) -> Result<(), ClientError> {
        self.send_for_ok(RecipientCommand::SetLink(link_id.clone(), data)).await
    }

    /// `LDEL`: removes the link data, if there is any.
    pub async fn delete_link(&self) -> Result<(), ClientError> {
        self.send_for_ok(RecipientCommand::DeleteLink).await
    }

    /// `NKEY`: makes a notifier whose commands `key` authorizes; it replaces the one that there was.
    pub async fn create_notifier(&self, key: impl Into<Arc<AuthPrivateKey>>) -> Result<Notifier, ClientError> {
        let (key, dh_key) = (key.into(), DhPrivateKey::generate());
        let new = NewNotifier { key: key.public(), dh_key: dh_key.public() };
        match self.send(RecipientCommand::SetNotifier(new)).await? {
            Response::NotifierId(id, server_key) => {
                let credentials = NotifierCredentials { id, key, dh_secret: dh_key.agree(&server_key) };
                Ok(Notifier::new(self.client.clone(), credentials))
            }
            other => Err(ClientError::unexpected(&other)),
        }
    }

    /// `NDEL`: removes the notifier, if there is one.
    pub async fn delete_notifier(&self) -> Result<(), ClientError> {
        self.send_for_ok(RecipientCommand::DeleteNotifier).await
    }

    /// `OFF`: the queue accepts no more messages, for ever.
    pub async fn suspend(&self) -> Result<(), ClientError> {
        self.send_for_ok(RecipientCommand::Suspend).await
    }

    /// `DEL`: deletes the queue and its messages.
    pub async fn delete(&self) -> Result<(), ClientError> {
        self.send_for_ok(RecipientCommand::Delete).await
    }

    /// `QUE`: the state of the queue.
    pub async fn info(&self) -> Result<QueueInfo, ClientError> {
        match self.send(RecipientCommand::QueueInfo).await? {
            Response::Info(info) => Ok(*info),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

/// The answer must be `OK`.
pub(crate) fn ok(response: &Response) -> Result<(), ClientError> {
    match response {
        Response::Ok => Ok(()),
        other => Err(ClientError::unexpected(other)),
    }
}

/// The answer must be `SOK`, or `OK` before version 16.
pub(crate) fn subscribed(response: &Response) -> Result<Option<ServiceId>, ClientError> {
    match response {
        Response::Subscribed(service_id) => Ok(*service_id),
        other => ok(other).map(|()| None),
    }
}
