//! Many subscribed clients, and messages to some of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use smp_client::Client;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::key::SigningKey;
use structopt::StructOpt;

use super::Failure;
use super::deliver::{Load, Outcome, Pair};
use crate::crowd::{CrowdSize, Member, dissolve, gather};
use crate::report::Report;
use crate::target::Target;

/// Members who get messages.
const ADDRESSED: usize = 200;

/// Connects many clients with subscriptions, and sends to some of them.
#[derive(Debug, StructOpt)]
pub struct Crowd {
    #[structopt(flatten)]
    target: Target,
    #[structopt(flatten)]
    size: CrowdSize,
    /// Messages per second, to queues of clients all over the crowd
    #[structopt(long, default_value = "500")]
    rate: f64,
    /// How long messages are sent
    #[structopt(long, default_value = "10")]
    seconds: u64,
}

impl Crowd {
    /// Gathers and delivers.
    pub async fn run(&self) -> Result<Report, Failure> {
        let (meter, begin) = (self.target.meter(), Instant::now());
        let members = gather(&self.target, &self.size).await?;
        let mut report = Report::new("crowd: subscribed clients, and messages to some of them");
        report.add_count("clients", self.size.clients);
        report.add_count("subscriptions", self.size.total());
        report.add("established in", begin.elapsed().as_secs_f64(), "s");
        let cost = meter.cost();
        report.add_memory("client with its subscriptions", self.size.clients, cost);
        report.add_cost("subscription", self.size.total(), cost, None);

        let pairs = self.pairs(&members).await?;
        let load = Load::paced(Duration::from_secs(self.seconds), self.rate);
        let Outcome { messages, elapsed, latencies, cost, .. } = load.put(&self.target, &pairs).await?;
        report.add_count("messages", messages);
        report.add_rate("delivered", messages, elapsed);
        report.add_latencies("SEND to MSG", &latencies);
        report.add_cost("delivered message", messages, cost, None);
        dissolve(&members).await?;
        Ok(report)
    }

    /// Members here and there in the crowd, each with a sender of its own to one of its queues.
    async fn pairs(&self, members: &[Member]) -> Result<Vec<Pair>, Failure> {
        let options = self.target.options();
        let chosen = members.iter().step_by(members.len().div_ceil(ADDRESSED).max(1));
        try_join_all(chosen.filter_map(|member| member.queues.last().map(|queue| (member, queue))).map(
            async |(member, queue)| {
                let sender = Client::connect(&self.target.address, &options).await?;
                let key: Arc<AuthPrivateKey> = AuthPrivateKey::Signing(SigningKey::generate_ed25519()).into();
                let sender = sender.sender(queue.sender_id()).secure(key).await?;
                Ok(Pair { recipient: member.client.clone(), queue: queue.clone(), sender })
            },
        ))
        .await
    }
}
