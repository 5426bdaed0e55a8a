//! Connections: inactivity, the state of a queue as a connection sees it, packing of answers, the identity of the server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::CorrId;
use smp_client::protocol::response::{DeliveryState, MessageKind, Response};
use smp_client::protocol::version::Version;
use smp_client::transport::connect::ConnectError;
use smp_client::{Client, ClientError, Disconnection, NewQueueOptions, Options};

use crate::harness::event::closed_by_server;
use crate::harness::party::Recipient;
use crate::harness::request::{SUB, ed25519, err, key, subscribed};
use crate::harness::server::Server;
use crate::harness::wire::{Blocks, batch_of};

#[tokio::test]
async fn b_250_251_only_inactive_clients_are_disconnected() {
    let server = Server::start_with(&[
        ("INACTIVE_CLIENTS", "disconnect", "on"),
        ("INACTIVE_CLIENTS", "ttl", "1"),
        ("INACTIVE_CLIENTS", "check_interval", "1"),
    ])
    .await;
    let subscribed = server.connect().await;
    Recipient::new(&subscribed).await;
    let notified = server.connect().await;
    let notifier = Recipient::new(&subscribed).await.notifier().await;
    notifier.on(&notified).subscribe().await.unwrap();

    // Two clients one after the other, so that the others are silent for more than twice as long.
    for _ in 0..2 {
        let idle = server.connect().await;
        let options = NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
        let queue = Recipient::with(&idle, options).await;
        queue.queue.get().await.unwrap();
        assert!(matches!(closed_by_server(&idle).await, Disconnection::Server));
    }
    subscribed.ping().await.unwrap();
    notified.ping().await.unwrap();
}

#[tokio::test]
async fn b_252_state_of_a_queue() {
    let server = Server::start().await;
    let (r, s) = (server.connect().await, server.connect().await);
    let queue = Recipient::new(&r).await;
    let sender = queue.sender(&s);

    let info = queue.info().await;
    assert!(!info.secured && !info.has_notifier && info.message.is_none());
    assert_eq!((info.size, info.subscription.as_ref().unwrap().delivery), (0, DeliveryState::NoSub));
    assert_eq!(info.subscription.unwrap().delivered, None);

    sender.sends(b"1").await;
    let first = queue.receives(b"1").await;
    let first_id = STANDARD.encode(first.id.as_bytes());
    let oldest_is_first = async |size| {
        let info = queue.info().await;
        let message = info.message.unwrap();
        assert_eq!((info.size, &message.id, message.kind), (size, &first_id, MessageKind::Message));
        assert_eq!(info.subscription.unwrap().delivered.as_ref(), Some(&first_id));
    };
    oldest_is_first(1).await;
    for body in [b"2", b"3", b"4"] {
        sender.sends(body).await;
    }
    oldest_is_first(4).await;
    for _ in 0..2 {
        assert_eq!(sender.send(b"5").await, err(sender.id, ErrorType::Quota));
        oldest_is_first(5).await;
    }

    queue.does(key(ed25519().public())).await;
    queue.notifier().await;
    let info = queue.info().await;
    assert!(info.secured && info.has_notifier);

    let elsewhere = queue.on(&s);
    assert_eq!(elsewhere.info().await.subscription, None);
    elsewhere.gets(b"1").await;
    let subscription = elsewhere.info().await.subscription.unwrap();
    assert_eq!((subscription.delivery, subscription.delivered), (DeliveryState::ProhibitSub, Some(first_id.clone())));
    marker_is_seen(&queue, first).await;
}

/// The oldest message is of another type once only the marker is left.
async fn marker_is_seen(queue: &Recipient, mut message: smp_client::protocol::response::EncryptedMessage) {
    for body in [b"2", b"3", b"4"] {
        message = queue.acknowledge_for(&message, body).await;
    }
    let marker = queue.acknowledge_for_marker(&message).await;
    let info = queue.info().await;
    assert_eq!((info.size, info.message.unwrap().kind), (1, MessageKind::Quota));
    queue.acknowledge(&marker).await;
    assert_eq!(queue.info().await.size, 0);
}

#[tokio::test]
async fn b_255_blocks_of_answers_to_several_subscriptions() {
    let server = Server::start().await;
    let client = server.connect().await;
    let mut queues = Vec::new();
    for _ in 0..5 {
        queues.push(Recipient::new(&client).await);
    }
    queues[0].sender(&client).sends(&[1; 16000]).await;
    let message = queues[0].receives(&[1; 16000]).await;
    for (subscriptions, blocks) in [(3, 1), (4, 2), (5, 2)] {
        let mut r = Blocks::connect(&server, Version::MAX).await;
        let commands = queues[..subscriptions].iter().map(|queue| r.command(queue.id(), &SUB, Some(queue.key())));
        let (corr_ids, transmissions): (Vec<_>, Vec<_>) = commands.unzip();
        r.send(&batch_of(&transmissions)).await;
        let mut answers = Vec::new();
        for _ in 0..blocks {
            let block = r.receive().await;
            assert!(!block.is_empty());
            answers.extend(block);
        }
        let pushed = answers.pop().unwrap();
        assert_eq!((pushed.corr_id, pushed.reply.response), (CorrId::EMPTY, Response::Message(message.clone())));
        assert_eq!(answers.len(), subscriptions);
        for ((answer, corr_id), queue) in answers.into_iter().zip(corr_ids).zip(&queues) {
            assert_eq!((answer.corr_id, answer.reply), (corr_id, subscribed(Version::MAX, queue.id())));
        }
        r.ping().await;
    }
}

/// 255 commands in a block, and more answers than fit one: all answered in their order.
#[tokio::test]
async fn full_blocks_are_answered_in_order() {
    let server = Server::start().await;
    let mut client = Blocks::connect(&server, Version::MAX).await;
    let ping = smp_client::protocol::command::Command::Ping;
    let none = smp_client::protocol::id::EntityId::EMPTY;
    let (corr_ids, transmissions): (Vec<_>, Vec<_>) =
        (0..255).map(|_| client.command(none.clone(), &ping, None)).unzip();
    client.send(&batch_of(&transmissions)).await;
    let mut answered = Vec::new();
    while answered.len() < 255 {
        answered.extend(client.receive().await.into_iter().map(|answer| answer.corr_id));
    }
    assert_eq!(answered, corr_ids);
    client.ping().await;
}

#[tokio::test]
async fn b_256_clients_refuse_another_identity() {
    let server = Server::start_with(&[("TRANSPORT", "log_tls_errors", "on")]).await;
    let mut address = server.address().clone();
    address.key_hash.0[0] ^= 1;
    let refused = Client::connect(&address, &Options::default()).await;
    assert!(matches!(refused, Err(ClientError::Connect(ConnectError::Tls(_)))), "{refused:?}");
    server.logs(0, "UnknownCA").await;
    server.connect().await.ping().await.unwrap();
}
