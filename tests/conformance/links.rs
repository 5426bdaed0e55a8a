//! Short links: LSET, LDEL, LKEY, LGET.

use std::sync::Arc;

use smp_client::protocol::command::{
    Command, ContactLink, LinkData, MessagingLink, NewQueue, QueueMode, QueueRequest, SubscribeMode,
};
use smp_client::protocol::id::{CorrId, EntityId, LinkId, SenderId};
use smp_client::protocol::key::DhPrivateKey;
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use smp_client::{Client, NewQueueOptions, QueueKind, Reply, Request};

use crate::harness::at_versions;
use crate::harness::party::Recipient;
use crate::harness::request::{
    By, LDEL, LGET, ask, auth, ed25519, entity, has_auth, lkey, lset, no_auth, ok, prohibited, reply,
};
use crate::harness::server::Server;

/// Versions with link data in `NEW`.
const LINK_VERSIONS: [Version; 3] = [Version(15), Version(17), Version(20)];

fn data(fixed: u8, user: u8) -> LinkData {
    // The largest that fit: behaviour.md has no limit of its own for them.
    LinkData { fixed: vec![fixed; 2048].into(), user: vec![user; 13824].into() }
}

/// `NEW` with this request under this correlation ID; the reply.
async fn new_with(client: &Client, corr_id: &CorrId, request: QueueRequest) -> Reply {
    let recipient_key = ed25519();
    let command = Command::New(Box::new(NewQueue {
        recipient_key: recipient_key.public(),
        recipient_dh_key: DhPrivateKey::generate().public(),
        password: None,
        subscribe: SubscribeMode::Subscribe,
        request: Some(request),
        notifier: None,
    }));
    let request = Request::new(EntityId::EMPTY, command, Some(&recipient_key)).with_corr_id(corr_id.clone());
    client.submit(&request).await.unwrap().reply().await.unwrap()
}

fn messaging(sender_id: impl Into<EntityId>, data: LinkData) -> QueueRequest {
    QueueRequest::Messaging(Some(MessagingLink { sender_id: sender_id.into(), data }))
}

fn contact(link_id: &LinkId, sender_id: impl Into<EntityId>, data: LinkData) -> QueueRequest {
    QueueRequest::Contact(Some(ContactLink { link_id: link_id.clone(), sender_id: sender_id.into(), data }))
}

/// A queue made with a one-time link, and the link.
async fn with_one_time_link(client: &Client, data: LinkData) -> (Recipient, LinkId) {
    let kind = QueueKind::Messaging(Some(data));
    let queue = Recipient::with(client, NewQueueOptions { kind, ..NewQueueOptions::default() }).await;
    let link_id = queue.queue.credentials().link_id.clone().expect("the server names the link");
    (queue, link_id)
}

/// A queue made with a contact link, and the link.
async fn with_contact_link(client: &Client, data: LinkData) -> (Recipient, LinkId) {
    let link_id = LinkId::random();
    let kind = QueueKind::Contact(Some((link_id.clone(), data)));
    (Recipient::with(client, NewQueueOptions { kind, ..NewQueueOptions::default() }).await, link_id)
}

async fn lget(client: &Client, link_id: &LinkId) -> Reply {
    ask(client, link_id.clone(), LGET, By::Nobody).await
}

/// `LNK` of this queue.
fn leads_to(link_id: &LinkId, queue: &Recipient, data: LinkData) -> Reply {
    reply(link_id.clone(), Response::Link(queue.queue.sender_id(), data))
}

#[tokio::test]
async fn b_170_171_178_ids_of_the_client_must_match_the_correlation_id() {
    let server = Server::start().await;
    at_versions(LINK_VERSIONS, async |version| {
        let client = server.connect_at(version).await;
        let link_id = LinkId::random();
        for request in [
            messaging(SenderId::random(), data(1, 1)),
            messaging(entity(b"short"), data(1, 1)),
            contact(&link_id, SenderId::random(), data(1, 1)),
        ] {
            let answer = new_with(&client, &CorrId::random(), request).await;
            assert_eq!(answer, prohibited(EntityId::EMPTY));
        }

        let corr_id = CorrId::random();
        let sender_id = SenderId::from_corr_id(&corr_id);
        let Reply { entity, response } = new_with(&client, &corr_id, messaging(sender_id, data(1, 1))).await;
        let Response::Ids(ids) = response else { panic!("IDS should be the answer, not {response:?}") };
        assert_eq!((entity, ids.sender_id, ids.mode), (EntityId::EMPTY, sender_id, Some(QueueMode::Messaging)));
        assert_eq!(ids.link_id.unwrap().as_ref().len(), 24);

        let again = new_with(&client, &corr_id, messaging(sender_id, data(1, 1))).await;
        assert_eq!(again, auth(EntityId::EMPTY), "the sender ID is taken");

        let corr_id = CorrId::random();
        let sender_id = SenderId::from_corr_id(&corr_id);
        let answer = new_with(&client, &corr_id, contact(&link_id, sender_id, data(1, 1))).await;
        let Response::Ids(ids) = answer.response else { panic!("IDS should be the answer, not {answer:?}") };
        let expected = (sender_id, Some(QueueMode::Contact), Some(link_id.clone()));
        assert_eq!((ids.sender_id, ids.mode, ids.link_id), expected);

        let corr_id = CorrId::random();
        let request = contact(&link_id, SenderId::from_corr_id(&corr_id), data(1, 1));
        assert_eq!(new_with(&client, &corr_id, request).await, auth(EntityId::EMPTY), "the link ID is taken");
    })
    .await;
}

