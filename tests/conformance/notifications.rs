//! Notifiers: NKEY, NDEL, NSUB, and what they are sent.

use std::sync::Arc;

use smp_client::protocol::encoding::Encode;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::{CorrId, random_bytes};
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use smp_client::{Client, NewQueueOptions, Notifier, Reply};

use crate::harness::at_every_version;
use crate::harness::event::{assert_deleted, assert_end, assert_quiet, waiting_events};
use crate::harness::party::{Recipient, Sender, notified};
use crate::harness::request::{
    By, DEL, NDEL, NSUB, ask, auth, ed448, ed25519, err, send_and_notify, subscribed, x25519,
};
use crate::harness::server::Server;
use crate::harness::wire::{Blocks, batch_of};

async fn nsub(client: &Client, notifier: &Notifier) -> Reply {
    ask(client, notifier.id(), NSUB, By::Key(&notifier.credentials().key)).await
}

async fn subscribes(client: &Client, notifier: &Notifier) {
    assert_eq!(nsub(client, notifier).await, subscribed(client.version(), notifier.id()));
}

/// A queue with a notifier on a connection of its own: a notification of it proves that those before it were sent.
struct Witness {
    queue: Recipient,
    sender: Sender,
    notifier: Notifier,
}

impl Witness {
    async fn new(server: &Server, observed: &Client) -> Self {
        let client = server.connect().await;
        let (queue, sender) = Recipient::secured(&client, &client).await;
        let notifier = queue.notifier().await;
        subscribes(observed, &notifier).await;
        Self { queue, sender, notifier }
    }

    /// A delivery cycle passes, in which `observed` gets nothing else.
    async fn sees_nothing_else(&self, observed: &Client) {
        self.sender.notifies(b"witness").await;
        let id = self.queue.takes(b"witness").await;
        assert_eq!(notified(observed, &self.notifier).await, id);
        assert_eq!(waiting_events(observed), []);
    }
}

#[tokio::test]
async fn b_140_to_147_life_of_a_notifier() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let (r, s) = (server.connect_at(version).await, server.connect_at(version).await);
        let (n, n2) = (server.connect_at(version).await, server.connect_at(version).await);
        let (queue, sender) = Recipient::secured(&r, &s).await;
        let (witness, witness2) = (Witness::new(&server, &n).await, Witness::new(&server, &n2).await);

        let notifier_key = Arc::new(ed25519());
        let first = queue.queue.create_notifier(Arc::clone(&notifier_key)).await.unwrap();
        let second = queue.queue.create_notifier(Arc::clone(&notifier_key)).await.unwrap();
        assert_ne!(first.id(), second.id());
        assert_eq!(nsub(&n, &first).await, auth(first.id()));
        subscribes(&n, &second).await;

        sender.notifies(b"one").await;
        let id = queue.takes(b"one").await;
        assert_eq!(notified(&n, &second).await, id);
        sender.notifies(b"two").await;
        let two = queue.receives(b"two").await;
        assert_eq!(notified(&n, &second).await, two.id);
        queue.acknowledge(&two).await;

        subscribes(&n2, &second).await;
        assert_end(&n, second.id()).await;
        sender.notifies(b"three").await;
        let id = queue.takes(b"three").await;
        assert_eq!(notified(&n2, &second).await, id);
        witness.sees_nothing_else(&n).await;

        queue.does(NDEL).await;
        assert_deleted(&n2, second.id()).await;
        sender.notifies(b"four").await;
        queue.takes(b"four").await;
        witness.sees_nothing_else(&n).await;
        witness2.sees_nothing_else(&n2).await;
        assert_eq!(nsub(&n2, &second).await, auth(second.id()));

        let third = queue.notifier().await;
        subscribes(&n, &third).await;
        sender.notifies(b"five").await;
        let id = queue.takes(b"five").await;
        assert_eq!(notified(&n, &third).await, id);
        assert_quiet(&r).await;
    })
    .await;
}

