//! Messages that waited are fetched.

use std::time::Instant;

use futures_util::future::try_join_all;
use smp_client::protocol::message::Content;
use smp_client::{Client, Event, Queue, Received};
use structopt::StructOpt;

use super::backlog::{BacklogSize, body};
use super::{Failure, progress};
use crate::report::Report;
use crate::series::Growth;
use crate::target::Target;

/// Fills queues, and then somebody comes for each of them: the first message is pushed, each other one is the answer to the
/// `ACK` of the one before. Every byte, the order and the number are checked.
#[derive(Debug, StructOpt)]
pub struct Drain {
    #[structopt(flatten)]
    target: Target,
    #[structopt(flatten)]
    size: BacklogSize,
    /// Clients who fetch, each from several queues, one after the other
    #[structopt(long, default_value = "16")]
    clients: usize,
}

impl Drain {
    /// Fills and drains.
    pub async fn run(&self) -> Result<Report, Failure> {
        let client = Client::connect(&self.target.address, &self.target.options()).await?;
        let queues = self.size.create(&client).await?;
        let total = self.size.total();
        let mut growth = Growth::new(&self.target, "SEND", "messages that wait", total);
        self.size.fill(&client, &queues, &mut growth).await?;

        let (meter, begin) = (self.target.meter(), Instant::now());
        let bar = progress(total, "fetched");
        let shares = queues.chunks(queues.len().div_ceil(self.clients.max(1)).max(1));
        try_join_all(shares.map(async |share| {
            let client = Client::connect(&self.target.address, &self.target.options()).await?;
            for queue in share {
                self.fetch(&client, &queue.on(&client)).await?;
                bar.inc(self.size.messages);
            }
            Ok::<_, Failure>(())
        }))
        .await?;
        bar.finish_and_clear();
        let mut report = Report::new("drain: messages that waited are fetched");
        report.add_count("messages", total);
        report.add_rate("fetched", total, begin.elapsed());
        report.add_cost("fetched message", total, meter.cost(), None);
        try_join_all(queues.iter().map(Queue::delete)).await?;
        Ok(report)
    }

    /// Every message must come once, in its order, with its bytes.
    async fn fetch(&self, client: &Client, queue: &Queue) -> Result<(), Failure> {
        queue.subscribe().await?;
        let mut next = match self.size.messages {
            0 => None,
            _ => Some(pushed(client, queue).await?),
        };
        for number in 0..self.size.messages {
            let Some(Received { id, content }) = next else {
                return Err(Failure::Wrong(format!("message {number} is lost")));
            };
            match content {
                Content::Message { body: received, .. } if *received == body(queue, number) => {}
                _ => return Err(Failure::Wrong(format!("another message than number {number} was delivered"))),
            }
            next = queue.acknowledge(&id).await?;
        }
        match next {
            None => Ok(()),
            Some(_) => Err(Failure::Wrong("more messages were delivered than sent".to_owned())),
        }
    }
}

async fn pushed(client: &Client, queue: &Queue) -> Result<Received, Failure> {
    match client.next_event().await? {
        Event::Message(_, message) => Ok(queue.open(&message)?),
        _ => Err(Failure::Wrong("the server sent something else than a message".to_owned())),
    }
}
