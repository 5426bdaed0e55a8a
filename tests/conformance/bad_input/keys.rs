//! Wrong keys, authorizations that cover something else, and IDs of the wrong kind.

use std::sync::Arc;

use smp_client::protocol::authorization::{AuthPrivateKey, Authorized};
use smp_client::protocol::command::RecipientCommand;
use smp_client::protocol::encoding::Encode;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::{CorrId, EntityId, SessionId, random_bytes};
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use smp_client::{Client, ClientError, NewQueueOptions, Request};

use crate::harness::at_versions;
use crate::harness::party::Recipient;
use crate::harness::request::{
    By, GET, LDEL, LGET, NDEL, NSUB, QUE, SUB, ask, auth, ed448, ed25519, entity, ok, rkey, send, skey, transmission,
    x25519,
};
use crate::harness::server::Server;

type MakeKey = fn() -> AuthPrivateKey;
const KINDS: [MakeKey; 3] = [ed25519, ed448, x25519];
const KEYED_VERSIONS: [Version; 5] = [Version(7), Version(9), Version(11), Version(15), Version(20)];

async fn queue_with(client: &Client, recipient_key: AuthPrivateKey) -> Recipient {
    let options = NewQueueOptions { key: Some(Arc::new(recipient_key)), ..NewQueueOptions::default() };
    Recipient::with(client, options).await
}

#[tokio::test]
async fn keys_of_every_kind_against_every_kind() {
    let server = Server::start().await;
    at_versions(KEYED_VERSIONS, async |version| {
        let (client, s) = (server.connect_at(version).await, server.connect_at(version).await);
        for own in KINDS {
            let queue = queue_with(&client, own()).await;
            let (sender, sender_key) = (queue.sender(&s), own());
            for wrong in KINDS {
                assert_eq!(ask(&client, queue.id(), QUE, By::Key(&wrong())).await, auth(queue.id()));
                assert_eq!(ask(&client, entity(&[3; 24]), QUE, By::Key(&wrong())).await, auth(entity(&[3; 24])));
                assert_eq!(sender.signing(wrong()).send(b"x").await, auth(sender.id), "it is not secured");
            }
            for length in [64, 80, 114] {
                let noise = By::Bytes((0..length).map(|_| fastrand::u8(..)).collect());
                assert_eq!(ask(&client, queue.id(), QUE, noise).await, auth(queue.id()));
            }
            queue.info().await;

            queue.does(crate::harness::request::key(sender_key.public())).await;
            for wrong in KINDS {
                assert_eq!(sender.signing(wrong()).send(b"x").await, auth(sender.id));
            }
            sender.signing(sender_key).sends(b"x").await;
            queue.takes(b"x").await;
        }
    })
    .await;
}

/// Signatures of a block are verified together; each command has its own answer all the same.
#[tokio::test]
async fn a_wrong_key_among_right_ones() {
    let server = Server::start().await;
    let client = server.connect().await;
    let mut queues: Vec<Recipient> = Vec::new();
    for _ in 0..20 {
        queues.push(Recipient::new(&client).await);
    }
    let wrong = ed25519();
    for place in 0..queues.len() {
        for id in [EntityId::from(queues[place].id()), entity(&[3; 24])] {
            let request = |number: usize| {
                if number == place {
                    Request::new(id.clone(), QUE, Some(&wrong))
                } else {
                    queues[number].queue.request(RecipientCommand::QueueInfo)
                }
            };
            let requests: Vec<_> = (0..queues.len()).map(request).collect();
            let answers = client.send_batch(&requests).await.expect("all are answered");
            for (number, answer) in answers.iter().enumerate() {
                let refused = matches!(answer, Err(ClientError::Server(ErrorType::Auth)));
                let told = matches!(answer, Ok(Response::Info(_)));
                assert!(if number == place { refused } else { told }, "{number}: {answer:?}");
            }
        }
    }
}

/// `SKEY` must be signed with the key that it sets.
#[tokio::test]
async fn senders_prove_the_key_that_they_set() {
    let server = Server::start().await;
    let client = server.connect().await;
    for own in KINDS {
        let queue = Recipient::new(&client).await;
        let (id, sender_key) = (queue.queue.sender_id(), own());
        for wrong in KINDS {
            assert_eq!(ask(&client, id, skey(sender_key.public()), By::Key(&wrong())).await, auth(id));
        }
        assert_eq!(ask(&client, id, skey(sender_key.public()), By::Key(&sender_key)).await, ok(id));
        assert!(queue.info().await.secured);
    }
}

/// What an authorization is made for.
struct Covered<'a> {
    session_id: &'a [u8],
    corr_id: &'a [u8],
    entity: &'a [u8],
    words: &'a [u8],
}

