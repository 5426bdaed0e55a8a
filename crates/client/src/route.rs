//! The way of commands that may be forwarded.

use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::{Command, Name};
use smp_protocol::id::{EntityId, LinkId, SenderId};
use smp_protocol::response::{NameRecord, Response};

use crate::{Client, ClientError, Link, ProxiedRelay, QueueSender};

#[derive(Debug, Clone)]
pub(crate) enum Route {
    Direct(Client),
    Proxied(ProxiedRelay),
}

impl Route {
    pub(crate) async fn send(
        &self,
        entity: impl Into<EntityId>,
        command: Command,
        key: Option<&AuthPrivateKey>,
    ) -> Result<Response, ClientError> {
        match self {
            Self::Direct(client) => client.send(entity, command, key).await,
            Self::Proxied(relay) => relay.send(entity, command, key).await,
        }
    }

    async fn resolve(&self, name: &Name) -> Result<NameRecord, ClientError> {
        match self.send(EntityId::EMPTY, Command::Resolve(name.clone()), None).await? {
            Response::Name(record) => Ok(*record),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

impl Client {
    /// A queue to send to.
    pub fn sender(&self, sender_id: SenderId) -> QueueSender {
        QueueSender::new(Route::Direct(self.clone()), sender_id)
    }

    /// A link to follow.
    pub fn link(&self, link_id: LinkId) -> Link {
        Link::new(Route::Direct(self.clone()), link_id)
    }

    /// `RSLV`: what a name stands for.
    pub async fn resolve(&self, name: &Name) -> Result<NameRecord, ClientError> {
        Route::Direct(self.clone()).resolve(name).await
    }

    /// `PING`
    pub async fn ping(&self) -> Result<(), ClientError> {
        match self.send(EntityId::EMPTY, Command::Ping, None).await? {
            Response::Pong => Ok(()),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

impl ProxiedRelay {
    /// A queue of the relay to send to.
    pub fn sender(&self, sender_id: SenderId) -> QueueSender {
        QueueSender::new(Route::Proxied(self.clone()), sender_id)
    }

    /// A link of the relay to follow.
    pub fn link(&self, link_id: LinkId) -> Link {
        Link::new(Route::Proxied(self.clone()), link_id)
    }

    /// `RSLV`: what a name stands for.
    pub async fn resolve(&self, name: &Name) -> Result<NameRecord, ClientError> {
        Route::Proxied(self.clone()).resolve(name).await
    }
}
