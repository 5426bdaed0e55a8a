//! Queues, made by recipients and secured by senders.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join_all;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::key::SigningKey;
use smp_client::{Client, NewQueueOptions, Queue};
use structopt::StructOpt;

use super::{Failure, progress};
use crate::Target;
use crate::process::Usage;
use crate::report::Report;

/// `NEW`, subscribed, and then `SKEY`, many at a time over one connection.
#[derive(Debug, StructOpt)]
pub struct Create {
    #[structopt(flatten)]
    target: Target,
    /// How many
    #[structopt(long, default_value = "10000")]
    queues: usize,
    /// Commands in flight
    #[structopt(long, default_value = "100")]
    window: usize,
}

impl Create {
    /// Creates.
    pub async fn run(&self) -> Result<Report, Failure> {
        let client = Client::connect(&self.target.address, &self.target.options()).await?;
        // One key for all: what it costs to make keys is not the server's.
        let key: Arc<AuthPrivateKey> = AuthPrivateKey::Signing(SigningKey::generate_ed25519()).into();
        let count = u64::try_from(self.queues).unwrap_or(u64::MAX);
        let mut report = Report::new("create: NEW and SKEY");
        report.add_count("queues", count);

        let (before, begin) = (Usage::of(self.target.pid), Instant::now());
        let queues = self.create(&client, &key).await?;
        report.add_rate("NEW", count, begin.elapsed());
        let cost = Usage::of(self.target.pid).zip(before).map(|(after, before)| after.since(&before));
        report.add_cost("NEW", count, cost, None);
        report.add_memory("subscribed queue", count, cost);

        let (before, begin) = (Usage::of(self.target.pid), Instant::now());
        for some in queues.chunks(self.window.max(1)) {
            let secure = async |queue: &Queue| client.sender(queue.sender_id()).secure(Arc::clone(&key)).await;
            try_join_all(some.iter().map(secure)).await?;
        }
        report.add_rate("SKEY", count, begin.elapsed());
        let cost = Usage::of(self.target.pid).zip(before).map(|(after, before)| after.since(&before));
        report.add_cost("SKEY", count, cost, None);
        Ok(report)
    }

    async fn create(&self, client: &Client, key: &Arc<AuthPrivateKey>) -> Result<Vec<Queue>, Failure> {
        let bar = progress(u64::try_from(self.queues).unwrap_or(u64::MAX), "queues");
        let mut queues = Vec::with_capacity(self.queues);
        while queues.len() < self.queues {
            let count = self.window.max(1).min(self.queues - queues.len());
            let options = || NewQueueOptions { key: Some(Arc::clone(key)), ..NewQueueOptions::default() };
            queues.extend(try_join_all((0..count).map(|_| client.create_queue(options()))).await?);
            bar.inc(u64::try_from(count).unwrap_or(u64::MAX));
        }
        bar.finish_and_clear();
        Ok(queues)
    }
}