#[tokio::test]
async fn b_141_service_signature_of_a_client_that_is_no_service() {
    let server = Server::start().await;
    let client = server.connect().await;
    let (queue, _) = Recipient::secured(&client, &client).await;
    let notifier = queue.notifier().await;
    let corr_id = CorrId::random();
    let mut transmission = Vec::new();
    transmission.put_short(&random_bytes::<64>());
    transmission.put(b"1");
    transmission.put_short(&random_bytes::<64>());
    transmission.put_short(corr_id.as_ref());
    transmission.put_short(notifier.id().as_ref());
    transmission.put(b"NSUB");
    let pending = client.expect(corr_id).unwrap();
    client.send_raw(vec![transmission]).await.unwrap();
    assert_eq!(pending.reply().await.unwrap(), err(notifier.id(), ErrorType::Service));
}

/// Keys of all kinds; nothing without the flag; deleting twice; replacing tells the subscriber.
#[tokio::test]
async fn notifier_keys_of_all_kinds() {
    let server = Server::start().await;
    let (client, n) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&client, &client).await;
    for notifier_key in [ed25519(), ed448(), x25519()] {
        let notifier = queue.queue.create_notifier(notifier_key).await.unwrap();
        for wrong in [ed25519(), ed448(), x25519()] {
            assert_eq!(ask(&n, notifier.id(), NSUB, By::Key(&wrong)).await, auth(notifier.id()));
        }
        subscribes(&n, &notifier).await;
        sender.sends(b"no flag").await;
        queue.takes(b"no flag").await;
        sender.notifies(b"flag").await;
        let id = queue.takes(b"flag").await;
        assert_eq!(notified(&n, &notifier).await, id, "the only one");
        let next = queue.notifier().await;
        assert_deleted(&n, notifier.id()).await;
        assert_eq!(nsub(&n, &notifier).await, auth(notifier.id()));
        subscribes(&n, &next).await;
        queue.does(NDEL).await;
        queue.does(NDEL).await;
        assert_deleted(&n, next.id()).await;
    }
}

/// Sender and recipient together must not be able to fill the memory: a queue holds four messages here, and what waits for its
/// notifier is about the newest four.
#[tokio::test]
async fn notifications_of_messages_that_are_gone_do_not_pile_up() {
    let server = Server::start().await;
    let client = server.connect().await;
    let (queue, sender) = Recipient::secured(&client, &client).await;
    let notifier = queue.notifier().await;
    let mut sent = Vec::new();
    for n in 0..50 {
        sender.notifies(&[n]).await;
        sent.push(queue.takes(&[n]).await);
    }
    let n = server.connect().await;
    let witness = Witness::new(&server, &n).await;
    subscribes(&n, &notifier).await;
    for id in sent.split_off(46) {
        assert_eq!(notified(&n, &notifier).await, id);
    }
    witness.sees_nothing_else(&n).await;
}

/// Deleting what is not there changes nothing, so nothing is written.
#[tokio::test]
async fn deleting_no_notifier_is_not_logged() {
    let server = Server::start().await;
    let client = server.connect().await;
    let queue = Recipient::new(&client).await;
    let lines = server.store_log();
    queue.does(NDEL).await;
    // What is written later is behind it.
    Recipient::new(&client).await;
    assert_eq!(server.store_log().len(), lines.len() + 1);
}

/// Notifications wait for their notifier, and come once: not again after a reconnection.
#[tokio::test]
async fn notifications_wait_for_their_notifier() {
    let server = Server::start().await;
    let client = server.connect().await;
    let (queue, sender) = Recipient::secured(&client, &client).await;
    let notifier = queue.notifier().await;
    let mut sent = Vec::new();
    for body in [&b"1"[..], b"2", b"3"] {
        sender.notifies(body).await;
        sent.push(queue.takes(body).await);
    }
    let n = server.connect().await;
    subscribes(&n, &notifier).await;
    for id in sent {
        assert_eq!(notified(&n, &notifier).await, id);
    }
    n.close().await;
    let n = server.connect().await;
    let witness = Witness::new(&server, &n).await;
    subscribes(&n, &notifier).await;
    witness.sees_nothing_else(&n).await;
}

