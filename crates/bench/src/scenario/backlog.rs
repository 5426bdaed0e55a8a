//! Messages that wait.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join_all;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::key::SigningKey;
use smp_client::{Client, NewQueueOptions, Queue};
use structopt::StructOpt;

use super::{Failure, progress};
use crate::floor::BODY;
use crate::report::Report;
use crate::series::Growth;
use crate::target::Target;

/// Commands in flight.
const AT_ONCE: usize = 32;

/// How much.
#[derive(Debug, StructOpt)]
pub struct BacklogSize {
    /// How many queues
    #[structopt(long, default_value = "100")]
    pub queues: u64,
    /// Messages for each; not more than the quota of the server, 128 by default
    #[structopt(long, default_value = "100")]
    pub messages: u64,
}

impl BacklogSize {
    /// Messages for all queues.
    pub fn total(&self) -> u64 {
        self.queues * self.messages
    }

    /// Queues that nobody subscribes to.
    pub async fn create(&self, client: &Client) -> Result<Vec<Queue>, Failure> {
        let key: Arc<AuthPrivateKey> = AuthPrivateKey::Signing(SigningKey::generate_ed25519()).into();
        let new = || NewQueueOptions { subscribe: false, key: Some(Arc::clone(&key)), ..NewQueueOptions::default() };
        Ok(try_join_all((0..self.queues).map(|_| client.create_queue(new()))).await?)
    }

    /// Fills them.
    pub async fn fill(&self, client: &Client, queues: &[Queue], growth: &mut Growth<'_>) -> Result<(), Failure> {
        let bar = progress(self.total(), "sent");
        for number in 0..self.messages {
            for some in queues.chunks(AT_ONCE) {
                let send = async |queue: &Queue| client.sender(queue.sender_id()).send(body(queue, number)).await;
                try_join_all(some.iter().map(send)).await?;
                bar.inc(some.len() as u64);
                growth.grown_by(some.len() as u64);
            }
        }
        bar.finish_and_clear();
        Ok(())
    }
}

/// A body that no other message has.
pub fn body(queue: &Queue, number: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number);
    let mut body = queue.sender_id().as_ref().to_vec();
    body.extend(number.to_be_bytes());
    body.resize_with(BODY, || random.u8(..));
    body
}

/// Fills queues while nobody fetches.
#[derive(Debug, StructOpt)]
pub struct Backlog {
    #[structopt(flatten)]
    target: Target,
    #[structopt(flatten)]
    size: BacklogSize,
    /// Leave the queues and their messages on the server
    #[structopt(long)]
    keep: bool,
}

impl Backlog {
    /// Fills.
    pub async fn run(&self) -> Result<Report, Failure> {
        let client = Client::connect(&self.target.address, &self.target.options()).await?;
        let queues = self.size.create(&client).await?;
        let total = self.size.total();
        let (meter, begin) = (self.target.meter(), Instant::now());
        let mut growth = Growth::new(&self.target, "SEND", "messages that wait", total);
        self.size.fill(&client, &queues, &mut growth).await?;
        let mut report = Report::new("backlog: messages that wait");
        report.add_count("messages", total);
        report.add_rate("sent", total, begin.elapsed());
        let cost = meter.cost();
        report.add_memory("waiting message", total, cost);
        report.add_cost("sent message", total, cost, None);
        report.series.extend(growth.into_series());
        if !self.keep {
            try_join_all(queues.iter().map(Queue::delete)).await?;
        }
        Ok(report)
    }
}
