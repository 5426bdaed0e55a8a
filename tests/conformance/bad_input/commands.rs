//! Commands with bad arguments or the wrong credentials (wire.md §5.4, levels 7 to 9).

use smp_client::protocol::command::QueueSet;
use smp_client::protocol::command::{Command, LinkData, ServiceCommand};
use smp_client::protocol::encoding::Encode;
use smp_client::protocol::error::{CommandError, ErrorType};
use smp_client::protocol::id::{EntityId, LinkId};
use smp_client::protocol::key::DhPrivateKey;
use smp_client::protocol::message::Content;
use smp_client::protocol::version::Version;

use super::Bystander;
use crate::harness::party::Recipient;
use crate::harness::request::{
    By, DEL, GET, LDEL, LGET, NDEL, NSUB, OFF, QUE, SUB, ack, ask, ask_raw, auth, ed448, ed25519, entity, err,
    has_auth, key, lkey, lset, nkey, no_auth, ok, rkey, send, skey, syntax, unknown, x25519,
};
use crate::harness::server::Server;
use crate::harness::{at_every_version, at_versions};

const NONE: EntityId = EntityId::EMPTY;

fn stranger() -> EntityId {
    entity(&[5; 24])
}

#[tokio::test]
async fn words_with_something_behind_them() {
    let server = Server::start().await;
    let bystander = Bystander::new(&server).await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        let answer = async |words: &[u8]| ask_raw(&client, stranger(), words, By::WrongSignature).await;
        for word in ["SUB", "GET", "OFF", "DEL", "QUE", "NDEL", "LDEL", "NSUB"] {
            assert_eq!(answer(format!("{word} ").as_bytes()).await, syntax(stranger()));
            assert_eq!(answer(format!("{word} x").as_bytes()).await, syntax(stranger()));
            assert_eq!(answer(format!("{word}x").as_bytes()).await, unknown(stranger()));
            assert_eq!(answer(word.to_lowercase().as_bytes()).await, unknown(stranger()));
        }
        for command in [key(ed25519().public()), ack(b"1234"), skey(ed448().public()), lkey(x25519().public())] {
            let mut words = Vec::new();
            command.encode(version, &mut words);
            assert_eq!(answer(&words).await, auth(stranger()));
            assert_eq!(answer(&[&words[..], b"x"].concat()).await, syntax(stranger()));
            assert_eq!(answer(&words[..words.len() - 1]).await, syntax(stranger()));
            let space = words.iter().position(|byte| *byte == b' ').unwrap();
            let two_spaces = [&words[..space], b" ", &words[space..]].concat();
            assert_eq!(answer(&two_spaces).await, syntax(stranger()));
        }
        for words in [&b""[..], b" ", b" PING", b"ping", b"PING\0", &[0xff; 300]] {
            assert_eq!(ask_raw(&client, NONE, words, By::Nobody).await, unknown(NONE));
        }
        assert_eq!(ask_raw(&client, NONE, b"PING ", By::Nobody).await, syntax(NONE));
    })
    .await;
    bystander.is_served(&server).await;
}

#[tokio::test]
async fn keys_that_are_none() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        let good = ed25519().public().to_spki();
        // An X448 key: an algorithm that exists, but authorizes nothing here.
        let x448 = [&[0x30, 0x42, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6f, 0x03, 0x39, 0x00][..], &[1; 56]].concat();
        let longer = [&good[..], b"\0"].concat();
        for bad in [&b""[..], &good[1..], &good[..good.len() - 1], &longer, &x448, &[0x30; 200]] {
            for word in ["KEY", "SKEY", "LKEY"] {
                let mut words = format!("{word} ").into_bytes();
                words.put_short(bad);
                assert_eq!(ask_raw(&client, stranger(), &words, By::WrongSignature).await, syntax(stranger()));
            }
        }
        // A DH key has to be one.
        let mut words = b"NKEY ".to_vec();
        words.put_short(&good);
        words.put_short(&good);
        assert_eq!(ask_raw(&client, stranger(), &words, By::WrongSignature).await, syntax(stranger()));
    })
    .await;
}

