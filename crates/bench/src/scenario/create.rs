//! Queues, made by recipients and secured by senders.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::key::SigningKey;
use smp_client::{Client, NewQueueOptions, Queue};
use structopt::StructOpt;

use super::{Failure, progress};
use crate::floor::Floor;
use crate::report::Report;
use crate::series::Growth;
use crate::target::Target;

const AXIS: &str = "queues";

/// `NEW`, subscribed, and then `SKEY` and `DEL`, many at a time over one connection.
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
    /// Leave the queues on the server
    #[structopt(long)]
    keep: bool,
}

impl Create {
    /// Creates.
    pub async fn run(&self) -> Result<Report, Failure> {
        let client = Client::connect(&self.target.address, &self.target.options()).await?;
        // One key for all: what it costs to make keys is not the server's.
        let key: Arc<AuthPrivateKey> = AuthPrivateKey::Signing(SigningKey::generate_ed25519()).into();
        let mut report = Report::new("create: NEW and SKEY");
        report.add_count("queues", self.count());

        let mut queues = Vec::with_capacity(self.queues);
        let floor = Floor::measure();
        self.step("NEW", floor.per_new(), &mut report, async |range| {
            let new = || NewQueueOptions { key: Some(Arc::clone(&key)), ..NewQueueOptions::default() };
            queues.extend(try_join_all(range.map(|_| client.create_queue(new()))).await?);
            Ok(())
        })
        .await?;
        self.step("SKEY", floor.per_command(), &mut report, async |range| {
            let secure = async |queue: &Queue| client.sender(queue.sender_id()).secure(Arc::clone(&key)).await;
            try_join_all(queues[range].iter().map(secure)).await?;
            Ok(())
        })
        .await?;
        if !self.keep {
            self.step("DEL", floor.per_command(), &mut report, async |range| {
                try_join_all(queues[range].iter().map(Queue::delete)).await?;
                Ok(())
            })
            .await?;
        }
        Ok(report)
    }

    /// Has one thing done to all queues, and reports how it went.
    async fn step(
        &self,
        command: &str,
        floor: Duration,
        report: &mut Report,
        mut some: impl AsyncFnMut(std::ops::Range<usize>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (meter, begin, bar) = (self.target.meter(), Instant::now(), progress(self.count(), AXIS));
        let mut growth = Growth::new(&self.target, command, AXIS, self.count());
        let window = self.window.max(1);
        for first in (0..self.queues).step_by(window) {
            let range = first..(first + window).min(self.queues);
            let more = range.len() as u64;
            some(range).await?;
            bar.inc(more);
            growth.grown_by(more);
        }
        bar.finish_and_clear();
        let cost = meter.cost();
        report.add_rate(command, self.count(), begin.elapsed());
        report.add_cost(command, self.count(), cost, Some(floor));
        if command == "NEW" {
            report.add_memory("subscribed queue", self.count(), cost);
        }
        report.series.extend(growth.into_series());
        Ok(())
    }

    fn count(&self) -> u64 {
        self.queues as u64
    }
}
