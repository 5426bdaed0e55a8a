//! What the stores of messages and queues do, as far as it shows through the server.

use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::command::LinkData;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::LinkId;
use smp_client::protocol::response::Response;
use smp_client::{Client, NewQueueOptions, Notifier, QueueKind};

use crate::harness::event::assert_quiet;
use crate::harness::party::{Recipient, Sender};
use crate::harness::request::{
    By, DEL, LDEL, LGET, NDEL, NSUB, OFF, QUE, ack, ask, auth, ed448, ed25519, err, key, lset, ok, reply, rkey,
    subscribed, x25519,
};
use crate::harness::server::Server;
use crate::harness::service::{Service, queue_set, service_id};
use crate::harness::state::base64url;

/// A server whose queues hold three messages, and a queue with three.
async fn three_messages() -> (Server, Recipient, Sender) {
    let server = Server::start_with(&[("LIMITS", "message_queue_quota", "3")]).await;
    let (r, s) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&r, &s).await;
    for body in [b"1", b"2", b"3"] {
        sender.sends(body).await;
    }
    (server, queue, sender)
}

#[tokio::test]
async fn b_240_241_only_the_first_message_is_removed() {
    let (server, queue, _) = three_messages().await;
    let elsewhere = queue.on(&server.connect().await);
    let first = queue.receives(b"1").await;
    assert_eq!(elsewhere.gets(b"1").await, first);

    assert_eq!(queue.ask(ack([7; 24])).await, err(queue.id(), ErrorType::NoMessage));
    assert_eq!(queue.info().await.size, 3);
    let second = queue.acknowledge_for(&first, b"2").await;
    assert_eq!(queue.info().await.size, 2);
    assert_eq!(queue.ask(ack(first.id)).await, err(queue.id(), ErrorType::NoMessage));
    assert_eq!(elsewhere.ask(ack(first.id)).await, ok(queue.id()), "it is not the first any more");
    assert_eq!(queue.info().await.size, 2);
    assert_eq!(elsewhere.gets(b"2").await, second);
    queue.acknowledge_for(&second, b"3").await;
}

#[tokio::test]
async fn b_242_marker_of_a_full_queue() {
    let (_server, queue, sender) = three_messages().await;
    assert_eq!(sender.send(b"4").await, err(sender.id, ErrorType::Quota));
    let first = queue.receives(b"1").await;
    let second = queue.acknowledge_for(&first, b"2").await;
    let third = queue.acknowledge_for(&second, b"3").await;
    let marker = queue.acknowledge_for_marker(&third).await;
    queue.acknowledge(&marker).await;
    assert_eq!(queue.info().await.size, 0);
}

#[tokio::test]
async fn b_243_only_a_message_for_an_empty_queue_is_pushed() {
    let server = Server::start().await;
    let (r, s) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&r, &s).await;
    sender.sends(b"1").await;
    sender.sends(b"2").await;
    queue.receives(b"1").await;
    assert_quiet(&r).await;
}

#[tokio::test]
async fn b_244_restored_messages_are_the_same() {
    let (mut server, queue, sender) = three_messages().await;
    let first = queue.receives(b"1").await;
    assert_eq!(sender.send(b"4").await, err(sender.id, ErrorType::Quota));
    server.restart().await;
    server.logs(0, "messages stored: 3, expired: 0, queues: 1").await;

    let queue = queue.on(&server.connect().await);
    queue.subscribe().await;
    assert_eq!(queue.receives(b"1").await, first, "the same ID and time, so the same bytes");
    let second = queue.acknowledge_for(&first, b"2").await;
    let third = queue.acknowledge_for(&second, b"3").await;
    let marker = queue.acknowledge_for_marker(&third).await;
    queue.acknowledge(&marker).await;
    sender.on(&queue.client).sends(b"room again").await;
    queue.takes(b"room again").await;
}

