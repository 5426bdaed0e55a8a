//! Queues: NEW, KEY, SKEY, RKEY, SEND, ACK.

use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::command::{BasicAuth, QueueMode};

use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::{EntityId, random_bytes};
use smp_client::protocol::password::Password;
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use smp_client::{Client, NewQueueOptions};

use crate::harness::party::{Recipient, Sender};
use crate::harness::request::{By, QUE, ack, ask, auth, ed448, ed25519, err, key, new, ok, rkey, skey, x25519};
use crate::harness::server::Server;
use crate::harness::{VERSIONS, at_every_version, at_versions};

/// Versions with queue modes and `SKEY`.
fn versions_with_modes() -> impl Iterator<Item = Version> {
    VERSIONS.into_iter().filter(|version| *version >= Version::SENDER_SECURE)
}

#[tokio::test]
async fn b_020_to_025_unsecured_queue() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let (r, s) = (server.connect_at(version).await, server.connect_at(version).await);
        let queue = Recipient::new(&r).await;
        let mode = (version >= Version::SENDER_SECURE).then_some(QueueMode::Messaging);
        assert_eq!(queue.queue.credentials().mode, mode);

        let sender = queue.sender(&s);
        assert_eq!(sender.send(b"hello").await, ok(sender.id));
        let message = queue.receives(b"hello").await;
        assert_eq!(queue.ask(ack(message.id)).await, ok(queue.id()));
        assert_eq!(queue.ask(ack(message.id)).await, err(queue.id(), ErrorType::NoMessage));

        for stranger in [ed25519(), ed448()] {
            assert_eq!(sender.signing(stranger).send(b"hello").await, auth(sender.id));
        }
    })
    .await;
}

#[tokio::test]
async fn b_026_to_034_queue_secured_by_its_recipient() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let (r, s) = (server.connect_at(version).await, server.connect_at(version).await);
        let queue = Recipient::new(&r).await;
        let (sender_key, other) = (ed25519(), ed25519());

        let secure = key(sender_key.public());
        assert_eq!(ask(&r, queue.id(), secure.clone(), By::WrongSignature).await, auth(queue.id()));
        let sender = queue.sender(&s);
        assert_eq!(ask(&r, sender.id, secure.clone(), By::Key(queue.key())).await, auth(sender.id));
        for _ in 0..2 {
            assert_eq!(queue.ask(secure.clone()).await, ok(queue.id()));
        }
        assert_eq!(queue.ask(key(other.public())).await, auth(queue.id()));

        secured_queue_takes_messages(&queue, &sender.signing(sender_key)).await;
    })
    .await;
}

/// B-031 to B-034.
async fn secured_queue_takes_messages(queue: &Recipient, sender: &Sender) {
    sender.sends(b"hello again").await;
    queue.takes(b"hello again").await;
    assert_eq!(sender.unsigned().send(b"hello").await, auth(sender.id));

    let mut body = random_bytes::<16088>().to_vec();
    body.truncate(sender.client.version().max_body());
    sender.sends(&body).await;
    queue.takes(&body).await;
    body.push(0);
    assert_eq!(sender.send(&body).await, err(sender.id, ErrorType::LargeMessage));
}

#[tokio::test]
async fn b_035_to_040_queue_secured_by_its_sender() {
    let server = Server::start().await;
    at_versions(versions_with_modes(), async |version| {
        let (r, s) = (server.connect_at(version).await, server.connect_at(version).await);
        let queue = Recipient::new(&r).await;
        let (sender_key, other) = (ed25519(), ed25519());
        let id = queue.queue.sender_id();

        let secure = skey(sender_key.public());
        assert_eq!(ask(&s, id, secure.clone(), By::WrongSignature).await, auth(id));
        assert_eq!(ask(&s, queue.id(), secure.clone(), By::Key(&sender_key)).await, auth(queue.id()));
        assert_eq!(ask(&s, id, secure.clone(), By::Key(&sender_key)).await, ok(id));
        assert_eq!(ask(&s, id, skey(other.public()), By::Key(&other)).await, auth(id));
        assert_eq!(ask(&s, id, secure, By::Key(&sender_key)).await, ok(id));

        secured_queue_takes_messages(&queue, &queue.sender(&s).signing(sender_key)).await;
    })
    .await;
}

