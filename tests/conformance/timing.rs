//! Whether a queue exists must not show in the time that a refusal takes (behaviour.md §2.6).
//!
//! Single commands cannot show it: their verification is a small part of a round trip. So each measurement is a whole block of
//! the same command, whose verifications add up, and the two cases take turns in random order. Whatever else the machine does
//! can only make a turn longer, so the shortest of many turns are compared, and while they differ more turns follow. One time
//! is compared with another, never with a limit. The tolerance is that of the specification; a verification that is left out
//! makes a difference of several times.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smp_client::NewQueueOptions;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::command::Command;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::EntityId;
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;

use crate::harness::party::Recipient;
use crate::harness::request::{SUB, ed448, ed25519, entity, key, send, x25519};
use crate::harness::server::Server;
use crate::harness::wire::{Blocks, batch_of};

/// Commands in a block.
const COMMANDS: usize = 40;
/// Blocks of each case, at least and at most.
const TURNS: std::ops::Range<usize> = 10..200;
const TOLERANCE: f64 = 0.3;

type MakeKey = fn() -> AuthPrivateKey;

/// Kind of the queue's key, kind of the key that is used.
const PAIRS: [(&str, MakeKey, MakeKey); 7] = [
    ("Ed25519/Ed25519", ed25519, ed25519),
    ("Ed25519/X25519", ed25519, x25519),
    ("Ed448/Ed448", ed448, ed448),
    ("Ed448/Ed25519", ed448, ed25519),
    ("X25519/X25519", x25519, x25519),
    ("X25519/Ed25519", x25519, ed25519),
    ("Ed448/X25519", ed448, x25519),
];

#[tokio::test]
async fn b_095_refusals_take_the_same_time_for_all_queues() {
    let server = Server::start().await;
    let client = server.connect_at(Version(7)).await;
    for (name, queue_key, used_key) in PAIRS {
        let options = NewQueueOptions { key: Some(Arc::new(queue_key())), ..NewQueueOptions::default() };
        let queue = Recipient::with(&client, options).await;
        queue.does(key(queue_key().public())).await;
        let wrong = used_key();
        for (word, id, command) in
            [("SUB", queue.id().into(), SUB), ("SEND", queue.queue.sender_id().into(), send(b"hello"))]
        {
            let times = shortest_times(&server, &id, &command, &wrong).await;
            assert!(difference(times) <= TOLERANCE, "{name} {word}: {times:?}");
        }
    }
}

/// For the existing queue and for a missing one.
async fn shortest_times(server: &Server, id: &EntityId, command: &Command, wrong: &AuthPrivateKey) -> [Duration; 2] {
    let mut client = Blocks::connect(server, Version(7)).await;
    let blocks = [id.clone(), entity(b"1234")].map(|id| {
        let commands: Vec<_> = (0..COMMANDS).map(|_| client.command(id.clone(), command, Some(wrong)).1).collect();
        batch_of(&commands)
    });
    let mut shortest = [Duration::MAX; 2];
    for turn in 0..TURNS.end {
        for case in if fastrand::bool() { [0, 1] } else { [1, 0] } {
            shortest[case] = shortest[case].min(refused(&mut client, &blocks[case]).await);
        }
        if turn >= TURNS.start && difference(shortest) <= TOLERANCE {
            break;
        }
    }
    shortest
}

/// Relative to the longer of the two.
fn difference([a, b]: [Duration; 2]) -> f64 {
    a.abs_diff(b).as_secs_f64() / a.max(b).as_secs_f64()
}

/// The time until all commands of a block are refused.
async fn refused(client: &mut Blocks, content: &[u8]) -> Duration {
    let begin = Instant::now();
    client.send(content).await;
    let mut answers = 0;
    while answers < COMMANDS {
        for answer in client.receive().await {
            assert_eq!(answer.reply.response, Response::Error(ErrorType::Auth));
            answers += 1;
        }
    }
    begin.elapsed()
}
