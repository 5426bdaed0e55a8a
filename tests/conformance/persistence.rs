//! What survives an orderly stop, and what the files look like.

use std::collections::HashMap;

use smp_client::Notifier;
use smp_client::protocol::command::{Command, SendMessage, SenderCommand};
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::CorrId;
use smp_client::protocol::response::Response;

use crate::harness::at_every_version;
use crate::harness::ini::IN_MEMORY;
use crate::harness::party::{Recipient, Sender, notified};
use crate::harness::request::{By, SUB};
use crate::harness::request::{DEL, NSUB, ask, auth, err, ok, subscribed};
use crate::harness::server::Server;
use crate::harness::state::MESSAGES;
use crate::harness::wire::{Blocks, batch_of};

#[tokio::test]
async fn b_120_123_to_125_queues_outlive_the_server() {
    let mut server = Server::start().await;
    let (kept, deleted, notifier) = two_queues(&server).await;
    server.stop().await;
    let words: Vec<_> = server.store_log().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(words, ["CREATE", "SECURE", "CREATE", "SECURE", "NOTIFIER", "DELETE"]);

    server.run().await;
    let (r, s, n) = (server.connect().await, server.connect().await, server.connect().await);
    let queue = kept.0.on(&r);
    assert_eq!(nsub(&n, &notifier).await, subscribed(n.version(), notifier.id()));
    kept.1.on(&s).notifies(b"after the restart").await;
    assert_eq!(queue.ask(SUB).await, subscribed(r.version(), queue.id()));
    let id = queue.takes(b"after the restart").await;
    assert_eq!(notified(&n, &notifier).await, id);

    let gone = deleted.1.on(&s);
    assert_eq!(gone.send(b"x").await, auth(gone.id));
    assert_eq!(deleted.0.on(&r).ask(SUB).await, auth(deleted.0.id()));
    server.stop().await;
    assert_eq!(server.store_log().len(), 1, "the log was compacted at the start");
}

#[tokio::test]
async fn b_122_without_a_store_log_queues_are_gone() {
    let mut server = Server::start_with(&[IN_MEMORY]).await;
    let (kept, ..) = two_queues(&server).await;
    server.stop().await;
    server.set(("STORE_LOG", "enable", "off"));
    server.set(("STORE_LOG", "restore_messages", "off"));
    server.run().await;
    let s = server.connect().await;
    let sender = kept.1.on(&s);
    assert_eq!(sender.send(b"x").await, auth(sender.id));
    let (new, new_sender) = Recipient::secured(&s, &s).await;
    new_sender.sends(b"kept in memory").await;
    new.takes(b"kept in memory").await;
    let log = server.store_log();
    server.stop().await;
    assert_eq!(server.store_log(), log, "the log is left alone");
}

/// Two secured queues, the first with a notifier, the second deleted.
async fn two_queues(server: &Server) -> ((Recipient, Sender), (Recipient, Sender), Notifier) {
    let (r, s) = (server.connect().await, server.connect().await);
    let kept = Recipient::secured(&r, &s).await;
    let deleted = Recipient::secured(&r, &s).await;
    let notifier = kept.0.notifier().await;
    deleted.0.does(DEL).await;
    (kept, deleted, notifier)
}

async fn nsub(client: &smp_client::Client, notifier: &Notifier) -> smp_client::Reply {
    ask(client, notifier.id(), NSUB, By::Key(&notifier.credentials().key)).await
}

#[tokio::test]
async fn b_121_message_comes_before_the_ok_of_its_sender() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let client = server.connect_at(version).await;
        let mut both = Blocks::connect(&server, version).await;
        let (queue, sender) = Recipient::secured(&client, &client).await;
        let (_, sub) = both.command(queue.id(), &SUB, Some(queue.key()));
        both.send(&batch_of(&[sub])).await;
        both.receive().await;
        let send = Command::Sender(SenderCommand::Send(SendMessage { notify: false, body: (*b"self").into() }));
        let (corr_id, send) = both.command(sender.id, &send, sender.key.as_deref());
        both.send(&batch_of(&[send])).await;
        let mut answers = both.receive().await;
        if answers.len() == 1 {
            answers.extend(both.receive().await);
        }
        assert_eq!(answers[0].corr_id, CorrId::EMPTY);
        assert!(matches!(answers[0].reply.response, Response::Message(_)));
        assert_eq!((&answers[1].corr_id, &answers[1].reply), (&corr_id, &ok(sender.id)));
    })
    .await;
}

