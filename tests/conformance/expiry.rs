//! Messages that grow too old, and queues that the operator has blocked.

use std::time::Duration;

use smp_client::NewQueueOptions;
use smp_client::protocol::error::{BlockingInfo, ErrorType};
use smp_client::protocol::id::RecipientId;
use smp_client::protocol::version::Version;
use tokio::time::sleep;

use crate::harness::VERSIONS;
use crate::harness::event::assert_quiet;
use crate::harness::party::Recipient;
use crate::harness::request::{
    By, DEL, GET, LDEL, NDEL, OFF, QUE, SUB, ack, ask, auth, ed25519, err, key, ok, send, skey,
};
use crate::harness::server::Server;
use crate::harness::state::{STORE_LOG, base64url};

/// Until a message is older than a second, in the whole seconds that the server counts.
const OLDER_THAN_A_SECOND: Duration = Duration::from_millis(2500);

#[tokio::test]
async fn b_160_messages_expire_when_another_is_sent() {
    let server = Server::start_with(&[
        ("LIMITS", "message_ttl", "1"),
        ("LIMITS", "message_expire_interval", "off"),
        ("STORE_LOG", "expire_messages_on_send", "on"),
    ])
    .await;
    let (r, s) = (server.connect().await, server.connect().await);
    let queue = not_subscribed(&r).await;
    let sender = queue.sender(&s);
    sender.sends(b"old").await;
    sleep(OLDER_THAN_A_SECOND).await;
    sender.sends(b"new").await;
    queue.subscribe().await;
    queue.takes(b"new").await;
}

#[tokio::test]
async fn b_161_messages_expire_from_time_to_time() {
    let server =
        Server::start_with(&[("LIMITS", "message_ttl", "1"), ("LIMITS", "message_expire_interval", "1")]).await;
    let (r, s) = (server.connect().await, server.connect().await);
    let queue = not_subscribed(&r).await;
    queue.sender(&s).sends(b"old").await;
    server.logs(0, "messages expired: 1, stored: 0").await;
    queue.subscribe().await;
    assert_quiet(&r).await;
    queue.sender(&s).sends(b"new").await;
    queue.takes(b"new").await;
}

#[tokio::test]
async fn b_162_messages_do_not_expire_between_the_intervals() {
    let server = Server::start_with(&[
        ("LIMITS", "message_ttl", "1"),
        ("LIMITS", "message_expire_interval", "10000"),
        ("STORE_LOG", "expire_messages_on_send", "off"),
    ])
    .await;
    let (r, s) = (server.connect().await, server.connect().await);
    let queue = not_subscribed(&r).await;
    let sender = queue.sender(&s);
    sender.sends(b"old").await;
    sleep(OLDER_THAN_A_SECOND).await;
    sender.sends(b"new").await;
    queue.subscribe().await;
    let old = queue.receives(b"old").await;
    queue.acknowledge_for(&old, b"new").await;
}

/// A quota marker never expires: the queue stays full until the recipient has seen it.
#[tokio::test]
async fn markers_do_not_expire() {
    let server = Server::start_with(&[
        ("LIMITS", "message_queue_quota", "1"),
        ("LIMITS", "message_ttl", "1"),
        ("LIMITS", "message_expire_interval", "1"),
    ])
    .await;
    let (r, s) = (server.connect().await, server.connect().await);
    let queue = not_subscribed(&r).await;
    let sender = queue.sender(&s);
    sender.sends(b"old").await;
    assert_eq!(sender.send(b"too much").await, err(sender.id, ErrorType::Quota));
    server.logs(0, "messages expired: 1, stored: 1").await;
    assert_eq!(sender.send(b"too much").await, err(sender.id, ErrorType::Quota));
    queue.subscribe().await;
    let marker = queue.pushed().await;
    assert!(queue.is_marker(&marker));
    queue.acknowledge(&marker).await;
    sender.sends(b"new").await;
    queue.takes(b"new").await;
}

async fn not_subscribed(client: &smp_client::Client) -> Recipient {
    Recipient::with(client, NewQueueOptions { subscribe: false, ..NewQueueOptions::default() }).await
}

/// The operator's decision, as it stands in the store log of a server that does not run.
fn block(server: &Server, queue: RecipientId, info: &str) {
    server.append(STORE_LOG, &format!("BLOCK {} {info}\n", base64url(queue)));
}

fn blocked(info: &str) -> ErrorType {
    ErrorType::Blocked(BlockingInfo::decode(info.as_bytes()).unwrap())
}

#[tokio::test]
async fn b_163_blocked_queue() {
    let mut server = Server::start().await;
    let client = server.connect().await;
    let unsecured = Recipient::new(&client).await;
    let (secured, sender) = Recipient::secured(&client, &client).await;
    server.stop().await;
    block(&server, unsecured.id(), "reason=content");
    block(&server, secured.id(), "reason=spam");
    server.run().await;

    for version in VERSIONS {
        let client = server.connect_at(version).await;
        let refused = |info| if version < Version::BLOCKED { ErrorType::Auth } else { blocked(info) };
        let (id, k) = (unsecured.queue.sender_id(), ed25519());
        let answer = ask(&client, id, skey(k.public()), By::Key(&k)).await;
        assert_eq!(answer, err(id, refused("reason=content")), "version {version}");
        assert_eq!(ask(&client, id, send(b"x"), By::Nobody).await, err(id, refused("reason=content")));

        let (queue, sender) = (secured.on(&client), sender.on(&client));
        assert_eq!(sender.send(b"x").await, err(sender.id, refused("reason=spam")));
        assert_eq!(sender.unsigned().send(b"x").await, auth(sender.id), "strangers do not learn of it");
        for command in [SUB, GET, QUE, NDEL, LDEL, ack(b"1234"), key(k.public())] {
            assert_eq!(queue.ask(command.clone()).await, err(queue.id(), refused("reason=spam")));
            assert_eq!(ask(&client, queue.id(), command, By::Key(&k)).await, auth(queue.id()));
        }
    }
    let client = server.connect().await;
    assert_eq!(unsecured.on(&client).ask(OFF).await, ok(unsecured.id()));
    assert_eq!(secured.on(&client).ask(DEL).await, ok(secured.id()));
    assert_eq!(secured.on(&client).ask(QUE).await, auth(secured.id()));
}

#[tokio::test]
async fn b_253_notice_of_a_blocked_queue() {
    let mut server = Server::start().await;
    let queue = Recipient::contact(&server.connect().await).await;
    let without = |info: &'static str| info.split_once(',').map_or(info, |(reason, _)| reason);
    for info in ["reason=content,notice={\"ttl\":3600}", "reason=spam,notice={}", "reason=content"] {
        server.stop().await;
        block(&server, queue.id(), info);
        server.run().await;
        for _ in 0..2 {
            let client = server.connect().await;
            assert_eq!(queue.on(&client).ask(SUB).await, err(queue.id(), blocked(info)));
            Recipient::contact(&client).await;
            let client = server.connect_at(Version(17)).await;
            assert_eq!(queue.on(&client).ask(SUB).await, err(queue.id(), blocked(without(info))));
            let client = server.connect_at(Version(11)).await;
            assert_eq!(queue.on(&client).ask(SUB).await, auth(queue.id()));
            server.restart().await;
        }
    }
}
