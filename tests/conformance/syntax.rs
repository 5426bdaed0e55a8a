//! Syntax and credentials: what is answered before a queue is looked at.

use smp_client::protocol::command::Command;
use smp_client::protocol::encoding::Encode;
use smp_client::protocol::error::CommandError;
use smp_client::protocol::id::EntityId;
use smp_client::protocol::key::DhPrivateKey;
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;

use crate::harness::request::{
    By, DEL, OFF, SUB, ack, ask, ask_raw, auth, ed25519, entity, err, has_auth, key, new, no_auth, reply, send, syntax,
    unknown,
};
use crate::harness::server::Server;
use crate::harness::{at_every_version, at_versions};

const NONE: EntityId = EntityId::EMPTY;

/// An ID of no queue.
fn stranger() -> EntityId {
    entity(b"12345678")
}

#[tokio::test]
async fn b_001_010_019_unknown_words() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        let id = entity(b"1234");
        assert_eq!(ask_raw(&client, id.clone(), b"HELLO", By::Nobody).await, unknown(id), "version {version}");
        for word in [&b"SUB="[..], b"OFF=", b"DEL=", b"OK"] {
            let answer = ask_raw(&client, stranger(), word, By::WrongSignature).await;
            assert_eq!(answer, unknown(stranger()), "version {version}");
        }
    })
    .await;
}

#[tokio::test]
async fn b_002_003_007_013_016_bad_parameters() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        let mut bad_key = b" ".to_vec();
        bad_key.put_short(b"not a key");
        let with_bad_key = |word: &[u8]| [word, &bad_key[..]].concat();

        let mut bad_new = with_bad_key(b"NEW");
        bad_new.put_short(&DhPrivateKey::generate().public().to_spki());
        bad_new.put(b"0S0");
        for (id, words) in [
            (NONE, b"NEW".to_vec()),
            (NONE, bad_new),
            (stranger(), b"KEY".to_vec()),
            (stranger(), with_bad_key(b"KEY")),
            (stranger(), b"SEND".to_vec()),
            (stranger(), b"ACK".to_vec()),
        ] {
            let answer = ask_raw(&client, id.clone(), &words, By::WrongSignature).await;
            assert_eq!(answer, syntax(id), "{} at version {version}", words.escape_ascii());
        }
    })
    .await;
}

#[tokio::test]
async fn b_004_005_008_011_014_017_missing_or_surplus_credentials() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        let own_key = ed25519();
        let new = new(&own_key);
        assert_eq!(ask(&client, NONE, new.clone(), By::Nobody).await, no_auth(NONE), "version {version}");
        assert_eq!(ask(&client, stranger(), new, By::WrongSignature).await, has_auth(stranger()));
        for command in [key(own_key.public()), SUB, OFF, DEL, ack(b"1234")] {
            assert_eq!(ask(&client, stranger(), command.clone(), By::Nobody).await, no_auth(stranger()));
            assert_eq!(ask(&client, NONE, command, By::WrongSignature).await, no_auth(NONE));
        }
        let no_entity = err(NONE, CommandError::NoEntity);
        assert_eq!(ask(&client, NONE, send(b"hello"), By::WrongSignature).await, no_entity);
    })
    .await;
}

#[tokio::test]
async fn b_006_009_012_015_unknown_queues() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        for command in [key(ed25519().public()), SUB, OFF, DEL, send(b"hello"), ack(b"1234")] {
            let answer = ask(&client, stranger(), command, By::WrongSignature).await;
            assert_eq!(answer, auth(stranger()), "version {version}");
        }
    })
    .await;
}

#[tokio::test]
async fn b_018_ping() {
    let server = Server::start().await;
    at_versions((Version::MIN.0..=Version::MAX.0).map(Version), async |version| {
        let client = server.connect_at(version).await;
        assert_eq!(ask(&client, NONE, Command::Ping, By::Nobody).await, reply(NONE, Response::Pong));
        assert_eq!(ask(&client, stranger(), Command::Ping, By::Nobody).await, has_auth(stranger()));
        assert_eq!(ask(&client, NONE, Command::Ping, By::WrongSignature).await, has_auth(NONE));
    })
    .await;
}

/// Versions change encodings only: a word that is newer than the version of the connection is executed all the same.
#[tokio::test]
async fn words_are_known_at_every_version() {
    let server = Server::start().await;
    let client = server.connect_at(Version(6)).await;
    for words in [&b"LDEL"[..], b"QUE", b"NDEL", b"GET"] {
        assert_eq!(ask_raw(&client, stranger(), words, By::WrongSignature).await, auth(stranger()));
    }
    assert_eq!(ask_raw(&client, stranger(), b"LGET", By::Nobody).await, auth(stranger()));
    assert_eq!(ask_raw(&client, stranger(), b"LGET ", By::Nobody).await, syntax(stranger()));
}