#[tokio::test]
async fn b_041_contact_queues_cannot_be_secured_by_senders() {
    let server = Server::start().await;
    at_versions(versions_with_modes(), async |version| {
        let client = server.connect_at(version).await;
        let queue = Recipient::contact(&client).await;
        let (id, sender_key) = (queue.queue.sender_id(), ed25519());
        assert_eq!(ask(&client, id, skey(sender_key.public()), By::Key(&sender_key)).await, auth(id));
        queue.sender(&client).sends(b"anybody").await;
        queue.takes(b"anybody").await;
    })
    .await;
}

#[tokio::test]
async fn b_042_to_044_several_recipient_keys() {
    let server = Server::start().await;
    at_versions(versions_with_modes(), async |version| {
        let client = server.connect_at(version).await;
        let queue = Recipient::contact(&client).await;
        for b in [ed25519(), ed448(), x25519()] {
            let a = queue.key();
            let set = async |keys: &[&_], by| {
                let keys = keys.iter().map(|key: &&AuthPrivateKey| key.public());
                ask(&client, queue.id(), rkey(keys.collect()), By::Key(by)).await
            };
            let may_ask = async |by| matches!(ask_info(&client, &queue, by).await, Response::Info(_));

            assert_eq!(set(&[a, &b], a).await, ok(queue.id()));
            assert!(may_ask(a).await && may_ask(&b).await);
            assert_eq!(set(&[&b], &b).await, ok(queue.id()));
            assert_eq!(ask_info(&client, &queue, a).await, Response::Error(ErrorType::Auth));
            assert_eq!(set(&[a, &b], &b).await, ok(queue.id()));
            assert_eq!(set(&[&b], a).await, ok(queue.id()), "a key may remove itself");
            assert_eq!(ask_info(&client, &queue, a).await, Response::Error(ErrorType::Auth));
            assert!(may_ask(&b).await);
            assert_eq!(set(&[a], &b).await, ok(queue.id()));
        }
    })
    .await;
}

async fn ask_info(client: &Client, queue: &Recipient, by: &AuthPrivateKey) -> Response {
    ask(client, queue.id(), QUE, By::Key(by)).await.response
}

/// `NEW` with this password; the error, if it is refused.
async fn create(client: &Client, password: Option<&str>) -> Result<(), ErrorType> {
    let password = password.map(|text| {
        let password: Password = text.parse().expect("a password");
        BasicAuth::try_from(&password).expect("it can be sent")
    });
    match client.create_queue(NewQueueOptions { password, ..NewQueueOptions::default() }).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.answered().expect("the server answered").clone()),
    }
}

#[tokio::test]
async fn b_045_new_queues_are_off() {
    let server = Server::start_with(&[("AUTH", "new_queues", "off")]).await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        assert_eq!(create(&client, None).await, Err(ErrorType::Auth));
        client.ping().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b_046_password_for_new_queues() {
    let with_password = Server::start_with(&[("AUTH", "create_password", "correct")]).await;
    let without = Server::start().await;
    at_versions((Version::MIN.0..=Version::MAX.0).map(Version), async |version| {
        let client = with_password.connect_at(version).await;
        for wrong in [None, Some("wrong"), Some("correct2"), Some("Correct"), Some("c")] {
            assert_eq!(create(&client, wrong).await, Err(ErrorType::Auth), "version {version}");
        }
        assert_eq!(create(&client, Some("correct")).await, Ok(()), "version {version}");

        let client = without.connect_at(version).await;
        assert_eq!(create(&client, Some("ignored")).await, Ok(()), "version {version}");
    })
    .await;
}

/// `NEW` must be signed by the key that it carries.
#[tokio::test]
async fn new_is_authorized_by_its_own_key() {
    let server = Server::start().await;
    let client = server.connect().await;
    let command = new(&ed25519());
    for wrong in [ed25519(), ed448(), x25519()] {
        let answer = ask(&client, EntityId::EMPTY, command.clone(), By::Key(&wrong)).await;
        assert_eq!(answer, auth(EntityId::EMPTY));
    }
}