/// A queue of every kind that the store log knows, without services.
struct Kinds {
    plain: Recipient,
    linked: (Recipient, LinkId),
    linked_later: (Recipient, LinkId),
    unlinked: (Recipient, LinkId),
    secured: (Recipient, Sender),
    deleted: Recipient,
    notified: (Recipient, Notifier),
    unnotified: (Recipient, Notifier),
    with_keys: (Recipient, AuthPrivateKey),
    suspended: (Recipient, Sender),
}

fn link_data(byte: u8) -> LinkData {
    LinkData { fixed: vec![byte; 2048].into(), user: vec![byte; 13824].into() }
}

async fn linked(client: &Client) -> (Recipient, LinkId) {
    let link = LinkId::random();
    let kind = QueueKind::Contact(Some((link.clone(), link_data(1))));
    (Recipient::with(client, NewQueueOptions { kind, ..NewQueueOptions::default() }).await, link)
}

impl Kinds {
    async fn new(client: &Client) -> Self {
        let unlinked = linked(client).await;
        unlinked.0.does(LDEL).await;
        let linked_later = (Recipient::contact(client).await, LinkId::random());
        linked_later.0.does(lset(&linked_later.1, &link_data(2))).await;
        let secured = Recipient::new(client).await;
        let sender_key = ed448();
        secured.does(key(sender_key.public())).await;
        let sender = secured.sender(client).signing(sender_key);
        let deleted = Recipient::new(client).await;
        deleted.does(DEL).await;
        let notified = Recipient::new(client).await;
        let notifier = notified.notifier().await;
        let unnotified = Recipient::new(client).await;
        let lost_notifier = unnotified.notifier().await;
        unnotified.does(NDEL).await;
        let with_keys = (Recipient::contact(client).await, x25519());
        with_keys.0.does(rkey(vec![with_keys.0.key().public(), with_keys.1.public()])).await;
        let suspended = Recipient::secured(client, client).await;
        suspended.0.does(OFF).await;
        Self {
            plain: Recipient::new(client).await,
            linked: linked(client).await,
            linked_later,
            unlinked,
            secured: (secured, sender),
            deleted,
            notified: (notified, notifier),
            unnotified: (unnotified, lost_notifier),
            with_keys,
            suspended,
        }
    }

    /// Those that are not deleted.
    fn live(&self) -> Vec<&Recipient> {
        vec![
            &self.plain,
            &self.linked.0,
            &self.linked_later.0,
            &self.unlinked.0,
            &self.secured.0,
            &self.notified.0,
            &self.unnotified.0,
            &self.with_keys.0,
            &self.suspended.0,
        ]
    }

    async fn check(&self, client: &Client) {
        for queue in self.live() {
            queue.on(client).info().await;
        }
        let lget = async |link: &LinkId| ask(client, link.clone(), LGET, By::Nobody).await;
        let leads_to = |(queue, link): &(Recipient, LinkId), byte| {
            reply(link.clone(), Response::Link(queue.queue.sender_id(), link_data(byte)))
        };
        assert_eq!(lget(&self.linked.1).await, leads_to(&self.linked, 1));
        assert_eq!(lget(&self.linked_later.1).await, leads_to(&self.linked_later, 2));
        assert_eq!(lget(&self.unlinked.1).await, auth(self.unlinked.1.clone()));

        let plain = self.plain.sender(client);
        assert_eq!(plain.signing(ed25519()).send(b"x").await, auth(plain.id));
        let (queue, sender) = (self.secured.0.on(client), self.secured.1.on(client));
        assert_eq!(sender.unsigned().send(b"x").await, auth(sender.id));
        queue.subscribe().await;
        sender.sends(b"x").await;
        queue.takes(b"x").await;
        assert_eq!(self.deleted.on(client).ask(QUE).await, auth(self.deleted.id()));

        assert!(self.notified.0.on(client).info().await.has_notifier);
        assert!(!self.unnotified.0.on(client).info().await.has_notifier);
        let nsub =
            async |notifier: &Notifier| ask(client, notifier.id(), NSUB, By::Key(&notifier.credentials().key)).await;
        let notifier = &self.notified.1;
        assert_eq!(nsub(notifier).await, subscribed(client.version(), notifier.id()));
        assert_eq!(nsub(&self.unnotified.1).await, auth(self.unnotified.1.id()));

        let (queue, second_key) = &self.with_keys;
        let answer = ask(client, queue.id(), QUE, By::Key(second_key)).await;
        assert!(matches!(answer.response, Response::Info(_)), "{answer:?}");
        let suspended = self.suspended.1.on(client);
        assert_eq!(suspended.send(b"x").await, auth(suspended.id));
    }
}

