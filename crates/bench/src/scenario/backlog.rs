//! Messages that wait, and their delivery afterwards.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join_all;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::key::SigningKey;
use smp_client::protocol::message::Content;
use smp_client::{Client, NewQueueOptions, Queue, Received};
use structopt::StructOpt;

use super::{Failure, progress};
use crate::Target;
use crate::floor::BODY;
use crate::process::Usage;
use crate::report::Report;

/// Fills queues while nobody fetches, and then fetches everything.
#[derive(Debug, StructOpt)]
pub struct Backlog {
    #[structopt(flatten)]
    target: Target,
    /// How many queues
    #[structopt(long, default_value = "100")]
    queues: u64,
    /// Messages for each; not more than the quota of the server, 128 by default
    #[structopt(long, default_value = "100")]
    messages: u64,
}

impl Backlog {
    /// Fills and drains.
    pub async fn run(&self) -> Result<Report, Failure> {
        let client = Client::connect(&self.target.address, &self.target.options()).await?;
        let key: Arc<AuthPrivateKey> = AuthPrivateKey::Signing(SigningKey::generate_ed25519()).into();
        let options =
            || NewQueueOptions { subscribe: false, key: Some(Arc::clone(&key)), ..NewQueueOptions::default() };
        let queues = try_join_all((0..self.queues).map(|_| client.create_queue(options()))).await?;
        let total = self.queues * self.messages;
        let mut report = Report::new("backlog: messages that wait, and their delivery");
        report.add_count("messages", total);

        let (before, begin) = (Usage::of(self.target.pid), Instant::now());
        let bar = progress(total, "sent");
        for number in 0..self.messages {
            for some in queues.chunks(32) {
                let send = async |queue: &Queue| client.sender(queue.sender_id()).send(body(queue, number)).await;
                try_join_all(some.iter().map(send)).await?;
                bar.inc(some.len() as u64);
            }
        }
        bar.finish_and_clear();
        report.add_rate("sent", total, begin.elapsed());
        let cost = Usage::of(self.target.pid).zip(before).map(|(after, before)| after.since(&before));
        report.add_memory("waiting message", total, cost);
        report.add_cost("sent message", total, cost, None);

        let begin = Instant::now();
        let bar = progress(total, "fetched");
        try_join_all(queues.iter().map(async |queue| {
            self.drain(queue).await?;
            bar.inc(self.messages);
            Ok::<_, Failure>(())
        }))
        .await?;
        bar.finish_and_clear();
        report.add_rate("fetched", total, begin.elapsed());
        Ok(report)
    }

    /// Every message must come once, in its order, with its bytes.
    async fn drain(&self, queue: &Queue) -> Result<(), Failure> {
        let mut next = queue.get().await?;
        for number in 0..self.messages {
            let Some(Received { id, content, .. }) = next else {
                return Err(Failure::Wrong(format!("message {number} is lost")));
            };
            match content {
                Content::Message { body: received, .. } if *received == body(queue, number) => {}
                _ => return Err(Failure::Wrong(format!("another message than number {number} was delivered"))),
            }
            queue.acknowledge(&id).await?;
            next = queue.get().await?;
        }
        match next {
            None => Ok(()),
            Some(_) => Err(Failure::Wrong("more messages were delivered than sent".to_owned())),
        }
    }
}

/// A body that no other message has.
fn body(queue: &Queue, number: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number);
    let mut body = queue.sender_id().as_ref().to_vec();
    body.extend(number.to_be_bytes());
    body.resize_with(BODY, || random.u8(..));
    body
}
