//! Messages from senders to recipients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::key::SigningKey;
use smp_client::protocol::message::Content;
use smp_client::{Client, Event, NewQueueOptions, Queue, QueueSender};
use structopt::StructOpt;
use tokio::time::{MissedTickBehavior, interval_at};

use super::Failure;
use crate::Target;
use crate::floor::{BODY, Floor};
use crate::process::Usage;
use crate::report::{Latencies, Report};

/// Pairs of clients, each with a queue: a message is sent, pushed and acknowledged, and then comes the next one.
#[derive(Debug, StructOpt)]
pub struct Deliver {
    #[structopt(flatten)]
    target: Target,
    /// Pairs of clients at the same time
    #[structopt(long, default_value = "8")]
    pairs: usize,
    /// How long
    #[structopt(long, default_value = "10")]
    seconds: u64,
    /// Messages per second of all pairs; as many as the server takes if not given
    #[structopt(long)]
    rate: Option<f64>,
}

/// A queue with both parties.
struct Pair {
    recipient: Client,
    queue: Queue,
    sender: QueueSender,
}

/// What a pair saw.
struct Seen {
    messages: u64,
    latencies: Latencies,
}

impl Deliver {
    /// Delivers.
    pub async fn run(&self) -> Result<Report, Failure> {
        let floor = Floor::measure();
        let pairs = try_join_all((0..self.pairs).map(|_| Pair::connect(&self.target))).await?;
        let (server, own) = (Usage::of(self.target.pid), Usage::own());
        let begin = Instant::now();
        let end = begin + Duration::from_secs(self.seconds);
        let pace = self.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        let paces = (0..).map(|number| pace.map(|pace| Pace::of(number, self.pairs, pace)));
        let seen = try_join_all(pairs.iter().zip(paces).map(|(pair, pace)| pair.talk(end, pace))).await?;
        let elapsed = begin.elapsed();
        let cost = Usage::of(self.target.pid).zip(server).map(|(after, before)| after.since(&before));
        let own = Usage::own().zip(own).map(|(after, before)| after.since(&before));

        let mut latencies = Latencies::new();
        for seen in &seen {
            latencies.add(&seen.latencies);
        }
        let messages = seen.iter().map(|seen| seen.messages).sum();
        let mut report = Report::new("deliver: SEND → MSG → ACK");
        report.add_count("messages", messages);
        report.add_rate("delivered", messages, elapsed);
        report.add_latencies("SEND to MSG", &latencies);
        report.add_cost("delivered message", messages, cost, Some(floor.per_delivery()));
        if let Some(own) = own {
            let used = own.processor.as_secs_f64() / own.elapsed.as_secs_f64() * 100.0;
            report.add("this program's processor in use", used, "%");
        }
        Ok(report)
    }
}

/// When a pair has its turns.
struct Pace {
    first: Duration,
    between: Duration,
}

impl Pace {
    /// The pairs take turns: two messages are `each` apart, whatever pairs they are of.
    fn of(number: u32, pairs: usize, each: Duration) -> Self {
        Self { first: each * number, between: each * u32::try_from(pairs).unwrap_or(u32::MAX) }
    }
}

impl Pair {
    async fn connect(target: &Target) -> Result<Self, Failure> {
        let recipient = Client::connect(&target.address, &target.options()).await?;
        let sender = Client::connect(&target.address, &target.options()).await?;
        let queue = recipient.create_queue(NewQueueOptions::default()).await?;
        let key: Arc<AuthPrivateKey> = AuthPrivateKey::Signing(SigningKey::generate_ed25519()).into();
        let sender = sender.sender(queue.sender_id()).secure(key).await?;
        Ok(Self { recipient, queue, sender })
    }

    async fn talk(&self, end: Instant, pace: Option<Pace>) -> Result<Seen, Failure> {
        let mut seen = Seen { messages: 0, latencies: Latencies::new() };
        let mut ticks = pace.map(|pace| interval_at((Instant::now() + pace.first).into(), pace.between));
        if let Some(ticks) = &mut ticks {
            // A late message does not make the next ones come in a bunch.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let mut body = vec![7; BODY];
        while Instant::now() < end {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            body[..8].copy_from_slice(&seen.messages.to_be_bytes());
            let begin = Instant::now();
            let send = async { Ok(self.sender.send(&body[..]).await?) };
            let (latency, ()) = tokio::try_join!(self.take(&body, begin), send)?;
            seen.latencies.record(latency);
            seen.messages += 1;
        }
        Ok(seen)
    }

    /// Waits for the message and acknowledges it; how long it took to come.
    async fn take(&self, body: &[u8], begin: Instant) -> Result<Duration, Failure> {
        let Event::Message(_, message) = self.recipient.next_event().await? else {
            return Err(Failure::Wrong("the server sent something else than a message".to_owned()));
        };
        let latency = begin.elapsed();
        match self.queue.open(&message)?.content {
            Content::Message { body: received, .. } if *received == *body => {}
            _ => return Err(Failure::Wrong("the server delivered another message than was sent".to_owned())),
        }
        self.queue.acknowledge(&message.id).await?;
        Ok(latency)
    }
}
