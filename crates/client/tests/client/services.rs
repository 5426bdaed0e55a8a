//! Service sessions: the second signature, and commands about all queues at once.

use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::command::{
    Command, NotifierCommand, QueueIdsHash, QueueSet, RecipientCommand, ServiceCommand,
};
use smp_client::protocol::handshake::ServiceRole;
use smp_client::protocol::id::{EntityId, RecipientId};
use smp_client::protocol::key::{AuthKey, SigningKey};
use smp_client::protocol::response::Response;
use smp_client::protocol::version::{Version, VersionRange};
use smp_client::{Client, ClientError, Options, Request};

use crate::peer::{Peer, Server, credential};

async fn service(server: &Server, version: u16) -> (Client, Peer) {
    let versions = VersionRange::single(Version(version));
    let options = Options { versions, ..Options::default() };
    server.session(&options.with_service(credential(), ServiceRole::Messaging)).await
}

fn key() -> AuthPrivateKey {
    AuthPrivateKey::Signing(SigningKey::generate_ed25519())
}

#[tokio::test]
async fn some_commands_are_signed_by_the_service_too() {
    let server = Server::start().await;
    for version in 16..=20 {
        let (client, mut peer) = service(&server, version).await;
        assert_eq!(client.service_id(), Some(server.service_id));
        let accepted = peer.session.service.clone().unwrap();
        let key = key();
        let recipient = RecipientId::random();
        let subscribe = Command::Recipient(RecipientCommand::Subscribe);
        let commands = [
            (Request::new(recipient, subscribe.clone(), Some(&key)), true),
            (Request::new(recipient, Command::Notifier(NotifierCommand::Subscribe), Some(&key)), true),
            (Request::new(recipient, Command::Recipient(RecipientCommand::Delete), Some(&key)), false),
            (Request::new(recipient, subscribe, Some(&key)).with_service_signature(false), false),
            (
                Request::new(recipient, Command::Recipient(RecipientCommand::Get), Some(&key))
                    .with_service_signature(true),
                true,
            ),
        ];
        for (request, signed) in commands {
            let pending = client.submit(&request).await.unwrap();
            let incoming = peer.receive_one().await;
            let signature = peer.wire().read(&incoming.bytes).unwrap().service_signature;
            assert_eq!(signature.is_some(), signed);
            let fingerprint = signed.then_some(&accepted.fingerprint);
            assert!(peer.verify(&incoming, &key.public(), fingerprint));
            drop(pending);
        }
    }
}

#[tokio::test]
async fn all_queues_at_once() {
    let server = Server::start().await;
    for version in [16, 18, 19, 20] {
        let (client, mut peer) = service(&server, version).await;
        let session_key = AuthKey::Ed25519(peer.session.service.as_ref().unwrap().session_key);
        let (ours, theirs) =
            (QueueSet { count: 2, hash: QueueIdsHash([1; 16]) }, QueueSet { count: 3, hash: QueueIdsHash([2; 16]) });
        let told = if version >= 19 { ours } else { QueueSet::UNKNOWN };
        let answered = if version >= 19 { theirs } else { QueueSet { hash: QueueIdsHash::default(), ..theirs } };
        let serve = peer.serve(|_| Response::ServiceSubscribed(theirs));
        let (queues, incoming) = tokio::join!(client.subscribe_service_queues(ours), serve);
        assert_eq!(queues.unwrap(), answered);
        assert_eq!(incoming.command, Command::Service(ServiceCommand::SubscribeQueues(told)));
        assert_eq!(incoming.entity, EntityId::from(server.service_id));
        assert!(peer.verify(&incoming, &session_key, None));
        let serve = peer.serve(|_| Response::ServiceSubscribed(theirs));
        let (queues, incoming) = tokio::join!(client.subscribe_service_notifiers(ours), serve);
        assert_eq!(queues.unwrap(), answered);
        assert_eq!(incoming.command, Command::Service(ServiceCommand::SubscribeNotifiers(told)));
    }
}

#[tokio::test]
async fn others_are_no_services() {
    let server = Server::start().await;
    let (client, _peer) = service(&server, 15).await;
    assert_eq!(client.service_id(), None);
    let refused = client.subscribe_service_queues(QueueSet::default()).await;
    assert!(matches!(refused, Err(ClientError::NotAService)));
}
