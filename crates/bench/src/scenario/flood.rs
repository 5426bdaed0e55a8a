//! One client that never stops.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use smp_client::protocol::error::ErrorType;
use smp_client::{Client, ClientError, NewQueueOptions, Queue};
use structopt::StructOpt;
use structopt::clap::arg_enum;

use super::Failure;
use crate::floor::BODY;
use crate::report::Report;
use crate::target::Target;

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
        // It is meant to load the server, not what is measured beside it on this machine.
        let _ = rustix::process::nice(19);
        let client = Client::connect(&self.target.address, &self.target.options()).await?;
        let queue = client.create_queue(NewQueueOptions { subscribe: false, ..NewQueueOptions::default() }).await?;
        let (meter, begin) = (self.target.meter(), Instant::now());
        let end = begin + Duration::from_secs(self.seconds);
        let mut commands = 0;
        while Instant::now() < end {
            commands += self.burst(&client, &queue).await?;
        }
        let mut report = Report::new("flood: one client that never stops");
        report.add_count("commands", commands);
        report.add_rate("executed", commands, begin.elapsed());
        report.add_cost("command", commands, meter.cost(), None);
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
