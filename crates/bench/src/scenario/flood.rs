//! One client that never stops.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use smp_client::protocol::error::ErrorType;
use smp_client::{Client, ClientError, NewQueueOptions, Queue};
use structopt::StructOpt;
use structopt::clap::arg_enum;

use super::Failure;
use crate::floor::BODY;
use crate::report::{Report, as_f64};
use crate::series::Series;
use crate::target::Target;

/// How often the memory of the server is looked at.
const PARTS: u32 = 10;

arg_enum! {
    /// What it does.
    #[derive(Debug, Clone, Copy)]
    pub enum Doing {
        Send,
        Subscribe,
        New,
    }
}

/// As much as one connection can do, without a pause.
#[derive(Debug, StructOpt)]
pub struct Flood {
    #[structopt(flatten)]
    target: Target,
    /// What it does: messages to a queue that is full, subscriptions of one queue, or queues that are made and deleted
    #[structopt(long = "flood", possible_values = &Doing::variants(), case_insensitive = true, default_value = "send")]
    doing: Doing,
    /// How long
    #[structopt(long, default_value = "10")]
    seconds: u64,
    /// Commands in flight
    #[structopt(long, default_value = "100")]
    window: usize,
}

impl Flood {
    /// Floods.
    pub async fn run(&self) -> Result<Report, Failure> {
        let client = Client::connect(&self.target.address, &self.target.options()).await?;
        let queue = client.create_queue(NewQueueOptions { subscribe: false, ..NewQueueOptions::default() }).await?;
        let (meter, begin) = (self.target.meter(), Instant::now());
        let time = Duration::from_secs(self.seconds);
        let mut commands = 0;
        let mut memory = Series::new("memory", ["commands", "memory of the server, MB"]);
        let mut parts = (1..=PARTS).map(|part| time * part / PARTS).peekable();
        while begin.elapsed() < time {
            commands += self.burst(&client, &queue).await?;
            if parts.next_if(|part| begin.elapsed() >= *part).is_some()
                && let Some(usage) = self.target.usage()
            {
                memory.points.push((as_f64(commands), as_f64(usage.resident) / 1e6));
            }
        }
        let mut report = Report::new("flood: one client that never stops");
        report.add_count("commands", commands);
        report.add_rate("executed", commands, begin.elapsed());
        report.add_cost("command", commands, meter.cost(), None);
        report.series.extend((!memory.points.is_empty()).then_some(memory));
        queue.delete().await?;
        Ok(report)
    }

    async fn burst(&self, client: &Client, queue: &Queue) -> Result<u64, Failure> {
        let window = 0..self.window.max(1);
        let answers: Vec<Result<(), ClientError>> = match self.doing {
            Doing::Send => {
                let sender = client.sender(queue.sender_id());
                join_all(window.map(|_| sender.send(vec![7; BODY]))).await
            }
            Doing::Subscribe => join_all(window.map(async |_| queue.subscribe().await.map(drop))).await,
            Doing::New => {
                let new = async |_| client.create_queue(NewQueueOptions::default()).await?.delete().await;
                join_all(window.map(new)).await
            }
        };
        for answer in &answers {
            match answer {
                Ok(()) | Err(ClientError::Server(ErrorType::Quota)) => {}
                Err(error) => return Err(Failure::Wrong(error.to_string())),
            }
        }
        Ok(answers.len() as u64)
    }
}
