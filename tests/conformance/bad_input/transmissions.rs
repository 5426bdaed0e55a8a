//! Transmissions with fields of the wrong shape (wire.md §5.4, levels 4 to 6), and such with fields of any length.

use smp_client::Client;
use smp_client::protocol::authorization::Authorized;
use smp_client::protocol::encoding::Encode;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::{CorrId, EntityId, random_bytes};
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use smp_client::{Event, NewQueueOptions, Reply};

use super::Bystander;
use crate::harness::event::next_event;
use crate::harness::party::Recipient;
use crate::harness::request::{By, ask_raw, auth, entity, err, reply, transmission, x25519};
use crate::harness::server::Server;
use crate::harness::{at_every_version, at_versions};

const NONE: EntityId = EntityId::EMPTY;

/// The reply to a raw transmission that has this correlation ID.
async fn answer(client: &Client, corr_id: &[u8], transmission: Vec<u8>) -> Reply {
    let pending = client.expect(corr_id.try_into().unwrap()).unwrap();
    client.send_raw(vec![transmission]).await.unwrap();
    pending.reply().await.unwrap()
}

#[tokio::test]
async fn authorizations_of_impossible_length() {
    let server = Server::start().await;
    let bystander = Bystander::new(&server).await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        for length in [1, 2, 63, 65, 79, 81, 113, 115, 255] {
            let bytes = By::Bytes(vec![7; length]);
            assert_eq!(ask_raw(&client, entity(&[1; 24]), b"SUB", bytes).await, err(NONE, ErrorType::Block));
        }
        for length in [64, 80, 114] {
            let bytes = By::Bytes(vec![7; length]);
            assert_eq!(ask_raw(&client, entity(&[1; 24]), b"SUB", bytes).await, auth(entity(&[1; 24])));
        }
    })
    .await;
    bystander.is_served(&server).await;
}

#[tokio::test]
async fn service_signatures_of_the_wrong_shape() {
    let server = Server::start().await;
    at_versions([Version(16), Version(17), Version(20)], async |version| {
        let client = server.connect_at(version).await;
        let mut short = b"1".to_vec();
        short.put_short(&[7; 63]);
        let mut long = b"1".to_vec();
        long.put_short(&[7; 80]);
        for slot in [&b"2"[..], b"T", b"\0", &short, &long] {
            let mut bad = Vec::new();
            bad.put_short(&[7; 64]);
            bad.put(slot);
            bad.put_short(&[1; 24]);
            bad.put_short(&[2; 24]);
            bad.put(b"SUB");
            client.send_raw(vec![bad]).await.unwrap();
            assert_eq!(next_event(&client).await, Event::Error(NONE, ErrorType::Block));
        }
        client.ping().await.unwrap();
    })
    .await;
}

/// In version 6 the session ID is part of the transmission.
#[tokio::test]
async fn session_ids_of_other_sessions() {
    let server = Server::start().await;
    let (client, other) = (server.connect_at(Version(6)).await, server.connect_at(Version(6)).await);
    for session_id in [&random_bytes::<32>()[..], other.session_id().as_ref(), b"", &[1; 255]] {
        let corr_id = CorrId::random();
        let mut bad = Vec::new();
        bad.put_short(b"");
        bad.put_short(session_id);
        bad.put_short(corr_id.as_ref());
        bad.put_short(b"");
        bad.put(b"PING");
        assert_eq!(answer(&client, corr_id.as_ref(), bad).await, err(NONE, ErrorType::Session));
    }
    client.ping().await.unwrap();
}

#[tokio::test]
async fn correlation_ids_of_any_length() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        for length in [1, 4, 23, 24, 25, 32, 254, 255] {
            let corr_id = vec![9; length];
            let ping = transmission(&client, b"", &corr_id, b"", b"PING");
            assert_eq!(answer(&client, &corr_id, ping).await, reply(NONE, Response::Pong));
        }
        let ping = transmission(&client, b"", b"", b"", b"PING");
        client.send_raw(vec![ping]).await.unwrap();
        assert_eq!(next_event(&client).await, Event::Other(NONE, Box::new(Response::Pong)));
    })
    .await;
}

/// The correlation ID is the nonce of authenticators, cut or filled up to 24 bytes.
#[tokio::test]
async fn authenticators_with_correlation_ids_of_any_length() {
    let server = Server::start().await;
    at_versions([Version(7), Version(11), Version(20)], async |version| {
        let client = server.connect_at(version).await;
        let options = NewQueueOptions { key: Some(x25519().into()), ..NewQueueOptions::default() };
        let queue = Recipient::with(&client, options).await;
        for length in [1, 23, 24, 25, 100, 255] {
            let corr_id: CorrId = vec![9; length][..].try_into().unwrap();
            let mut covered = Vec::new();
            covered.put_short(corr_id.as_ref());
            covered.put_short(queue.id().as_ref());
            covered.put(b"QUE");
            let authenticator = Authorized::with_session(client.session_id(), &covered).authorize(
                queue.key(),
                client.server_key(),
                &corr_id.nonce(),
            );
            let bytes = transmission(&client, authenticator.as_ref(), corr_id.as_ref(), queue.id().as_ref(), b"QUE");
            let answer = answer(&client, corr_id.as_ref(), bytes).await;
            assert!(matches!(answer.response, Response::Info(_)), "{length} bytes: {answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn entity_ids_of_any_length() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        for length in [1, 23, 25, 254, 255] {
            let id = entity(&vec![9; length]);
            for words in [&b"SUB"[..], b"NSUB", b"SEND F x"] {
                assert_eq!(ask_raw(&client, id.clone(), words, By::WrongSignature).await, auth(id.clone()));
            }
            assert_eq!(ask_raw(&client, id.clone(), b"LGET", By::Nobody).await, auth(id));
        }
    })
    .await;
}
