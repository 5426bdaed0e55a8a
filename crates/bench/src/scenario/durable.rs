//! What it costs that messages are on disk before they are accepted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::key::SigningKey;
use smp_client::{Client, NewQueueOptions, Queue, QueueSender};
use structopt::StructOpt;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{Failure, progress};
use crate::disk::time_appends;
use crate::floor::BODY;
use crate::report::{Latencies, Report, as_f64};
use crate::target::Target;

/// Messages of each sender in each round: fewer than the usual quota, because nobody fetches them.
const MESSAGES: u64 = 100;
/// Those of the single sender in each round, and as many appends to the disk for each.
const SINGLE: u32 = 100;

/// Compares two servers on this machine, one with `store_messages = journal` and one with `store_messages = memory`. They take
/// turns: many senders fill queues as fast as they can, then a single one sends at a moderate rate. Between the two, while neither
/// of them uses it, the disk shows how long it takes to append a message and sync it, at the same rate.
#[derive(Debug, StructOpt)]
pub struct Durable {
    #[structopt(flatten)]
    target: Target,
    /// Address of the server that keeps messages in memory
    #[structopt(long)]
    against: ServerAddress,
    /// A directory on the disk that the journal is on
    #[structopt(long, parse(from_os_str))]
    disk: PathBuf,
    /// Senders at the same time
    #[structopt(long, default_value = "64")]
    senders: usize,
    /// Messages per second of the single sender
    #[structopt(long, default_value = "100")]
    rate: f64,
    /// Turns of each
    #[structopt(long, default_value = "5")]
    rounds: u64,
}

impl Durable {
    /// Compares.
    pub async fn run(&self) -> Result<Report, Failure> {
        let (mut journal, mut memory, mut disk) = (Side::new("journal"), Side::new("memory"), Latencies::new());
        let bar = progress(self.rounds, "rounds");
        for _ in 0..self.rounds {
            memory.take_turn(self, &self.against).await?;
            time_appends(&self.disk, BODY, SINGLE, ticks(self.rate), &mut disk).await?;
            journal.take_turn(self, &self.target.address).await?;
            bar.inc(1);
        }
        bar.finish_and_clear();

        let mut report = Report::new("durable: messages on disk, and the same in memory");
        report.add_count("senders", self.senders as u64);
        for side in [&memory, &journal] {
            report.add_rate(&format!("{}, sent", side.name), side.sent, side.elapsed);
            report.add_latencies(&format!("{}, SEND to OK", side.name), &side.crowded);
            report.add_latencies(&format!("{}, SEND to OK of a single sender", side.name), &side.single);
        }
        report.add_latencies("disk, append and sync", &disk);
        report.add("journal, sent, of memory", journal.per_second() / memory.per_second() * 100.0, "%");
        for percentile in [50.0, 99.0] {
            let [journal, memory, disk] =
                [&journal.single, &memory.single, &disk].map(|latencies| latencies.milliseconds_at(percentile));
            report.add(format!("a single sender waits longer, p{percentile}"), journal - memory, "ms");
            report.add(format!("that is, of the disk's p{percentile}"), (journal - memory) / disk, "×");
        }
        Ok(report)
    }
}

/// One of the servers.
struct Side {
    name: &'static str,
    sent: u64,
    elapsed: Duration,
    /// Of many senders.
    crowded: Latencies,
    single: Latencies,
}

impl Side {
    fn new(name: &'static str) -> Self {
        Self { name, sent: 0, elapsed: Duration::ZERO, crowded: Latencies::new(), single: Latencies::new() }
    }

    async fn take_turn(&mut self, durable: &Durable, address: &ServerAddress) -> Result<(), Failure> {
        let connect = async || Client::connect(address, &durable.target.options()).await;
        let recipient = connect().await?;
        let ends =
            try_join_all((0..=durable.senders).map(async |_| Ends::make(&recipient, connect().await?).await)).await?;
        let (single, many) = ends.split_first().expect("there is one more than senders");

        let begin = Instant::now();
        let seen = try_join_all(many.iter().map(Ends::fill)).await?;
        self.elapsed += begin.elapsed();
        for latencies in &seen {
            self.crowded.add(latencies);
        }
        self.sent += MESSAGES * many.len() as u64;

        single.send_at(durable.rate, &mut self.single).await?;
        try_join_all(ends.iter().map(|ends| ends.queue.delete())).await?;
        Ok(())
    }

    fn per_second(&self) -> f64 {
        as_f64(self.sent) / self.elapsed.as_secs_f64()
    }
}

/// So many in a second; what comes too late is not made good.
fn ticks(rate: f64) -> Interval {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// Both ends of a queue that nobody subscribes to.
struct Ends {
    queue: Queue,
    sender: QueueSender,
}

impl Ends {
    async fn make(recipient: &Client, sender: Client) -> Result<Self, Failure> {
        let unsubscribed = NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
        let queue = recipient.create_queue(unsubscribed).await?;
        let key: Arc<AuthPrivateKey> = AuthPrivateKey::Signing(SigningKey::generate_ed25519()).into();
        let sender = sender.sender(queue.sender_id()).secure(key).await?;
        Ok(Self { queue, sender })
    }

    /// Sends one message after the other.
    async fn fill(&self) -> Result<Latencies, Failure> {
        let mut latencies = Latencies::new();
        for _ in 0..MESSAGES {
            self.send(&mut latencies).await?;
        }
        Ok(latencies)
    }

    async fn send_at(&self, rate: f64, latencies: &mut Latencies) -> Result<(), Failure> {
        let mut ticks = ticks(rate);
        for _ in 0..SINGLE {
            ticks.tick().await;
            self.send(latencies).await?;
        }
        Ok(())
    }

    async fn send(&self, latencies: &mut Latencies) -> Result<(), Failure> {
        let begin = Instant::now();
        self.sender.send(vec![7; BODY]).await?;
        latencies.record(begin.elapsed());
        Ok(())
    }
}