/// The marker makes no notification, and a full queue none either.
#[tokio::test]
async fn full_queues_notify_nobody() {
    let server = Server::start_with(&[("LIMITS", "message_queue_quota", "1")]).await;
    let (client, n) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&client, &client).await;
    let notifier = queue.notifier().await;
    subscribes(&n, &notifier).await;
    let witness = Witness::new(&server, &n).await;
    sender.notifies(b"one").await;
    assert_eq!(notified(&n, &notifier).await, queue.receives(b"one").await.id);
    let quota = err(sender.id, ErrorType::Quota);
    let full = send_and_notify(b"two");
    assert_eq!(ask(&client, sender.id, full, By::Key(sender.key.as_deref().unwrap())).await, quota);
    witness.sees_nothing_else(&n).await;
}

/// Version 17 makes the notifier together with the queue.
#[tokio::test]
async fn notifier_made_with_the_queue() {
    let server = Server::start().await;
    for version in [Version(17), Version(20)] {
        let (client, n) = (server.connect_at(version).await, server.connect_at(version).await);
        let notifier_key = Some(Arc::new(ed25519()));
        let queue = Recipient::with(&client, NewQueueOptions { notifier_key, ..NewQueueOptions::default() }).await;
        let notifier = queue.queue.notifier().unwrap();
        assert!(queue.info().await.has_notifier);
        subscribes(&n, &notifier).await;
        queue.sender(&client).notifies(b"hello").await;
        let id = queue.takes(b"hello").await;
        assert_eq!(notified(&n, &notifier).await, id);
        queue.does(NDEL).await;
        assert!(!queue.info().await.has_notifier);
    }
}

/// Deleting the queue deletes the notifier and what waits for it.
#[tokio::test]
async fn deleting_the_queue_tells_its_notifier() {
    let server = Server::start().await;
    let (client, n) = (server.connect().await, server.connect().await);
    let (queue, _) = Recipient::secured(&client, &client).await;
    let notifier = queue.notifier().await;
    subscribes(&n, &notifier).await;
    queue.does(DEL).await;
    assert_deleted(&n, notifier.id()).await;
    assert_eq!(nsub(&n, &notifier).await, auth(notifier.id()));
    assert_quiet(&client).await;
}

/// 200 notifications at once: all come, in their order.
#[tokio::test]
async fn b_254_two_hundred_notifications() {
    let server = Server::start_with(&[("LIMITS", "message_queue_quota", "200")]).await;
    let client = server.connect().await;
    let (queue, sender) = Recipient::secured(&client, &client).await;
    let notifier = queue.notifier().await;
    for _ in 0..200 {
        sender.notifies(b"x").await;
    }
    let mut waiting = queue.receives(b"x").await;
    let mut sent = vec![waiting.id];
    for _ in 1..200 {
        waiting = queue.acknowledge_for(&waiting, b"x").await;
        sent.push(waiting.id);
    }

    let mut n = Blocks::connect(&server, Version::MAX).await;
    let (_, nsub) = n.command(notifier.id(), &NSUB, Some(&notifier.credentials().key));
    n.send(&batch_of(&[nsub])).await;
    assert_eq!(n.receive().await.len(), 1, "SOK");
    let (mut received, mut sizes) = (Vec::new(), Vec::new());
    while received.len() < sent.len() {
        let block = n.receive().await;
        sizes.push(block.len());
        received.extend(block.into_iter().map(|answer| match answer.reply.response {
            Response::Notification(notification) => notifier.open(&notification).unwrap().0,
            other => panic!("NMSG should have come, but there is {other:?}"),
        }));
    }
    assert_eq!(received, sent);
    sizes.sort_unstable();
    assert_eq!(sizes, [40, 80, 80]);
}
