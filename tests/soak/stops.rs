//! Blocks that are completed while the server ends: whatever is answered `OK` then is there after the start.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use smp_client::protocol::id::CorrId;
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use tokio::time::sleep;

use crate::harness::output::Output;
use crate::harness::party::Recipient;
use crate::harness::request::{GET, ack, send};
use crate::harness::server::Server;
use crate::harness::wire::{Blocks, batch_of};
use crate::{harness, rounds_or};

/// Clients that hold back the end of a block.
const CLIENTS: usize = 8;
/// The signal comes in the middle of this time, in which blocks are completed.
const MOMENTS: Duration = Duration::from_millis(60);
const DEFAULT_ROUNDS: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_completed_at_the_end_in_memory() {
    rounds("memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_completed_at_the_end_in_the_journal() {
    rounds("journal").await;
}

async fn rounds(storage: &str) {
    let rounds = rounds_or(DEFAULT_ROUNDS);
    let mut rng = harness::seed::random();
    let mut server = Server::start_with(&[("STORE_LOG", "store_messages", storage)]).await;
    let mut queues = Vec::new();
    let client = server.connect().await;
    for _ in 0..CLIENTS {
        queues.push(Recipient::new(&client).await);
    }
    let (mut sent, mut completed) = (0, 0);
    for round in 1..=rounds {
        let mut clients = Vec::new();
        for (number, queue) in queues.iter().enumerate() {
            let body = format!("round {round}, client {number}").into_bytes();
            let held = Held::new(&server, queue, &body, &mut rng).await;
            let when = When::random(&mut rng, server.process().output());
            clients.push((body, tokio::spawn(held.complete(when))));
        }
        sleep(MOMENTS / 2).await;
        server.stop().await;
        server.run().await;
        let client = server.connect().await;
        for ((body, answered), queue) in clients.into_iter().zip(&queues) {
            let is_answered = answered.await.expect("a client saw nothing wrong");
            let found = take_all(&queue.on(&client)).await;
            let lost = is_answered && !found.contains(&body);
            assert!(!lost, "round {round}: {:?} was answered OK and is lost", String::from_utf8_lossy(&body));
            sent += 1;
            completed += usize::from(is_answered);
        }
    }
    println!("{storage}: {completed} of {sent} were answered OK, and are there");
    server.stop().await;
}

/// When a block is completed.
enum When {
    /// After this time.
    After(Duration),
    /// When the server has closed its connections and saves.
    Saving(Arc<Output>),
}

impl When {
    fn random(rng: &mut Rng, output: &Arc<Output>) -> Self {
        match rng.u8(..4) {
            0 => Self::Saving(Arc::clone(output)),
            _ => Self::After(Duration::from_micros(rng.u64(..u64::try_from(MOMENTS.as_micros()).unwrap_or(u64::MAX)))),
        }
    }
}

/// A client that has sent a `SEND` but for its end.
struct Held {
    client: Blocks,
    corr_id: CorrId,
    end: Vec<u8>,
}

impl Held {
    async fn new(server: &Server, queue: &Recipient, body: &[u8], rng: &mut Rng) -> Self {
        let mut client = Blocks::connect(server, Version::MAX).await;
        let (corr_id, command) = client.command(queue.queue.sender_id(), &send(body), None);
        let mut block = client.block_of(&batch_of(&[command]));
        let held = if rng.bool() { 1 } else { rng.usize(1..=block.len()) };
        let end = block.split_off(block.len() - held);
        client.send_bytes(&block).await;
        Self { client, corr_id, end }
    }

    /// Sends the rest; whether it was answered `OK`.
    async fn complete(mut self, when: When) -> bool {
        match when {
            When::After(time) => sleep(time).await,
            When::Saving(output) => {
                output.line(0, |line| line.contains(" connections in ")).await.expect("the server saves");
            }
        }
        if self.client.try_send_bytes(&self.end).await.is_err() {
            return false;
        }
        let Ok(answers) = self.client.try_receive().await else { return false };
        assert_eq!(answers.len(), 1);
        assert_eq!((&answers[0].corr_id, &answers[0].reply.response), (&self.corr_id, &Response::Ok));
        true
    }
}

/// Takes all messages of a queue out.
async fn take_all(queue: &Recipient) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let mut next = queue.ask(GET).await.response;
    while let Response::Message(message) = next {
        bodies.push(queue.body(&message));
        next = queue.ask(ack(message.id)).await.response;
    }
    assert_eq!(next, Response::Ok);
    bodies
}
