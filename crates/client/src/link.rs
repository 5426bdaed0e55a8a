//! A link in the hands of whoever was given it (wire.md §6.3).

use std::sync::Arc;

use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::{Command, LinkCommand, LinkData};
use smp_protocol::id::LinkId;
use smp_protocol::response::Response;

use crate::route::Route;
use crate::{ClientError, QueueSender};

/// Where a link leads.
#[derive(Debug, Clone)]
pub struct LinkTarget {
    /// The queue, with the key that secured it, if any.
    pub sender: QueueSender,
    /// What the recipient left there, encrypted.
    pub data: LinkData,
}

/// A link to follow, directly ([`crate::Client::link`]) or through a proxy ([`crate::ProxiedRelay::link`]).
#[derive(Debug, Clone)]
pub struct Link {
    route: Route,
    link_id: LinkId,
}

impl Link {
    pub(crate) fn new(route: Route, link_id: LinkId) -> Self {
        Self { route, link_id }
    }

    /// `LGET`: follows the link of a contact queue.
    pub async fn get(&self) -> Result<LinkTarget, ClientError> {
        self.follow(LinkCommand::Get, None).await
    }

    /// `LKEY`: follows the link of a messaging queue and secures the queue with `key`.
    pub async fn secure(&self, key: impl Into<Arc<AuthPrivateKey>>) -> Result<LinkTarget, ClientError> {
        let key = key.into();
        let target = self.follow(LinkCommand::SecureAndGet(key.public()), Some(&key)).await?;
        Ok(LinkTarget { sender: target.sender.with_key(key), ..target })
    }

    async fn follow(&self, command: LinkCommand, key: Option<&AuthPrivateKey>) -> Result<LinkTarget, ClientError> {
        match self.route.send(self.link_id.clone(), Command::Link(command), key).await? {
            Response::Link(sender_id, data) => {
                let sender = QueueSender::new(self.route.clone(), sender_id);
                Ok(LinkTarget { sender, data })
            }
            other => Err(ClientError::unexpected(&other)),
        }
    }
}
