//! `PFWD` and `RFWD`: commands that reach the relay, and conversations made of them.

use futures_util::future::join_all;
use smp_client::protocol::command::{Command, ForwardedCommand, LinkData, ProxyCommand};
use smp_client::protocol::error::{CommandError, ErrorType, ProxyError};
use smp_client::protocol::key::DhPrivateKey;
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use smp_client::{ClientError, NewQueueOptions, QueueKind, QueueSender};

use super::relay_through;
use crate::harness::ini::Setting;
use crate::harness::party::Recipient;
use crate::harness::request::{By, DEL, SUB, ack, ask, ed448, ed25519, entity, err, key, send, x25519};
use crate::harness::server::Server;

const LARGE_QUOTA: &[Setting<'static>] = &[("LIMITS", "message_queue_quota", "1000")];
/// Bytes of the longest body.
const LONGEST: usize = 16_048;

#[tokio::test]
async fn b_203_205_messages_reach_the_relay() {
    let (proxy, relay) = (Server::start().await, Server::start().await);
    for relay in [&relay, &proxy] {
        for sender_key in [ed25519(), ed448(), x25519()] {
            let recipient = Recipient::new(&relay.connect().await).await;
            let through = relay_through(&proxy.connect().await, relay).await;
            let sender = through.sender(recipient.queue.sender_id());
            sender.send(*b"unsigned").await.unwrap();
            recipient.takes(b"unsigned").await;

            recipient.does(key(sender_key.public())).await;
            assert!(matches!(sender.send(*b"x").await, Err(ClientError::Relay(ErrorType::Auth))));
            let sender = sender.with_key(sender_key);
            sender.send(*b"signed").await.unwrap();
            recipient.takes(b"signed").await;
            let longest = vec![b'z'; LONGEST];
            sender.send(longest.clone()).await.unwrap();
            recipient.takes(&longest).await;
        }
    }
}

#[tokio::test]
async fn b_204_unknown_session() {
    let server = Server::start().await;
    let client = server.connect().await;
    let forward = ForwardedCommand {
        version: Version::MAX,
        key: DhPrivateKey::generate().public(),
        encrypted: vec![0; 16_242].into(),
    };
    let command = Command::Proxy(ProxyCommand::Forward(forward));
    let answer = ask(&client, entity(b"bad session"), command, By::Nobody).await;
    assert_eq!(answer, err(entity(b"bad session"), ProxyError::NoSession));
}

#[tokio::test]
async fn b_206_thousands_of_messages() {
    let (proxy, relay) = (Server::start().await, Server::start_with(LARGE_QUOTA).await);
    let through = relay_through(&proxy.connect().await, &relay).await;
    let (recipient, sender) = forwarded_pair(&relay, &through).await;
    for number in 0..1000_u32 {
        sender.send(number.to_be_bytes()).await.unwrap();
        recipient.takes(&number.to_be_bytes()).await;
    }
    for (pairs, messages) in [(5, 200), (10, 100)] {
        let run = (0..pairs).map(async |_| {
            let through = relay_through(&proxy.connect().await, &relay).await;
            let (recipient, sender) = forwarded_pair(&relay, &through).await;
            exchange(&recipient, &sender, messages).await;
        });
        join_all(run).await;
    }
}

/// A secured queue, and its sender behind a proxy.
async fn forwarded_pair(relay: &Server, through: &smp_client::ProxiedRelay) -> (Recipient, QueueSender) {
    let recipient = Recipient::new(&relay.connect().await).await;
    let sender = through.sender(recipient.queue.sender_id()).secure(ed25519()).await.unwrap();
    (recipient, sender)
}

/// Sends so many messages at the same time; each must come once. Forwarded commands have no order.
async fn exchange(recipient: &Recipient, sender: &QueueSender, messages: u32) {
    let send = join_all((0..messages).map(|number| sender.send(number.to_be_bytes())));
    let take = async {
        let mut bodies = Vec::new();
        let mut next = recipient.pushed().await;
        loop {
            bodies.push(recipient.body(&next));
            next = match recipient.ask(ack(next.id)).await.response {
                Response::Message(message) => message,
                Response::Ok if bodies.len() == messages as usize => return bodies,
                Response::Ok => recipient.pushed().await,
                other => panic!("{other:?} is no answer to ACK"),
            };
        }
    };
    let (sent, mut bodies) = tokio::join!(send, take);
    for answer in sent {
        answer.unwrap();
    }
    bodies.sort();
    assert_eq!(bodies, (0..messages).map(|number| number.to_be_bytes().to_vec()).collect::<Vec<_>>());
}

#[tokio::test]
async fn b_214_conversations_of_all_kinds() {
    let (one, other) = (Server::start_with(LARGE_QUOTA).await, Server::start_with(LARGE_QUOTA).await);
    let pair = async |number: usize| {
        // Two servers or one, forwarded or direct.
        let (home, proxy) = match number % 4 {
            0 => (&one, Some(&other)),
            1 => (&one, Some(&one)),
            2 => (&other, Some(&one)),
            _ => (&other, None),
        };
        let recipient = Recipient::new(&home.connect().await).await;
        let id = recipient.queue.sender_id();
        let sender = match proxy {
            Some(proxy) => relay_through(&proxy.connect().await, home).await.sender(id),
            None => home.connect().await.sender(id),
        };
        let sender = sender.secure(ed25519()).await.unwrap();
        exchange(&recipient, &sender, 50).await;
    };
    join_all((0..12).map(pair)).await;
}

/// Everything that may be forwarded, and what may not.
#[tokio::test]
async fn other_commands() {
    let (proxy, relay) = (Server::start().await, Server::start().await);
    let client = relay.connect().await;
    let through = relay_through(&proxy.connect().await, &relay).await;
    let data = LinkData { fixed: vec![1; 100].into(), user: vec![2; 2000].into() };
    let kind = QueueKind::Messaging(Some(data.clone()));
    let queue = Recipient::with(&client, NewQueueOptions { kind, ..NewQueueOptions::default() }).await;
    let link = through.link(queue.queue.credentials().link_id.clone().unwrap());
    let target = link.secure(ed25519()).await.unwrap();
    assert_eq!((target.sender.sender_id(), target.data), (queue.queue.sender_id(), data));
    target.sender.send(*b"by link").await.unwrap();
    queue.takes(b"by link").await;
    for command in [SUB, DEL, Command::Ping] {
        let answer = through.send(queue.id(), command, Some(queue.key())).await;
        assert!(
            matches!(&answer, Err(ClientError::Relay(error)) if *error == CommandError::Prohibited.into()
            || *error == CommandError::HasAuth.into()),
            "{answer:?}"
        );
    }
    let unknown = through.send(queue.id(), send(b"x"), None).await;
    assert!(matches!(unknown, Err(ClientError::Relay(ErrorType::Auth))));
    assert!(matches!(queue.ask(DEL).await.response, Response::Ok));
}
