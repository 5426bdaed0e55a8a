//! Services: connections with a certificate that receive the messages of all their queues at once.

use std::collections::HashSet;

use futures_util::future::join_all;
use smp_client::protocol::command::{Command, QueueSet, RecipientCommand, ServiceCommand};
use smp_client::protocol::error::{CommandError, ErrorType};
use smp_client::protocol::handshake::ServiceRole;
use smp_client::protocol::id::{EntityId, RecipientId};
use smp_client::protocol::response::{EncryptedMessage, Response};
use smp_client::protocol::version::Version;
use smp_client::{Client, ClientError, Event, NewQueueOptions, Reply, Request};

use crate::harness::at_versions;
use crate::harness::event::{assert_deleted, assert_end, assert_quiet, next_event, waiting_events};
use crate::harness::party::{Recipient, Sender};
use crate::harness::request::{By, DEL, SUB, ack, ask, ed448, ed25519, err, new, ok, reply, skey, subscribed, x25519};
use crate::harness::server::Server;
use crate::harness::service::{Service, assert_service_end, queue_set, service_id, told};
use crate::harness::wire::{Blocks, batch_of};

/// Versions with services: without hashes, the last without, and the newest.
const VERSIONS: [Version; 3] = [Version(16), Version(18), Version(20)];

/// Sends a command with only the signature of the queue.
async fn ask_without_service(client: &Client, entity: impl Into<EntityId>, command: Command, by: &Recipient) -> Reply {
    let request = Request::new(entity, command, Some(by.key())).with_service_signature(false);
    client.submit(&request).await.unwrap().reply().await.unwrap()
}

/// `SUB` of a service.
async fn joins(client: &Client, queue: &Recipient) {
    let joined = queue.on(client).ask(SUB).await;
    assert_eq!(joined, reply(queue.id(), Response::Subscribed(client.service_id())));
}

/// `SUBS` must be answered by this set, which is also what the client expects.
async fn subscribes_all(client: &Client, queues: &[&Recipient]) -> QueueSet {
    let set = queue_set(queues.iter().map(|queue| queue.id()));
    assert_eq!(client.subscribe_service_queues(set).await.unwrap(), told(client.version(), set));
    set
}

/// The messages up to `ALLS`.
async fn waiting_messages(client: &Client) -> Vec<(RecipientId, EncryptedMessage)> {
    let mut messages = Vec::new();
    loop {
        match next_event(client).await {
            Event::Message(id, message) => messages.push((id, message)),
            Event::AllMessagesSent => return messages,
            other => panic!("{other:?} among the waiting messages"),
        }
    }
}

/// A queue of a service with its sender.
async fn queue_of(service: &Client, sender: &Client) -> (Recipient, Sender) {
    let queue = Recipient::new(service).await;
    assert_eq!(queue.queue.credentials().service_id, service.service_id());
    let sender = queue.sender(sender);
    (queue, sender)
}

#[tokio::test]
async fn b_100_101_a_service_makes_queues() {
    let server = Server::start().await;
    at_versions(VERSIONS, async |version| {
        let service = Service::messaging();
        let client = service.connect_at(&server, version).await;
        let key = ed25519();
        let request = Request::new(EntityId::EMPTY, new(&key), Some(&key)).with_service_signature(false);
        let refused = client.submit(&request).await.unwrap().reply().await.unwrap();
        assert_eq!(refused, err(EntityId::EMPTY, ErrorType::Service));
        for key in [ed25519(), ed448(), x25519()] {
            let options = NewQueueOptions { key: Some(key.into()), ..NewQueueOptions::default() };
            let queue = Recipient::with(&client, options).await;
            assert_eq!(queue.queue.credentials().service_id, Some(service_id(&client)));
        }
        let options = NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
        let prohibited = client.create_queue(options).await.unwrap_err();
        assert_eq!(prohibited.answered(), Some(&CommandError::Prohibited.into()), "a service cannot only create");
    })
    .await;
}