#[tokio::test]
async fn b_172_to_177_one_time_link() {
    let server = Server::start().await;
    at_versions(LINK_VERSIONS, async |version| {
        let (r, s) = (server.connect_at(version).await, server.connect_at(version).await);
        let (queue, link) = with_one_time_link(&r, data(1, 1)).await;
        assert_eq!(lget(&s, &link).await, auth(link.clone()));
        queue.does(lset(&link, &data(1, 2))).await;

        let (k, other) = (ed25519(), ed25519());
        let secure = lkey(k.public());
        assert_eq!(ask(&s, link.clone(), secure.clone(), By::Nobody).await, no_auth(link.clone()));
        assert_eq!(ask(&s, link.clone(), secure.clone(), By::WrongSignature).await, auth(link.clone()));
        assert_eq!(ask(&s, queue.id(), secure.clone(), By::Key(&k)).await, auth(queue.id()));
        let expected = leads_to(&link, &queue, data(1, 2));
        assert_eq!(ask(&s, link.clone(), secure.clone(), By::Key(&k)).await, expected);
        assert_eq!(ask(&s, link.clone(), lkey(other.public()), By::Key(&other)).await, auth(link.clone()));
        assert_eq!(ask(&s, link.clone(), secure.clone(), By::Key(&k)).await, expected);

        assert_eq!(queue.ask(lset(&link, &data(1, 3))).await, auth(queue.id()), "secured: the data are frozen");
        queue.does(LDEL).await;
        assert_eq!(ask(&s, link.clone(), secure, By::Key(&k)).await, auth(link.clone()));
        queue.sender(&s).signing(k).sends(b"secured by LKEY").await;
        queue.takes(b"secured by LKEY").await;
    })
    .await;
}

/// The first message to the secured queue deletes the link; one to the unsecured queue does not.
#[tokio::test]
async fn one_time_links_end_with_the_first_secured_message() {
    let server = Server::start().await;
    let (r, s) = (server.connect().await, server.connect().await);
    let (queue, link) = with_one_time_link(&r, data(1, 1)).await;
    let (sender, k) = (queue.sender(&s), Arc::new(ed25519()));
    sender.sends(b"unsecured").await;
    queue.takes(b"unsecured").await;
    let secure = lkey(k.public());
    let expected = leads_to(&link, &queue, data(1, 1));
    assert_eq!(ask(&s, link.clone(), secure.clone(), By::Key(&k)).await, expected);
    sender.signing(Arc::clone(&k)).sends(b"secured").await;
    queue.takes(b"secured").await;
    assert_eq!(ask(&s, link.clone(), secure, By::Key(&k)).await, auth(link));
}

#[tokio::test]
async fn b_179_to_184_contact_link() {
    let server = Server::start().await;
    at_versions(LINK_VERSIONS, async |version| {
        let (r, s) = (server.connect_at(version).await, server.connect_at(version).await);
        let (queue, link) = with_contact_link(&r, data(1, 1)).await;
        let k = ed25519();
        assert_eq!(ask(&s, link.clone(), lkey(k.public()), By::Key(&k)).await, auth(link.clone()));
        assert_eq!(ask(&s, link.clone(), LGET, By::Key(&k)).await, has_auth(link.clone()));
        assert_eq!(ask(&s, queue.id(), LGET, By::Nobody).await, auth(queue.id()));
        for _ in 0..2 {
            assert_eq!(lget(&s, &link).await, leads_to(&link, &queue, data(1, 1)));
        }

        queue.does(lset(&link, &data(1, 2))).await;
        assert_eq!(lget(&s, &link).await, leads_to(&link, &queue, data(1, 2)));
        assert_eq!(queue.ask(lset(&LinkId::random(), &data(1, 3))).await, auth(queue.id()));
        assert_eq!(queue.ask(lset(&link, &data(2, 2))).await, auth(queue.id()), "fixed data do not change");
        assert_eq!(lget(&s, &link).await, leads_to(&link, &queue, data(1, 2)));

        for _ in 0..2 {
            queue.does(LDEL).await;
        }
        assert_eq!(lget(&s, &link).await, auth(link.clone()));
    })
    .await;
}

#[tokio::test]
async fn b_185_links_of_other_queues_cannot_be_taken_over() {
    let server = Server::start().await;
    at_versions(LINK_VERSIONS, async |version| {
        let (r, s) = (server.connect_at(version).await, server.connect_at(version).await);
        let (a, link) = with_contact_link(&r, data(1, 1)).await;
        let b = Recipient::contact(&r).await;
        assert_eq!(b.ask(lset(&link, &data(1, 1))).await, auth(b.id()));
        assert_eq!(lget(&s, &link).await, leads_to(&link, &a, data(1, 1)));

        let own = LinkId::random();
        assert_eq!(b.ask(lset(&own, &data(3, 3))).await, ok(b.id()), "a link of its own");
        assert_eq!(lget(&s, &own).await, leads_to(&own, &b, data(3, 3)));
    })
    .await;
}
