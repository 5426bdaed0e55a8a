//! Full queues, and several senders at once.

use smp_client::protocol::error::ErrorType;

use crate::harness::at_every_version;
use crate::harness::event::assert_quiet;
use crate::harness::party::Recipient;
use crate::harness::request::{err, ok};
use crate::harness::server::Server;

#[tokio::test]
async fn b_090_to_093_full_queue() {
    let server = Server::start_with(&[("LIMITS", "message_queue_quota", "2")]).await;
    at_every_version(async |version| {
        let (r, s) = (server.connect_at(version).await, server.connect_at(version).await);
        let (queue, sender) = Recipient::secured(&r, &s).await;
        let full = || err(sender.id, ErrorType::Quota);

        sender.sends(b"first").await;
        sender.sends(b"second").await;
        assert_eq!(sender.send(b"too much").await, full());
        assert_eq!(sender.send(b"too much").await, full());
        let first = queue.receives(b"first").await;

        let second = queue.acknowledge_for(&first, b"second").await;
        assert_eq!(sender.send(b"too much").await, full());
        let marker = queue.acknowledge_for_marker(&second).await;
        assert_eq!(sender.send(b"too much").await, full());
        queue.acknowledge(&marker).await;

        sender.sends(b"room again").await;
        queue.takes(b"room again").await;
        assert_quiet(&r).await;
    })
    .await;
}

/// The marker is delivered in its turn and counted once, however often senders tried.
#[tokio::test]
async fn the_marker_is_not_pushed_when_it_is_stored() {
    let server = Server::start_with(&[("LIMITS", "message_queue_quota", "1")]).await;
    let (r, s) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&r, &s).await;
    sender.sends(b"only").await;
    for _ in 0..3 {
        assert_eq!(sender.send(b"too much").await, err(sender.id, ErrorType::Quota));
    }
    assert_eq!(queue.info().await.size, 2);
    let only = queue.receives(b"only").await;
    assert_quiet(&r).await;
    let marker = queue.acknowledge_for_marker(&only).await;
    queue.acknowledge(&marker).await;
    assert_eq!(queue.info().await.size, 0);
}

#[tokio::test]
async fn b_094_two_senders_at_the_same_time() {
    let server = Server::start().await;
    let (r, s1, s2) = (server.connect().await, server.connect().await, server.connect().await);
    let (queue, sender1) = Recipient::secured(&r, &s1).await;
    let sender2 = sender1.on(&s2);
    for round in 0..50u8 {
        let (one, two) = ([b'a', round], [b'b', round]);
        let answers = tokio::join!(sender1.send(&one), sender2.send(&two));
        assert_eq!(answers, (ok(sender1.id), ok(sender1.id)));
        let first = queue.pushed().await;
        let other: &[u8] = if queue.body(&first) == one { &two } else { &one };
        let second = queue.acknowledge_for(&first, other).await;
        queue.acknowledge(&second).await;
    }
    assert_quiet(&r).await;
}
