//! A queue in the hands of its sender (wire.md §6.3, §6.5).

use std::sync::Arc;

use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::{Command, SendMessage, SenderCommand};
use smp_protocol::id::SenderId;

use crate::ClientError;
use crate::queue::ok;
use crate::route::Route;

/// A queue to send to, directly ([`crate::Client::sender`]) or through a proxy ([`crate::ProxiedRelay::sender`]).
#[derive(Debug, Clone)]
pub struct QueueSender {
    route: Route,
    sender_id: SenderId,
    key: Option<Arc<AuthPrivateKey>>,
}

impl QueueSender {
    pub(crate) fn new(route: Route, sender_id: SenderId) -> Self {
        Self { route, sender_id, key: None }
    }

    /// Names the queue to its sender.
    pub fn sender_id(&self) -> SenderId {
        self.sender_id
    }

    /// Authorizes messages with this key, that of a secured queue.
    #[must_use]
    pub fn with_key(self, key: impl Into<Arc<AuthPrivateKey>>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// `SKEY`: from now on only the holder of `key` can send. The returned sender uses it. Messaging queues only.
    pub async fn secure(&self, key: impl Into<Arc<AuthPrivateKey>>) -> Result<Self, ClientError> {
        let key = key.into();
        let command = Command::Sender(SenderCommand::Secure(key.public()));
        ok(&self.route.send(self.sender_id, command, Some(&key)).await?)?;
        Ok(self.clone().with_key(key))
    }

    /// `SEND` without a notification. The server takes 16088 bytes in versions 6 and 7, 16064 in versions 8 to 10, otherwise
    /// 16048.
    pub async fn send(&self, body: impl Into<Box<[u8]>>) -> Result<(), ClientError> {
        self.send_message(SendMessage { notify: false, body: body.into() }).await
    }

    /// [`Self::send`] with a notification to the notifier of the queue.
    pub async fn send_and_notify(&self, body: impl Into<Box<[u8]>>) -> Result<(), ClientError> {
        self.send_message(SendMessage { notify: true, body: body.into() }).await
    }

    async fn send_message(&self, message: SendMessage) -> Result<(), ClientError> {
        let command = Command::Sender(SenderCommand::Send(message));
        ok(&self.route.send(self.sender_id, command, self.key.as_deref()).await?)
    }
}