#[tokio::test]
async fn b_102_to_106_messages_of_a_service() {
    let server = Server::start().await;
    at_versions(VERSIONS, async |version| {
        let service = Service::messaging();
        let (first, plain) = (service.connect_at(&server, version).await, server.connect().await);
        let id = service_id(&first);
        let (queue, sender) = queue_of(&first, &plain).await;
        let key = ed25519();
        assert_eq!(ask(&plain, sender.id, skey(key.public()), By::Key(&key)).await, ok(sender.id));
        let sender = sender.signing(key);
        sender.sends(b"one").await;
        sender.sends(b"two").await;
        let one = queue.receives(b"one").await;

        let two = queue.acknowledge_for(&one, b"two").await;
        assert_eq!(queue.ask(ack(one.id)).await, err(queue.id(), ErrorType::NoMessage));
        queue.acknowledge(&two).await;
        first.close().await;
        sender.sends(b"three").await;

        let second = service.connect_at(&server, version).await;
        assert_eq!(service_id(&second), id);
        let set = queue_set([queue.id()]);
        let subs = Command::Service(ServiceCommand::SubscribeQueues(set));
        let no_entity = ask(&second, EntityId::EMPTY, subs, By::Key(&ed25519())).await;
        assert_eq!(no_entity, err(EntityId::EMPTY, CommandError::NoAuth));

        subscribes_all(&second, &[&queue]).await;
        let queue = queue.on(&second);
        let [(of, three)] = &waiting_messages(&second).await[..] else { panic!("one message waits") };
        assert_eq!((*of, &queue.body(three)[..]), (queue.id(), &b"three"[..]));
        queue.acknowledge(three).await;
        sender.sends(b"four").await;
        queue.takes(b"four").await;

        subscribes_all(&second, &[&queue]).await;
        assert_quiet(&second).await;
    })
    .await;
}

#[tokio::test]
async fn b_107_108_plain_queues_join_a_service() {
    let server = Server::start().await;
    let (plain, sender) = (server.connect().await, server.connect().await);
    let service = Service::messaging();
    let mut blocks = Blocks::connect_as(&server, Version::MAX, Some(&service)).await;
    let client = service.connect(&server).await;
    let (full, to_full) = Recipient::secured(&plain, &sender).await;
    let (empty, _) = Recipient::secured(&plain, &sender).await;
    to_full.sends(b"waits").await;
    let waiting = full.receives(b"waits").await;

    assert_eq!(ask_without_service(&client, full.id(), SUB, &full).await, err(full.id(), ErrorType::Service));

    let sok = |queue: &Recipient| reply(queue.id(), Response::Subscribed(client.service_id()));
    let (corr_id, sub) = blocks.command(full.id(), &SUB, Some(full.key()));
    blocks.send(&batch_of(&[sub])).await;
    let answers = blocks.receive().await;
    let [answer, message] = &answers[..] else { panic!("answer and message come in one block: {answers:?}") };
    assert_eq!((&answer.corr_id, &answer.reply), (&corr_id, &sok(&full)));
    assert_eq!(message.reply, reply(full.id(), Response::Message(waiting)));
    let (_, sub) = blocks.command(empty.id(), &SUB, Some(empty.key()));
    blocks.send(&batch_of(&[sub])).await;
    let answers = blocks.receive().await;
    assert_eq!(answers.into_iter().map(|answer| answer.reply).collect::<Vec<_>>(), [sok(&empty)]);
}