#[tokio::test]
async fn lists_and_options_of_the_wrong_shape() {
    let server = Server::start().await;
    at_versions([Version(15), Version(17), Version(20)], async |version| {
        let client = server.connect_at(version).await;
        let (spki, dh) = (ed25519().public().to_spki(), DhPrivateKey::generate().public().to_spki());
        let mut none = b"RKEY ".to_vec();
        none.push(0);
        let mut missing = b"RKEY \x02".to_vec();
        missing.put_short(&spki);
        for words in [none, missing] {
            assert_eq!(ask_raw(&client, stranger(), &words, By::WrongSignature).await, syntax(stranger()));
        }
        let mut new = b"NEW ".to_vec();
        new.put_short(&spki);
        new.put_short(&dh);
        let end: &[u8] = if version >= Version::NEW_NOTIFIER { b"0" } else { b"" };
        let bad: [&[u8]; 8] = [b"2S0", b"0X0", b"0S1X0", b"0S1", b"0S0x", b"1\x03a bS0", b"1\x03a@bS0", b"1\x03a:bS0"];
        for arguments in bad {
            let words = [&new[..], arguments, end].concat();
            let answer = ask_raw(&client, NONE, &words, By::WrongSignature).await;
            assert_eq!(answer, syntax(NONE), "{}", arguments.escape_ascii());
        }
    })
    .await;
}

#[tokio::test]
async fn credentials_of_every_command() {
    let server = Server::start().await;
    let client = server.connect().await;
    let (k, data) = (ed25519().public(), LinkData { fixed: [1].into(), user: [2].into() });
    let queues = || ServiceCommand::SubscribeQueues(QueueSet::UNKNOWN);
    let both_needed = [
        SUB,
        GET,
        OFF,
        DEL,
        QUE,
        NDEL,
        LDEL,
        NSUB,
        key(k.clone()),
        ack(b"1234"),
        nkey(k.clone()),
        rkey(vec![k.clone()]),
        lset(&LinkId::random(), &data),
        skey(k.clone()),
        lkey(k),
        Command::Service(queues()),
        Command::Service(ServiceCommand::SubscribeNotifiers(QueueSet::UNKNOWN)),
    ];
    for command in both_needed {
        for (id, by) in [(stranger(), By::Nobody), (NONE, By::WrongSignature), (NONE, By::Nobody)] {
            assert_eq!(ask(&client, id.clone(), command.clone(), by).await, no_auth(id), "{command:?}");
        }
        let refused = if matches!(command, Command::Service(_)) { ErrorType::Service } else { ErrorType::Auth };
        assert_eq!(ask(&client, stranger(), command, By::WrongSignature).await, err(stranger(), refused));
    }
    let no_entity = || err(NONE, CommandError::NoEntity);
    assert_eq!(ask(&client, NONE, LGET, By::Nobody).await, no_entity());
    assert_eq!(ask(&client, NONE, LGET, By::WrongSignature).await, no_entity());
    assert_eq!(ask(&client, stranger(), LGET, By::WrongSignature).await, has_auth(stranger()));
    assert_eq!(ask(&client, NONE, send(b"x"), By::Nobody).await, no_entity());
    assert_eq!(ask(&client, stranger(), send(b"x"), By::Nobody).await, auth(stranger()));
}

#[tokio::test]
async fn flags_of_messages() {
    let server = Server::start().await;
    let client = server.connect().await;
    let queue = Recipient::new(&client).await;
    let id = queue.queue.sender_id();
    for (words, notify) in [(&b"SEND T x"[..], true), (b"SEND F x", false), (b"SEND Fabcdef x", false)] {
        assert_eq!(ask_raw(&client, id, words, By::Nobody).await, ok(id));
        let message = queue.pushed().await;
        match queue.queue.open(&message).unwrap().content {
            Content::Message { notify: flag, body, .. } => assert_eq!((flag, &body[..]), (notify, &b"x"[..])),
            marker @ Content::QuotaExceeded { .. } => panic!("{marker:?}"),
        }
        queue.acknowledge(&message).await;
    }
    for words in [&b"SEND X x"[..], b"SEND T", b"SEND  x", b"SEND ", b"SEND x"] {
        assert_eq!(ask_raw(&client, id, words, By::Nobody).await, syntax(id), "{}", words.escape_ascii());
    }
    assert_eq!(ask_raw(&client, id, b"SEND F ", By::Nobody).await, ok(id));
    queue.takes(b"").await;
}
