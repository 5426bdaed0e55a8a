//! A notifier: whoever may know that a message came, but not what is in it.

use std::fmt;
use std::sync::Arc;

use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::{Command, NotifierCommand};
use smp_protocol::id::{MessageId, NotifierId, ServiceId};
use smp_protocol::key::DhSecret;
use smp_protocol::message::open_notification;
use smp_protocol::response::EncryptedNotification;

use crate::queue::subscribed;
use crate::{Client, ClientError, Request};

/// What has to be kept to use a notifier again over another connection.
#[derive(Clone)]
pub struct NotifierCredentials {
    /// Names the queue to its notifier.
    pub id: NotifierId,
    /// Authorizes the notifier.
    pub key: Arc<AuthPrivateKey>,
    /// Decrypts notifications; it belongs to the recipient.
    pub dh_secret: DhSecret,
}

impl fmt::Debug for NotifierCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotifierCredentials")
    }
}

/// A notifier and the connection over which it is used. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notifier {
    client: Client,
    credentials: Arc<NotifierCredentials>,
}

impl Notifier {
    /// A notifier that exists. [`crate::Queue::create_notifier`] makes new ones.
    pub fn new(client: Client, credentials: impl Into<Arc<NotifierCredentials>>) -> Self {
        Self { client, credentials: credentials.into() }
    }

    /// The same notifier over another connection.
    #[must_use]
    pub fn on(&self, client: &Client) -> Self {
        Self { client: client.clone(), credentials: Arc::clone(&self.credentials) }
    }

    /// What has to be kept.
    pub fn credentials(&self) -> &Arc<NotifierCredentials> {
        &self.credentials
    }

    /// Names the queue to its notifier; notifications come with it.
    pub fn id(&self) -> NotifierId {
        self.credentials.id
    }

    /// `NSUB` as a request.
    pub fn subscribe_request(&self) -> Request<'_> {
        let command = Command::Notifier(NotifierCommand::Subscribe);
        Request::new(self.credentials.id, command, Some(&self.credentials.key))
    }

    /// `NSUB`: notifications become events of this connection. Returns the service that is subscribed, in a service session.
    pub async fn subscribe(&self) -> Result<Option<ServiceId>, ClientError> {
        subscribed(&self.client.submit(&self.subscribe_request()).await?.response().await?)
    }

    /// Decrypts a notification: the message and when it was stored, in seconds since 1970.
    pub fn open(&self, notification: &EncryptedNotification) -> Result<(MessageId, i64), ClientError> {
        open_notification(&self.credentials.dh_secret, &notification.nonce, &notification.meta)
            .map_err(|_| ClientError::Crypto)
    }
}