#[tokio::test]
async fn b_126_to_128_messages_and_statistics_outlive_the_server() {
    let mut server = Server::start_with(&[IN_MEMORY, ("STORE_LOG", "log_stats", "on")]).await;
    let (r, s) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&r, &s).await;
    sender.sends(b"1").await;
    queue.takes(b"1").await;
    r.close().await;
    for body in [b"2", b"3", b"4", b"5"] {
        sender.sends(body).await;
    }
    assert_eq!(sender.send(b"6").await, err(sender.id, ErrorType::Quota));
    server.stop().await;

    assert_eq!(server.store_log().len(), 2);
    assert_eq!(server.lines_of(crate::harness::state::STATISTICS).len(), 101);
    let saved = server.statistics();
    assert_statistics(
        &saved,
        &[
            ("qCreated", 1),
            ("qSecured", 1),
            ("qDeletedAll", 0),
            ("qCount", 1),
            ("msgSent", 5),
            ("msgRecv", 1),
            ("msgSentQuota", 1),
            ("msgSentNtf", 0),
            ("msgRecvNtf", 0),
            ("ntfCreated", 0),
        ],
    );
    let active = |period: &str| saved[&format!("activeQueues:{period}Hashes")].clone();
    assert!(!active("day").is_empty() && !active("day").contains(','), "one active queue: {}", active("day"));
    assert!(active("day") == active("week") && active("day") == active("month"));
    assert_eq!(server.lines_of(MESSAGES).len(), 5, "four messages and the marker");

    server.run().await;
    let (r, s) = (server.connect().await, server.connect().await);
    let queue = queue.on(&r);
    queue.subscribe().await;
    let second = queue.receives(b"2").await;
    let third = queue.acknowledge_for(&second, b"3").await;
    queue.acknowledge_for(&third, b"4").await;
    let sender = sender.on(&s);
    assert_eq!(sender.send(b"6").await, err(sender.id, ErrorType::Quota), "the queue is still full");
    server.stop().await;
    assert_statistics(&server.statistics(), &[("msgSent", 5), ("msgRecv", 3)]);

    server.run().await;
    let (r, s) = (server.connect().await, server.connect().await);
    let queue = queue.on(&r);
    queue.subscribe().await;
    let fourth = queue.receives(b"4").await;
    let fifth = queue.acknowledge_for(&fourth, b"5").await;
    let marker = queue.acknowledge_for_marker(&fifth).await;
    queue.acknowledge(&marker).await;
    sender.on(&s).sends(b"room again").await;
    queue.takes(b"room again").await;
    server.stop().await;
    assert_statistics(&server.statistics(), &[("msgSent", 6), ("msgRecv", 6)]);
    assert_eq!(server.lines_of(MESSAGES).len(), 0);
}

fn assert_statistics(saved: &HashMap<String, String>, expected: &[(&str, u64)]) {
    for (name, value) in expected {
        assert_eq!(saved[*name], value.to_string(), "{name}");
    }
}

#[tokio::test]
async fn b_129_130_messages_expire_at_the_start() {
    let mut server = Server::start_with(&[IN_MEMORY, ("STORE_LOG", "log_stats", "on")]).await;
    let (r, s) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&r, &s).await;
    for body in [b"1", b"2", b"3", b"4"] {
        sender.sends(body).await;
    }
    server.stop().await;
    server.age_messages(3600, |number| number < 2);
    let saved = server.lines_of(MESSAGES);
    assert_eq!(saved.len(), 4);

    server.set(("LIMITS", "message_ttl", "86400"));
    server.run().await;
    server.stop().await;
    assert_eq!(server.lines_of(MESSAGES), saved, "none is older than a day");

    server.set(("LIMITS", "message_ttl", "1800"));
    server.run().await;
    server.stop().await;
    assert_eq!(server.lines_of(MESSAGES), saved[2..], "two are older than half an hour");
    assert_statistics(&server.statistics(), &[("msgExpired", 2)]);

    server.run().await;
    let r = server.connect().await;
    let queue = queue.on(&r);
    queue.subscribe().await;
    queue.receives(b"3").await;
}
