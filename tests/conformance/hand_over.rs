//! OFF, DEL, many queues, and subscriptions that move from one connection to another.

use std::collections::HashSet;
use std::sync::Arc;

use smp_client::protocol::authorization::{AuthPrivateKey, Authorized};
use smp_client::protocol::command::RecipientCommand;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::{CorrId, RecipientId};
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use smp_client::{Client, Event, NewQueueOptions, Queue, Request};

use crate::harness::at_every_version;
use crate::harness::event::{assert_deleted, assert_end, assert_quiet, next_event};
use crate::harness::party::Recipient;
use crate::harness::request::{
    By, DEL, OFF, SUB, ack, ask, auth, ed25519, err, key, new, ok, reply, subscribed, transmission,
};
use crate::harness::server::Server;
use crate::harness::wire::{Blocks, batch_of};

#[tokio::test]
async fn b_050_to_054_suspended_queue() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let (r, s) = (server.connect_at(version).await, server.connect_at(version).await);
        let (queue, sender) = Recipient::secured(&r, &s).await;
        sender.sends(b"one").await;
        sender.sends(b"two").await;
        let first = queue.receives(b"one").await;
        assert_quiet(&r).await;

        assert_eq!(ask(&r, queue.id(), OFF, By::WrongSignature).await, auth(queue.id()));
        assert_eq!(ask(&r, sender.id, OFF, By::Key(queue.key())).await, auth(sender.id));
        queue.does(OFF).await;
        assert_eq!(sender.send(b"x").await, auth(sender.id));
        assert_eq!(sender.unsigned().send(b"x").await, auth(sender.id));
        queue.does(OFF).await;

        let second = queue.acknowledge_for(&first, b"two").await;
        queue.acknowledge(&second).await;
    })
    .await;
}

/// Which blocks the answers come in is seen below the client only.
#[tokio::test]
async fn b_055_subscribing_again_repeats_the_message_in_the_same_block() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        let mut r = Blocks::connect(&server, version).await;
        let (queue, sender) = Recipient::secured(&client, &client).await;
        sender.sends(b"one").await;
        let first = queue.receives(b"one").await;
        queue.does(OFF).await;
        let message = Response::Message(first);
        for _ in 0..2 {
            let (corr_id, sub) = r.command(queue.id(), &SUB, Some(queue.key()));
            r.send(&batch_of(&[sub])).await;
            let answers = r.receive().await;
            let replies: Vec<_> = answers.iter().map(|answer| answer.reply.clone()).collect();
            assert_eq!(replies, [subscribed(version, queue.id()), reply(queue.id(), message.clone())]);
            assert_eq!([&answers[0].corr_id, &answers[1].corr_id], [&corr_id, &CorrId::EMPTY]);
        }
    })
    .await;
}

#[tokio::test]
async fn b_056_to_058_deleted_queue() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let (r, s) = (server.connect_at(version).await, server.connect_at(version).await);
        let (queue, sender) = Recipient::secured(&r, &s).await;
        sender.sends(b"lost").await;
        queue.receives(b"lost").await;

        assert_eq!(ask(&r, queue.id(), DEL, By::WrongSignature).await, auth(queue.id()));
        assert_eq!(ask(&r, sender.id, DEL, By::Key(queue.key())).await, auth(sender.id));
        queue.does(DEL).await;
        assert_eq!(sender.send(b"x").await, auth(sender.id));
        assert_eq!(sender.unsigned().send(b"x").await, auth(sender.id));
        for command in [ack(b""), OFF, SUB, DEL] {
            assert_eq!(queue.ask(command).await, auth(queue.id()));
        }
    })
    .await;
}

#[tokio::test]
async fn b_059_many_queues_change_hands() {
    let server = Server::start().await;
    let recipient_key = Arc::new(ed25519());
    let queues = fifty_queues(&server, &recipient_key).await;
    for _ in 0..2 {
        let r = server.connect().await;
        for queue in &queues {
            let answer = ask(&r, *queue, SUB, By::Key(&recipient_key)).await;
            assert_eq!(answer, subscribed(Version::MAX, *queue));
        }
        r.close().await;
    }
}

/// Made with an empty correlation ID: their `IDS` come as events.
async fn fifty_queues(server: &Server, recipient_key: &AuthPrivateKey) -> Vec<RecipientId> {
    let client = server.connect().await;
    let mut queues = Vec::new();
    for _ in 0..50 {
        let mut words = Vec::new();
        new(recipient_key).encode(client.version(), &mut words);
        let covered = [&[0, 0][..], &words].concat();
        let signature =
            Authorized::with_session(client.session_id(), &covered).authorize(recipient_key, None, &[0; 24]);
        let transmission = transmission(&client, signature.as_ref(), b"", b"", &words);
        client.send_raw(vec![transmission]).await.unwrap();
        match next_event(&client).await {
            Event::Other(_, response) => match *response {
                Response::Ids(ids) => queues.push(ids.recipient_id),
                other => panic!("IDS should have come, but there is {other:?}"),
            },
            other => panic!("IDS should have come, but there is {other:?}"),
        }
    }
    client.close().await;
    queues
}