#[tokio::test]
async fn b_109_111_queues_of_a_service_and_their_way_back() {
    let server = Server::start().await;
    at_versions(VERSIONS, async |version| {
        let service = Service::messaging();
        let (first, sending) = (service.connect_at(&server, version).await, server.connect().await);
        let (a, to_a) = queue_of(&first, &sending).await;
        let plain = server.connect().await;
        let (b, to_b) = Recipient::secured(&plain, &sending).await;
        let (c, _) = Recipient::secured(&plain, &sending).await;
        plain.close().await;
        joins(&first, &b).await;
        joins(&first, &c).await;
        first.close().await;
        to_a.sends(b"to a").await;
        to_b.sends(b"to b").await;

        let second = service.connect_at(&server, version).await;
        subscribes_all(&second, &[&a, &b, &c]).await;
        let messages = waiting_messages(&second).await;
        assert_eq!(messages.len(), 2);
        let of = |id| &messages.iter().find(|(of, _)| *of == id).expect("both have a message").1;
        let (a, b) = (a.on(&second), b.on(&second));
        assert_eq!((&a.body(of(a.id()))[..], &b.body(of(b.id()))[..]), (&b"to a"[..], &b"to b"[..]));
        a.acknowledge(of(a.id())).await;

        // The other one is not acknowledged: it goes to whoever subscribes next.
        let plain = server.connect().await;
        let b = b.on(&plain);
        assert_eq!(b.ask(SUB).await, subscribed(plain.version(), b.id()));
        b.takes(b"to b").await;
        to_b.sends(b"later").await;
        b.takes(b"later").await;
        assert_end(&second, b.id()).await;
        to_a.sends(b"still").await;
        a.takes(b"still").await;
        assert_quiet(&second).await;

        second.close().await;
        let third = service.connect_at(&server, version).await;
        subscribes_all(&third, &[&a, &c]).await;
        assert!(waiting_messages(&third).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn b_110_plain_connections_have_no_service() {
    let server = Server::start().await;
    let service = Service::messaging().connect(&server).await;
    let plain = server.connect().await;
    for subs in [ServiceCommand::SubscribeQueues, ServiceCommand::SubscribeNotifiers] {
        let subs = Command::Service(subs(queue_set([[0; 24]; 0])));
        let refused = ask(&plain, service_id(&service), subs, By::Key(&ed25519())).await;
        assert_eq!(refused, err(service_id(&service), ErrorType::Service));
    }
}

/// What a service expects may be any number: it is only compared.
#[tokio::test]
async fn expectations_of_any_size() {
    let server = Server::start().await;
    for count in [i64::MIN, i64::MIN + 1, -2, -1, i64::MAX] {
        for service in [Service::messaging(), Service::notifier()] {
            let client = service.connect(&server).await;
            let expected = QueueSet { count, ..queue_set([[0; 24]; 0]) };
            let found = match service.role {
                ServiceRole::Notifier => client.subscribe_service_notifiers(expected).await,
                ServiceRole::Messaging | ServiceRole::Proxy => client.subscribe_service_queues(expected).await,
            };
            assert_eq!(found.expect("it is a service").count, 0, "{count}");
        }
    }
}

/// A server without services asks nobody for a certificate. Clients see that and go on without: in the apps it is the error
/// `BROKER … NO_SERVICE`.
#[tokio::test]
async fn services_can_be_off() {
    let server = Server::start_with(&[("TRANSPORT", "accept_service_credentials", "off")]).await;
    for version in VERSIONS {
        let client = Service::messaging().connect_at(&server, version).await;
        assert_eq!(client.service_id(), None);
        let refused = client.subscribe_service_queues(QueueSet::default()).await;
        assert!(matches!(refused, Err(ClientError::NotAService)), "{refused:?}");
        let (queue, sender) = Recipient::secured(&client, &client).await;
        sender.sends(b"without a service").await;
        queue.takes(b"without a service").await;
    }
}

/// Commands about single queues do not take the signature of the service, and a service of another role asks in vain.
#[tokio::test]
async fn signatures_and_roles() {
    let server = Server::start().await;
    let (messaging, notifier) =
        (Service::messaging().connect(&server).await, Service::notifier().connect(&server).await);
    let queue = Recipient::new(&messaging).await;
    for command in [ack(b"1234"), Command::Recipient(RecipientCommand::Suspend)] {
        let signed = Request::new(queue.id(), command, Some(queue.key())).with_service_signature(true);
        let refused = messaging.submit(&signed).await.unwrap().reply().await.unwrap();
        assert_eq!(refused, err(queue.id(), ErrorType::Service));
    }
    assert_eq!(queue.on(&notifier).ask(SUB).await, err(queue.id(), CommandError::Prohibited));
    let (key, empty) = (ed25519(), EntityId::EMPTY);
    assert_eq!(ask(&notifier, empty.clone(), new(&key), By::Key(&key)).await, err(empty, CommandError::Prohibited));
    let refused = notifier.subscribe_service_queues(QueueSet::default()).await.unwrap_err();
    assert_eq!(refused.answered(), Some(&CommandError::Prohibited.into()));
    let refused = messaging.subscribe_service_notifiers(QueueSet::default()).await.unwrap_err();
    assert_eq!(refused.answered(), Some(&CommandError::Prohibited.into()));
}

/// The newer connection of a service gets everything; the older one can take it back, also by the same command again.
#[tokio::test]
async fn connections_take_the_service_from_each_other() {
    let server = Server::start().await;
    at_versions(VERSIONS, async |version| {
        let service = Service::messaging();
        let (first, sending) = (service.connect_at(&server, version).await, server.connect().await);
        let (a, to_a) = queue_of(&first, &sending).await;
        let (b, to_b) = queue_of(&first, &sending).await;
        let second = service.connect_at(&server, version).await;

        let both = subscribes_all(&second, &[&a, &b]).await;
        assert!(waiting_messages(&second).await.is_empty());
        assert_service_end(&first, both).await;
        to_a.sends(b"1").await;
        a.on(&second).takes(b"1").await;
        assert_quiet(&first).await;

        subscribes_all(&first, &[&a, &b]).await;
        assert!(waiting_messages(&first).await.is_empty());
        assert_service_end(&second, both).await;
        to_b.sends(b"2").await;
        b.takes(b"2").await;

        // A second time: what the reference forgets.
        subscribes_all(&second, &[&a, &b]).await;
        assert!(waiting_messages(&second).await.is_empty());
        assert_service_end(&first, both).await;
        to_b.sends(b"3").await;
        b.on(&second).takes(b"3").await;

        // And by a single queue.
        joins(&first, &a).await;
        assert_service_end(&second, both).await;
        to_b.sends(b"4").await;
        b.takes(b"4").await;
        assert_quiet(&second).await;
    })
    .await;
}

/// Another service takes a queue; its counters and those of the first follow.
#[tokio::test]
async fn queues_move_between_services() {
    let server = Server::start().await;
    let (one, other) = (Service::messaging(), Service::messaging());
    let (first, second, sending) = (one.connect(&server).await, other.connect(&server).await, server.connect().await);
    let (a, to_a) = queue_of(&first, &sending).await;
    let (b, to_b) = queue_of(&first, &sending).await;
    joins(&second, &a).await;
    assert_end(&first, a.id()).await;
    to_a.sends(b"moved").await;
    a.on(&second).takes(b"moved").await;
    to_b.sends(b"stayed").await;
    b.takes(b"stayed").await;
    subscribes_all(&first, &[&b]).await;
    subscribes_all(&second, &[&a]).await;
}

/// A queue is deleted by another connection than that of its service: the service is told, and has one queue less.
#[tokio::test]
async fn deleted_queues_leave_their_service() {
    let server = Server::start().await;
    let service = Service::messaging().connect(&server).await;
    let (plain, other) = (server.connect().await, Service::messaging().connect(&server).await);
    let (first, _) = queue_of(&service, &plain).await;
    let (second, _) = queue_of(&service, &plain).await;
    let (third, _) = queue_of(&service, &plain).await;
    let (others, _) = queue_of(&other, &plain).await;
    first.on(&plain).does(DEL).await;
    assert_deleted(&service, first.id()).await;
    second.on(&other).does(DEL).await;
    assert_deleted(&service, second.id()).await;
    subscribes_all(&service, &[&third]).await;
    subscribes_all(&other, &[&others]).await;
}

/// Services, their queues and IDs are in the store log.
#[tokio::test]
async fn associations_survive_every_end() {
    let mut server = Server::start().await;
    let (one, other) = (Service::messaging(), Service::messaging());
    let (client, sending) = (one.connect(&server).await, server.connect().await);
    let id = service_id(&client);
    let (a, to_a) = queue_of(&client, &sending).await;
    let (b, _) = queue_of(&client, &sending).await;
    let (c, _) = queue_of(&client, &sending).await;
    joins(&other.connect(&server).await, &b).await;
    let plain = server.connect().await;
    c.on(&plain).subscribe().await;
    server.kill().await;
    server.run().await;
    for _ in 0..2 {
        let (first, second) = (one.connect(&server).await, other.connect(&server).await);
        assert_eq!(service_id(&first), id);
        subscribes_all(&first, &[&a]).await;
        assert!(waiting_messages(&first).await.is_empty());
        subscribes_all(&second, &[&b]).await;
        to_a.on(&server.connect().await).sends(b"hello").await;
        a.on(&first).takes(b"hello").await;
        server.restart().await;
    }
}

/// 10,000 queues with one command, of which every tenth has a message.
#[tokio::test]
async fn ten_thousand_queues_at_once() {
    const QUEUES: usize = 10_000;
    let server = Server::start().await;
    let service = Service::messaging();
    let (client, sending) = (service.connect(&server).await, server.connect().await);
    let key = std::sync::Arc::new(ed25519());
    let mut queues = Vec::with_capacity(QUEUES);
    while queues.len() < QUEUES {
        let options = || NewQueueOptions { key: Some(key.clone()), ..NewQueueOptions::default() };
        queues.extend(join_all((0..100).map(|_| Recipient::with(&client, options()))).await);
    }
    client.close().await;
    for queues in queues.chunks(1000) {
        join_all(queues.iter().step_by(10).map(async |queue| queue.sender(&sending).sends(b"waits").await)).await;
    }
    let client = service.connect(&server).await;
    let all: Vec<_> = queues.iter().collect();
    subscribes_all(&client, &all).await;
    let messages = waiting_messages(&client).await;
    let found: HashSet<_> = messages.iter().map(|(id, _)| *id).collect();
    assert_eq!(messages.len(), QUEUES / 10);
    assert_eq!(found, queues.iter().step_by(10).map(Recipient::id).collect());
    assert_eq!(waiting_events(&client), []);
}
