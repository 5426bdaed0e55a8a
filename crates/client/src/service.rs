//! What a service may do with all its queues at once (wire.md §6.4).

use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::{Command, QueueSet, ServiceCommand};
use smp_protocol::response::Response;

use crate::{Client, ClientError};

impl Client {
    /// `SUBS`: the messages of all queues of the service become events of this connection, [`crate::Event::AllMessagesSent`]
    /// behind those that wait. `expected` is what the service believes to have; the answer what the server has. Before
    /// version 19 nothing is told and the hash of the answer is zero.
    pub async fn subscribe_service_queues(&self, expected: QueueSet) -> Result<QueueSet, ClientError> {
        self.subscribe_all(ServiceCommand::SubscribeQueues(expected)).await
    }

    /// `NSUBS`: the same for notifications, without the event at the end.
    pub async fn subscribe_service_notifiers(&self, expected: QueueSet) -> Result<QueueSet, ClientError> {
        self.subscribe_all(ServiceCommand::SubscribeNotifiers(expected)).await
    }

    async fn subscribe_all(&self, command: ServiceCommand) -> Result<QueueSet, ClientError> {
        let service = self.session().service.as_ref().ok_or(ClientError::NotAService)?;
        let key = AuthPrivateKey::Signing(service.session_key.clone());
        match self.send(service.id, Command::Service(command), Some(&key)).await? {
            Response::ServiceSubscribed(queues) => Ok(queues),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}
