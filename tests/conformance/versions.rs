//! The whole life of queues at every protocol version, with keys of every kind and certificates of both kinds.

use std::sync::Arc;

use smp_client::Client;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::random_bytes;
use smp_client::protocol::version::{Version, VersionRange};
use smp_client::transport::tls::{Group, TlsClient};
use smp_client::{NewQueueOptions, Options, QueueKind};

use crate::harness::at_versions;
use crate::harness::event::assert_deleted;
use crate::harness::party::{Recipient, notified};
use crate::harness::request::{
    By, DEL, GET, NSUB, OFF, QUE, ask, auth, ed448, ed25519, err, key, ok, skey, subscribed, x25519,
};
use crate::harness::server::Server;

type MakeKey = fn() -> AuthPrivateKey;
const KINDS: [MakeKey; 3] = [ed25519, ed448, x25519];

fn all_versions() -> impl Iterator<Item = Version> {
    (Version::MIN.0..=Version::MAX.0).map(Version)
}

#[tokio::test]
async fn every_version_with_ed25519_certificates() {
    let server = Server::start().await;
    at_versions(all_versions(), async |version| lives_at(&server, version).await).await;
}

#[tokio::test]
async fn every_version_with_ed448_certificates() {
    let server = Server::start_with_ed448().await;
    at_versions(all_versions(), async |version| lives_at(&server, version).await).await;
}

/// Authenticators, the X25519 way to authorize, need the server's session key, which came with version 7.
fn kinds_at(version: Version) -> &'static [MakeKey] {
    if version < Version::IMPLICIT_SESSION_ID { &KINDS[..2] } else { &KINDS }
}

async fn lives_at(server: &Server, version: Version) {
    let (r, s, n) =
        (server.connect_at(version).await, server.connect_at(version).await, server.connect_at(version).await);
    let kinds = kinds_at(version);
    for (number, recipient_key) in kinds.iter().enumerate() {
        let (queue, sender_key) = secured_queue(&r, &s, recipient_key(), kinds[(number + 1) % kinds.len()]()).await;
        let sender = queue.sender(&s).signing(sender_key);

        let mut body = random_bytes::<16088>().to_vec();
        body.truncate(version.max_body());
        sender.sends(&body).await;
        queue.takes(&body).await;
        body.push(0);
        assert_eq!(sender.send(&body).await, err(sender.id, ErrorType::LargeMessage));

        let notifier = queue.queue.create_notifier(kinds[(number + 2) % kinds.len()]()).await.unwrap();
        let answer = ask(&n, notifier.id(), NSUB, By::Key(&notifier.credentials().key)).await;
        assert_eq!(answer, subscribed(version, notifier.id()));
        sender.notifies(b"notify").await;
        let id = queue.takes(b"notify").await;
        assert_eq!(notified(&n, &notifier).await, id);

        sender.sends(b"waits").await;
        let pushed = queue.receives(b"waits").await;
        let r2 = server.connect_at(version).await;
        assert_eq!(queue.on(&r2).gets(b"waits").await, pushed);
        queue.subscribe().await;
        assert_eq!(queue.receives(b"waits").await, pushed);
        let info = queue.info().await;
        assert_eq!((info.secured, info.has_notifier, info.size), (true, true, 1));

        queue.does(OFF).await;
        assert_eq!(sender.send(b"x").await, auth(sender.id));
        queue.does(DEL).await;
        assert_deleted(&n, notifier.id()).await;
        assert_eq!(queue.ask(QUE).await, auth(queue.id()));
        assert_eq!(queue.on(&r2).ask(GET).await, auth(queue.id()));
    }
}

async fn secured_queue(
    r: &Client,
    s: &Client,
    recipient_key: AuthPrivateKey,
    sender_key: AuthPrivateKey,
) -> (Recipient, Arc<AuthPrivateKey>) {
    let with_modes = r.version() >= Version::SENDER_SECURE;
    let kind = if with_modes { QueueKind::Messaging(None) } else { QueueKind::Unset };
    let options = NewQueueOptions { kind, key: Some(Arc::new(recipient_key)), ..NewQueueOptions::default() };
    let queue = Recipient::with(r, options).await;
    if with_modes {
        let id = queue.queue.sender_id();
        assert_eq!(ask(s, id, skey(sender_key.public()), By::Key(&sender_key)).await, ok(id));
    } else {
        queue.does(key(sender_key.public())).await;
    }
    (queue, Arc::new(sender_key))
}

/// Clients of every TLS kind that there is, with certificates of both kinds.
#[tokio::test]
async fn every_kind_of_tls_client() {
    for server in [Server::start().await, Server::start_with_ed448().await] {
        let clients = [
            TlsClient::default(),
            TlsClient::default().tls12_only(),
            TlsClient::default().groups(&[Group::X448]),
            TlsClient::default().groups(&[Group::X25519]),
            TlsClient::default().alpn(&[b"h2"]),
            TlsClient::default().alpn(&[b"unknown", b"http/1.1", b"smp/1"]),
            TlsClient::default().server_name("example.com".try_into().unwrap()),
        ];
        for tls in clients {
            let client = server.connect_with(&Options { tls, ..Options::default() }).await;
            assert_eq!(client.version(), Version::MAX);
            let (queue, sender) = Recipient::secured(&client, &client).await;
            sender.sends(b"hello").await;
            queue.takes(b"hello").await;
        }
    }
}

/// Without ALPN the client is so old that it knows version 6 only.
#[tokio::test]
async fn clients_without_alpn_get_version_6() {
    let server = Server::start().await;
    let tls = TlsClient::default().alpn(&[]);
    let client = server.connect_with(&Options { tls: tls.clone(), ..Options::default() }).await;
    assert_eq!((client.version(), client.server_key()), (Version::MIN, None));
    let (queue, sender) = Recipient::secured(&client, &client).await;
    sender.sends(b"hello").await;
    queue.takes(b"hello").await;
    let newer = VersionRange::new(Version(7), Version::MAX).unwrap();
    let options = Options { tls, versions: newer, ..Options::default() };
    assert!(Client::connect(server.address(), &options).await.is_err());
}

/// From version 11 blocks are encrypted a second time if the client sends a key; without it they are not.
#[tokio::test]
async fn clients_without_key_do_not_encrypt_blocks() {
    let server = Server::start().await;
    let sealed = server.connect().await;
    let plain = server.connect_with(&Options { send_key: false, ..Options::default() }).await;
    assert_eq!((sealed.max_content(), plain.max_content()), (16366, 16382));
    let (queue, sender) = Recipient::secured(&plain, &sealed).await;
    sender.sends(&[9; 16048]).await;
    queue.takes(&[9; 16048]).await;
}
