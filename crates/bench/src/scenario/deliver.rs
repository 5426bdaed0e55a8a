//! Messages from senders to recipients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use indicatif::ProgressBar;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::key::SigningKey;
use smp_client::protocol::message::Content;
use smp_client::{Client, Event, NewQueueOptions, Queue, QueueSender};
use structopt::StructOpt;
use tokio::time::{MissedTickBehavior, interval_at};

use super::{Failure, progress};
use crate::floor::{BODY, Floor};
use crate::process::{Cost, Usage};
use crate::report::{Latencies, Report};
use crate::target::Target;

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
    /// Messages of each pair, however long it takes
    #[structopt(long, conflicts_with = "seconds")]
    messages: Option<u64>,
}

impl Deliver {
    /// Delivers.
    pub async fn run(&self) -> Result<Report, Failure> {
        let floor = Floor::measure();
        let pairs = try_join_all((0..self.pairs).map(|_| Pair::connect(&self.target))).await?;
        let load = Load { end: self.end(), rate: self.rate };
        let Outcome { messages, elapsed, sent, latencies, cost, own } = load.put(&self.target, &pairs).await?;
        try_join_all(pairs.iter().map(|pair| pair.queue.delete())).await?;

        let mut report = Report::new("deliver: SEND → MSG → ACK");
        report.add_count("messages", messages);
        report.add_rate("delivered", messages, elapsed);
        report.add_latencies("SEND to MSG", &latencies);
        report.add_latencies("SEND to OK", &sent);
        report.add_cost("delivered message", messages, cost, Some(floor.per_delivery()));
        if let Some(own) = own {
            let used = own.processor.as_secs_f64() / own.elapsed.as_secs_f64() * 100.0;
            report.add("this program's processor in use", used, "%");
        }
        Ok(report)
    }

    fn end(&self) -> End {
        self.messages.map_or(End::After(Duration::from_secs(self.seconds)), End::With)
    }
}

/// What pairs have to do.
pub struct Load {
    end: End,
    /// Messages per second of all pairs together.
    rate: Option<f64>,
}

/// When they have done enough.
#[derive(Debug, Clone, Copy)]
enum End {
    After(Duration),
    /// Each with so many messages.
    With(u64),
}

/// What came out.
pub struct Outcome {
    /// Messages of all pairs.
    pub messages: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// From `SEND` to its `OK`.
    pub sent: Latencies,
    /// From `SEND` to `MSG`.
    pub latencies: Latencies,
    /// What the server spent.
    pub cost: Option<Cost>,
    /// What this program spent.
    pub own: Option<Cost>,
}

impl Load {
    /// As much as the server takes.
    pub fn saturating(time: Duration) -> Self {
        Self { end: End::After(time), rate: None }
    }

    /// So many messages per second.
    pub fn paced(time: Duration, rate: f64) -> Self {
        Self { end: End::After(time), rate: Some(rate) }
    }

    /// Has the pairs do it, all at the same time.
    pub async fn put(&self, target: &Target, pairs: &[Pair]) -> Result<Outcome, Failure> {
        let (meter, own, begin) = (target.meter(), Usage::own(), Instant::now());
        let pace = self.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        let paces = (0..).map(|number| pace.map(|pace| Pace::of(number, pairs.len(), pace)));
        let bar = match self.end {
            End::After(time) => progress(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), "milliseconds"),
            End::With(messages) => progress(messages * pairs.len() as u64, "messages"),
        };
        let talk = Talk { begin, end: self.end, bar: &bar };
        let seen = try_join_all(pairs.iter().zip(paces).map(|(pair, pace)| talk.between(pair, pace))).await?;
        let (elapsed, cost) = (begin.elapsed(), meter.cost());
        bar.finish_and_clear();
        let own = Usage::own().zip(own).map(|(after, before)| after.since(&before));
        let (mut latencies, mut sent) = (Latencies::new(), Latencies::new());
        for seen in &seen {
            latencies.add(&seen.latencies);
            sent.add(&seen.sent);
        }
        let messages = seen.iter().map(|seen| seen.messages).sum();
        Ok(Outcome { messages, elapsed, sent, latencies, cost, own })
    }
}

/// A queue with both parties.
pub struct Pair {
    /// Gets the messages.
    pub recipient: Client,
    /// The queue of the recipient.
    pub queue: Queue,
    /// Sends them, over another connection.
    pub sender: QueueSender,
}

impl Pair {
    /// Connects both and makes a queue, which the sender secures.
    pub async fn connect(target: &Target) -> Result<Self, Failure> {
        let recipient = Client::connect(&target.address, &target.options()).await?;
        let sender = Client::connect(&target.address, &target.options()).await?;
        let queue = recipient.create_queue(NewQueueOptions::default()).await?;
        let key: Arc<AuthPrivateKey> = AuthPrivateKey::Signing(SigningKey::generate_ed25519()).into();
        let sender = sender.sender(queue.sender_id()).secure(key).await?;
        Ok(Self { recipient, queue, sender })
    }

    /// Sends, takes and acknowledges one message; how long it took to come, and to be accepted.
    async fn exchange(&self, body: &[u8]) -> Result<(Duration, Duration), Failure> {
        let begin = Instant::now();
        let send = async {
            self.sender.send(body).await?;
            Ok(begin.elapsed())
        };
        tokio::try_join!(self.take(body, begin), send)
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

/// What a pair saw.
struct Seen {
    messages: u64,
    latencies: Latencies,
    sent: Latencies,
}

/// What all pairs do at the same time.
struct Talk<'t> {
    begin: Instant,
    end: End,
    bar: &'t ProgressBar,
}

impl Talk<'_> {
    async fn between(&self, pair: &Pair, pace: Option<Pace>) -> Result<Seen, Failure> {
        let mut seen = Seen { messages: 0, latencies: Latencies::new(), sent: Latencies::new() };
        let mut ticks = pace.map(|pace| interval_at((Instant::now() + pace.first).into(), pace.between));
        if let Some(ticks) = &mut ticks {
            // A late message moves none of the next ones: pairs that were late together would be so from then on.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        }
        let mut body = vec![7; BODY];
        while self.goes_on(seen.messages) {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            body[..8].copy_from_slice(&seen.messages.to_be_bytes());
            let (latency, sent) = pair.exchange(&body).await?;
            seen.latencies.record(latency);
            seen.sent.record(sent);
            seen.messages += 1;
        }
        Ok(seen)
    }

    fn goes_on(&self, messages: u64) -> bool {
        match self.end {
            End::After(time) => {
                let elapsed = self.begin.elapsed();
                self.bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
                elapsed < time
            }
            End::With(most) => {
                self.bar.inc(u64::from(messages > 0));
                messages < most
            }
        }
    }
}
