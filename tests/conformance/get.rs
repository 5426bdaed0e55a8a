//! GET: messages without a subscription.

use smp_client::NewQueueOptions;
use smp_client::protocol::error::ErrorType;

use crate::harness::at_every_version;
use crate::harness::party::Recipient;
use crate::harness::request::{GET, SUB, ack, ed25519, err, key, ok, prohibited};
use crate::harness::server::Server;

#[tokio::test]
async fn b_070_071_get_from_a_queue_without_subscriber() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let (r, s) = (server.connect_at(version).await, server.connect_at(version).await);
        let (queue, sender) = Recipient::secured(&r, &s).await;
        r.close().await;
        sender.sends(b"waiting").await;

        let r2 = server.connect_at(version).await;
        let queue = queue.on(&r2);
        let message = queue.gets(b"waiting").await;
        queue.acknowledge(&message).await;
        assert_eq!(queue.ask(GET).await, ok(queue.id()));
    })
    .await;
}

#[tokio::test]
async fn b_072_to_081_get_beside_a_subscription() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let (r, r2, s) =
            (server.connect_at(version).await, server.connect_at(version).await, server.connect_at(version).await);
        let (by_sub, sender) = Recipient::secured(&r, &s).await;
        let by_get = by_sub.on(&r2);
        for body in [b"1", b"2", b"3", b"4"] {
            sender.sends(body).await;
        }
        let first = by_sub.receives(b"1").await;

        assert_eq!(by_get.gets(b"1").await, first, "the same ID and the same bytes");
        assert_eq!(by_sub.ask(GET).await, prohibited(by_sub.id()));
        assert_eq!(by_get.ask(SUB).await, prohibited(by_sub.id()));
        let second = by_sub.acknowledge_for(&first, b"2").await;
        assert_eq!(by_get.ask(ack(b"1234")).await, err(by_get.id(), ErrorType::NoMessage));
        by_get.acknowledge(&first).await;
        assert_eq!(by_get.gets(b"2").await, second);
        by_get.acknowledge(&second).await;
        let third = by_get.gets(b"3").await;
        assert_eq!(by_sub.acknowledge_for(&second, b"3").await, third);
        let fourth = by_sub.acknowledge_for(&third, b"4").await;
        by_sub.acknowledge(&fourth).await;
        assert_eq!(by_get.ask(GET).await, ok(by_get.id()));
    })
    .await;
}

/// `GET` is no subscription: a message that comes later is not pushed, and the subscriber elsewhere keeps its place.
#[tokio::test]
async fn get_does_not_subscribe() {
    let server = Server::start().await;
    let (r, r2, s) = (server.connect().await, server.connect().await, server.connect().await);
    let queue = Recipient::with(&r, NewQueueOptions { subscribe: false, ..NewQueueOptions::default() }).await;
    let sender_key = ed25519();
    queue.does(key(sender_key.public())).await;
    let sender = queue.sender(&s).signing(sender_key);
    assert_eq!(queue.ask(GET).await, ok(queue.id()));
    sender.sends(b"later").await;
    crate::harness::event::assert_quiet(&r).await;
    let message = queue.gets(b"later").await;

    let subscriber = queue.on(&r2);
    subscriber.subscribe().await;
    assert_eq!(subscriber.receives(b"later").await, message);
    queue.acknowledge(&message).await;
    assert_eq!(subscriber.ask(ack(message.id)).await, ok(queue.id()), "both may acknowledge it");
    sender.sends(b"next").await;
    subscriber.takes(b"next").await;
    crate::harness::event::assert_quiet(&r).await;
}