#[tokio::test]
async fn b_060_two_parties_exchange_keys_and_messages() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let (alice, bob) = (server.connect_at(version).await, server.connect_at(version).await);
        let (to_alice, to_bob) = (Recipient::new(&alice).await, Recipient::new(&bob).await);
        let mut senders = Vec::new();
        for (queue, peer) in [(&to_alice, &bob), (&to_bob, &alice)] {
            let sender = queue.sender(peer);
            let sender_key = ed25519();
            let introduction = sender_key.public().to_spki();
            sender.sends(&introduction).await;
            queue.takes(&introduction).await;
            queue.does(key(sender_key.public())).await;
            senders.push(sender.signing(sender_key));
        }
        for round in 0..3u8 {
            for (queue, sender) in [(&to_alice, &senders[0]), (&to_bob, &senders[1])] {
                sender.sends(&[b'm', round]).await;
                queue.takes(&[b'm', round]).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn b_061_to_066_subscription_moves_to_another_connection() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let (r, r2, s) =
            (server.connect_at(version).await, server.connect_at(version).await, server.connect_at(version).await);
        let (queue, sender) = Recipient::secured(&r, &s).await;
        sender.sends(b"first").await;
        sender.sends(b"second").await;
        let first = queue.receives(b"first").await;
        let second = queue.acknowledge_for(&first, b"second").await;

        let queue2 = queue.on(&r2);
        queue2.subscribe().await;
        assert_eq!(queue2.receives(b"second").await, second, "repeated byte for byte");
        queue2.acknowledge(&second).await;
        assert_end(&r, queue.id()).await;

        sender.sends(b"third").await;
        let third = queue2.receives(b"third").await;
        assert_quiet(&r).await;
        assert_eq!(queue.ask(ack(third.id)).await, err(queue.id(), ErrorType::NoMessage));
        queue2.acknowledge(&third).await;

        queue.does(DEL).await;
        assert_deleted(&r2, queue.id()).await;
        nothing_but_the_end_of_another_queue(&r, &r2).await;
    })
    .await;
}

/// Events are sent with a delay, in their order: one that is caused later proves that none was caused before.
async fn nothing_but_the_end_of_another_queue(client: &Client, other: &Client) {
    let queue = Recipient::new(client).await;
    queue.on(other).subscribe().await;
    assert_end(client, queue.id()).await;
}

/// Taking over one's own subscription tells nobody anything, and a connection that is gone loses its queue silently.
#[tokio::test]
async fn subscriptions_of_closed_connections_are_free() {
    let server = Server::start().await;
    let (r, r2) = (server.connect().await, server.connect().await);
    let queue = Recipient::new(&r).await;
    queue.subscribe().await;
    r.close().await;
    let queue = queue.on(&r2);
    queue.subscribe().await;
    queue.subscribe().await;
    queue.sender(&r2).sends(b"hello").await;
    queue.takes(b"hello").await;
    nothing_but_the_end_of_another_queue(&r2, &server.connect().await).await;
}

/// Many subscriptions of one block, at a queue that also changes hands: all answered, in their order.
#[tokio::test]
async fn a_whole_block_of_subscriptions() {
    let server = Server::start().await;
    let (client, other) = (server.connect().await, server.connect().await);
    let recipient_key = Arc::new(ed25519());
    let mut queues: Vec<Queue> = Vec::new();
    for _ in 0..130 {
        let options = NewQueueOptions { key: Some(Arc::clone(&recipient_key)), ..NewQueueOptions::default() };
        queues.push(client.create_queue(options).await.unwrap());
    }
    let requests: Vec<Request<'_>> = queues.iter().map(|queue| queue.request(RecipientCommand::Subscribe)).collect();
    for answer in other.send_batch(&requests).await.unwrap() {
        assert_eq!(answer.unwrap(), Response::Subscribed(None));
    }
    let mut ended = HashSet::new();
    for _ in &queues {
        match next_event(&client).await {
            Event::End(id) => assert!(ended.insert(id)),
            event => panic!("END should have come, but there is {event:?}"),
        }
    }
    assert!(queues.iter().all(|queue| ended.contains(&queue.recipient_id().into())));
    assert_eq!(ask(&other, queues[0].recipient_id(), OFF, By::Key(&recipient_key)).await, ok(queues[0].recipient_id()));
}
