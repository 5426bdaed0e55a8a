//! What the server sends by itself.

use smp_client::protocol::command::{QueueIdsHash, QueueSet};
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::{CorrId, EntityId, MessageId, NotifierId, RecipientId};
use smp_client::protocol::message::SEALED_META;
use smp_client::protocol::response::{EncryptedMessage, EncryptedNotification, Response};
use smp_client::protocol::version::Version;
use smp_client::{Client, Disconnection, Event, Options};

use crate::peer::{Peer, Server};

fn message() -> EncryptedMessage {
    EncryptedMessage { id: MessageId::random(), body: vec![5; 16122].into() }
}

async fn pong(client: &Client, peer: &mut Peer) {
    let (pong, _) = tokio::join!(client.ping(), peer.serve(|_| Response::Pong));
    pong.unwrap();
}

#[tokio::test]
async fn every_event_in_the_order_of_arrival() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let (recipient, notifier) = (RecipientId::random(), NotifierId::random());
    let message = message();
    let notification = Box::new(EncryptedNotification { nonce: [1; 24], meta: [2; SEALED_META] });
    let queues = QueueSet { count: 3, hash: QueueIdsHash([4; 16]) };
    let (queue, none) = (EntityId::from(recipient), EntityId::EMPTY);
    let events = [
        (queue.clone(), Response::Message(message.clone()), Event::Message(recipient, message)),
        (notifier.into(), Response::Notification(notification.clone()), Event::Notification(notifier, notification)),
        (queue.clone(), Response::End, Event::End(queue.clone())),
        (queue.clone(), Response::Deleted, Event::Deleted(queue.clone())),
        (EntityId::from(server.service_id), Response::ServiceEnd(queues), Event::ServiceEnd(queues)),
        (none.clone(), Response::AllMessagesSent, Event::AllMessagesSent),
        (queue.clone(), Response::Error(ErrorType::Auth), Event::Error(queue.clone(), ErrorType::Auth)),
        (queue.clone(), Response::Pong, Event::Other(queue, Box::new(Response::Pong))),
        // A message for nobody.
        (none, Response::Message(self::message()), Event::Malformed),
    ];
    for (entity, response, _) in &events {
        peer.report(entity.clone(), response.clone()).await;
    }
    // Events do not stand in the way of answers.
    pong(&client, &mut peer).await;
    for (_, _, event) in events {
        assert_eq!(client.next_event().await.unwrap(), event);
    }
}

#[tokio::test]
async fn before_version_10_deletion_is_an_end() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::with_version(Version(9))).await;
    let queue = EntityId::from(RecipientId::random());
    peer.report(queue.clone(), Response::Deleted).await;
    assert_eq!(client.next_event().await.unwrap(), Event::End(queue));
}

#[tokio::test]
async fn a_block_may_hold_events_and_answers() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let queue = EntityId::from(RecipientId::random());
    let answer = async {
        let incoming = peer.receive_one().await;
        let end = peer.encode(&CorrId::EMPTY, &queue, &Response::End);
        let pong = peer.encode(&incoming.corr_id, &EntityId::EMPTY, &Response::Pong);
        peer.send(&[end.clone(), pong, end]).await;
    };
    let (pong, ()) = tokio::join!(client.ping(), answer);
    pong.unwrap();
    for _ in 0..2 {
        assert_eq!(client.next_event().await.unwrap(), Event::End(queue.clone()));
    }
}

#[tokio::test]
async fn malformed_blocks_are_events_and_the_connection_goes_on() {
    let server = Server::start().await;
    for version in [6, 10, 20] {
        let (client, mut peer) = server.session(&Options::with_version(Version(version))).await;
        let blocks: [&[u8]; 6] = [b"", b"\x00", b"\x01", b"\x01\x00\x02a", b"\x01\x00\x00", b"\x01\x00\x01ab"];
        for content in blocks {
            peer.send_content(content).await;
            assert_eq!(client.next_event().await.unwrap(), Event::Malformed);
        }
        let unknown = peer.encode(&CorrId::EMPTY, &EntityId::EMPTY, &Response::End);
        peer.send(&[[&unknown[..], b"LESS"].concat()]).await;
        assert_eq!(client.next_event().await.unwrap(), Event::Malformed);
        pong(&client, &mut peer).await;
    }
}

#[tokio::test]
async fn the_session_id_of_another_connection_is_malformed() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::with_version(Version(6))).await;
    let mut event = peer.encode(&CorrId::EMPTY, &EntityId::EMPTY, &Response::End);
    event[2] ^= 1;
    peer.send(&[event]).await;
    assert_eq!(client.next_event().await.unwrap(), Event::Malformed);
    pong(&client, &mut peer).await;
}

#[tokio::test]
async fn a_proxy_gets_no_events() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::proxy()).await;
    for _ in 0..100 {
        peer.report(RecipientId::random(), Response::Message(message())).await;
    }
    pong(&client, &mut peer).await;
    drop(peer);
    assert!(matches!(client.next_event().await, Err(Disconnection::Server)));
}

#[tokio::test]
async fn several_tasks_share_the_events() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let (other, queue) = (client.clone(), EntityId::from(RecipientId::random()));
    for _ in 0..2 {
        peer.report(queue.clone(), Response::End).await;
    }
    let (first, second) = tokio::join!(client.next_event(), other.next_event());
    assert_eq!((first.unwrap(), second.unwrap()), (Event::End(queue.clone()), Event::End(queue)));
}