impl Covered<'_> {
    fn authorize(&self, client: &Client, key: &AuthPrivateKey, nonce: &CorrId) -> Vec<u8> {
        let session_id: SessionId = self.session_id.try_into().unwrap();
        let mut bytes = Vec::new();
        bytes.put_short(self.corr_id);
        bytes.put_short(self.entity);
        bytes.put(self.words);
        let covered = Authorized::with_session(&session_id, &bytes);
        covered.authorize(key, client.server_key(), &nonce.nonce()).as_ref().to_vec()
    }
}

#[tokio::test]
async fn authorizations_cover_session_correlation_entity_and_command() {
    let server = Server::start().await;
    at_versions(KEYED_VERSIONS, async |version| {
        let client = server.connect_at(version).await;
        for own in KINDS {
            let queue = queue_with(&client, own()).await;
            let (corr_id, id) = (CorrId::random(), queue.id());
            let right = || Covered {
                session_id: client.session_id().as_ref(),
                corr_id: corr_id.as_ref(),
                entity: id.as_ref(),
                words: b"QUE",
            };
            let noise = random_bytes::<32>();
            let wrong = [
                Covered { session_id: &noise, ..right() },
                Covered { session_id: b"", ..right() },
                Covered { corr_id: &noise[..24], ..right() },
                Covered { entity: &noise[..24], ..right() },
                Covered { words: b"SUB", ..right() },
            ];
            let answer = async |covered: &Covered<'_>| {
                let authorization = covered.authorize(&client, queue.key(), &corr_id);
                let bytes = transmission(&client, &authorization, corr_id.as_ref(), id.as_ref(), b"QUE");
                let pending = client.expect(corr_id.clone()).unwrap();
                client.send_raw(vec![bytes]).await.unwrap();
                pending.reply().await.unwrap()
            };
            for covered in &wrong {
                assert_eq!(answer(covered).await, auth(id));
            }
            assert!(matches!(answer(&right()).await.response, Response::Info(_)));
        }
    })
    .await;
}

/// A transmission that was overheard is worth nothing on another connection.
#[tokio::test]
async fn transmissions_of_other_connections() {
    let server = Server::start().await;
    let (client, other) = (server.connect().await, server.connect().await);
    for own in KINDS {
        let queue = queue_with(&client, own()).await;
        let request = queue.request(smp_client::protocol::command::RecipientCommand::QueueInfo);
        let (corr_id, bytes) = client.encode(&request).unwrap();
        let pending = other.expect(corr_id).unwrap();
        other.send_raw(vec![bytes]).await.unwrap();
        assert_eq!(pending.reply().await.unwrap(), auth(queue.id()));
    }
}

#[tokio::test]
async fn ids_of_the_wrong_kind() {
    let server = Server::start().await;
    let client = server.connect().await;
    let (queue, sender) = Recipient::secured(&client, &client).await;
    let notifier = queue.notifier().await;
    let sender_key = sender.key.as_deref().unwrap();
    let ids: [EntityId; 3] = [queue.id().into(), sender.id.into(), notifier.id().into()];
    for id in &ids[1..] {
        for command in [SUB, GET, QUE, NDEL, LDEL] {
            assert_eq!(ask(&client, id.clone(), command, By::Key(queue.key())).await, auth(id.clone()));
        }
    }
    for id in [&ids[0], &ids[2]] {
        assert_eq!(ask(&client, id.clone(), send(b"x"), By::Key(sender_key)).await, auth(id.clone()));
        assert_eq!(ask(&client, id.clone(), send(b"x"), By::Nobody).await, auth(id.clone()));
    }
    for id in &ids {
        assert_eq!(ask(&client, id.clone(), LGET, By::Nobody).await, auth(id.clone()));
    }
    for id in &ids[..2] {
        let key = &notifier.credentials().key;
        assert_eq!(ask(&client, id.clone(), NSUB, By::Key(key)).await, auth(id.clone()));
    }
    let other = Recipient::new(&client).await;
    assert_eq!(ask(&client, queue.id(), QUE, By::Key(other.key())).await, auth(queue.id()), "the key of another queue");
}

/// As many recipient keys as there may be; each may act.
#[tokio::test]
async fn two_hundred_and_fifty_five_recipient_keys() {
    let server = Server::start().await;
    let client = server.connect().await;
    let queue = Recipient::contact(&client).await;
    let keys: Vec<_> = (0..255).map(|number| KINDS[number % 2]()).collect();
    queue.does(rkey(keys.iter().map(AuthPrivateKey::public).collect())).await;
    for own in [&keys[0], &keys[127], &keys[254]] {
        assert!(matches!(ask(&client, queue.id(), QUE, By::Key(own)).await.response, Response::Info(_)));
    }
    assert_eq!(queue.ask(QUE).await, auth(queue.id()), "the first key is replaced");
}