/// Services, and queues and notifiers that belong to them: the first queue to one, the second no more.
#[tokio::test]
async fn b_245_services_in_the_log() {
    let mut server = Server::start().await;
    let (messages, notifications) = (Service::messaging(), Service::notifier());
    let client = server.connect().await;
    let (joined, left) = (Recipient::new(&client).await, Recipient::new(&client).await);
    let (stays, goes) = (joined.notifier().await, left.notifier().await);
    let (service, notified) = (messages.connect(&server).await, notifications.connect(&server).await);
    let made = Recipient::new(&service).await;
    for queue in [&joined, &left] {
        queue.queue.on(&service).subscribe().await.unwrap();
    }
    for notifier in [&stays, &goes] {
        notifier.on(&notified).subscribe().await.unwrap();
    }
    left.subscribe().await;
    goes.on(&client).subscribe().await.unwrap();
    let ids = (service_id(&service), service_id(&notified));
    let log = |server: &Server| {
        let mut lines = server.store_log();
        lines.sort();
        lines
    };
    let mut compacted = None;
    for _ in 0..3 {
        server.restart().await;
        let lines = server.store_log();
        let services = lines.iter().take_while(|line| line.starts_with("NEW_SERVICE ")).count();
        assert_eq!(services, 2, "services come first: {lines:?}");
        let queues = &lines[2..];
        assert_eq!(queues.len(), 3, "one line for each queue: {queues:?}");
        let line_of = |queue: &Recipient| {
            let id = format!("CREATE rid={} ", base64url(queue.id()));
            queues.iter().find(|line| line.starts_with(&id)).expect("the queue has a line")
        };
        let (rsrv, nsrv) = (format!(" rsrv={}", base64url(ids.0)), format!(" nsrv={}", base64url(ids.1)));
        assert!(line_of(&made).contains(&rsrv) && line_of(&joined).contains(&rsrv));
        assert!(line_of(&joined).contains(&nsrv));
        assert!(!line_of(&left).contains("rsrv=") && !line_of(&left).contains("nsrv="));
        assert!(compacted.replace(log(&server)).is_none_or(|before| before == log(&server)));

        let (service, notified) = (messages.connect(&server).await, notifications.connect(&server).await);
        let set = queue_set([made.id(), joined.id()]);
        assert_eq!(service.subscribe_service_queues(set).await.unwrap(), set);
        let set = queue_set([stays.id()]);
        assert_eq!(notified.subscribe_service_notifiers(set).await.unwrap(), set);
    }
}

#[tokio::test]
async fn b_245_log_is_replayed_and_compacted() {
    let mut server = Server::start().await;
    let client = server.connect().await;
    let kinds = Kinds::new(&client).await;
    kinds.check(&client).await;
    let mut expected: Vec<_> = kinds.live().iter().map(|queue| format!("rid={}", base64url(queue.id()))).collect();
    expected.sort();
    for _ in 0..3 {
        server.restart().await;
        let lines = server.store_log();
        let words = lines.iter().map(|line| line.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>());
        let (create, mut queues): (Vec<_>, Vec<_>) = words.map(|words| (words[0].clone(), words[1].clone())).unzip();
        assert!(create.iter().all(|word| word == "CREATE"), "one line for each queue: {create:?}");
        queues.sort();
        assert_eq!(queues, expected);
        kinds.check(&server.connect().await).await;
    }
}
